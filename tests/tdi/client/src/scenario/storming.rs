//! Storms.

use super::{FAR, NEAR, Scene};
use crate::storm::{self, Plan};
use crate::wrong::Wrong;

/// A few connections, of which most survive for a while.
pub(super) fn few(scene: &Scene<'_>) -> Result<(), Wrong> {
    let plan = Plan { connections: 2, threads: 3, actions: 25, longest: 40_000, seed: scene.seed };
    storm::pass(scene.bed, NEAR, FAR, plan)
}

/// A thousand connections of either client.
pub(super) fn thousand(scene: &Scene<'_>) -> Result<(), Wrong> {
    let plan = Plan { connections: 1000, threads: 3, actions: 1000, longest: 40_000, seed: scene.seed };
    storm::pass(scene.bed, NEAR, FAR, plan)
}

//! Stress runs.

use super::{FAR, NEAR, ScenarioContext};
use crate::stress::{self, Plan};
use crate::violation::Violation;

/// A few connections, of which most survive for a while.
pub(super) fn few(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    stress::run(context.fixture, NEAR, FAR, plan(2, 25, context.seed))
}

/// A thousand connections of either client.
pub(super) fn thousand(context: &ScenarioContext<'_>) -> Result<(), Violation> {
    stress::run(context.fixture, NEAR, FAR, plan(1000, 1000, context.seed))
}

/// In every second stress run requests are forced to pend.
fn plan(connections: usize, actions: usize, seed: u64) -> Plan {
    let pending = fastrand::Rng::with_seed(seed).bool();
    Plan { connections, threads: 3, actions, longest: 40_000, pending, seed }
}

//! A consumer that sleeps until its CQ notifies: as from an adapter with interrupts, beside
//! `ImmediateNotification`.

use protocol::Measure;
use runner::{Error, Measuring, Series};
use serde::Serialize;

use super::Plan;
use super::statistics::{Distribution, Spread};

/// Bytes of a message.
const LENGTH: u32 = 64;

/// From the post to the awakening, in nanoseconds.
#[derive(Serialize)]
pub(super) struct Notifications {
    pub(super) immediate: Spread,
    pub(super) default: Spread,
    pub(super) immediate_p99: Spread,
    pub(super) default_p99: Spread,
}

/// The same in one round.
#[derive(Clone, Copy)]
pub(super) struct Round {
    immediate: f64,
    default: f64,
    immediate_p99: f64,
    default_p99: f64,
}

impl Notifications {
    /// Of these rounds.
    pub(super) fn of(rounds: &[Round]) -> Self {
        let spread = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
        Self {
            immediate: spread(|round| round.immediate),
            default: spread(|round| round.default),
            immediate_p99: spread(|round| round.immediate_p99),
            default_p99: spread(|round| round.default_p99),
        }
    }
}

/// Measures both in one round.
pub(super) fn measure([default, immediate]: [&Measuring; 2], plan: &Plan) -> Result<Round, Error> {
    let take = |measuring: &Measuring| {
        let samples =
            measuring.take(&Series::new(Measure::Notification, plan.notifications).of(LENGTH, 1))?;
        Ok::<_, Error>(Distribution::of(&samples))
    };
    let (immediate, default) = (take(immediate)?, take(default)?);
    Ok(Round {
        immediate: immediate.median(),
        default: default.median(),
        immediate_p99: immediate.percentile(99.0),
        default_p99: default.percentile(99.0),
    })
}

//! A consumer that sleeps until its CQ notifies: as from an adapter with interrupts, beside
//! `ImmediateNotification`.

use indicatif::ProgressBar;
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

/// Measures both, in turns.
pub(super) fn measure(
    [default, immediate]: [&Measuring; 2],
    plan: &Plan,
    bar: &ProgressBar,
) -> Result<Notifications, Error> {
    let take = |measuring: &Measuring| {
        let samples =
            measuring.take(&Series::new(Measure::Notification, plan.notifications).of(LENGTH, 1))?;
        Ok::<_, Error>(Distribution::of(&samples))
    };
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        rounds.push((take(immediate)?, take(default)?));
        bar.inc(1);
    }
    let spread = |figure: fn(&(Distribution, Distribution)) -> f64| Spread::of(rounds.iter().map(figure));
    Ok(Notifications {
        immediate: spread(|(immediate, _)| immediate.median()),
        default: spread(|(_, default)| default.median()),
        immediate_p99: spread(|(immediate, _)| immediate.percentile(99.0)),
        default_p99: spread(|(_, default)| default.percentile(99.0)),
    })
}

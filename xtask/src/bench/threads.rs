//! One way between two threads: a Send beside a cache line.

use protocol::Measure;
use runner::{Error, Measuring, Series};
use serde::Serialize;

use super::Plan;
use super::statistics::{Distribution, Spread};

/// Bytes of a message.
pub(super) const LENGTH: u32 = 64;

/// The cores of the host that the two processors are on, as the time shows that a cache line takes from one to the other.
/// The host moves the processors, so it may differ between rounds, and what a Send can come to differs with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Placement {
    /// A line takes less than 50 ns.
    Below50,
    /// A line takes 50 to 60 ns.
    From50To60,
    /// A line takes 60 to 120 ns.
    From60To120,
    /// A line takes 120 ns or more.
    From120,
}

impl Placement {
    fn of(line: f64) -> Self {
        match line {
            ..50.0 => Self::Below50,
            ..60.0 => Self::From50To60,
            ..120.0 => Self::From60To120,
            _ => Self::From120,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Below50 => "line below 50 ns",
            Self::From50To60 => "line of 50-60 ns",
            Self::From60To120 => "line of 60-120 ns",
            Self::From120 => "line of 120 ns or more",
        }
    }
}

/// One-way latencies in one round, in nanoseconds: half of there and back.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Round {
    pub(super) cache_line: f64,
    pub(super) send: f64,
    pub(super) send_p99: f64,
    /// The Send as a multiple of the cache line.
    pub(super) of_cache_line: f64,
    pub(super) placement: Placement,
}

/// One-way latencies of all rounds.
#[derive(Serialize)]
pub(super) struct Threads {
    pub(super) rounds: Vec<Round>,
    pub(super) cache_line: Spread,
    pub(super) send: Spread,
    pub(super) send_p99: Spread,
    pub(super) of_cache_line: Spread,
}

impl Threads {
    /// Of these rounds.
    pub(super) fn of(rounds: Vec<Round>) -> Self {
        let spread = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
        Self {
            cache_line: spread(|round| round.cache_line),
            send: spread(|round| round.send),
            send_p99: spread(|round| round.send_p99),
            of_cache_line: spread(|round| round.of_cache_line),
            rounds,
        }
    }
}

/// Measures one round: the line before and after the Send, as the host may have moved a processor in between.
pub(super) fn measure(measuring: &Measuring, plan: &Plan) -> Result<Round, Error> {
    let take = |measure| {
        let samples = measuring.take(&Series::new(measure, plan.exchanges).of(LENGTH, 1))?;
        Ok::<_, Error>(Distribution::of(&samples))
    };
    let (before, send, after) =
        (take(Measure::CacheLine)?, take(Measure::Exchange)?, take(Measure::CacheLine)?);
    let cache_line = (before.middle() + after.middle()) / 4.0;
    let (send, send_p99) = (send.middle() / 2.0, send.percentile(99.0) / 2.0);
    let placement = Placement::of(cache_line);
    Ok(Round { cache_line, send, send_p99, of_cache_line: send / cache_line, placement })
}

#[cfg(test)]
mod tests {
    use super::Placement;

    #[test]
    fn placement_follows_from_the_time_of_a_line() {
        let placements = [29.0, 50.0, 59.9, 95.0, 120.0].map(Placement::of);
        let expected = [
            Placement::Below50,
            Placement::From50To60,
            Placement::From50To60,
            Placement::From60To120,
            Placement::From120,
        ];
        assert_eq!(placements, expected);
    }
}

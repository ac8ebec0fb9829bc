//! One way between two threads: a Send beside a cache line.

use indicatif::ProgressBar;
use protocol::Measure;
use runner::{Error, Measuring, Series};
use serde::Serialize;

use super::Plan;
use super::statistics::{Distribution, Spread};

/// Bytes of a message.
const LENGTH: u32 = 64;

/// One-way latencies, in nanoseconds: half of there and back.
#[derive(Serialize)]
pub(super) struct Threads {
    pub(super) cache_line: Spread,
    pub(super) send_length: u32,
    pub(super) send_median: Spread,
    pub(super) send_p99: Spread,
    /// A Send's median as a multiple of the cache line's in the same round.
    pub(super) of_cache_line: Spread,
}

struct Round {
    line: f64,
    send: f64,
    p99: f64,
}

/// Measures both, in turns.
pub(super) fn measure(measuring: &Measuring, plan: &Plan, bar: &ProgressBar) -> Result<Threads, Error> {
    let take = |measure| {
        let samples = measuring.take(&Series::new(measure, plan.exchanges).of(LENGTH, 1))?;
        Ok::<_, Error>(Distribution::of(&samples))
    };
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (line, send) = (take(Measure::CacheLine)?, take(Measure::Exchange)?);
        rounds.push(Round {
            line: line.median() / 2.0,
            send: send.median() / 2.0,
            p99: send.percentile(99.0) / 2.0,
        });
        bar.inc(1);
    }
    let spread = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    Ok(Threads {
        cache_line: spread(|round| round.line),
        send_length: LENGTH,
        send_median: spread(|round| round.send),
        send_p99: spread(|round| round.p99),
        of_cache_line: spread(|round| round.send / round.line),
    })
}

//! Send, Write and Read beside memcpy, over one connection and between the same buffers.

use indicatif::ProgressBar;
use protocol::Measure;
use runner::{Error, Measuring, Series};
use serde::Serialize;

use super::Plan;
use super::statistics::{Distribution, Spread};

/// Bytes of one operation.
pub(super) const LENGTHS: [u32; 4] = [64, 4 << 10, 64 << 10, 1 << 20];

/// The first is what the others are compared with.
const OPERATIONS: [(Measure, &str); 4] = [
    (Measure::Copy, "memcpy"),
    (Measure::Send, "Send/Receive"),
    (Measure::Write, "RDMA Write"),
    (Measure::Read, "RDMA Read"),
];

/// One operation at one length.
#[derive(Serialize)]
pub(super) struct Transfer {
    pub(super) operation: &'static str,
    /// In bytes.
    pub(super) length: u32,
    /// Operations that are posted before the first result is polled.
    pub(super) outstanding: u32,
    pub(super) per_second: Spread,
    pub(super) bytes_per_second: Spread,
    /// The bandwidth as a part of memcpy's in the same round.
    pub(super) of_memcpy: Spread,
    /// From the post to the result, one at a time, in nanoseconds.
    pub(super) median_latency: Spread,
    pub(super) p99_latency: Spread,
}

/// The result of one operation in one round.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    of_memcpy: f64,
    median: f64,
    p99: f64,
}

/// Measures every operation at every length, in turns.
pub(super) fn measure(measuring: &Measuring, plan: &Plan, bar: &ProgressBar) -> Result<Vec<Transfer>, Error> {
    let mut transfers = Vec::new();
    for length in LENGTHS {
        let mut rounds: [Vec<Round>; OPERATIONS.len()] = Default::default();
        for _ in 0..plan.rounds {
            let mut memcpy = None;
            for ((operation, _), rounds) in OPERATIONS.into_iter().zip(&mut rounds) {
                let (per_second, median, p99) = once(measuring, plan, operation, length)?;
                let of_memcpy = per_second / *memcpy.get_or_insert(per_second);
                rounds.push(Round { per_second, of_memcpy, median, p99 });
            }
            bar.inc(1);
        }
        for ((_, operation), rounds) in OPERATIONS.into_iter().zip(rounds) {
            let spread = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
            let per_second = spread(|round| round.per_second);
            let bytes = |rate: f64| rate * f64::from(length);
            transfers.push(Transfer {
                operation,
                length,
                outstanding: outstanding(length),
                per_second,
                bytes_per_second: Spread {
                    median: bytes(per_second.median),
                    least: bytes(per_second.least),
                    most: bytes(per_second.most),
                },
                of_memcpy: spread(|round| round.of_memcpy),
                median_latency: spread(|round| round.median),
                p99_latency: spread(|round| round.p99),
            });
        }
    }
    Ok(transfers)
}

/// Operations per second, and the median and the 99th percentile of one operation's time.
fn once(
    measuring: &Measuring,
    plan: &Plan,
    operation: Measure,
    length: u32,
) -> Result<(f64, f64, f64), Error> {
    let depth = outstanding(length);
    // About what an operation takes at least: 100 ns, and 1 ns for each 10 bytes.
    let nanoseconds = 100 + u64::from(length) / 10;
    let count = (plan.microseconds * 1000 / nanoseconds).max(16) as usize;
    let single = measuring.take(&Series::new(operation, count).of(length, 1))?;
    let many = measuring.take(&Series::new(operation, count.div_ceil(depth as usize)).of(length, depth))?;
    let (single, many) = (Distribution::of(&single), Distribution::of(&many));
    // The median, as a sample in which the host ran something else says nothing of the provider.
    Ok((f64::from(depth) * 1e9 / many.median(), single.median(), single.percentile(99.0)))
}

/// As many as hide the costs of a round of polling, but few enough to take well under a millisecond.
fn outstanding(length: u32) -> u32 {
    match length {
        ..=4096 => 32,
        4097..=65536 => 8,
        _ => 2,
    }
}

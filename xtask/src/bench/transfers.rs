//! Send, Write and Read beside memcpy, over one connection and between the same buffers.

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

/// One operation at one length in one round.
#[derive(Clone, Copy)]
pub(super) struct Round {
    operation: &'static str,
    length: u32,
    per_second: f64,
    of_memcpy: f64,
    median: f64,
    p99: f64,
}

/// Measures every operation at every length in one round, each length's memcpy first.
pub(super) fn measure(measuring: &Measuring, plan: &Plan) -> Result<Vec<Round>, Error> {
    let mut round = Vec::new();
    for length in LENGTHS {
        let mut memcpy = None;
        for (measure, operation) in OPERATIONS {
            let (per_second, median, p99) = once(measuring, plan, measure, length)?;
            let of_memcpy = per_second / *memcpy.get_or_insert(per_second);
            round.push(Round { operation, length, per_second, of_memcpy, median, p99 });
        }
    }
    Ok(round)
}

impl Transfer {
    /// Every operation at every length, of rounds that measured them in the same order.
    pub(super) fn of(rounds: &[&[Round]]) -> Vec<Self> {
        let first = rounds.first().copied().unwrap_or_default();
        let transfer = |(index, row): (usize, &Round)| {
            let spread = |figure: fn(&Round) -> f64| {
                Spread::of(rounds.iter().filter_map(|round| round.get(index)).map(figure))
            };
            let per_second = spread(|round| round.per_second);
            let bytes = |rate: f64| rate * f64::from(row.length);
            Self {
                operation: row.operation,
                length: row.length,
                outstanding: outstanding(row.length),
                per_second,
                bytes_per_second: Spread {
                    median: bytes(per_second.median),
                    least: bytes(per_second.least),
                    most: bytes(per_second.most),
                },
                of_memcpy: spread(|round| round.of_memcpy),
                median_latency: spread(|round| round.median),
                p99_latency: spread(|round| round.p99),
            }
        };
        first.iter().enumerate().map(transfer).collect()
    }
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
pub(super) fn outstanding(length: u32) -> u32 {
    match length {
        ..=4096 => 32,
        4097..=65536 => 8,
        _ => 2,
    }
}

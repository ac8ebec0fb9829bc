//! Parts that the reports have in common.

use core::fmt;

use indicatif::BinaryBytes;
use serde::Serialize;

/// Something that took time and moved no data.
#[derive(Serialize)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) seconds: f64,
}

/// Leaked pool memory.
#[derive(Serialize, Default)]
pub(super) struct PoolLeft {
    allocations: usize,
    bytes: usize,
}

impl PoolLeft {
    pub(super) fn new(report: &ntsim::Report) -> Self {
        let bytes = report.pool.iter().map(|leak| leak.size).sum();
        Self { allocations: report.pool.len(), bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.allocations == 0
    }
}

impl fmt::Display for PoolLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        write!(f, "{} allocations, {} bytes", self.allocations, self.bytes)
    }
}

/// Bytes per second, if there are any.
pub(super) fn rate(bytes: u64, seconds: f64) -> Option<f64> {
    (bytes > 0 && seconds > 0.0).then(|| bytes as f64 / seconds)
}

/// A rate for people.
pub(super) fn speed(bytes_per_second: Option<f64>) -> String {
    bytes_per_second.map_or_else(|| "-".into(), |rate| format!("{}/s", BinaryBytes(rate as u64)))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Prints a line of a summary.
pub(super) fn line(name: &str, text: String) {
    println!("  {name:<16}{text}");
}

/// Prints findings as a part of a summary.
pub(super) fn list(name: &str, findings: &[String]) {
    if findings.is_empty() {
        line(name, "nothing".into());
        return;
    }
    line(name, findings.len().to_string());
    for finding in findings.iter().flat_map(|finding| finding.lines()) {
        println!("    {finding}");
    }
}

//! The report of a machine that has been shut down.

#![forbid(unsafe_code)]

use core::fmt;

use nt::io;
use ntsim_core::sched::Played;
use ntsim_core::subsystem::Leak;
use ntsim_core::verifier::Finding;

/// The findings, leaks and counts of a machine's run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The rules that drivers broke, in the order in which they were first broken.
    pub findings: Vec<Finding>,
    /// Pool memory that was not freed before the machine was shut down, by tag.
    pub pool: Vec<Leak>,
    /// Bytes of kernel stack that drivers used at most, as far as they called the kernel from there.
    pub deepest_stack: u64,
    /// Counts of the NDK layer's calls and callbacks, and closes that were not over.
    pub ndk: ndk::Summary,
    /// Counts of the I/O manager's requests.
    pub io: io::Statistics,
    /// The outcome of the schedule, where the machine had one.
    pub schedule: Option<Played>,
    /// The reason for which the capture that was asked for is not whole, with its path.
    pub capture_error: Option<String>,
}

impl Report {
    /// The rules that were broken, in the order of the findings.
    pub fn rules(&self) -> Vec<&'static str> {
        self.findings.iter().map(|finding| finding.rule).collect()
    }

    /// The first parameter of what Windows would stop with, which says what is wrong, for each finding for
    /// which it would.
    pub fn codes(&self) -> Vec<u64> {
        self.findings
            .iter()
            .filter_map(|finding| finding.bugcheck)
            .map(|bugcheck| bugcheck.parameters[0])
            .collect()
    }

    /// Returns whether nothing was found and nothing is left.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.pool.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "nothing found");
        }
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        self.ndk.pending.iter().try_for_each(|close| writeln!(f, "at the end {close}"))?;
        self.pool.iter().try_for_each(|leak| writeln!(f, "left in pool: {leak}"))?;
        self.schedule.iter().try_for_each(|played| write!(f, "{played}"))
    }
}

//! The command line of `boot`.

use std::path::PathBuf;

/// The images, and what is done to them.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The images, in the order in which they are loaded.
    #[arg(required = true, value_name = "FILE.sys")]
    pub(super) images: Vec<PathBuf>,
    /// Adapters for the miniport drivers among them to run [default: one if there is a miniport driver].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=64))]
    pub(super) adapters: Option<u8>,
    /// Send a device control with this code (and 64 bytes that are zero, each way) to each named device.
    #[arg(long, value_name = "CODE", value_parser = code)]
    pub(super) ioctl: Vec<u32>,
    /// Add a device to each driver that has an AddDevice, start it, open its interfaces and named devices, read and write
    /// 64 bytes there, send the device controls, and remove it. Of a miniport driver, query what its adapters say they support,
    /// send frames from each to all, and take the last one away.
    #[arg(long)]
    pub(super) start: bool,
    /// Let one allocation of the last image fail: the one with this number, from 0 on, or each in turn with `sweep`.
    #[arg(long, value_name = "N|sweep", value_parser = fail_allocation)]
    pub(super) fail_allocation: Option<FailAllocation>,
    /// Play under this many schedules, whose choices follow from the seeds from 1 on.
    #[arg(long, value_name = "N", conflicts_with = "seed")]
    pub(super) seeds: Option<u64>,
    /// Play under the schedule of this seed.
    #[arg(long, value_name = "S")]
    pub(super) seed: Option<u64>,
    /// Load images that import what the simulator does not have, and stop where such an import is first used.
    #[arg(long)]
    pub(super) allow_missing: bool,
    /// Write a minidump of the first crash, hang or finding.
    #[arg(long, value_name = "FILE")]
    pub(super) dump: Option<PathBuf>,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

/// The allocations that fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FailAllocation {
    /// The one with this number.
    Nth(u64),
    /// Each in a play of its own.
    Sweep,
}

impl Options {
    /// The number of the one allocation that fails.
    pub(super) fn failing(&self) -> Option<u64> {
        match self.fail_allocation {
            Some(FailAllocation::Nth(number)) => Some(number),
            Some(FailAllocation::Sweep) | None => None,
        }
    }
}

fn fail_allocation(text: &str) -> Result<FailAllocation, String> {
    match text {
        "sweep" => Ok(FailAllocation::Sweep),
        number => number
            .parse()
            .map(FailAllocation::Nth)
            .map_err(|_| "the number of an allocation, or sweep".into()),
    }
}

fn code(text: &str) -> Result<u32, String> {
    let code = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    code.map_err(|_| "a control code, like 0x222000".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_hexadecimal_or_decimal() {
        assert_eq!((code("0x222000"), code("16")), (Ok(0x22_2000), Ok(16)));
        assert!(code("222g").is_err() && code("0x1ffffffff").is_err());
    }

    #[test]
    fn allocation_is_a_number_or_all() {
        assert_eq!(fail_allocation("sweep"), Ok(FailAllocation::Sweep));
        assert_eq!(fail_allocation("7"), Ok(FailAllocation::Nth(7)));
        assert!(fail_allocation("-1").is_err());
    }
}

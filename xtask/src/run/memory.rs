//! The most memory that this process has had resident.

use std::fs;

/// Bytes, as Linux counts them (`VmHWM` in proc(5)); nothing where it does not say.
pub(super) fn peak() -> Option<u64> {
    parse(&fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_is_read_in_kibibytes() {
        assert_eq!(parse("VmPeak:\t  10 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 7 kB\n"), Some(1234 * 1024));
    }

    #[test]
    fn status_without_a_peak_has_none() {
        assert_eq!(parse("VmRSS:\t 7 kB\n"), None);
    }
}

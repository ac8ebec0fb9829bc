//! The head that every NDIS structure begins with: its type, its revision, its size.

use ntsim_core::address::Va;
use sys::ndis::NDIS_OBJECT_HEADER;

use super::violation;

/// The required contents of a structure's head.
pub(super) struct Expected {
    /// The structure's name.
    pub(super) name: &'static str,
    /// Its `NDIS_OBJECT_TYPE_…`.
    pub(super) kind: u8,
    /// Its revisions, each with the least size.
    pub(super) revisions: &'static [(u8, u16)],
}

/// Checks a head that crosses from a driver to NDIS; a wrong one is a finding, bug check 0x7C code 0x21.
///
/// # Safety
/// `header` is null or points to the head of a structure.
pub(super) unsafe fn check(header: *const NDIS_OBJECT_HEADER, expected: &Expected) -> bool {
    // SAFETY: the caller's contract.
    let Some(found) = (unsafe { header.as_ref() }) else {
        violation("NdisObjectHeader", [0x21, 0, 0, 0], format!("{} is null", expected.name));
        return false;
    };
    let least = expected.revisions.iter().find(|(revision, _)| *revision == found.Revision);
    if found.Type == expected.kind && least.is_some_and(|(_, size)| found.Size >= *size) {
        return true;
    }
    let text = format!(
        "{} has type {:#x}, revision {}, size {:#x}; \
         it should have type {:#x} and one of {:x?} (revision, size)",
        expected.name, found.Type, found.Revision, found.Size, expected.kind, expected.revisions
    );
    violation("NdisObjectHeader", [0x21, 0, Va::of(header).bits(), 0], text);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Expected = Expected { name: "NDIS_TEST", kind: 0x80, revisions: &[(1, 0x10), (2, 0x18)] };

    #[test]
    fn head_must_have_the_type_and_a_size_that_its_revision_needs() {
        let machine = crate::testing::builder().boot();
        let valid = |kind, revision, size| {
            let header = NDIS_OBJECT_HEADER { Type: kind, Revision: revision, Size: size };
            unsafe { check(&header, &EXPECTED) }
        };
        assert!(valid(0x80, 1, 0x10) && valid(0x80, 1, 0x20) && valid(0x80, 2, 0x18));
        assert!(!valid(0x81, 1, 0x10) && !valid(0x80, 2, 0x17) && !valid(0x80, 3, 0x40));
        assert!(!unsafe { check(core::ptr::null(), &EXPECTED) });
        let report = machine.shutdown();
        assert!(report.findings.iter().all(|finding| finding.rule == "NdisObjectHeader"));
        assert_eq!(report.findings.len(), 4);
    }
}

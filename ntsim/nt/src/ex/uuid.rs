//! Unique identifiers.

use core::sync::atomic::{AtomicU16, Ordering};

use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{GUID, signature};

/// The number of identifiers that were made: the same on every run, so that a run can be repeated.
#[derive(Default)]
struct Made {
    count: AtomicU16,
}

static MADE: PerMachine<Made> = PerMachine::new();

exports! {
    "ntoskrnl.exe", signature;

    /// Makes an identifier that no other call on this machine gets.
    #[irql(PASSIVE..=PASSIVE)]
    fn ExUuidCreate(uuid: *mut GUID) -> NTSTATUS {
        let number = MADE.get().count.fetch_add(1, Ordering::Relaxed);
        // Version 4 and variant 1 in the places that RFC 9562, section 4 gives them.
        let variant = [0x80, 0, 0, 0, 0, 0, 0, 1];
        let new = GUID { Data1: 0x6E74_7369, Data2: number, Data3: 0x4000, Data4: variant };
        // SAFETY: the caller passes room for the identifier.
        unsafe { uuid.write(new) };
        STATUS_SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_differ() {
        let machine = crate::testing::builder().boot();
        let mut made = [GUID { Data1: 0, Data2: 0, Data3: 0, Data4: [0; 8] }; 2];
        for uuid in &mut made {
            assert_eq!(unsafe { ExUuidCreate(uuid) }, STATUS_SUCCESS);
        }
        assert!(made[0] != made[1]);
        assert!(machine.shutdown().is_clean());
    }
}

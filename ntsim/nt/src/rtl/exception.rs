//! Structured exceptions, as drivers raise and handle them.

use ntsim_core::Export;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exception::{self, ACCESS_VIOLATION};
use ntsim_core::exports;
use ntsim_core::sched::{Irql, hooks};
use sys::status::NTSTATUS;
use sys::wdm::signature;

/// The status of an access that is not aligned.
const DATATYPE_MISALIGNMENT: u32 = 0x8000_0002;

exports! {
    raising "ntoskrnl.exe", signature;

    /// Raises an exception, which can't be continued.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExRaiseStatus(status: NTSTATUS) {
        raise(status.cast_unsigned());
    }

    /// Raises STATUS_ACCESS_VIOLATION.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExRaiseAccessViolation() {
        raise(ACCESS_VIOLATION);
    }

    /// Raises STATUS_DATATYPE_MISALIGNMENT.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExRaiseDatatypeMisalignment() {
        raise(DATATYPE_MISALIGNMENT);
    }
}

const _: signature::__C_specific_handler = exception::handle_c;
const _: signature::RtlCaptureContext = exception::capture;

/// Functions that are no calls into the kernel: one is the dispatcher's, the other needs its caller's registers.
pub(crate) const DIRECT: &[Export] = &[
    Export {
        module: "ntoskrnl.exe",
        name: "__C_specific_handler",
        address: exception::handle_c as *const (),
        lowest: Irql::PASSIVE,
        highest: Irql::HIGH,
    },
    Export {
        module: "ntoskrnl.exe",
        name: "RtlCaptureContext",
        address: exception::capture as *const (),
        lowest: Irql::PASSIVE,
        highest: Irql::HIGH,
    },
];

/// Raises in the calling driver. Without a handler, Windows stops: bug check 0x7E, the status, the address.
fn raise(status: u32) {
    if !exception::caller_has_handler() {
        let at = ntsim_core::sched::local::innermost().map_or(0, |entry| entry.return_address().bits());
        let bugcheck = Bugcheck { code: 0x7E, parameters: [u64::from(status), at, 0, 0] };
        hooks::stop(bugcheck, &format!("the driver raised {status:#010x}, and has no handler for it"));
    }
    exception::raise(status, None);
}

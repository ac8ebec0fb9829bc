//! Levels at which drivers may call the kernel.

use ntsim_core::sched::Irql;

use crate::machine::SUBSYSTEMS;

/// The annotations in `wdm.h`, `ntddk.h` and `netioapi.h` of WDK 10.0.26100 and the requirements on their pages. Where
/// the two differ, the header decides.
#[test]
fn levels_are_those_that_the_headers_state() {
    let exports = SUBSYSTEMS.iter().copied().flatten().flat_map(|part| part.exports()).copied().flatten();
    for (name, highest) in [
        ("KeFlushQueuedDpcs", Irql::APC),
        ("KeSetPriorityThread", Irql::DISPATCH),
        ("IoBuildDeviceIoControlRequest", Irql::PASSIVE),
        ("PsTerminateSystemThread", Irql::PASSIVE),
        ("RtlFreeUnicodeString", Irql::PASSIVE),
        ("RtlFreeAnsiString", Irql::PASSIVE),
        ("ConvertInterfaceIndexToLuid", Irql::PASSIVE),
        ("ConvertInterfaceLuidToIndex", Irql::PASSIVE),
        ("KeInitializeSemaphore", Irql::PASSIVE),
        ("ExInitializeRundownProtection", Irql::APC),
        ("ExReInitializeRundownProtection", Irql::APC),
        ("ExRundownCompleted", Irql::APC),
    ] {
        let export = exports.clone().find(|export| export.name == name).unwrap();
        assert_eq!((export.lowest, export.highest), (Irql::PASSIVE, highest), "{name}");
    }
}

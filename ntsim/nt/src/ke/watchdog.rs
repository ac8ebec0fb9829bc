//! The limits of deferred procedure calls, as drivers may ask for them.

use ntsim_core::Settings;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::sched;
use ntsim_core::sched::time::TICK;
use sys::status::{NTSTATUS, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};
use sys::wdm::{KDPC_WATCHDOG_INFORMATION, signature};

exports! {
    "ntoskrnl.exe", signature;

    /// Says the limit of a single DPC, in ticks; what is left of it is as much as a DPC that has just begun has. The sequence
    /// has no limit, which zero says. Only "while a DPC was running on the current processor" does it succeed:
    /// <https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-kequerydpcwatchdoginformation>.
    #[irql(PASSIVE..=DISPATCH)]
    fn KeQueryDpcWatchdogInformation(information: *mut KDPC_WATCHDOG_INFORMATION) -> NTSTATUS {
        if !sched::current().is_some_and(|thread| thread.stays.in_dpc.is_inside()) {
            return STATUS_UNSUCCESSFUL;
        }
        let limit = narrow(sched::units(Settings::current().dpc_limit) / TICK);
        let limits = KDPC_WATCHDOG_INFORMATION {
            DpcTimeLimit: limit,
            DpcTimeCount: limit,
            DpcWatchdogLimit: 0,
            DpcWatchdogCount: 0,
            Reserved: 0,
        };
        // SAFETY: the caller passes room for the limits.
        unsafe { information.write(limits) };
        STATUS_SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use core::ffi::c_void;
    use core::ptr;
    use core::sync::atomic::{AtomicU32, Ordering};

    use sys::wdm::KDPC;

    use super::*;
    use crate::ke::{KeInitializeDpc, KeInsertQueueDpc};

    static LIMIT: AtomicU32 = AtomicU32::new(0);

    fn query() -> (NTSTATUS, u32) {
        let mut limits = unsafe { core::mem::zeroed::<KDPC_WATCHDOG_INFORMATION>() };
        let status = unsafe { KeQueryDpcWatchdogInformation(&mut limits) };
        (status, limits.DpcTimeLimit)
    }

    unsafe extern "efiapi" fn ask(_: *mut KDPC, _: *mut c_void, _: *mut c_void, _: *mut c_void) {
        let (status, limit) = query();
        assert_eq!(status, STATUS_SUCCESS);
        LIMIT.store(limit, Ordering::SeqCst);
    }

    #[test]
    fn limits_are_told_inside_a_dpc_only() {
        let machine = crate::testing::builder().boot();
        assert_eq!(query().0, STATUS_UNSUCCESSFUL);
        let mut dpc = unsafe { core::mem::zeroed::<KDPC>() };
        unsafe { KeInitializeDpc(&mut dpc, Some(ask), ptr::null_mut()) };
        unsafe { KeInsertQueueDpc(&mut dpc, ptr::null_mut(), ptr::null_mut()) };
        assert!(LIMIT.load(Ordering::SeqCst) > 0);
        assert!(machine.shutdown().is_clean());
    }
}

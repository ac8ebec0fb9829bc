//! Power requests, as far as drivers hand them on: the machine neither sleeps nor wakes.

use ntsim_core::exports;
use sys::status::NTSTATUS;
use sys::wdm::{DEVICE_OBJECT, IRP, signature};

use super::dispatch::send_as_driver;

exports! {
    "ntoskrnl.exe", signature;

    /// Sends a power request to a device: as IoCallDriver since Windows Vista
    /// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-pocalldriver>).
    #[irql(PASSIVE..=DISPATCH)]
    fn PoCallDriver(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        // SAFETY: the driver passes a request that it owns.
        unsafe { send_as_driver(device, irp) }
    }

    /// Does nothing since Windows Vista
    /// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-postartnextpowerirp>).
    #[irql(PASSIVE..=DISPATCH)]
    fn PoStartNextPowerIrp(_irp: *mut IRP) {}
}

//! A machine with the fake driver.

use core::mem::MaybeUninit;
use core::ptr;

use ntsim_core::boot::{Machine, ShutdownReport};
use ntsim_core::number::narrow;
use sys::status::*;
use sys::wdm::*;

use super::driver::{CONTROL, cancelled, dispatch, set_cancel, take_back};
use crate::io::device::{IoCreateDevice, IoDeleteDevice};
use crate::io::dispatch::IofCallDriver;
use crate::io::irp::{IoAllocateIrp, IoFreeIrp};
use crate::io::namespace::{IoCreateSymbolicLink, IoDeleteSymbolicLink};
use crate::io::{File, driver_is_ready, driver_is_unloaded};

/// A machine with the driver's device.
pub(super) struct Fixture {
    machine: Machine,
    driver: Box<DRIVER_OBJECT>,
    device: *mut DEVICE_OBJECT,
}

impl Fixture {
    pub(super) fn boot() -> Self {
        Self::on(crate::testing::builder().boot())
    }

    pub(super) fn on(machine: Machine) -> Self {
        CONTROL.take_majors();
        CONTROL.fail_creates(STATUS_SUCCESS);
        let mut driver: Box<DRIVER_OBJECT> = unsafe { Box::new(MaybeUninit::zeroed().assume_init()) };
        driver.MajorFunction = [Some(dispatch as PDRIVER_DISPATCH); 28];
        let mut device = ptr::null_mut();
        with_name("\\Device\\Test", |name| unsafe {
            let kind = FILE_DEVICE_UNKNOWN;
            assert_eq!(
                IoCreateDevice(&mut *driver, narrow(size_of::<KTIMER>()), name, kind, 0, 0, &mut device),
                STATUS_SUCCESS
            );
            with_name("\\DosDevices\\Test", |link| {
                assert_eq!(IoCreateSymbolicLink(link, name), STATUS_SUCCESS);
            });
            driver_is_ready(&mut *driver);
        });
        Self { machine, driver, device }
    }

    pub(super) fn open(&self) -> File {
        crate::io::open("\\\\.\\Test", &[]).unwrap()
    }

    /// Sends a request of the driver's own to its own device, with a completion routine that takes it back.
    pub(super) fn forward_and_take_back(&self) -> NTSTATUS {
        self.forward(Some(take_back), false)
    }

    /// Sends a request of the driver's own to its own device.
    pub(super) fn forward(&self, completion: Option<PIO_COMPLETION_ROUTINE>, cancellable: bool) -> NTSTATUS {
        unsafe {
            let irp = IoAllocateIrp(1, 0);
            let next = (*irp).Tail.Overlay.CurrentStackLocation.wrapping_sub(1);
            if cancellable {
                set_cancel(irp, Some(cancelled));
            }
            (*next).MajorFunction = IRP_MJ_CREATE;
            (*next).CompletionRoutine = completion;
            (*next).Control = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR;
            let status = IofCallDriver(self.device, irp);
            IoFreeIrp(irp);
            status
        }
    }

    pub(super) fn device(&self) -> *mut DEVICE_OBJECT {
        self.device
    }

    pub(super) fn finish(self) -> ShutdownReport {
        self.finish_after(|| ())
    }

    /// As a driver without an unload routine: the device stays.
    pub(super) fn abandon(mut self) -> ShutdownReport {
        unsafe { driver_is_unloaded(&mut *self.driver) };
        self.machine.shutdown()
    }

    /// Finishes after `last`, which runs when the device is deleted.
    pub(super) fn finish_after(mut self, last: impl FnOnce()) -> ShutdownReport {
        with_name("\\DosDevices\\Test", |link| unsafe {
            assert_eq!(IoDeleteSymbolicLink(link), STATUS_SUCCESS);
        });
        unsafe {
            IoDeleteDevice(self.device);
            driver_is_unloaded(&mut *self.driver);
        }
        last();
        self.machine.shutdown()
    }
}

/// Calls `f` with a counted string.
pub(super) fn with_name(name: &str, f: impl FnOnce(*const UNICODE_STRING)) {
    let mut units: Vec<u16> = name.encode_utf16().collect();
    let bytes = narrow(units.len() * 2);
    f(&UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: units.as_mut_ptr() });
}

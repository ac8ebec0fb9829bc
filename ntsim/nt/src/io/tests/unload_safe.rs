//! Completion routines with a device.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use sys::status::*;
use sys::wdm::*;

use super::fixture::Fixture;
use super::rules::found;
use crate::io::irp::{IoAllocateIrp, IoFreeIrp};
use crate::io::unload_safe::IoSetCompletionRoutineEx;
use crate::io::{give_back, lend};

unsafe extern "efiapi" fn count(_: *mut DEVICE_OBJECT, irp: *mut IRP, counter: *mut c_void) -> NTSTATUS {
    let counter = unsafe { &*counter.cast::<AtomicUsize>() };
    counter.fetch_add(unsafe { (*irp).IoStatus.Information }, Ordering::SeqCst);
    STATUS_MORE_PROCESSING_REQUIRED
}

/// A request whose completion adds what it was given back with to a counter; `on_error` as for IoSetCompletionRoutineEx.
fn set(device: *mut DEVICE_OBJECT, counter: &AtomicUsize, on_error: u8) -> *mut IRP {
    unsafe {
        let irp = IoAllocateIrp(1, 0);
        let context = ptr::from_ref(counter).cast_mut().cast();
        let status = IoSetCompletionRoutineEx(device, irp, Some(count), context, 1, on_error, 1);
        assert_eq!(status, STATUS_SUCCESS);
        irp
    }
}

#[test]
fn routine_with_a_device_is_called_for_the_outcomes_that_it_wants() {
    let fixture = Fixture::boot();
    let counter = AtomicUsize::new(0);
    unsafe {
        let irp = set(fixture.device(), &counter, 1);
        lend(irp).unwrap();
        give_back(irp, STATUS_UNSUCCESSFUL, 3);
        IoFreeIrp(irp);
        assert_eq!(counter.load(Ordering::SeqCst), 3);
        let irp = set(fixture.device(), &counter, 0);
        lend(irp).unwrap_err();
        give_back(irp, STATUS_SUCCESS, 4);
        IoFreeIrp(irp);
    }
    assert_eq!(counter.load(Ordering::SeqCst), 7);
    assert!(fixture.finish().is_clean());
}

#[test]
fn device_must_exist_until_its_routine_is_called() {
    let fixture = Fixture::boot();
    let counter = AtomicUsize::new(0);
    let irp = set(fixture.device(), &counter, 1);
    let report = fixture.finish_after(|| unsafe {
        lend(irp).unwrap();
        give_back(irp, STATUS_SUCCESS, 1);
        IoFreeIrp(irp);
    });
    assert_eq!(found(&report), [("CompletionRoutineDevice", 0)]);
}

#[test]
fn routine_must_be_in_the_image_of_its_devices_driver() {
    let fixture = Fixture::boot();
    let counter = AtomicUsize::new(0);
    unsafe {
        let driver = (*fixture.device()).DriverObject;
        (*driver).DriverStart = ptr::from_ref(&counter).cast_mut().cast();
        (*driver).DriverSize = 8;
        let irp = set(fixture.device(), &counter, 1);
        lend(irp).unwrap();
        give_back(irp, STATUS_SUCCESS, 1);
        IoFreeIrp(irp);
    }
    assert_eq!(found(&fixture.finish()), [("CompletionRoutineDevice", 0)]);
}

#[test]
fn routine_with_a_device_that_never_runs_is_found() {
    let fixture = Fixture::boot();
    let counter = AtomicUsize::new(0);
    unsafe { IoFreeIrp(set(fixture.device(), &counter, 1)) };
    assert_eq!(found(&fixture.finish()), [("CompletionRoutineLeak", 0)]);
}

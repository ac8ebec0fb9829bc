//! The fake driver.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};

use ntsim_core::number::ToUsize;
use ntsim_core::sched::{self, Irql};
use parking_lot::Mutex;
use sys::status::*;
use sys::wdm::*;

use super::relay::relay;
use crate::io::{cancel, complete};
use crate::mm::MmMapLockedPagesSpecifyCache;
use crate::rtl;

/// The actions of the driver, chosen by the device control.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// Write the input backwards.
    Reverse,
    /// Say how long the direct buffer is.
    Length,
    /// Pend until cancelled or completed.
    Pend,
    /// Pend without marking.
    PendUnmarked,
    /// Mark, complete and return success.
    MarkOnly,
    /// Complete with one status and return another.
    Mismatch,
    /// Neither complete nor pend.
    Forget,
    /// Complete twice.
    Twice,
    /// Claim more output than there is room for.
    Overclaim,
    /// Complete with a cancel routine set.
    CancelSet,
    /// Complete as pending.
    AsPending,
    /// Return 0xFFFFFFFF.
    MinusOne,
    /// Complete with a spin lock held.
    UnderLock,
    /// Return at DISPATCH_LEVEL.
    Raised,
    /// Pend without a cancel routine.
    PendDeaf,
    /// Pend with a cancel routine that keeps the cancel spin lock.
    KeepsLock,
    /// Pend with a cancel routine that frees the cancel spin lock to DISPATCH_LEVEL.
    FreesToDispatch,
    /// Complete without the list.
    LosesList,
    /// Write to the buffer that the list describes.
    Writes,
    /// Complete with what a request of the driver's own returned.
    Relays,
}

const WAYS: [Way; 20] = [
    Way::Reverse,
    Way::Length,
    Way::Pend,
    Way::PendUnmarked,
    Way::MarkOnly,
    Way::Mismatch,
    Way::Forget,
    Way::Twice,
    Way::Overclaim,
    Way::CancelSet,
    Way::AsPending,
    Way::MinusOne,
    Way::UnderLock,
    Way::Raised,
    Way::PendDeaf,
    Way::KeepsLock,
    Way::FreesToDispatch,
    Way::LosesList,
    Way::Writes,
    Way::Relays,
];

/// The device control code of a way.
pub(super) fn code(way: Way, method: u32) -> u32 {
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + way as u32, method, FILE_ANY_ACCESS)
}

/// The state of the driver. There is one, as there is one machine at a time.
pub(super) struct Control {
    majors: Mutex<Vec<u8>>,
    attributes: Mutex<Vec<u8>>,
    name: Mutex<String>,
    create_status: AtomicI32,
    close_status: AtomicI32,
    leaves_context: AtomicBool,
    pending: AtomicPtr<IRP>,
    /// Internal device controls that came at PASSIVE_LEVEL.
    passive: AtomicUsize,
}

pub(super) static CONTROL: Control = Control {
    majors: Mutex::new(Vec::new()),
    attributes: Mutex::new(Vec::new()),
    name: Mutex::new(String::new()),
    create_status: AtomicI32::new(0),
    close_status: AtomicI32::new(0),
    leaves_context: AtomicBool::new(false),
    pending: AtomicPtr::new(ptr::null_mut()),
    passive: AtomicUsize::new(0),
};

impl Control {
    pub(super) fn take_majors(&self) -> Vec<u8> {
        core::mem::take(&mut self.majors.lock())
    }

    pub(super) fn take_attributes(&self) -> Vec<u8> {
        core::mem::take(&mut self.attributes.lock())
    }

    pub(super) fn take_name(&self) -> String {
        core::mem::take(&mut self.name.lock())
    }

    pub(super) fn majors(&self) -> Vec<u8> {
        self.majors.lock().clone()
    }

    /// Takes the number of internal device controls that came at PASSIVE_LEVEL, and starts anew.
    pub(super) fn take_passive(&self) -> usize {
        self.passive.swap(0, Ordering::SeqCst)
    }

    /// Lets the next create leave its context in the file object.
    pub(super) fn leave_context(&self) {
        self.leaves_context.store(true, Ordering::SeqCst);
    }

    pub(super) fn fail_creates(&self, status: NTSTATUS) {
        self.create_status.store(status, Ordering::SeqCst);
    }

    /// Lets the next close fail.
    pub(super) fn fail_closes(&self, status: NTSTATUS) {
        self.close_status.store(status, Ordering::SeqCst);
    }

    /// Completes the request that pends; takes its cancel routine off first, as a driver must.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.load(Ordering::SeqCst).is_null()
    }

    pub(super) fn complete_pending(&self, status: NTSTATUS) {
        let irp = self.pending.swap(ptr::null_mut(), Ordering::SeqCst);
        assert!(!irp.is_null());
        set_cancel(irp, None);
        finish(irp, status, 0);
    }
}

pub(super) unsafe extern "efiapi" fn take_back(
    _: *mut DEVICE_OBJECT,
    _: *mut IRP,
    _: *mut c_void,
) -> NTSTATUS {
    STATUS_MORE_PROCESSING_REQUIRED
}

pub(super) unsafe extern "efiapi" fn dispatch(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    let location = unsafe { &*(*irp).Tail.Overlay.CurrentStackLocation };
    CONTROL.majors.lock().push(location.MajorFunction);
    match location.MajorFunction {
        IRP_MJ_CREATE => create(irp, location),
        IRP_MJ_DEVICE_CONTROL => {
            let code = unsafe { location.Parameters.DeviceIoControl.IoControlCode };
            CONTROL.majors.lock().clear();
            control(WAYS[(code >> 2 & 0xFF).to_usize()], irp, location)
        }
        IRP_MJ_INTERNAL_DEVICE_CONTROL => {
            CONTROL.passive.fetch_add(usize::from(sched::irql() == Irql::PASSIVE), Ordering::SeqCst);
            finish(irp, STATUS_SUCCESS, 0)
        }
        IRP_MJ_CLOSE => finish(irp, CONTROL.close_status.swap(STATUS_SUCCESS, Ordering::SeqCst), 0),
        _ => finish(irp, STATUS_SUCCESS, 0),
    }
}

fn create(irp: *mut IRP, location: &IO_STACK_LOCATION) -> NTSTATUS {
    unsafe {
        let length = location.Parameters.Create.EaLength.to_usize();
        if length > 0 {
            let buffer = (*irp).AssociatedIrp.SystemBuffer.cast::<u8>();
            *CONTROL.attributes.lock() = core::slice::from_raw_parts(buffer, length).to_vec();
        }
        if let Some(file) = location.FileObject.as_mut() {
            if CONTROL.leaves_context.swap(false, Ordering::SeqCst) {
                file.FsContext = 0x10 as *mut c_void;
            }
            *CONTROL.name.lock() = rtl::from_counted(&file.FileName);
        }
    }
    finish(irp, CONTROL.create_status.load(Ordering::SeqCst), 0)
}

fn control(way: Way, irp: *mut IRP, location: &IO_STACK_LOCATION) -> NTSTATUS {
    match way {
        Way::Reverse => reverse(irp, location),
        Way::Length => finish(irp, STATUS_SUCCESS, unsafe { (*(*irp).MdlAddress).ByteCount.to_usize() }),
        Way::Pend => pend(irp, Some(cancelled)),
        Way::PendDeaf => pend(irp, None),
        Way::KeepsLock => pend(irp, Some(keeps_lock)),
        Way::FreesToDispatch => pend(irp, Some(frees_to_dispatch)),
        Way::Writes => {
            unsafe { map((*irp).MdlAddress).cast::<u8>().write(1) };
            finish(irp, STATUS_SUCCESS, 0)
        }
        Way::LosesList => {
            unsafe { (*irp).MdlAddress = ptr::null_mut() };
            finish(irp, STATUS_SUCCESS, 0)
        }
        Way::PendUnmarked | Way::Forget => {
            CONTROL.pending.store(irp, Ordering::SeqCst);
            if way == Way::Forget { STATUS_SUCCESS } else { STATUS_PENDING }
        }
        Way::MarkOnly => {
            mark(irp);
            finish(irp, STATUS_SUCCESS, 0)
        }
        Way::Mismatch => {
            finish(irp, STATUS_INVALID_PARAMETER, 0);
            STATUS_SUCCESS
        }
        Way::Twice => {
            finish(irp, STATUS_SUCCESS, 0);
            unsafe { complete::IofCompleteRequest(irp, 0) };
            STATUS_SUCCESS
        }
        Way::Overclaim => finish(irp, STATUS_SUCCESS, 1000),
        Way::CancelSet => {
            set_cancel(irp, Some(cancelled));
            finish(irp, STATUS_SUCCESS, 0)
        }
        Way::AsPending => {
            mark(irp);
            finish(irp, STATUS_PENDING, 0)
        }
        Way::MinusOne => {
            finish(irp, STATUS_SUCCESS, 0);
            -1
        }
        Way::Relays => finish(irp, relay(location.DeviceObject), 0),
        Way::UnderLock => under_lock(irp),
        Way::Raised => {
            ntsim_core::sched::raise(ntsim_core::sched::Irql::DISPATCH);
            finish(irp, STATUS_SUCCESS, 0)
        }
    }
}

fn under_lock(irp: *mut IRP) -> NTSTATUS {
    let mut irql = 0;
    unsafe { cancel::IoAcquireCancelSpinLock(&mut irql) };
    let status = finish(irp, STATUS_SUCCESS, 0);
    unsafe { cancel::IoReleaseCancelSpinLock(irql) };
    status
}

/// The system address of a list's pages.
unsafe fn map(list: *mut MDL) -> *mut c_void {
    let cached = MEMORY_CACHING_TYPE::MmCached;
    unsafe { MmMapLockedPagesSpecifyCache(list, KernelMode, cached, ptr::null_mut(), 0, 16 | 0x4000_0000) }
}

/// Writes the input backwards to where the method says.
fn reverse(irp: *mut IRP, location: &IO_STACK_LOCATION) -> NTSTATUS {
    unsafe {
        let control = location.Parameters.DeviceIoControl;
        let length = control.InputBufferLength.to_usize();
        let (from, to) = match METHOD_FROM_CTL_CODE(control.IoControlCode) {
            METHOD_BUFFERED => ((*irp).AssociatedIrp.SystemBuffer, (*irp).AssociatedIrp.SystemBuffer),
            METHOD_NEITHER => (control.Type3InputBuffer, (*irp).UserBuffer),
            _ => {
                let to = map((*irp).MdlAddress);
                ((*irp).AssociatedIrp.SystemBuffer, to)
            }
        };
        let mut bytes = core::slice::from_raw_parts(from.cast::<u8>(), length).to_vec();
        bytes.reverse();
        ptr::copy(bytes.as_ptr(), to.cast(), length);
        finish(irp, STATUS_SUCCESS, length)
    }
}

/// The cancel routine: completes the request, once the cancel spin lock is free.
pub(super) unsafe extern "efiapi" fn cancelled(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    CONTROL.pending.store(ptr::null_mut(), Ordering::SeqCst);
    unsafe { cancel::IoReleaseCancelSpinLock((*irp).CancelIrql) };
    finish(irp, STATUS_CANCELLED, 0);
}

unsafe extern "efiapi" fn keeps_lock(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    finish(irp, STATUS_CANCELLED, 0);
}

unsafe extern "efiapi" fn frees_to_dispatch(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    unsafe { cancel::IoReleaseCancelSpinLock(DISPATCH_LEVEL) };
    finish(irp, STATUS_CANCELLED, 0);
}

fn pend(irp: *mut IRP, routine: Option<PDRIVER_CANCEL>) -> NTSTATUS {
    mark(irp);
    CONTROL.pending.store(irp, Ordering::SeqCst);
    set_cancel(irp, routine);
    STATUS_PENDING
}

/// `IoMarkIrpPending`.
fn mark(irp: *mut IRP) {
    unsafe { (*(*irp).Tail.Overlay.CurrentStackLocation).Control |= SL_PENDING_RETURNED };
}

/// `IoSetCancelRoutine`.
pub(super) fn set_cancel(irp: *mut IRP, routine: Option<PDRIVER_CANCEL>) {
    unsafe {
        let slot = AtomicPtr::from_ptr((&raw mut (*irp).CancelRoutine).cast::<*mut ()>());
        slot.swap(routine.map_or(ptr::null_mut(), |routine| routine as *mut ()), Ordering::SeqCst);
    }
}

/// `IoCompleteRequest` with a status.
pub(super) fn finish(irp: *mut IRP, status: NTSTATUS, information: usize) -> NTSTATUS {
    unsafe {
        (*irp).IoStatus = IO_STATUS_BLOCK { Status: status, Information: information };
        complete::IofCompleteRequest(irp, 0);
    }
    status
}

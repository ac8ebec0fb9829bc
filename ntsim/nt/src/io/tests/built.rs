//! Requests from one driver to another.

use core::mem::MaybeUninit;
use core::ptr;

use ntsim_core::number::narrow;
use sys::status::{STATUS_OBJECT_NAME_NOT_FOUND, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::*;

use super::driver::{CONTROL, Way, code};
use super::fixture::{Fixture, with_name};
use crate::io::build::{IoBuildDeviceIoControlRequest, IoGetDeviceObjectPointer};
use crate::io::dispatch::IofCallDriver;
use crate::ke::object_exports::{KeInitializeEvent, KeReadStateEvent};
use crate::ob;

/// The state that a driver keeps while its request is under way.
struct Sender {
    event: KEVENT,
    status: IO_STATUS_BLOCK,
    output: [u8; 8],
}

impl Sender {
    /// A sender in the place where it stays, as its event does.
    fn new() -> Box<Self> {
        let mut sender: Box<Self> = Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        unsafe { KeInitializeEvent(&mut sender.event, EVENT_TYPE::NotificationEvent, 0) };
        sender
    }

    /// Opens the device, sends a request to it, lets go of the device, and returns what it answered.
    fn send(&mut self, way: Way, input: &[u8]) -> i32 {
        let (mut file, mut device) = (ptr::null_mut(), ptr::null_mut());
        with_name("\\Device\\Test", |name| unsafe {
            assert_eq!(IoGetDeviceObjectPointer(name, 0, &mut file, &mut device), STATUS_SUCCESS);
        });
        assert_eq!(CONTROL.take_majors(), [IRP_MJ_CREATE, IRP_MJ_CLEANUP]);
        let output = self.output.as_mut_ptr().cast();
        unsafe {
            let irp = IoBuildDeviceIoControlRequest(
                code(way, METHOD_BUFFERED),
                device,
                input.as_ptr().cast_mut().cast(),
                narrow(input.len()),
                output,
                8,
                0,
                &mut self.event,
                &mut self.status,
            );
            let answer = IofCallDriver(device, irp);
            ob::dereference(file.cast());
            answer
        }
    }

    fn signalled(&mut self) -> bool {
        unsafe { KeReadStateEvent(&mut self.event) != 0 }
    }
}

#[test]
fn request_that_is_completed_at_once_yields_its_output() {
    let fixture = Fixture::boot();
    let mut sender = Sender::new();
    assert_eq!(sender.send(Way::Reverse, b"ndk"), STATUS_SUCCESS);
    assert_eq!((&sender.output[..3], sender.status.Information), (&b"kdn"[..], 3));
    assert!(sender.signalled());
    assert!(fixture.finish().is_clean());
}

#[test]
fn request_that_pends_signals_when_it_is_complete() {
    let fixture = Fixture::boot();
    let mut sender = Sender::new();
    assert_eq!(sender.send(Way::Pend, b""), STATUS_PENDING);
    assert!(!sender.signalled());
    CONTROL.complete_pending(STATUS_SUCCESS);
    assert!(sender.signalled());
    assert!(fixture.finish().is_clean());
}

#[test]
fn name_of_no_device_opens_nothing() {
    let fixture = Fixture::boot();
    let (mut file, mut device) = (ptr::null_mut(), ptr::null_mut());
    with_name("\\Device\\None", |name| unsafe {
        let status = IoGetDeviceObjectPointer(name, 0, &mut file, &mut device);
        assert_eq!(status, STATUS_OBJECT_NAME_NOT_FOUND);
    });
    assert!(fixture.finish().is_clean());
}

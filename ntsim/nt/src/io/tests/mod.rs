//! The I/O manager against a fake driver, which keeps and breaks its rules.

mod built;
mod driver;
mod fixture;
mod opener;
mod relay;
mod rules;
mod synchronous;
mod unload_safe;

use sys::status::{STATUS_CANCELLED, STATUS_SUCCESS};

use crate::io::StatusError;
use driver::{CONTROL, Way, code};
use fixture::Fixture;
use sys::wdm::{METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_NEITHER, METHOD_OUT_DIRECT};

#[test]
fn output_comes_back_whatever_the_method() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    for method in [METHOD_BUFFERED, METHOD_OUT_DIRECT, METHOD_NEITHER] {
        let mut output = [0; 16];
        let outcome = file.ioctl(code(Way::Reverse, method), b"network", &mut output);
        assert_eq!((outcome.status, outcome.information), (STATUS_SUCCESS, 7), "method {method}");
        assert_eq!(&output[..7], b"krowten");
    }
    drop(file);
    assert!(fixture.finish().is_clean());
}

#[test]
fn direct_input_buffer_reaches_the_driver_and_is_unlocked() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let mut data = *b"direct";
    let outcome = file.ioctl(code(Way::Length, METHOD_IN_DIRECT), b"", &mut data);
    assert_eq!((outcome.status, outcome.information), (STATUS_SUCCESS, 6));
    drop(file);
    assert!(fixture.finish().is_clean());
}

#[test]
fn create_cleanup_and_close_come_in_this_order_and_cleanup_with_the_last_handle() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let second = file.duplicate();
    drop(file);
    assert_eq!(CONTROL.take_majors(), [0x00]);
    drop(second);
    assert_eq!(CONTROL.take_majors(), [0x12, 0x02]);
    assert!(fixture.finish().is_clean());
}

#[test]
fn create_that_fails_is_followed_by_nothing() {
    let fixture = Fixture::boot();
    CONTROL.fail_creates(STATUS_CANCELLED);
    assert_eq!(crate::io::open("\\\\.\\Test", &[]).unwrap_err(), StatusError(STATUS_CANCELLED));
    assert_eq!(CONTROL.take_majors(), [0x00]);
    assert!(fixture.finish().is_clean());
}

#[test]
fn extended_attributes_reach_the_create() {
    let fixture = Fixture::boot();
    let file = crate::io::open("\\Device\\Test\\below", b"attributes").unwrap();
    assert_eq!(CONTROL.take_attributes(), b"attributes");
    assert_eq!(CONTROL.take_name(), "\\below");
    drop(file);
    assert!(fixture.finish().is_clean());
}

#[test]
fn pending_request_can_be_cancelled() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let request = file.start_ioctl(code(Way::Pend, METHOD_BUFFERED), vec![], vec![0; 8]).unwrap();
    assert_eq!(request.outcome(), None);
    request.cancel();
    let (outcome, _, output) = request.wait();
    assert_eq!((outcome.status, output.len()), (STATUS_CANCELLED, 8));
    drop(file);
    assert!(fixture.finish().is_clean());
}

#[test]
fn request_that_is_dropped_is_cancelled_first() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    drop(file.start_ioctl(code(Way::Pend, METHOD_BUFFERED), vec![], vec![]).unwrap());
    drop(file);
    assert!(fixture.finish().is_clean());
}

#[test]
fn pending_request_is_completed_by_another_thread() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let request = file.start_ioctl(code(Way::Pend, METHOD_BUFFERED), vec![], vec![0; 4]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _attached = ntsim_core::sched::attach("completer");
            CONTROL.complete_pending(STATUS_SUCCESS);
        });
    });
    assert_eq!(request.wait().0.status, STATUS_SUCCESS);
    drop(file);
    assert!(fixture.finish().is_clean());
}

#[test]
fn host_thread_may_wait_for_a_request_and_drop_one() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let start = || file.start_ioctl(code(Way::Pend, METHOD_BUFFERED), vec![], vec![]).unwrap();
    let (waits, dropped) = (start(), start());
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(waits.wait_for(core::time::Duration::ZERO), None));
        scope.spawn(|| drop(dropped));
    });
    drop((waits, file));
    assert!(fixture.finish().is_clean());
}

#[test]
fn completion_routine_may_take_the_request_back() {
    let fixture = Fixture::boot();
    assert_eq!(fixture.forward_and_take_back(), STATUS_SUCCESS);
    assert!(fixture.finish().is_clean());
}

#[test]
fn requests_and_cancels_are_counted() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    let mut output = [0; 16];
    file.ioctl(code(Way::Reverse, METHOD_BUFFERED), b"once", &mut output);
    drop(file.start_ioctl(code(Way::Pend, METHOD_BUFFERED), Vec::new(), Vec::new()).unwrap());
    drop(file);
    let mut found = None;
    fixture.finish_after(|| found = Some(crate::io::snapshot()));
    let found = found.unwrap();
    let controls = found.requests[&(0x0E, 0)];
    assert_eq!((controls.succeeded, controls.cancelled, controls.completed()), (1, 1, 2));
    assert_eq!([0x00, 0x12, 0x02].map(|major| found.completed(major)), [1; 3]);
    assert_eq!((found.cancels, found.in_flight_at_cleanup.len()), (1, 0));
}

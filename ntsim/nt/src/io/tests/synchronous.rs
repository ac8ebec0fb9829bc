//! Files for synchronous I/O.

use core::time::Duration;
use std::sync::mpsc;
use std::thread;

use ntsim_core::subsystem::Subsystem;
use sys::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::METHOD_BUFFERED;

use super::driver::{CONTROL, Way, code};
use super::fixture::Fixture;
use crate::io::{File, Io, Opener, StatusError, open_as};
use crate::se::Subject;

/// The time in which a request that has nothing to wait for is over, with a host that is busy.
const LONG: Duration = Duration::from_secs(30);
/// The time after which a request is taken for one that waits.
const SHORT: Duration = Duration::from_millis(100);

fn synchronous() -> Opener {
    Opener::new(Subject::system()).synchronous()
}

fn reverse(file: &File) -> i32 {
    file.ioctl(code(Way::Reverse, METHOD_BUFFERED), b"net", &mut [0; 3]).status
}

/// Sends a request that pends, and one that does not from another thread. Returns whether the second one was over
/// before the first was, and the lines of a report on a machine that hangs meanwhile.
fn second_overtakes_first(file: &File) -> (bool, String) {
    thread::scope(|scope| {
        let first = scope.spawn(|| file.ioctl(code(Way::Pend, METHOD_BUFFERED), b"", &mut [0; 8]).status);
        while !CONTROL.has_pending() {
            thread::yield_now();
        }
        let (over, overtakes) = mpsc::channel();
        let second = scope.spawn(move || {
            let status = reverse(file);
            over.send(()).unwrap();
            status
        });
        let overtook = overtakes.recv_timeout(SHORT).is_ok();
        let mut report = String::new();
        Io.describe_hang(&mut report);
        CONTROL.complete_pending(STATUS_SUCCESS);
        if !overtook {
            overtakes.recv_timeout(LONG).unwrap();
        }
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (STATUS_SUCCESS, STATUS_SUCCESS));
        (overtook, report)
    })
}

#[test]
fn request_on_synchronous_file_waits_for_the_one_before() {
    let fixture = Fixture::boot();
    let file = open_as("\\\\.\\Test", &[], &synchronous()).unwrap();
    let (overtook, report) = second_overtakes_first(&file);
    assert!(!overtook);
    assert!(report.contains("1 requests for the file at") && report.ends_with("is synchronous"), "{report}");
    // A second handle is one to the same file.
    let second = file.duplicate();
    assert_eq!(reverse(&second), STATUS_SUCCESS);
    drop((file, second));
    assert!(fixture.finish().is_clean());
}

#[test]
fn request_on_asynchronous_file_does_not_wait() {
    let fixture = Fixture::boot();
    let file = fixture.open();
    assert_eq!(second_overtakes_first(&file), (true, String::new()));
    drop(file);
    assert!(fixture.finish().is_clean());
}

#[test]
fn request_that_is_started_on_synchronous_file_is_over_at_once() {
    let fixture = Fixture::boot();
    let file = open_as("\\\\.\\Test", &[], &synchronous()).unwrap();
    let request = file.start_ioctl(code(Way::Reverse, METHOD_BUFFERED), b"net".to_vec(), vec![0; 3]).unwrap();
    assert!(request.outcome().is_some());
    drop(request);
    drop(file);
    assert!(fixture.finish().is_clean());
}

#[test]
fn synchronous_open_without_the_right_to_wait_is_refused() {
    let fixture = Fixture::boot();
    let refused = open_as("\\\\.\\Test", &[], &synchronous().access(0x3)).unwrap_err();
    assert_eq!(refused, StatusError(STATUS_INVALID_PARAMETER));
    assert!(fixture.finish().is_clean());
}

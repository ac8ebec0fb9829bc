//! The legacy transport's file objects: real requests to the built driver.

#![cfg(not(windows))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]

#[path = "tdi/client.rs"]
mod client;

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::thread;

use client::*;
use sys::status::*;
use sys::tdi::{
    TDI_ACTION, TDI_CONNECTION_INFO, TDI_DISCONNECT_RELEASE, TDI_EVENT_RECEIVE, TDI_PROVIDER_INFO,
    TDI_QUERY_CONNECTION_INFO, TDI_QUERY_INFORMATION, TDI_QUERY_PROVIDER_INFO,
    TDI_REQUEST_KERNEL_QUERY_INFORMATION, TdiConnectionContext, TdiTransportAddress,
};
use tdi::address::TransportAddress;

#[test]
fn hostile_creates_fail_and_leave_nothing_behind() {
    let bed = Bed::new();
    let address = TransportAddress::new(FAR.parse().expect("an address"));
    let good = [attribute(TdiTransportAddress, address.bytes()), attribute(TdiConnectionContext, &[7; 8])];
    for list in &good {
        for length in 1..list.len() {
            let refused = bed.open(&list[..length]).expect_err("a truncated list is refused");
            assert!(
                [STATUS_INVALID_PARAMETER, STATUS_NONEXISTENT_EA_ENTRY].contains(&refused.0),
                "{length} bytes: {refused}"
            );
        }
    }
    for (name, status) in [(&b"Unknown"[..], STATUS_NONEXISTENT_EA_ENTRY), (b"", STATUS_NONEXISTENT_EA_ENTRY)]
    {
        assert_eq!(bed.open(&attribute(name, &[0; 8])).expect_err("no such name").0, status);
    }
    assert_eq!(bed.address("192.168.7.7:1").expect_err("not local").0, STATUS_INVALID_ADDRESS);
    // Nothing has the address, so it can be opened.
    drop(bed.address(FAR).expect("the address is free"));
    bed.end_clean();
}

#[test]
fn an_address_is_free_again_when_its_file_is_closed() {
    let bed = Bed::new();
    for _ in 0..3 {
        let first = bed.address(FAR).expect("the address is free");
        drop(first);
    }
    bed.end_clean();
}

#[test]
fn a_control_channel_answers_queries_and_leaves_connections_alone() {
    let bed = Bed::new();
    let pair = bed.pair();
    let control = bed.open(&[]).expect("a control channel opens");
    let query = |file, kind, room| {
        let parameters = TDI_REQUEST_KERNEL_QUERY_INFORMATION {
            QueryType: i32::try_from(kind).expect("small"),
            RequestConnectionInformation: core::ptr::null_mut(),
        };
        outcome(send_request(file, TDI_QUERY_INFORMATION, parameters, vec![0; room]))
    };
    let whole = size_of::<TDI_PROVIDER_INFO>();
    let info = query(&control, TDI_QUERY_PROVIDER_INFO, whole);
    assert_eq!((info.status, info.information), (STATUS_SUCCESS, whole));
    let short = query(&control, TDI_QUERY_PROVIDER_INFO, 7);
    assert_eq!((short.status, short.information), (STATUS_BUFFER_OVERFLOW, 7));
    let connection = query(&pair.near, TDI_QUERY_CONNECTION_INFO, 0x100);
    assert_eq!(connection.information, size_of::<TDI_CONNECTION_INFO>());
    assert_eq!(query(&control, TDI_QUERY_CONNECTION_INFO, 0x100).status, STATUS_INVALID_DEVICE_REQUEST);
    assert_eq!(query(&control, 1, 0x100).status, STATUS_NOT_IMPLEMENTED);
    assert_eq!(status(send_request(&control, TDI_ACTION, [0_u8; 8], Vec::new())), STATUS_NOT_IMPLEMENTED);
    assert_eq!(status(send_request(&control, 0x77, [0_u8; 8], Vec::new())), STATUS_INVALID_DEVICE_REQUEST);
    drop(control);
    let received = receive(&pair.far, 4);
    assert_eq!(outcome(send(&pair.near, b"ping".to_vec())).information, 4);
    assert_eq!(received.wait().2, b"ping");
    drop(pair);
    bed.end_clean();
}

#[test]
fn a_megabyte_arrives_as_it_was_sent() {
    let bed = Bed::new();
    let pair = bed.pair();
    let data: Vec<u8> = (0..1_000_003_u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let sent = send(&pair.near, data.clone());
    let mut got: Vec<u8> = Vec::new();
    while got.len() < data.len() {
        let (outcome, _, buffer) = receive(&pair.far, 40_000).wait();
        assert_eq!(outcome.status, STATUS_SUCCESS);
        got.extend(&buffer[..outcome.information]);
    }
    assert!(got == data, "the bytes differ");
    assert_eq!(outcome(sent).information, data.len());
    let releases = [&pair.near, &pair.far].map(|file| disconnect(file, TDI_DISCONNECT_RELEASE));
    assert_eq!(releases.map(status), [STATUS_SUCCESS; 2]);
    drop(pair);
    bed.end_clean();
}

#[test]
fn requests_that_wait_can_be_cancelled() {
    let bed = Bed::new();
    let pair = bed.pair();
    let receives = [receive(&pair.near, 10), receive(&pair.near, 10)];
    let lone = bed.associated(&pair.far_address, 0xC);
    let listen = listen(&lone);
    for request in receives.into_iter().chain([listen]) {
        request.cancel();
        assert_eq!(status(request), STATUS_CANCELLED);
    }
    // More than the other side has buffers for, so it waits; it ends with the connection.
    let stuck = send(&pair.near, vec![1; 1 << 20]);
    assert!(stuck.wait_for(Duration::from_millis(20)).is_none());
    stuck.cancel();
    assert_eq!(status(stuck), STATUS_CANCELLED);
    drop((pair, lone));
    bed.end_clean();
}

#[test]
fn cleanup_completes_everything_that_waits_before_it_returns() {
    let bed = Bed::new();
    let pair = bed.pair();
    let (near, far) = (pair.near, pair.far);
    let sends: Vec<_> = (0..3).map(|_| send(&near, vec![1; 300_000])).collect();
    let receives: Vec<_> = (0..3).map(|_| receive(&near, 100)).collect();
    let peer = receive(&far, 1);
    assert_eq!(status(peer), STATUS_SUCCESS);
    let listening = bed.associated(&pair.far_address, 0xC);
    let listen = listen(&listening);
    drop(near);
    drop(listening);
    // The simulator checks that no request is outstanding when a cleanup has completed.
    for request in sends.into_iter().chain(receives).chain([listen]) {
        assert!(request.outcome().is_some(), "a request outlived its cleanup");
        assert_eq!(status(request), STATUS_CANCELLED);
    }
    // The peer is told.
    loop {
        let ended = outcome(receive(&far, 50_000));
        if ended.status != STATUS_SUCCESS {
            assert!(
                [STATUS_CONNECTION_RESET, STATUS_INVALID_CONNECTION].contains(&ended.status),
                "{ended:?}"
            );
            break;
        }
    }
    drop((far, pair.near_address, pair.far_address));
    bed.end_clean();
}

#[test]
fn a_second_handle_puts_the_cleanup_off() {
    let bed = Bed::new();
    let pair = bed.pair();
    let second = pair.near.duplicate();
    drop(pair.near);
    let received = receive(&pair.far, 2);
    assert_eq!(status(send(&second, b"ok".to_vec())), STATUS_SUCCESS);
    assert_eq!(received.wait().2, b"ok");
    let waits = receive(&second, 1);
    drop(second);
    assert_eq!(status(waits), STATUS_CANCELLED);
    drop((pair.far, pair.near_address, pair.far_address));
    bed.end_clean();
}

#[test]
fn an_address_may_go_before_its_connections_and_after_them() {
    for address_first in [true, false] {
        let bed = Bed::new();
        let Pair { near, far, near_address, far_address } = bed.pair();
        let waits = receive(&far, 8);
        if address_first {
            drop((near_address, far_address));
            assert_eq!(status(send(&near, vec![2; 8])), STATUS_SUCCESS);
            assert_eq!(status(waits), STATUS_SUCCESS);
            drop((near, far));
        } else {
            drop((near, far));
            // The near side goes first, and whether the news arrives before the far side goes is open.
            assert!([STATUS_CONNECTION_RESET, STATUS_CANCELLED].contains(&status(waits)));
            drop((near_address, far_address));
        }
        bed.end_clean();
    }
}

/// What the handler below is doing.
static RUNNING: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicUsize = AtomicUsize::new(0);

unsafe extern "win64" fn slow_receive(
    _: *mut c_void,
    _: *mut c_void,
    _: u32,
    indicated: u32,
    _: u32,
    taken: *mut u32,
    _: *const c_void,
    _: *mut *mut sys::wdm::IRP,
) -> NTSTATUS {
    RUNNING.store(true, Ordering::SeqCst);
    thread::sleep(Duration::from_millis(20));
    CALLS.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the transport passes a place for the count.
    unsafe { taken.write(indicated) };
    RUNNING.store(false, Ordering::SeqCst);
    STATUS_SUCCESS
}

#[test]
fn no_handler_runs_when_the_cleanup_of_its_address_has_returned() {
    for round in 0..10 {
        let bed = Bed::new();
        let Pair { near, far, near_address, far_address } = bed.pair();
        let handler = slow_receive as *const ();
        assert_eq!(
            set_event(&far_address, TDI_EVENT_RECEIVE, handler, core::ptr::null_mut()),
            STATUS_SUCCESS
        );
        let sender = thread::spawn(move || {
            for _ in 0..5 {
                drop(send(&near, vec![3; 100]));
            }
            near
        });
        thread::sleep(Duration::from_millis(round * 4));
        drop(far_address);
        let calls = CALLS.load(Ordering::SeqCst);
        assert!(!RUNNING.load(Ordering::SeqCst), "a handler runs after its address's cleanup");
        let near = sender.join().expect("the sender ends");
        thread::sleep(Duration::from_millis(30));
        assert_eq!(CALLS.load(Ordering::SeqCst), calls, "a handler was called after its address's cleanup");
        drop((near, far, near_address));
        bed.end_clean();
    }
    assert!(CALLS.load(Ordering::SeqCst) > 0, "the handler was never called");
}

#[test]
fn cancels_race_cleanups_and_each_request_completes_once() {
    let bed = Bed::new();
    for round in 0..60_u64 {
        let Pair { near, far, near_address, far_address } = bed.pair();
        let requests: Vec<_> =
            (0..4).flat_map(|_| [receive(&near, 100), send(&near, vec![4; 40_000])]).collect();
        let canceller = thread::spawn(move || {
            for request in &requests {
                request.cancel();
            }
            requests
        });
        thread::sleep(Duration::from_micros(round * 7));
        drop(near);
        let requests = canceller.join().expect("the canceller ends");
        for request in requests {
            let status = status(request);
            let expected = [STATUS_SUCCESS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED];
            assert!(expected.contains(&status), "{status:#010X}");
        }
        drop((far, near_address, far_address));
        // The connection's port is free when its link has gone.
        while bed.address(FAR).is_err() {
            thread::yield_now();
        }
    }
    bed.end_clean();
}

#[test]
fn both_ends_may_be_closed_at_once() {
    let bed = Bed::new();
    for _ in 0..40 {
        let Pair { near, far, near_address, far_address } = bed.pair();
        let requests = [receive(&near, 9), receive(&far, 9), send(&near, vec![5; 200_000])];
        let other = thread::spawn(move || drop((far, far_address)));
        drop((near, near_address));
        other.join().expect("the other side ends");
        for request in requests {
            assert_ne!(status(request), STATUS_PENDING);
        }
        while bed.address(FAR).is_err() {
            thread::yield_now();
        }
    }
    bed.end_clean();
}

#[test]
fn clients_that_hold_files_when_the_last_adapter_goes_get_their_requests_completed() {
    let bed = Bed::new();
    let Pair { near, far, near_address, far_address } = bed.pair();
    let requests = [receive(&near, 9), receive(&far, 9), receive(&far, 9)];
    bed.halt(12);
    bed.halt(13);
    for request in requests {
        assert!([STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET].contains(&status(request)));
    }
    assert_eq!(status(send(&near, vec![0])), STATUS_INVALID_CONNECTION);
    drop((near, far, near_address, far_address));
    bed.end_clean();
}

//! The legacy transport's file objects: real requests to the built driver. docs/tdi.md says which test holds
//! which point of the checklist.

#![cfg(not(windows))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test ends when what it needs is not there"
)]

mod cancel;
mod cleanup;
mod create;
mod data;
mod datagram;
mod disconnect;
mod expedited;
mod fault;
mod handler;
mod query;
mod storm;
mod timing;
mod user;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::Path;
use std::thread;

use ntsim::Machine;
use ntsim::sched::{self, Irql};
use runner::Images;
use sys::status::{NTSTATUS, STATUS_SHARING_VIOLATION, STATUS_SUCCESS};
use tdi_client::{Bed, Pair};

/// The address that connects; the port is picked.
const NEAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 12)), 0);
/// The address that is connected to.
const FAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 13)), 139);

/// The levels at which a client may send requests.
const LEVELS: [Irql; 2] = [Irql::PASSIVE, Irql::DISPATCH];

/// A machine with the driver and two adapters.
fn bed() -> Bed {
    let images = Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built");
    Bed::boot(Machine::builder(), &images, [NEAR.ip(), FAR.ip()]).expect("the driver starts")
}

/// A connection.
#[track_caller]
fn pair(bed: &Bed) -> Pair {
    bed.pair(NEAR, FAR).expect("a connection comes about")
}

/// Stops everything, which must leave nothing behind.
#[track_caller]
fn end_clean(bed: Bed) {
    let found = bed.end();
    assert!(found.is_clean(), "{found}");
}

/// Runs `f` at a level.
fn at<R>(level: Irql, f: impl FnOnce() -> R) -> R {
    let before = sched::raise(level);
    let result = f();
    sched::lower(before);
    result
}

/// Waits until nobody has the far port any more: a connection keeps it until its link has gone, which may be
/// after its file's close.
#[track_caller]
fn await_free(bed: &Bed) {
    while let Err(status) = bed.exclusive(FAR) {
        assert_eq!(status.0, STATUS_SHARING_VIOLATION, "{status}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn succeeds(status: NTSTATUS) {
    assert_eq!(status, STATUS_SUCCESS, "{status:#010X}");
}

/// Whether a status is one of those that are expected.
#[track_caller]
fn is_one_of(status: NTSTATUS, expected: &[NTSTATUS]) {
    assert!(expected.contains(&status), "{status:#010X}");
}

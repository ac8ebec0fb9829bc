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

extern crate alloc;

mod access;
mod adapter;
mod arriving;
mod cancel;
mod cleanup;
mod create;
mod data;
mod datagram;
mod disconnect;
mod expedited;
mod fault;
mod handler;
mod network;
mod query;
mod room;
mod scenarios;
mod timing;
mod user;

use std::path::Path;

use ntsim::Machine;
use ntsim::sched::Irql;
use runner::Images;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use tdi_client::scenario::{self, FAR, NEAR, at};
use tdi_client::{Fixture, Pair};

/// The levels at which a client may send requests.
const LEVELS: [Irql; 2] = [Irql::PASSIVE, Irql::DISPATCH];

fn images() -> Images {
    Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the images are built")
}

/// A machine with the driver and two adapters.
fn fixture() -> Fixture {
    Fixture::boot(Machine::builder(), &images(), [NEAR.ip(), FAR.ip()]).expect("the driver starts")
}

/// A connection.
#[track_caller]
fn pair(fixture: &Fixture) -> Pair {
    fixture.pair(NEAR, FAR).expect("a connection comes about")
}

/// Stops everything, which must leave nothing behind.
#[track_caller]
fn end_clean(fixture: Fixture) {
    let found = fixture.end();
    assert!(found.is_clean(), "{found}");
}

/// Waits until the far port is free.
#[track_caller]
fn await_free(fixture: &Fixture) {
    scenario::await_free(fixture).unwrap_or_else(|wrong| panic!("{wrong}"));
}

#[track_caller]
fn succeeds(status: NTSTATUS) {
    assert_eq!(status, STATUS_SUCCESS, "{status:#010X}");
}

/// Checks that a status is one of the expected ones.
#[track_caller]
fn is_one_of(status: NTSTATUS, expected: &[NTSTATUS]) {
    assert!(expected.contains(&status), "{status:#010X}");
}

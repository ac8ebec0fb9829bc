//! The built driver comes and goes, also where memory is short, and leaves nothing behind.

#![cfg(not(windows))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]

mod common;

use common::IPV4;
use ntsim::ex::{Faults, inject, injected};
use ntsim::loader::LoadError;
use ntsim::{Machine, Report};
use protocol::{Level, Operation};
use runner::{Bench, Client, Error, transfer};
use sys::status::{STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY};

/// The image whose allocations fail.
const UNDER_TEST: &str = "softndk.sys";

/// A whole session: everything is made, used and closed. `Err` is what the consumer was told.
fn session(bench: &Bench) -> Result<(), Error> {
    let [near, far] = IPV4.ends();
    let session = Client::open(bench.machine())?.open_session(near, far, 4096)?;
    let data = [7_u8; 10_000];
    let moved = [Operation::Send, Operation::Write, Operation::Read]
        .map(|way| transfer::run(&session, way, &data[..], data.len() as u64, |_| ()));
    let outcome = session.close(Level::Passive)?;
    let broken = common::broken(&outcome);
    assert!(broken.is_empty(), "{broken}");
    moved.into_iter().try_for_each(|moved| {
        let moved = moved?;
        assert_eq!(moved.sent, moved.arrived);
        Ok(())
    })
}

/// Boots a machine, arms the injector with `faults`, and runs a whole session. Tells what the consumer was
/// told, how many allocations were counted and failed, and what the simulator found.
fn session_with(faults: Faults) -> (Result<(), Error>, (u64, u64), Report) {
    let machine = Machine::builder().boot();
    inject(faults, Some(UNDER_TEST));
    match Bench::on(machine, &common::images(), &IPV4.places()) {
        Ok(bench) => {
            let outcome = session(&bench);
            let counted = injected();
            (outcome, counted, bench.shut_down())
        }
        Err((error, machine)) => {
            let counted = injected();
            (Err(error), counted, machine.shutdown())
        }
    }
}

#[test]
fn every_allocation_failing_in_turn_leaves_nothing_behind() {
    let (outcome, (allocations, _), found) = session_with(Faults::None);
    outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
    assert!(found.is_clean(), "{found}");
    let mut untold = 0;
    for nth in 0..allocations {
        let (outcome, (_, failed), found) = session_with(Faults::Nth(nth));
        assert!(found.is_clean(), "allocation {nth} of {allocations} failed:\n{found}");
        if let Err(Error::Status { outcome: Some(outcome), .. }) = &outcome {
            let broken = common::broken(outcome);
            assert!(broken.is_empty(), "allocation {nth} of {allocations} failed:\n{broken}");
        }
        match outcome {
            // Where nobody can be told, as in a notification, the driver has to do without, and has.
            Ok(()) => untold += failed,
            Err(error) => assert!(is_shortage(&error), "allocation {nth} of {allocations} failed: {error}"),
        }
    }
    assert!(untold <= 8, "{untold} of {allocations} allocations failed and nobody was told");
}

/// Whether the consumer, or whoever loads the driver, was told that memory is short.
fn is_shortage(error: &Error) -> bool {
    const SHORTAGES: [i32; 2] = [STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY];
    match error {
        Error::Status { status, .. } => SHORTAGES.contains(status),
        Error::Load(LoadError::Entry { status, .. }) => SHORTAGES.contains(&status.cast_signed()),
        _ => false,
    }
}

#[test]
fn the_driver_may_be_unloaded_and_loaded_again() {
    for _ in 0..3 {
        let bench = common::boot(IPV4);
        let outcome = session(&bench);
        let found = bench.shut_down();
        outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
        assert!(found.is_clean(), "{found}");
    }
}

#[test]
fn adapters_may_be_halted_and_started_again_under_a_loaded_driver() {
    let mut bench = common::boot(IPV4);
    let outcome = session(&bench).and_then(|()| {
        bench.restart_adapters()?;
        session(&bench)
    });
    let found = bench.shut_down();
    outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
    assert!(found.is_clean(), "{found}");
}

#[test]
fn one_handle_after_another_may_open_a_session() {
    let bench = common::boot(IPV4);
    let outcome = (0..5).try_for_each(|_| session(&bench));
    let found = bench.shut_down();
    outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
    assert!(found.is_clean(), "{found}");
}

//! The built driver comes and goes, also where memory is short, and leaves nothing behind.

#![cfg(not(windows))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]

mod common;

use common::IPV4;
use ntsim::ex::{Faults, inject, injected, struck};
use ntsim::io::{Opener, StatusError};
use ntsim::loader::LoadError;
use ntsim::se::Subject;
use ntsim::{Machine, Report};
use protocol::{Level, Operation};
use runner::{Client, Error, Fixture, transfer};
use sys::status::{STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY};

/// The image whose allocations fail.
const UNDER_TEST: &str = "softndk.sys";

/// A whole session: everything is made, used and closed. `Err` is what the consumer was told.
fn session(fixture: &Fixture) -> Result<(), Error> {
    let [near, far] = IPV4.ends();
    let session = Client::open(fixture)?.open_session(near, far, 4096)?;
    let data = [7_u8; 10_000];
    let moved = [Operation::Send, Operation::Write, Operation::Read, Operation::SmbDirect]
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

/// The outcome of a session for which memory was made short.
struct Shortage {
    /// The consumer's result.
    outcome: Result<(), Error>,
    /// Allocations that were asked for.
    allocations: u64,
    /// The driver's stack when one of them failed, innermost first; empty if none did.
    struck: Vec<String>,
    /// The simulator's findings.
    found: Report,
}

/// Boots a machine, arms the injector with `faults`, and runs a whole session.
fn session_with(faults: Faults) -> Shortage {
    let machine = Machine::builder().boot();
    inject(faults, Some(UNDER_TEST));
    let counted = || (injected().0, struck().iter().map(ToString::to_string).collect());
    match Fixture::on(machine, &common::images(), &IPV4.places()) {
        Ok(fixture) => {
            let outcome = session(&fixture);
            let (allocations, struck) = counted();
            Shortage { outcome, allocations, struck, found: fixture.shut_down() }
        }
        Err((error, machine)) => {
            let (allocations, struck) = counted();
            Shortage { outcome: Err(error), allocations, struck, found: machine.shutdown() }
        }
    }
}

/// Functions that do without when memory runs out: a change of the machine's addresses is followed in a work item,
/// and tried again when a consumer opens the adapter; an adapter starts without the legacy transport, and the driver
/// without a provider of events.
const UNTOLD: [&str; 4] =
    ["addresses::of", "Adapter::read_addresses", "tdi::TransportRnic::new", "events::register"];

#[test]
fn every_allocation_failing_in_turn_leaves_nothing_behind() {
    let Shortage { outcome, allocations, found, .. } = session_with(Faults::None);
    outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
    assert!(found.is_clean(), "{found}");
    for nth in 0..allocations {
        let Shortage { outcome, struck, found, .. } = session_with(Faults::Nth(nth));
        assert!(found.is_clean(), "allocation {nth} of {allocations} failed:\n{found}");
        if let Err(Error::Status { outcome: Some(outcome), .. }) = &outcome {
            let broken = common::broken(outcome);
            assert!(broken.is_empty(), "allocation {nth} of {allocations} failed:\n{broken}");
        }
        match outcome {
            Ok(()) => assert!(
                struck.is_empty()
                    || struck.iter().any(|frame| UNTOLD.iter().any(|untold| frame.contains(untold))),
                "allocation {nth} of {allocations} failed without an error:\n{}",
                struck.join("\n")
            ),
            Err(error) => assert!(is_shortage(&error), "allocation {nth} of {allocations} failed: {error}"),
        }
    }
}

/// Returns whether the consumer, or the code that loads the driver, was told that memory is short.
fn is_shortage(error: &Error) -> bool {
    const SHORTAGES: [i32; 2] = [STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY];
    match error {
        Error::Status { status, .. } => SHORTAGES.contains(status),
        Error::Load(LoadError::Entry { status, .. }) => SHORTAGES.contains(&status.cast_signed()),
        Error::Host { why, .. } => SHORTAGES.iter().any(|status| why.starts_with(&format!("{status:#010x}"))),
        _ => false,
    }
}

/// Images with Microsoft's entry stub print such a line, too.
#[test]
fn entry_point_that_fails_prints_its_status_and_its_driver() {
    let machine = Machine::builder().boot();
    inject(Faults::Nth(0), Some(UNDER_TEST));
    let loaded = machine.load(common::images().softndk);
    inject(Faults::None, None);
    let Err(LoadError::Entry { status, .. }) = loaded else { panic!("{loaded:?}") };
    let printed = machine.log().concat();
    let line = format!("DriverEntry failed {status:#x} for driver \\Registry\\Machine\\");
    assert!(printed.to_ascii_lowercase().contains(&line.to_ascii_lowercase()), "{printed}");
    let found = machine.shutdown();
    assert!(found.is_clean(), "{found}");
}

#[test]
fn driver_may_be_unloaded_and_loaded_again() {
    for _ in 0..3 {
        let fixture = common::boot(IPV4);
        let outcome = session(&fixture);
        let found = fixture.shut_down();
        outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
        assert!(found.is_clean(), "{found}");
    }
}

#[test]
fn adapters_may_be_halted_and_started_again_under_a_loaded_driver() {
    let mut fixture = common::boot(IPV4);
    let outcome = session(&fixture).and_then(|()| {
        fixture.restart_adapters()?;
        session(&fixture)
    });
    let found = fixture.shut_down();
    outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
    assert!(found.is_clean(), "{found}");
}

#[test]
fn one_handle_after_another_may_open_a_session() {
    let fixture = common::boot(IPV4);
    let outcome = (0..5).try_for_each(|_| session(&fixture));
    let found = fixture.shut_down();
    outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
    assert!(found.is_clean(), "{found}");
}

/// The consumer moves memory of the kernel for its callers.
#[test]
fn harness_device_admits_the_system_and_administrators_only() {
    let fixture = common::boot(IPV4);
    let open = |subject| {
        let opened = fixture.machine().open_as(protocol::DEVICE_NAME, &[], &Opener::new(subject));
        opened.map(drop)
    };
    assert_eq!(open(Subject::system()), Ok(()));
    assert_eq!(open(Subject::administrator()), Ok(()));
    assert_eq!(open(Subject::user(1001)), Err(StatusError(STATUS_ACCESS_DENIED)));
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

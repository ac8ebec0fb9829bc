//! Addresses that arrive: a client opens one as soon as TCP/IP tells of it, and the driver is told later.

#![expect(unsafe_code, reason = "the family says which member of a union is in use")]

use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use ntsim::Machine;
use ntsim::io::{File, Opener, StatusError, open_as};
use ntsim::sched::{Schedule, Strategy};
use ntsim::se::Subject;
use sys::netioapi::NL_DAD_STATE;
use sys::status::*;
use sys::tdi::TdiTransportAddress;
use tdi::address::TransportAddress;
use tdi_client::request::{connect, listen};
use tdi_client::{DEVICE, Fixture, attribute};

use super::{FAR, NEAR, end_clean, fixture, images};

/// An address that the far adapter gets later.
const NEW: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 99)), 139);

/// Schedules that are played.
const SEEDS: u64 = 30;

fn open(at: SocketAddr) -> Result<File, StatusError> {
    let attributes = attribute(TdiTransportAddress, TransportAddress::new(at).bytes());
    open_as(DEVICE, &attributes, &Opener::new(Subject::system()))
}

/// A connection from the near adapter to the address that has arrived.
fn is_reached(fixture: &Fixture, address: &File) -> Result<(), StatusError> {
    let near_address = fixture.address(NEAR)?;
    let (near, far) = (fixture.associated(&near_address, 0xA)?, fixture.associated(address, 0xB)?);
    let listened = listen(&far, 0);
    for request in [connect(&near, NEW), listened] {
        match request.status() {
            STATUS_SUCCESS => {}
            status => return Err(StatusError(status)),
        }
    }
    Ok(())
}

/// Plays one schedule: the client opens `at` in the notification that [`NEW`] is usable, and is connected to there.
fn played(seed: u64, at: SocketAddr) -> Result<(), String> {
    let schedule = Schedule::seeded(seed, Strategy::of_seed(seed));
    let fixture = Fixture::boot(Machine::builder().schedule(schedule), &images(), [NEAR.ip(), FAR.ip()]);
    let fixture = fixture.expect("the driver starts");
    let opened: Arc<Mutex<Option<Result<File, StatusError>>>> = Arc::default();
    let place = Arc::clone(&opened);
    let watch = fixture.machine.watch_addresses(move |row| {
        // SAFETY: the family is that of IPv4, which all addresses of the test have.
        let address = unsafe { row.Address.Ipv4 }.sin_addr.S_addr;
        let is_new = IpAddr::from(address.to_ne_bytes()) == NEW.ip();
        if is_new && row.DadState == NL_DAD_STATE::IpDadStatePreferred {
            *place.lock().expect("no test has failed") = Some(open(at));
        }
    });
    fixture.adapter(1).expect("it runs").add_address(NEW.ip());
    fixture.machine.settle();
    let opened = opened.lock().expect("no test has failed").take().expect("the client is told");
    let outcome = opened.and_then(|address| is_reached(&fixture, &address));
    drop(watch);
    let report = fixture.end();
    outcome.map_err(|status| format!("seed {seed}: {status}"))?;
    if report.is_clean() { Ok(()) } else { Err(format!("seed {seed}: {report}")) }
}

#[track_caller]
fn each_schedule_connects(at: SocketAddr) {
    let wrong: Vec<String> = (0..SEEDS).filter_map(|seed| played(seed, at).err()).collect();
    assert!(wrong.is_empty(), "{} of {SEEDS}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn create_from_the_notification_of_an_address_succeeds() {
    each_schedule_connects(NEW);
}

#[test]
fn wildcard_created_in_the_notification_of_an_address_covers_it() {
    each_schedule_connects("0.0.0.0:139".parse().expect("an address"));
}

/// The address is not usable before the detection of duplicates has ended
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/createunicastipaddressentry>), and a create does not
/// wait for the seconds that takes.
#[test]
fn create_of_a_tentative_address_is_refused_until_it_is_preferred() {
    let fixture = fixture();
    let adapter = fixture.adapter(1).expect("it runs");
    adapter.add_tentative_address(NEW.ip());
    for _ in 0..2 {
        assert_eq!(fixture.address(NEW).expect_err("it is tentative").0, STATUS_INVALID_ADDRESS);
        fixture.machine.settle();
    }
    adapter.prefer_address(NEW.ip());
    let address = fixture.address(NEW).expect("it is usable");
    is_reached(&fixture, &address).expect("a connection comes about");
    drop(address);
    adapter.remove_address(NEW.ip());
    fixture.machine.settle();
    assert_eq!(fixture.address(NEW).expect_err("it has gone").0, STATUS_INVALID_ADDRESS);
    end_clean(fixture);
}

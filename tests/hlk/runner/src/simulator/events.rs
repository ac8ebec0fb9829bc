//! The events that the driver writes to a trace session while scenarios are played.

use std::time::Duration;

use ntsim::etw::{self, Record};
use ntsim::ndk::{self, Checks, UncheckedPd};
use ntsim::sched::{self, Schedule, Strategy};
use ntsim::{Machine, Report, boundary};
use protocol::{Endpoint, Level, Link, Scenario};
use sys::ndk::NDK_VERSION_2_1;
use sys::wdm::GUID;

use super::{Fixture, Images, Place};
use crate::{Client, Error};

/// The device of the legacy transport.
const TRANSPORT: &str = "\\Device\\Softndk";

/// Scenarios in which consumers do all that has an event, but for a close that waits long.
pub const SCENARIOS: [Scenario; 7] = [
    Scenario::AntecedentsFirst,
    Scenario::Reject,
    Scenario::DisconnectEvent,
    Scenario::RemoteAccess,
    Scenario::Overflow,
    Scenario::Windows,
    Scenario::Limits,
];

/// A trace session.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// The provider that it listens to.
    pub provider: GUID,
    /// The level up to which it does.
    pub level: u8,
    /// The keywords.
    pub keywords: u64,
}

/// Plays scenarios on a machine whose session listens from before the drivers are loaded, opens the legacy transport,
/// and asks for the state while objects exist. Returns the events, and what was found.
///
/// # Errors
/// If an image can't be loaded, or a scenario can't be played or fails.
pub fn record(
    session: Session,
    images: &Images,
    places: &[Place],
    [near, far]: [Endpoint; 2],
    scenarios: &[Scenario],
) -> Result<(Vec<Record>, Report), Error> {
    let machine = Machine::builder().boot();
    etw::enable(session.provider, session.level, session.keywords);
    let fixture = Fixture::on(machine, images, places).map_err(|(error, _)| error)?;
    for scenario in scenarios {
        let report =
            Client::open(&fixture)?.run_scenario(*scenario, Level::Passive, Link::Loopback, near, far)?;
        if report.status != 0 {
            let outcome = Some(Box::new(report.outcome));
            return Err(Error::Status { what: "play a scenario", status: report.status, outcome });
        }
    }
    let open = Client::open(&fixture)?.open_session(near, far, 4096)?;
    etw::capture_state(session.provider);
    open.close(Level::Passive)?;
    let transport = ntsim::io::open(TRANSPORT, &[]);
    drop(transport.map_err(|status| Error::Status {
        what: "open a file",
        status: status.0,
        outcome: None,
    })?);
    let records = etw::records();
    etw::disable(session.provider);
    Ok((records, fixture.shut_down()))
}

/// The time after which a thread closes what the close of an adapter waits for: more than the five seconds after which
/// the driver says what that is.
const LATE: Duration = Duration::from_secs(6);

/// Closes an adapter while a PD of it is open, which no consumer may do; a thread closes the PD later. Returns the events,
/// and what was found. The clock is the schedule's, so this takes no time.
///
/// # Errors
/// If an image can't be loaded, or the adapter or the PD can't be had.
pub fn record_late_close(
    session: Session,
    images: &Images,
    places: &[Place],
) -> Result<(Vec<Record>, Report), Error> {
    let machine = Machine::builder().schedule(Schedule::seeded(1, Strategy::Bounded)).boot();
    ndk::set_checks(Checks::None);
    etw::enable(session.provider, session.level, session.keywords);
    let fixture = Fixture::on(machine, images, places).map_err(|(error, _)| error)?;
    let failed = |what, status| Error::Status { what, status, outcome: None };
    let index = places.first().map_or(0, Place::if_index);
    let adapter = fixture.machine().adapter(index).ok_or_else(|| failed("find the adapter", -1))?;
    let adapter = adapter.open_ndk(NDK_VERSION_2_1).map_err(|status| failed("open the adapter", status.0))?;
    let pd = UncheckedPd::create(adapter).ok_or_else(|| failed("create a PD", -1))?;
    let closing = sched::spawn("late consumer", move || {
        sched::block(Some(LATE));
        pd.close();
    });
    closing.map_err(|_| failed("start a thread", -1))?;
    boundary::call_driver("consumer", || ndk::close_adapter(adapter));
    let records = etw::records();
    etw::disable(session.provider);
    Ok((records, fixture.shut_down()))
}

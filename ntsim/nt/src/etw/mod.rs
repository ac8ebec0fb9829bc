//! Event Tracing for Windows: registrations of providers, sessions that collect their events, and the events.
//!
//! A test is the session's controller: [`enable`], [`disable`] and [`capture_state`] do what a controller does by
//! EnableTraceEx2 (<https://learn.microsoft.com/windows/win32/api/evntrace/nf-evntrace-enabletraceex2>), and
//! [`records`] is what its session has collected. A provider that is registered later finds out inside EtwRegister.
//! Events that bring their own description (TraceLogging) are decoded.

mod decode;
mod exports;
mod log_file;
mod record;
mod registration;
#[cfg(test)]
mod tests;

use core::ops::Range;
use std::collections::{BTreeMap, HashMap};

use ntsim_core::Export;
use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::number::ToU64;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::subsystem::{LiveObject, Subsystem};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::wdm::{
    EVENT_CONTROL_CODE_CAPTURE_STATE, EVENT_CONTROL_CODE_DISABLE_PROVIDER,
    EVENT_CONTROL_CODE_ENABLE_PROVIDER, GUID, REGHANDLE,
};

pub use exports::{EtwRegister, EtwSetInformation, EtwUnregister, EtwWriteTransfer};
pub use log_file::log_file;
pub use record::{Field, Record, Value};

use registration::Registration;

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[exports::EXPORTS];

/// Event tracing.
pub(crate) struct Etw;

impl Subsystem for Etw {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    /// Reports the providers that are still registered; those of images were reported when these were unloaded.
    fn inspect(&self) {
        let left: Vec<String> =
            ETW.get().0.lock().registrations.values().map(Registration::description).collect();
        left.into_iter().for_each(|description| leaked(description, [0xDD, 0, 0, 0]));
    }

    /// Reports the registrations of an image that is being unloaded: "An attempt was made to unload a driver without
    /// calling EtwUnregister", as the page of bug check 0xC4 has it for the code 0xDD.
    fn take_live_objects(&self, range: &Range<Va>) -> Vec<LiveObject> {
        let mut left = Vec::new();
        ETW.get().0.lock().registrations.retain(|_, registration| {
            let stays = !registration.lies_in(range);
            if !stays {
                left.push(registration.description());
            }
            stays
        });
        for description in left {
            leaked(description, [0xDD, range.start.bits(), (range.end - range.start).to_u64(), 0]);
        }
        Vec::new()
    }
}

/// Reports a provider that is still registered.
fn leaked(description: String, parameters: [u64; 4]) {
    let text = format!("{description} was never unregistered");
    let bugcheck = Bugcheck { code: 0xC4, parameters };
    verifier::report(Finding::new("EtwRegistrationLeak").bugcheck(bugcheck).text(text));
}

/// The filter of a session for one provider.
#[derive(Clone, Copy, Debug)]
struct Filter {
    level: u8,
    any: u64,
}

impl Filter {
    /// Returns whether the session takes an event
    /// (<https://learn.microsoft.com/windows/win32/api/evntprov/nf-evntprov-eventproviderenabled>).
    const fn takes(self, level: u8, keyword: u64) -> bool {
        level <= self.level && (keyword == 0 || keyword & self.any != 0)
    }
}

/// The state of one machine.
#[derive(Default)]
struct Tracing {
    registrations: BTreeMap<REGHANDLE, Registration>,
    /// The number of registrations so far.
    registered: u64,
    filters: HashMap<GUID, Filter>,
    records: Vec<Record>,
    /// The number of calls that write.
    writes: u64,
}

#[derive(Default)]
struct Locked(Mutex<Tracing>);

static ETW: PerMachine<Locked> = PerMachine::new();

/// Collects the events of a provider up to `level` that have one of the `keywords`, or none.
pub fn enable(provider: GUID, level: u8, keywords: u64) {
    let filter = Filter { level, any: keywords };
    ETW.get().0.lock().filters.insert(provider, filter);
    registration::tell(provider, EVENT_CONTROL_CODE_ENABLE_PROVIDER, filter);
}

/// Collects the events of a provider no longer.
pub fn disable(provider: GUID) {
    let filter = ETW.get().0.lock().filters.remove(&provider);
    if filter.is_some() {
        registration::tell(provider, EVENT_CONTROL_CODE_DISABLE_PROVIDER, Filter { level: 0, any: 0 });
    }
}

/// Asks a provider that is enabled for its state, which it tells by events.
pub fn capture_state(provider: GUID) {
    let filter = ETW.get().0.lock().filters.get(&provider).copied();
    if let Some(filter) = filter {
        registration::tell(provider, EVENT_CONTROL_CODE_CAPTURE_STATE, filter);
    }
}

/// The events that were collected so far, the oldest first.
pub fn records() -> Vec<Record> {
    ETW.get().0.lock().records.clone()
}

/// The number of calls that wrote an event, whether or not a session took it.
pub fn writes() -> u64 {
    ETW.get().0.lock().writes
}

/// The providers that are registered.
pub fn providers() -> Vec<GUID> {
    ETW.get().0.lock().registrations.values().map(Registration::provider).collect()
}

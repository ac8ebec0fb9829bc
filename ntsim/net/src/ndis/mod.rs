//! NDIS: registers miniport drivers, runs their adapters through their states, and plays the protocol on
//! top of them.
//!
//! The user's side is [`Adapter`], from [`adapter`](fn@adapter), and the functions
//! that start and stop adapters. What a driver calls is in the files named for it. The
//! rules are those of NDIS and of Driver Verifier's NDIS checks; codes of findings are those of bug
//! check 0x7C (BUGCODE_NDIS_DRIVER).

mod adapter;
mod attributes;
mod buffer;
mod bus;
mod clone;
mod config;
mod configuration;
mod data_path;
mod device;
mod driver;
mod error_log;
mod header;
mod lifecycle;
mod mdl;
mod memory;
mod ndk;
mod oid;
mod outgoing;
mod pnp;
mod pool;
mod rw_lock;
mod send;
mod text;
mod timer;
mod variation;
mod wait;
mod work_item;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use ntsim_core::Export;
use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::subsystem::Subsystem;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::ndis::NDIS_HANDLE;

pub use adapter::{Adapter, State};
pub use config::AdapterConfig;
pub use device::refuse_devices;
pub use error_log::{LogEntry, event_log};
pub use lifecycle::{adapter, add_adapters, shutdown_adapters, start_adapters};
pub(crate) use ndk::open_ndk_adapter;

use driver::MiniportDriver;

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[
    attributes::EXPORTS,
    buffer::EXPORTS,
    clone::EXPORTS,
    configuration::EXPORTS,
    data_path::EXPORTS,
    device::EXPORTS,
    driver::EXPORTS,
    error_log::EXPORTS,
    error_log::VARIADIC,
    lifecycle::EXPORTS,
    mdl::EXPORTS,
    memory::EXPORTS,
    oid::EXPORTS,
    pnp::EXPORTS,
    pool::EXPORTS,
    rw_lock::EXPORTS,
    send::EXPORTS,
    timer::EXPORTS,
    work_item::EXPORTS,
];

/// NDIS.
pub(crate) struct NdisLibrary;

impl Subsystem for NdisLibrary {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn inspect(&self) {
        inspect();
        device::inspect();
        pool::inspect();
        rw_lock::inspect();
        timer::inspect();
        work_item::inspect();
    }
}

/// NDIS in one machine.
#[derive(Default)]
struct Ndis {
    /// By handle.
    drivers: Mutex<HashMap<Va, Arc<MiniportDriver>>>,
    /// By handle, from initialisation to the end of halting.
    adapters: Mutex<HashMap<Va, Arc<Adapter>>>,
    /// The adapters that the machine has, bound to a driver or not.
    hardware: Mutex<Vec<AdapterConfig>>,
    last_handle: Mutex<usize>,
    event_log: Mutex<Vec<LogEntry>>,
}

static NDIS: PerMachine<Ndis> = PerMachine::new();

/// Reports what drivers left behind.
fn inspect() {
    NDIS.get().inspect();
}

impl Ndis {
    fn inspect(&self) {
        for adapter in self.adapters.lock().values() {
            let text = format!("adapter {} was never halted", adapter.index());
            violation("NdisMiniportHalt", [0x0A, adapter.handle.bits(), 0, 0], text);
        }
        for driver in self.drivers.lock().values() {
            driver.never_deregistered();
        }
    }
}

fn ndis() -> &'static Ndis {
    NDIS.get()
}

impl Ndis {
    /// A new handle: the address of nothing, so that a driver that uses it as a pointer crashes.
    fn new_handle(&self) -> Va {
        let mut last = self.last_handle.lock();
        *last += 0x10;
        Va::new(0x4E44_4953_0000_0000 + *last)
    }
}

/// Checks a handle that stands for an adapter, a miniport driver or a device of its own, as the functions want it that
/// allocate something for one.
fn check_owner(handle: NDIS_HANDLE, function: &'static str) {
    let handle = Va::of(handle);
    let known = ndis().adapters.lock().contains_key(&handle)
        || ndis().drivers.lock().contains_key(&handle)
        || device::is_registered(handle);
    if !known {
        let text = format!("{function} got {handle}, which is no adapter, driver or device");
        violation("NdisHandle", [0, handle.bits(), 0, 0], text);
    }
}

/// Reports a broken rule of Driver Verifier's for NDIS drivers, bug check 0xC4 with the rule's code.
#[cold]
fn compliance(rule: &'static str, code: u64, text: String) {
    let bugcheck = Bugcheck { code: 0xC4, parameters: [code, 0, 0, 0] };
    verifier::report(Finding::new(rule).bugcheck(bugcheck).text(text));
}

/// Reports a broken rule of NDIS, bug check 0x7C.
#[cold]
fn violation(rule: &'static str, parameters: [u64; 4], text: String) {
    verifier::report(Finding::new(rule).bugcheck(Bugcheck { code: 0x7C, parameters }).text(text));
}

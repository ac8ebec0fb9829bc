//! Clients: registration, and holding on to the provider.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use nt::fault;
use nt::io::StatusError;
use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Irql, Thread};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{
    NTSTATUS, STATUS_DEVICE_NOT_READY, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER,
    STATUS_NOINTERFACE, STATUS_SUCCESS,
};
use sys::wsk::registration::signature;
use sys::wsk::*;

use super::provider;

/// The version that the provider has, lowest and highest.
pub(super) const VERSION: u16 = MAKE_WSK_VERSION(1, 0);

/// The longest wait of a deregistration for the client before it counts as hung; tests are less patient.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 30 });

/// The registered clients of one machine, by the address of their registration.
#[derive(Default)]
struct Clients {
    live: Mutex<HashMap<Va, Arc<Client>>>,
    last: Mutex<usize>,
    /// The status with which WskRegister fails.
    refused: Mutex<Option<NTSTATUS>>,
}

static CLIENTS: PerMachine<Clients> = PerMachine::new();

/// Lets WskRegister fail with this status from now on, or not any more.
pub fn refuse_clients(status: Option<StatusError>) {
    *clients().refused.lock() = status.map(|StatusError(status)| status);
}

/// Reports what drivers left behind.
pub(super) fn inspect() {
    CLIENTS.get().inspect();
}

impl Clients {
    fn inspect(&self) {
        for (registration, client) in &*self.live.lock() {
            let held = client.state.lock().captured;
            found(
                "WskDeregister",
                format!(
                    "the registration {registration:#x} is left, with the provider captured {held} times"
                ),
            );
        }
    }
}

/// A registered client.
pub(super) struct Client {
    /// Its handle in the provider's functions.
    handle: Va,
    version: u16,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of times that it holds the provider.
    captured: usize,
    /// RDMA adapters that it has open.
    adapters: usize,
    /// Its sockets that are not closed.
    sockets: usize,
    deregistering: bool,
    waiting: Option<&'static Thread>,
}

impl State {
    /// Wakes the deregistration, if it waits for nothing more.
    fn tell(&mut self) {
        if self.captured == 0
            && self.sockets == 0
            && let Some(waiting) = self.waiting.take()
        {
            sched::wake(waiting);
        }
    }
}

fn clients() -> &'static Clients {
    CLIENTS.get()
}

/// Reports a misuse of Winsock Kernel.
#[cold]
pub(super) fn found(rule: &'static str, text: String) {
    verifier::report(Finding::new(rule).text(text));
}

impl Client {
    /// The client of a registration; a registration of none is a finding.
    fn of(registration: *mut WSK_REGISTRATION, function: &'static str) -> Option<Arc<Self>> {
        let client = clients().live.lock().get(&Va::of(registration)).cloned();
        if client.is_none() {
            found(function, format!("{function} got {registration:p}, which is no registration"));
        }
        client
    }

    /// The client that calls a function of the provider; one that does not hold the provider is a finding.
    pub(super) fn calling(handle: *mut WSK_CLIENT, function: &'static str) -> Option<Arc<Self>> {
        let client = clients().live.lock().values().find(|client| client.handle == Va::of(handle)).cloned();
        match client {
            Some(client) if client.state.lock().captured > 0 => Some(client),
            _ => {
                found(
                    "WskProviderNpi",
                    format!("{function} is called by {handle:p}, who does not hold the provider"),
                );
                None
            }
        }
    }

    /// Counts an RDMA adapter that the client opened, or closed.
    pub(super) fn count_adapter(&self, opened: bool) {
        let mut state = self.state.lock();
        state.adapters = if opened { state.adapters + 1 } else { state.adapters.saturating_sub(1) };
    }

    /// Counts a socket that the client got, or that is closed.
    pub(super) fn count_socket(&self, made: bool) {
        let mut state = self.state.lock();
        state.sockets = if made { state.sockets + 1 } else { state.sockets.saturating_sub(1) };
        state.tell();
    }

    /// Waits until the client has let go of the provider, and its sockets are closed.
    fn wait_until_released(&self) {
        let mut timeout = Some(DEREGISTER_TIMEOUT);
        loop {
            {
                let mut state = self.state.lock();
                state.deregistering = true;
                if state.captured == 0 && state.sockets == 0 {
                    return;
                }
                state.waiting = sched::current();
            }
            if !sched::block(timeout) && timeout.take().is_some() {
                let (held, sockets) = {
                    let state = self.state.lock();
                    (state.captured, state.sockets)
                };
                let text = format!(
                    "WskDeregister waits for {held} calls of WskReleaseProviderNPI and {sockets} sockets that are not closed"
                );
                found("WskDeregisterHang", text);
            }
        }
    }
}

/// Returns whether every client is being deregistered.
#[cfg(test)]
pub(super) fn deregistering() -> bool {
    clients().live.lock().values().all(|client| client.state.lock().deregistering)
}

exports! {
    "netio.sys", signature;

    /// Registers a client.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskRegister(npi: *const WSK_CLIENT_NPI, registration: *mut WSK_REGISTRATION) -> NTSTATUS {
        // SAFETY: the driver passes its NPI or null.
        let dispatch = unsafe { npi.as_ref() }.map_or(core::ptr::null(), |npi| npi.Dispatch);
        // SAFETY: the dispatch table is the driver's, or null.
        let Some(dispatch) = (unsafe { dispatch.as_ref() }) else { return STATUS_INVALID_PARAMETER };
        if registration.is_null() || dispatch.Reserved != 0 {
            return STATUS_INVALID_PARAMETER;
        }
        if fault::strikes() {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        if let Some(status) = *clients().refused.lock() {
            return status;
        }
        let handle = {
            let mut last = clients().last.lock();
            *last += 0x10;
            0x5753_4B00_0000_0000 + *last
        };
        let client = Arc::new(Client { handle: Va::new(handle), version: dispatch.Version, state: Mutex::default() });
        if clients().live.lock().insert(Va::of(registration), client).is_some() {
            found("WskRegister", format!("the registration {registration:p} is used a second time"));
        }
        STATUS_SUCCESS
    }

    /// Deregisters a client, after waiting until it has let go of the provider.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskDeregister(registration: *mut WSK_REGISTRATION) {
        let Some(client) = Client::of(registration, "WskDeregister") else { return };
        client.wait_until_released();
        let adapters = client.state.lock().adapters;
        if adapters > 0 {
            found("WskDeregister", format!("a client is deregistered with {adapters} RDMA adapters open"));
        }
        clients().live.lock().remove(&Va::of(registration));
    }

    /// Takes hold of the provider.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskCaptureProviderNPI(
        registration: *mut WSK_REGISTRATION,
        timeout: u32,
        npi: *mut WSK_PROVIDER_NPI,
    ) -> NTSTATUS {
        let Some(client) = Client::of(registration, "WskCaptureProviderNPI") else {
            return STATUS_INVALID_PARAMETER;
        };
        if timeout != WSK_NO_WAIT && sched::irql() > Irql::PASSIVE {
            found("WskCaptureProviderNPI", format!("the provider is waited for at {}", sched::irql()));
        }
        if client.version != VERSION {
            return STATUS_NOINTERFACE;
        }
        let mut state = client.state.lock();
        if state.deregistering {
            return STATUS_DEVICE_NOT_READY;
        }
        state.captured += 1;
        let held =
            WSK_PROVIDER_NPI { Client: client.handle.ptr::<WSK_CLIENT>(), Dispatch: provider::dispatch() };
        // SAFETY: the driver passes room for the NPI.
        unsafe { npi.write(held) };
        STATUS_SUCCESS
    }

    /// Lets go of the provider.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskReleaseProviderNPI(registration: *mut WSK_REGISTRATION) {
        let Some(client) = Client::of(registration, "WskReleaseProviderNPI") else { return };
        let mut state = client.state.lock();
        if state.captured == 0 {
            drop(state);
            found("WskReleaseProviderNPI", "the provider is released more often than it was captured".into());
            return;
        }
        state.captured -= 1;
        state.tell();
    }

    /// The versions that the provider has.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskQueryProviderCharacteristics(
        registration: *mut WSK_REGISTRATION,
        characteristics: *mut WSK_PROVIDER_CHARACTERISTICS,
    ) -> NTSTATUS {
        if Client::of(registration, "WskQueryProviderCharacteristics").is_none() {
            return STATUS_INVALID_PARAMETER;
        }
        let versions = WSK_PROVIDER_CHARACTERISTICS { HighestVersion: VERSION, LowestVersion: VERSION };
        // SAFETY: the driver passes room for the versions.
        unsafe { characteristics.write(versions) };
        STATUS_SUCCESS
    }
}

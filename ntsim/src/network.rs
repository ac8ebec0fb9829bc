//! The machine's network adapters, as a program sees them.

#![forbid(unsafe_code)]

use std::sync::Arc;

use net::ip_helper::{self, AddressWatch};
use net::ndis::{self, Adapter, AdapterConfig, LogEntry};
use net::wsk;
use nt::ex;
use nt::io::StatusError;
use ntsim_core::sched;
use sys::netioapi::MIB_UNICASTIPADDRESS_ROW;

use crate::driver::Driver;
use crate::machine::Machine;

impl Machine {
    /// Adds adapters to the machine; a driver runs them once it is told to
    /// ([`start_adapters`](Self::start_adapters)).
    pub fn add_adapters(&self, adapters: impl IntoIterator<Item = AdapterConfig>) {
        ndis::add_adapters(adapters);
    }

    /// Lets a driver initialise every adapter that no driver runs, and starts them, all at once. When this
    /// returns, their addresses are preferred; drivers that asked for notifications may not have got them yet
    /// (see [`settle`](Self::settle)).
    ///
    /// # Errors
    /// The status with which the driver's initialise or restart handler failed for the first of the
    /// adapters; the others run if they could be started.
    pub fn start_adapters(&self, driver: &mut Driver) -> Result<(), StatusError> {
        ndis::start_adapters(driver.object())
    }

    /// Waits until the kernel's workers have nothing to do: notifications are delivered, and the work items
    /// that they led to have run.
    pub fn settle(&self) {
        let _attached = sched::current().is_none().then(|| sched::attach("settle"));
        ex::settle();
    }

    /// The adapter with an interface index, if a driver runs it.
    pub fn adapter(&self, index: u32) -> Option<Arc<Adapter>> {
        ndis::adapter(index)
    }

    /// Tells every adapter that the machine shuts down; nothing may be done with them afterwards but to
    /// drop the machine.
    pub fn shutdown_adapters(&self) {
        ndis::shutdown_adapters();
    }

    /// The entries that miniport drivers have written to the event log.
    pub fn event_log(&self) -> Vec<LogEntry> {
        ndis::event_log()
    }

    /// Lets `NdisRegisterDeviceEx` fail with this status from now on, or not any more.
    pub fn refuse_ndis_devices(&self, status: Option<StatusError>) {
        ndis::refuse_devices(status);
    }

    /// Lets TCP/IP fail with this status from now on when drivers ask for unicast addresses or changes to them,
    /// as it does where it is not there (STATUS_NOT_SUPPORTED); or not any more.
    pub fn refuse_addresses(&self, status: Option<StatusError>) {
        ip_helper::refuse_addresses(status);
    }

    /// Lets `WskRegister` fail with this status from now on, or not any more.
    pub fn refuse_winsock_clients(&self, status: Option<StatusError>) {
        wsk::refuse_clients(status);
    }

    /// Lets TCP over the pipe stand still, or go on: no byte moves, no request of a socket completes, and no event comes
    /// meanwhile. Not under a schedule, nor in a call of the machine's.
    pub fn hold_tcp(&self, held: bool) {
        wsk::hold(held);
    }

    /// Takes the addresses of the peers whose connections had arrived at a socket that listens, and have ended since this
    /// was called last: the last 256 ones, the oldest first.
    pub fn ended_connections(&self) -> Vec<core::net::SocketAddr> {
        wsk::ended_connections()
    }

    /// Registers for changes of unicast addresses, as a driver does by NotifyUnicastIpAddressChange. `told` is called
    /// in a worker of the kernel, where a driver's callback is called, and may call drivers.
    #[must_use]
    pub fn watch_addresses(
        &self,
        told: impl Fn(&MIB_UNICASTIPADDRESS_ROW) + Send + Sync + 'static,
    ) -> AddressWatch {
        AddressWatch::new(told)
    }
}

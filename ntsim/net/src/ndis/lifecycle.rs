//! The states of an adapter: initialising, pausing, restarting, halting, removal and shutdown.

use core::time::Duration;
use std::sync::Arc;

use nt::io::StatusError;
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::sched;
use sys::ndis::*;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS, STATUS_DEVICE_NOT_READY,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_SUCH_DEVICE,
};
use sys::wdm::{BOOLEAN, DRIVER_OBJECT};

use super::adapter::{self, Adapter, State};
use super::driver::{self, MiniportDriver};
use super::wait::Answer;
use super::{AdapterConfig, bus, ndis, violation};
use crate::ip_helper::{self, Interface};

/// The longest time that a miniport may take to pause, restart or halt before NDIS's watchdog barks; tests
/// are less patient.
const WATCHDOG: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });

/// The longest time that RDMA consumers may take to close an adapter that is about to be halted.
const GRACE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 20 });

/// Size of `NDIS_MINIPORT_RESTART_PARAMETERS` through its last member.
const RESTART_SIZE: u16 = 0x14;

/// Adds adapters to the machine; a driver runs them once it is told to ([`start_adapters`]).
pub fn add_adapters(adapters: impl IntoIterator<Item = AdapterConfig>) {
    ndis().hardware.lock().extend(adapters);
}

/// Lets the driver with this object initialise every adapter that no driver runs, and starts them, all at once. When
/// this returns, their addresses are preferred; drivers that asked for notifications may not have got them yet.
///
/// # Errors
/// The status with which the driver's initialise or restart handler failed for the first of the
/// adapters; the others run if they could be started.
pub fn start_adapters(driver: *mut DRIVER_OBJECT) -> Result<(), StatusError> {
    let driver = driver::of_object(driver).ok_or(StatusError(STATUS_NO_SUCH_DEVICE))?;
    start(&driver)
}

/// The adapter with an interface index, if a driver runs it.
pub fn adapter(index: u32) -> Option<Arc<Adapter>> {
    adapter::with_index(index)
}

/// Tells every adapter that the machine shuts down; nothing may be done with them afterwards but to
/// drop the machine.
pub fn shutdown_adapters() {
    let adapters: Vec<_> = ndis().adapters.lock().values().cloned().collect();
    for adapter in adapters {
        adapter.state.lock().state = State::ShutDown;
        if let Some(handler) = adapter.driver.handlers.ShutdownHandlerEx {
            let context = adapter.context();
            // SAFETY: the handler is the driver's own, with its own context.
            boundary::call_driver("MiniportShutdownEx", || unsafe {
                handler(context, NDIS_SHUTDOWN_ACTION::NdisShutdownPowerOff);
            });
        }
    }
}

/// Lets a driver initialise every adapter that no driver runs, and starts them, each in a thread of its own:
/// nothing on Windows says that one waits for another. The first failure, in the adapters' order.
pub(super) fn start(driver: &Arc<MiniportDriver>) -> Result<(), StatusError> {
    let _attached = sched::current().is_none().then(|| sched::attach("plug and play"));
    let running: Vec<_> = ndis().adapters.lock().values().map(|adapter| adapter.index()).collect();
    let mut idle = ndis().hardware.lock().clone();
    idle.retain(|config| !running.contains(&config.if_index));
    let begun: Vec<_> = idle.into_iter().map(|config| begin(config, driver)).collect();
    begun.into_iter().map(|answer| answer.wait(&[])).fold(Ok(()), Result::and)
}

/// Brings an adapter up in a thread of its own; the outcome comes later.
fn begin(config: AdapterConfig, driver: &Arc<MiniportDriver>) -> Arc<Answer<Result<(), StatusError>>> {
    let answer = Arc::new(Answer::default());
    let (told, driver) = (Arc::clone(&answer), Arc::clone(driver));
    let body = move || {
        told.set(bring_up(config, &driver));
    };
    sched::spawn("adapter start", body).expect("the host has threads for the machine's adapters");
    answer
}

/// Initialises and restarts an adapter. Only then do protocols bind to it, TCP/IP among them, whose addresses
/// come after that.
fn bring_up(config: AdapterConfig, driver: &Arc<MiniportDriver>) -> Result<(), StatusError> {
    let addresses = config.addresses.clone();
    let adapter = initialise(config, driver).map_err(StatusError)?;
    adapter.restart()?;
    adapter.bind_protocol();
    ip_helper::assign(adapter.index(), &addresses);
    Ok(())
}

/// Lets a driver initialise an adapter, which is paused afterwards.
fn initialise(config: AdapterConfig, driver: &Arc<MiniportDriver>) -> Result<Arc<Adapter>, NDIS_STATUS> {
    let interface = Interface { index: config.if_index, alias: config.alias.clone(), addresses: Vec::new() };
    let devices = bus::add(driver.object).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
    let adapter = Adapter::new(config, Arc::clone(driver), devices);
    ndis().adapters.lock().insert(adapter.handle, Arc::clone(&adapter));
    // The parameters of MiniportInitializeEx name the interface; TCP/IP has no addresses on it yet.
    ip_helper::add(interface.clone());
    // SAFETY: all zero is a valid value: integers and null pointers.
    let mut parameters: NDIS_MINIPORT_INIT_PARAMETERS =
        unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
    parameters.Header = NDIS_OBJECT_HEADER {
        Type: NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS,
        Revision: NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1,
        Size: narrow(size_of::<NDIS_MINIPORT_INIT_PARAMETERS>()),
    };
    parameters.IfIndex = interface.index;
    parameters.NetLuid = interface.luid();
    let handler = driver.handlers.InitializeHandlerEx.expect("registration checks for it");
    let (handle, context) = (adapter.handle.ptr(), driver.context.ptr());
    // SAFETY: the handler is the driver's own; the parameters live during the call.
    let status = boundary::call_driver("MiniportInitializeEx", || unsafe {
        handler(handle, context, &raw mut parameters)
    });
    if status != NDIS_STATUS_SUCCESS {
        adapter.forget("MiniportInitializeEx failed");
        return Err(if status == NDIS_STATUS_PENDING { STATUS_DEVICE_NOT_READY } else { status });
    }
    check_initialised(&adapter);
    adapter.state.lock().state = State::Paused;
    // "Driver initialization is complete" is the first of the reasons for this event
    // (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_device_pnp_event_notify>); only
    // the other one is said to bring information.
    adapter.device_event(NDIS_DEVICE_PNP_EVENT::NdisDevicePnPEventPowerProfileChanged);
    Ok(adapter)
}

/// Checks that an adapter has its attributes when its initialise handler succeeds.
fn check_initialised(adapter: &Adapter) {
    let state = adapter.state.lock();
    let missing = [
        ("registration", state.registered),
        ("general", state.general.is_some()),
        ("RDMA", state.ndk.is_some() || adapter.driver.ndk().is_none()),
    ];
    drop(state);
    for (what, _) in missing.iter().filter(|(_, there)| !there) {
        let text = format!("MiniportInitializeEx succeeded without setting {what} attributes");
        violation("NdisMSetMiniportAttributes", [0, adapter.handle.bits(), 0, 0], text);
    }
}

impl Adapter {
    /// Starts a paused adapter.
    ///
    /// # Errors
    /// If the adapter is not paused, or the status with which the driver refused.
    pub fn restart(&self) -> Result<(), StatusError> {
        self.advance(&[State::Paused], State::Restarting)
            .map_err(|_| StatusError(STATUS_DEVICE_NOT_READY))?;
        let mut parameters = NDIS_MINIPORT_RESTART_PARAMETERS {
            Header: head(NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1, RESTART_SIZE),
            RestartAttributes: core::ptr::null_mut(),
            Flags: 0,
        };
        let handler = self.driver.handlers.RestartHandler.expect("registration checks for it");
        let context = self.context();
        let status = self.two_step("MiniportRestart", || {
            // SAFETY: the handler is the driver's own; the parameters live during the call.
            unsafe { handler(context, &raw mut parameters) }
        });
        self.state.lock().state = if status == NDIS_STATUS_SUCCESS { State::Running } else { State::Paused };
        if status == NDIS_STATUS_SUCCESS { Ok(()) } else { Err(StatusError(status)) }
    }

    /// Stops the data of a running adapter; returns when the driver has nothing on its way.
    ///
    /// # Errors
    /// If the adapter does not run.
    pub fn pause(&self) -> Result<(), StatusError> {
        self.advance(&[State::Running], State::Pausing).map_err(|_| StatusError(STATUS_DEVICE_NOT_READY))?;
        let reason = if self.state.lock().removed {
            NDIS_PAUSE_MINIPORT_DEVICE_REMOVE
        } else {
            NDIS_PAUSE_NDIS_INTERNAL
        };
        let size = narrow(size_of::<NDIS_MINIPORT_PAUSE_PARAMETERS>());
        let header = head(NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1, size);
        let mut parameters = NDIS_MINIPORT_PAUSE_PARAMETERS { Header: header, Flags: 0, PauseReason: reason };
        let handler = self.driver.handlers.PauseHandler.expect("registration checks for it");
        let context = self.context();
        let status = self.two_step("MiniportPause", || {
            // SAFETY: the handler is the driver's own; the parameters live during the call.
            unsafe { handler(context, &raw mut parameters) }
        });
        if status != NDIS_STATUS_SUCCESS {
            let text = format!("MiniportPause returned {status:#010X}; it may only succeed or pend");
            violation("MiniportPause_Return", [0x1F, self.handle.bits(), 0, 0], text);
        }
        self.protocol.check_quiet(self.handle, "a paused adapter");
        self.state.lock().state = State::Paused;
        Ok(())
    }

    /// Pauses the adapter if it runs, and halts it. Before, RDMA is disabled, and its consumers are given
    /// time to close.
    ///
    /// # Errors
    /// If the adapter is in a state in which neither can be done.
    pub fn halt(&self) -> Result<(), StatusError> {
        self.halt_because(NDIS_HALT_ACTION::NdisHaltDeviceDisabled)
    }

    /// Takes the adapter away under its driver: tells it, then [halts](Self::halt) the adapter.
    ///
    /// # Errors
    /// As for [`halt`](Self::halt).
    pub fn surprise_remove(&self) -> Result<(), StatusError> {
        self.state.lock().removed = true;
        self.device_event(NDIS_DEVICE_PNP_EVENT::NdisDevicePnPEventSurpriseRemoved);
        self.state.lock().gone = true;
        // What protocols have begun before they hear of it comes now.
        let (_checked, _checked_too) = (self.query(OID_GEN_STATISTICS, 0x98), self.send(&[0xFF; 60]));
        self.halt_because(NDIS_HALT_ACTION::NdisHaltDeviceSurpriseRemoved)
    }

    fn halt_because(&self, action: NDIS_HALT_ACTION) -> Result<(), StatusError> {
        // The consumers above the adapter go first.
        self.disable_ndk(Some(GRACE));
        if self.state() == State::Running {
            self.pause()?;
        }
        self.advance(&[State::Paused], State::Halting).map_err(|_| StatusError(STATUS_DEVICE_NOT_READY))?;
        if self.open_ndk_adapters() > 0 {
            let text = format!(
                "adapter {} is halted with {} RDMA adapters open",
                self.index(),
                self.open_ndk_adapters()
            );
            violation("NdkAdapterOpenAtHalt", [0, self.handle.bits(), 0, 0], text);
        }
        let handler = self.driver.handlers.HaltHandlerEx.expect("registration checks for it");
        let context = self.context();
        let start = sched::elapsed();
        self.state.lock().halting_since = Some(start);
        // SAFETY: the handler is the driver's own, with its own context.
        boundary::call_driver("MiniportHaltEx", || unsafe { handler(context, action) });
        if sched::elapsed().saturating_sub(start) > WATCHDOG {
            violation(
                "NdisWatchdog",
                [0x25, 0x22, self.handle.bits(), 0],
                "MiniportHaltEx took too long".into(),
            );
        }
        self.forget("MiniportHaltEx returned");
        Ok(())
    }

    /// The adapter is no more: what the driver still has of it is a leak.
    fn forget(&self, when: &'static str) {
        self.state.lock().state = State::Halted;
        ip_helper::remove(self.index());
        super::pool::check_none_left(self.handle, when);
        super::work_item::check_none_left(self.handle, when);
        super::timer::check_none_left(self.handle, when);
        super::rw_lock::check_none_left(self.handle, when);
        super::configuration::check_none_left(self.handle, when);
        ndis().adapters.lock().remove(&self.handle);
        bus::remove(&self.devices);
    }

    fn device_event(&self, event: NDIS_DEVICE_PNP_EVENT) {
        let Some(handler) = self.driver.handlers.DevicePnPEventNotifyHandler else { return };
        // SAFETY: all zero is a valid value: integers and null pointers.
        let mut notice: NET_DEVICE_PNP_EVENT = unsafe { core::mem::MaybeUninit::zeroed().assume_init() };
        notice.Header = head(1, narrow(size_of::<NET_DEVICE_PNP_EVENT>()));
        notice.DevicePnPEvent = event;
        let context = self.context();
        // SAFETY: the handler is the driver's own; the notice lives during the call.
        boundary::call_driver("MiniportDevicePnPEventNotify", || unsafe {
            handler(context, &raw mut notice)
        });
    }

    /// Calls a handler that may answer later, and waits for its answer.
    fn two_step(&self, name: &'static str, handler: impl FnOnce() -> NDIS_STATUS) -> NDIS_STATUS {
        let answer = Arc::new(Answer::default());
        self.state.lock().pending = Some(Arc::clone(&answer));
        let status = boundary::call_driver(name, handler);
        if status != NDIS_STATUS_PENDING {
            self.state.lock().pending = None;
            return status;
        }
        let watchdog = [0x25, if name == "MiniportPause" { 0x21 } else { 0 }, self.handle.bits(), 0];
        let late = || {
            violation("NdisWatchdog", watchdog, format!("{name} has not been completed in {WATCHDOG:?}"));
        };
        answer.wait(&[(WATCHDOG, &late)])
    }
}

fn head(revision: u8, size: u16) -> NDIS_OBJECT_HEADER {
    NDIS_OBJECT_HEADER { Type: NDIS_OBJECT_TYPE_DEFAULT, Revision: revision, Size: size }
}

exports! {
    "ndis.sys", signature;

    /// Completes a pause that was pending.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMPauseComplete(handle: NDIS_HANDLE) {
        complete(handle, State::Pausing, "NdisMPauseComplete", NDIS_STATUS_SUCCESS);
    }

    /// Completes a restart that was pending.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMRestartComplete(handle: NDIS_HANDLE, status: NDIS_STATUS) {
        complete(handle, State::Restarting, "NdisMRestartComplete", status);
    }

    /// Completes a reset: NDIS has asked for none, as it does only where a miniport's adapter hangs.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMResetComplete(handle: NDIS_HANDLE, _status: NDIS_STATUS, _addressing: BOOLEAN) {
        let Some(adapter) = adapter::of(handle, "NdisMResetComplete") else { return };
        let text = format!("NdisMResetComplete called while the adapter is {:?} and no reset is pending", adapter.state());
        violation("NdisStateTransition", [0x1F, 3, Va::of(handle).bits(), 0], text);
    }
}

/// Codes of an illegal transition: pause complete 1, restart complete 2.
fn complete(handle: NDIS_HANDLE, during: State, function: &'static str, status: NDIS_STATUS) {
    let Some(adapter) = adapter::of(handle, function) else { return };
    let pending = {
        let mut state = adapter.state.lock();
        if state.state == during { state.pending.take() } else { None }
    };
    if !pending.is_some_and(|answer| answer.set(status)) {
        let code = if during == State::Pausing { 1 } else { 2 };
        let text =
            format!("{function} called while the adapter is {:?} and nothing is pending", adapter.state());
        violation("NdisStateTransition", [0x1F, code, Va::of(handle).bits(), 0], text);
    }
}

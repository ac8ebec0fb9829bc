//! An adapter that a miniport driver runs.

use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use ntsim_core::address::Va;
use parking_lot::Mutex;
use sys::ndis::NDIS_HANDLE;
use sys::status::{NDIS_STATUS, NDIS_STATUS_NOT_ACCEPTED};
use sys::wdm::DEVICE_OBJECT;

use super::data_path::Protocol;
use super::driver::MiniportDriver;
use super::oid::Oids;
use super::wait::Answer;
use super::{AdapterConfig, config, ndis, violation};
use crate::ip_helper;

/// The state of an adapter, as NDIS defines it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Not initialised, or no more.
    Halted,
    /// The initialise handler runs.
    Initializing,
    /// Initialised; no data flows.
    Paused,
    /// The restart handler runs, or its completion is awaited.
    Restarting,
    /// Data flows.
    Running,
    /// The pause handler runs, or its completion is awaited.
    Pausing,
    /// The halt handler runs.
    Halting,
    /// The machine shuts down.
    ShutDown,
}

/// An adapter that a miniport driver runs.
pub struct Adapter {
    pub(super) handle: Va,
    index: u32,
    /// Its registry key, which an administrator may change at any time.
    pub(super) config: Mutex<AdapterConfig>,
    pub(super) driver: Arc<MiniportDriver>,
    pub(super) devices: Devices,
    pub(super) state: Mutex<Changing>,
    pub(super) oids: Oids,
    pub(super) protocol: Protocol,
    /// RDMA adapters that are open on it.
    pub(super) ndk_open: AtomicUsize,
}

/// The kernel's devices of an adapter.
pub(super) struct Devices {
    pub(super) physical: *mut DEVICE_OBJECT,
    pub(super) functional: *mut DEVICE_OBJECT,
}

// SAFETY: the devices live as long as the adapter, and are only handed to its driver.
unsafe impl Send for Devices {}
// SAFETY: as above.
unsafe impl Sync for Devices {}

/// The part of an adapter's state that changes.
pub(super) struct Changing {
    pub(super) state: State,
    /// The driver's context, from its registration attributes.
    pub(super) context: Va,
    pub(super) registered: bool,
    /// Set if it is not to be paused before the machine sleeps.
    pub(super) unpaused: bool,
    pub(super) general: Option<General>,
    pub(super) ndk: Option<Ndk>,
    /// The pause or restart that the driver completes later.
    pub(super) pending: Option<Arc<Answer<i32>>>,
    /// Set by a surprise removal.
    pub(super) removed: bool,
    /// The machine's time at which the halt handler was called.
    pub(super) halting_since: Option<Duration>,
    /// Set once the driver has been told of that.
    pub(super) gone: bool,
}

/// The general attributes that NDIS needs.
#[derive(Clone, Debug)]
pub(super) struct General {
    pub(super) mtu: u32,
    pub(super) mac: [u8; 6],
    pub(super) oids: Vec<u32>,
}

/// The RDMA attributes that NDIS needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ndk {
    pub(super) enabled: bool,
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter")
            .field("index", &self.index())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Adapter {
    pub(super) fn new(config: AdapterConfig, driver: Arc<MiniportDriver>, devices: Devices) -> Arc<Self> {
        let state = Changing {
            state: State::Initializing,
            context: Va::NULL,
            registered: false,
            unpaused: false,
            general: None,
            ndk: None,
            pending: None,
            removed: false,
            halting_since: None,
            gone: false,
        };
        Arc::new(Self {
            handle: ndis().new_handle(),
            index: config.if_index,
            config: Mutex::new(config),
            driver,
            devices,
            state: Mutex::new(state),
            oids: Oids::default(),
            protocol: Protocol::default(),
            ndk_open: AtomicUsize::new(0),
        })
    }

    /// The index of its interface.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Sets a keyword in its registry key, as an administrator does; its driver is not told.
    pub fn set_keyword(&self, name: &str, value: &str) {
        self.config.lock().set_keyword(name, value);
        let mut hardware = ndis().hardware.lock();
        if let Some(config) = hardware.iter_mut().find(|config| config.if_index == self.index) {
            config.set_keyword(name, value);
        }
    }

    /// Gives its interface an address: tentative first, then preferred. When this returns, the address is in
    /// the table of TCP/IP, and drivers that asked for notifications may not have got them yet.
    pub fn add_address(&self, address: IpAddr) {
        ip_helper::assign(self.index, &[config::prefixed(address)]);
    }

    /// Gives its interface an address that stays tentative until [`prefer_address`](Self::prefer_address).
    pub fn add_tentative_address(&self, address: IpAddr) {
        ip_helper::add_tentative(self.index, config::prefixed(address));
    }

    /// Makes a tentative address of its interface preferred.
    pub fn prefer_address(&self, address: IpAddr) {
        ip_helper::prefer(self.index, address);
    }

    /// Takes an address away from its interface.
    pub fn remove_address(&self, address: IpAddr) {
        ip_helper::withdraw(self.index, address);
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.state.lock().state
    }

    /// Its current address; zero before the driver said one.
    pub fn mac_address(&self) -> [u8; 6] {
        self.state.lock().general.as_ref().map_or([0; 6], |general| general.mac)
    }

    /// The largest payload of a frame; zero before the driver said it.
    pub fn mtu(&self) -> u32 {
        self.state.lock().general.as_ref().map_or(0, |general| general.mtu)
    }

    /// The object identifiers that the driver says it supports.
    pub fn supported_oids(&self) -> Vec<u32> {
        self.state.lock().general.as_ref().map_or_else(Vec::new, |general| general.oids.clone())
    }

    /// Returns whether RDMA is enabled on it.
    pub fn is_ndk_enabled(&self) -> bool {
        self.state.lock().ndk.is_some_and(|ndk| ndk.enabled)
    }

    /// Returns the number of RDMA adapters that are open on it.
    pub(super) fn open_ndk_adapters(&self) -> usize {
        self.ndk_open.load(Ordering::Acquire)
    }

    /// Returns whether the driver has been told that the device is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.state.lock().gone
    }

    /// Checks the status of what was asked after the driver has been told that the device is gone: "it should immediately
    /// complete such requests with a status value of NDIS_STATUS_NOT_ACCEPTED"
    /// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_device_pnp_event_notify>).
    pub(super) fn check_refused(&self, what: &str, status: NDIS_STATUS) {
        if status != NDIS_STATUS_NOT_ACCEPTED {
            let text =
                format!("{what} after the surprise removal of its adapter was answered {status:#010X}");
            violation("NdisSurpriseRemoval", [0, self.handle.bits(), 0, 0], text);
        }
    }

    /// The driver's own context.
    pub(super) fn context(&self) -> NDIS_HANDLE {
        self.state.lock().context.ptr()
    }

    /// Goes to `to`, if the state is one of `from`; the state that it is in if not.
    pub(super) fn advance(&self, from: &[State], to: State) -> Result<(), State> {
        let mut state = self.state.lock();
        if !from.contains(&state.state) {
            return Err(state.state);
        }
        state.state = to;
        Ok(())
    }
}

/// The adapter that a driver means by a handle; `None`, with a finding, if there is none: it was halted,
/// or never was.
pub(super) fn of(handle: NDIS_HANDLE, function: &'static str) -> Option<Arc<Adapter>> {
    let adapter = ndis().adapters.lock().get(&Va::of(handle)).cloned();
    if adapter.is_none() {
        let text = format!("{function} got {handle:p}, which is no adapter, or one that is halted");
        violation("NdisHandle", [0, Va::of(handle).bits(), 0, 0], text);
    }
    adapter
}

/// The adapter with an interface index.
pub(super) fn with_index(index: u32) -> Option<Arc<Adapter>> {
    ndis().adapters.lock().values().find(|adapter| adapter.index() == index).cloned()
}

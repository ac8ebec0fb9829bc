//! Addresses and ports in use, and who listens on them.
//!
//! An endpoint has owners apart from NDK objects: a listener and each connector accepted over it share
//! one, a connector that connected has its own. When the last owner lets go, address and port are free
//! (CL-12).

#![expect(unsafe_code, reason = "consumers are called back")]

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ptr::NonNull;

use super::listener::Listener;
use crate::adapter::RnicState;
use crate::heap::{NoMemory, Shared, Within as _};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::Kind;
use crate::object::{Object, ObjectRef};

/// Ports for those who ask for none (CM-4).
const FIRST_DYNAMIC: u16 = 49152;

struct Entry<K: Kernel> {
    address: SocketAddr,
    /// The listener, while it takes connections.
    listener: Option<NonNull<Object<K, Listener<K>>>>,
}

// SAFETY: the pointer is used under the table's lock only, and is taken out before its object goes.
unsafe impl<K: Kernel> Send for Entry<K> {}

struct Endpoints<K: Kernel> {
    /// Sorted by address.
    entries: Vec<Entry<K>>,
    /// Addresses of the machine's RNICs, with the RNIC's number.
    hosts: Vec<(IpAddr, u64)>,
    /// The dynamic port at which the next search begins.
    next_dynamic: u16,
    /// Numbers the next RNIC.
    next_host: u64,
}

/// The addresses of all RNICs of the driver, and the listeners there. Any two of these RNICs reach each
/// other.
pub(crate) struct FabricState<K: Kernel> {
    endpoints: Lock<K, Endpoints<K>>,
    /// The RNICs, by their numbers, each until it is dropped.
    rnics: Lock<K, Vec<Shared<RnicState<K>>>>,
}

/// Errors of binding an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindError {
    /// The address and port are in use.
    InUse,
    /// All dynamic ports of the address are in use.
    NoPort,
    /// Out of memory.
    NoMemory,
}

impl From<NoMemory> for BindError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Result of the lookup of a destination address.
pub(crate) enum Found<K: Kernel> {
    /// A listener.
    Listener(ObjectRef<K, Listener<K>>),
    /// An address of one of our RNICs, without a listener.
    NoListener,
    /// No RNIC of ours.
    NoHost,
}

/// An address and port that is in use until the last owner drops it.
pub(crate) struct Endpoint<K: Kernel> {
    fabric: Shared<FabricState<K>>,
    address: SocketAddr,
}

impl<K: Kernel> Endpoint<K> {
    /// The address and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl<K: Kernel> Drop for Endpoint<K> {
    fn drop(&mut self) {
        let mut endpoints = self.fabric.endpoints.lock();
        if let Ok(place) = endpoints.find(&self.address)
            && let Some(mut moved) = endpoints.entries.pop()
        {
            // Those behind go one place forward.
            for entry in endpoints.entries.iter_mut().skip(place).rev() {
                core::mem::swap(entry, &mut moved);
            }
        }
    }
}

impl<K: Kernel> Endpoints<K> {
    fn find(&self, address: &SocketAddr) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.address.cmp(address))
    }

    fn insert(&mut self, address: SocketAddr) -> Result<(), BindError> {
        let Err(place) = self.find(&address) else { return Err(BindError::InUse) };
        self.entries.try_reserve(1).map_err(|_| BindError::NoMemory)?;
        let mut moved = Entry { address, listener: None };
        // Those behind go one place back.
        for entry in self.entries.iter_mut().skip(place) {
            core::mem::swap(entry, &mut moved);
        }
        self.entries.push_within(moved).map_err(|_| BindError::NoMemory)
    }

    fn insert_dynamic(&mut self, mut address: SocketAddr) -> Result<SocketAddr, BindError> {
        for _ in FIRST_DYNAMIC..=u16::MAX {
            address.set_port(self.next_dynamic);
            self.next_dynamic = self.next_dynamic.checked_add(1).unwrap_or(FIRST_DYNAMIC);
            match self.insert(address) {
                Ok(()) => return Ok(address),
                Err(BindError::InUse) => {}
                Err(error) => return Err(error),
            }
        }
        Err(BindError::NoPort)
    }
}

impl<K: Kernel> FabricState<K> {
    pub(crate) fn new() -> Self {
        Self {
            endpoints: Lock::<K, _>::new(Endpoints {
                entries: Vec::new(),
                hosts: Vec::new(),
                next_dynamic: FIRST_DYNAMIC,
                next_host: 0,
            }),
            rnics: Lock::<K, _>::new(Vec::new()),
        }
    }

    /// Enters an RNIC.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn add_rnic(&self, rnic: Shared<RnicState<K>>) -> Result<(), NoMemory> {
        let mut rnics = self.rnics.lock();
        rnics.try_reserve(1).map_err(|_| NoMemory)?;
        rnics.push_within(rnic).map_err(|_| NoMemory)
    }

    /// Takes an RNIC off the list, which is dropped without the lock.
    pub(crate) fn remove_rnic(&self, number: u64) -> Option<Shared<RnicState<K>>> {
        let mut rnics = self.rnics.lock();
        let place = rnics.iter().position(|rnic| rnic.number() == number)?;
        let last = rnics.pop()?;
        // The last one takes the place of the one that goes, unless it is that one.
        match rnics.get_mut(place) {
            Some(rnic) => Some(core::mem::replace(rnic, last)),
            None => Some(last),
        }
    }

    /// The RNIC with the lowest number above `after`.
    pub(crate) fn rnic_after(&self, after: Option<u64>) -> Option<Shared<RnicState<K>>> {
        let rnics = self.rnics.lock();
        let behind = rnics.iter().filter(|rnic| after.is_none_or(|after| rnic.number() > after));
        behind.min_by_key(|rnic| rnic.number()).cloned()
    }

    /// A number for a new RNIC.
    pub(crate) fn number(&self) -> u64 {
        let mut endpoints = self.endpoints.lock();
        let number = endpoints.next_host;
        endpoints.next_host = number.wrapping_add(1);
        number
    }

    /// Replaces the addresses of an RNIC.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and nothing has changed.
    pub(crate) fn set_hosts(&self, number: u64, addresses: &[IpAddr]) -> Result<(), NoMemory> {
        let mut endpoints = self.endpoints.lock();
        endpoints.hosts.try_reserve(addresses.len()).map_err(|_| NoMemory)?;
        endpoints.hosts.retain(|(_, owner)| *owner != number);
        let mut added = addresses.iter().map(|address| (*address, number));
        added.try_for_each(|host| endpoints.hosts.push_within(host)).map_err(|_| NoMemory)
    }

    /// Returns true if `address` is one of the RNIC's.
    pub(crate) fn is_local(&self, number: u64, address: IpAddr) -> bool {
        self.endpoints.lock().hosts.contains(&(address, number))
    }

    /// Looks up the destination of a connect to `address`. A listener is found while its RNIC has the address
    /// and is enabled: an RNIC that was removed takes no connects, although its listener is not closed yet.
    pub(crate) fn find(&self, address: &SocketAddr) -> Found<K> {
        let (listener, known) = {
            let endpoints = self.endpoints.lock();
            let listener = endpoints
                .find(address)
                .ok()
                .and_then(|place| endpoints.entries.get(place))
                .and_then(|entry| entry.listener)
                // SAFETY: a listener is taken out of the table under this lock before its close is decided.
                .and_then(|listener| unsafe { listener.as_ref() }.try_acquire(Kind::Successor).ok())
                .map(|listener| {
                    let owner = (address.ip(), listener.adapter().rnic().number());
                    let at_home = endpoints.hosts.contains(&owner);
                    (listener, at_home)
                });
            (listener, endpoints.hosts.iter().any(|(host, _)| *host == address.ip()))
        };
        match (listener, known) {
            (_, false) => Found::NoHost,
            (Some((listener, true)), true) if listener.adapter().rnic().is_enabled() => {
                Found::Listener(listener)
            }
            (Some(_) | None, true) => Found::NoListener,
        }
    }
}

impl<K: Kernel> Endpoint<K> {
    /// Takes `address`; port 0 takes a dynamic one.
    ///
    /// # Errors
    ///
    /// See [`BindError`].
    pub(crate) fn bind(
        fabric: &Shared<FabricState<K>>,
        address: SocketAddr,
    ) -> Result<Shared<Self>, BindError> {
        let bound = {
            let mut endpoints = fabric.endpoints.lock();
            if address.port() == 0 {
                endpoints.insert_dynamic(address)?
            } else {
                endpoints.insert(address)?;
                address
            }
        };
        Ok(Shared::new(Self { fabric: fabric.clone(), address: bound })?)
    }

    /// From now on connections to this endpoint meet `listener`.
    pub(crate) fn set_listener(&self, listener: &Object<K, Listener<K>>) {
        self.replace_listener(Some(NonNull::from(listener)));
    }

    /// Removes the listener from the endpoint. After the return no lookup finds it, and none is in progress.
    pub(crate) fn clear_listener(&self) {
        self.replace_listener(None);
    }

    fn replace_listener(&self, listener: Option<NonNull<Object<K, Listener<K>>>>) {
        let mut endpoints = self.fabric.endpoints.lock();
        if let Ok(place) = endpoints.find(&self.address)
            && let Some(entry) = endpoints.entries.get_mut(place)
        {
            entry.listener = listener;
        }
    }
}

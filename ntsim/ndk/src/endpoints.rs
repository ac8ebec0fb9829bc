//! The model of endpoints: a local address and port are taken until their last holder is closed.
//!
//! A listener and the connectors accepted over it hold one, so do a shared endpoint and the connectors
//! that use it, so does a connector that connects from a port of its own choice. Two outgoing connections
//! may share what their holder allows, so connectors are not held against each other.
//!
//! A holder whose close the consumer has begun is not held against the provider: it may let go of the
//! endpoint before it calls the completion, and another thread may be quick.

use std::sync::{Arc, Weak};

use ntsim_core::number::ToUsize;
use parking_lot::Mutex;
use sys::sockaddr::{ADDRESS_FAMILY, AF_INET, AF_INET6, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6};
use sys::wdm::ULONG;

use crate::kind::Kind;
use crate::object::{Stage, TrackedObject};
use crate::rules::{self, found};

/// A local address and port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    /// The unspecified address means another on each adapter.
    adapter: Option<u32>,
    port: u16,
    address: [u8; 16],
}

impl Address {
    /// The address and port at `at`, if it has a port.
    ///
    /// # Safety
    /// `at` is null or points to `length` bytes.
    pub(crate) unsafe fn read(tracked: &TrackedObject, at: *const SOCKADDR, length: ULONG) -> Option<Self> {
        let length = length.to_usize();
        if at.is_null() || length < size_of::<SOCKADDR>() {
            return None;
        }
        // SAFETY: there are enough bytes; any are a valid family.
        let family = unsafe { at.cast::<ADDRESS_FAMILY>().read_unaligned() };
        let mut address = [0; 16];
        let port = match family {
            AF_INET => {
                // SAFETY: there are enough bytes; any are a valid value.
                let v4 = unsafe { at.cast::<SOCKADDR_IN>().read_unaligned() };
                address[..4].copy_from_slice(&v4.sin_addr.S_addr.to_ne_bytes());
                v4.sin_port
            }
            AF_INET6 if length >= size_of::<SOCKADDR_IN6>() => {
                // SAFETY: there are enough bytes; any are a valid value.
                let v6 = unsafe { at.cast::<SOCKADDR_IN6>().read_unaligned() };
                address = v6.sin6_addr.Byte;
                v6.sin6_port
            }
            _ => return None,
        };
        let adapter = (address == [0; 16]).then(|| tracked.adapter_serial());
        (port != 0).then_some(Self { adapter, port, address })
    }
}

struct Holding {
    address: Address,
    holder: Weak<TrackedObject>,
    serial: u32,
}

/// Every endpoint that is taken.
#[derive(Default)]
pub(crate) struct Endpoints(Mutex<Vec<Holding>>);

impl Endpoints {
    /// The provider gave `holder` the endpoint.
    pub(crate) fn taken(&self, holder: &Arc<TrackedObject>, address: Address) {
        let mut holdings = self.0.lock();
        let known = holdings.iter().any(|one| one.serial == holder.serial && one.address == address);
        if known {
            return;
        }
        let shares = |one: &TrackedObject| one.kind == Kind::Connector && holder.kind == Kind::Connector;
        let other = holdings
            .iter()
            .filter(|one| one.address == address && one.serial != holder.serial)
            .filter_map(|one| one.holder.upgrade())
            .find(|one| one.stage() == Stage::Open && !shares(one));
        holdings.push(Holding { address, holder: Arc::downgrade(holder), serial: holder.serial });
        drop(holdings);
        if let Some(other) = other {
            let port = u16::from_be(address.port);
            found(
                rules::ENDPOINT_REUSED,
                format!("{holder} was given the address and port ({port}) that {other} still holds"),
            );
        }
    }

    /// An object is closed, and holds nothing.
    pub(crate) fn released(&self, holder: &TrackedObject) {
        self.0.lock().retain(|one| one.serial != holder.serial);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }

    /// `accepted` holds what `holder` does.
    pub(crate) fn inherited(&self, accepted: &Arc<TrackedObject>, holder: &TrackedObject) {
        let mut holdings = self.0.lock();
        let addresses: Vec<_> =
            holdings.iter().filter(|one| one.serial == holder.serial).map(|one| one.address).collect();
        holdings.extend(addresses.into_iter().map(|address| Holding {
            address,
            holder: Arc::downgrade(accepted),
            serial: accepted.serial,
        }));
    }
}

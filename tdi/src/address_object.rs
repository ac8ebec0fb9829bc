//! Address objects: a local address that a client has opened, and what goes on there.
//!
//! An address object owns what its address is bound to as part of its state, so an object that lost it has no
//! listener, no access list and no place among the holders of the address, whatever its file's phase is:
//!
//! ```text
//!            bound               its last adapter goes
//!  Binding ─────────▶ Live ──────────────────────────▶ AdapterGone
//!                      │                                    │
//!                      └──────────▶ Closed ◀────────────────┘   cleanup
//! ```
//!
//! Files that share an address own its listeners together: each has a share of every one, and a listener is closed
//! with its last share. A wildcard has one listener for each host that there was when it was opened, loses those
//! of adapters that go, and is `Live` until it has lost all of them. An adapter that returns brings none of them
//! back: a client that wants its address again opens it again, which nothing stands in the way of.

#![forbid(unsafe_code)]

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use provider::{NoMemory, Shared, SocketAddress, Within as _};
use sys::irql::PassiveLevel;

use crate::access::ListOf;
use crate::datagram::Receives;
use crate::event::Handlers;
use crate::network::Network;
use crate::slab::Id;
use crate::system::EventOf;
use crate::system::System;

/// A share of what takes connections at one address of a host; given up without the lock.
pub(crate) type Listener<S> = (SocketAddr, <<S as System>::Network as Network<S>>::Listener);

/// One for each host that an address stands for.
pub(crate) type Listeners<S> = Vec<Listener<S>>;

/// An address object.
pub(crate) struct Address<S: System> {
    pub(crate) local: SocketAddress,
    pub(crate) state: State<S>,
    pub(crate) handlers: Handlers,
    /// Endpoints that are associated.
    pub(crate) associations: usize,
    /// Endpoints that listen, in their order.
    pub(crate) listens: VecDeque<Id>,
    /// Receives that wait for datagrams.
    pub(crate) receives: Receives<S::Request>,
}

/// The state of an address object, with what it owns. See the module's head. A debugger reads the number.
#[repr(u8)]
pub(crate) enum State<S: System> {
    /// The port is being taken.
    Binding {
        /// As in [`State::Live`].
        list: Option<ListOf<S>>,
        /// Signalled when the port is taken, or can't be.
        settled: Shared<EventOf<S>>,
    } = 0,
    /// Connections and datagrams arrive.
    Live {
        /// By which others may open the same address; none if it is exclusive.
        list: Option<ListOf<S>>,
        /// Never empty.
        listeners: Listeners<S>,
    } = 1,
    /// Every adapter that the address was bound on is gone: nothing arrives, nothing can be sent, and the
    /// address is free.
    AdapterGone {
        /// The client was told so.
        told: bool,
    } = 2,
    /// The file was cleaned up.
    Closed = 3,
}

impl<S: System> State<S> {
    /// Returns whether one of its listeners is such that `goes` holds.
    pub(crate) fn any(&self, goes: impl Fn(&Listener<S>) -> bool) -> bool {
        match self {
            Self::Live { listeners, .. } => listeners.iter().any(goes),
            Self::Binding { .. } | Self::AdapterGone { .. } | Self::Closed => false,
        }
    }

    /// Returns whether the address is open, and usable.
    pub(crate) const fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Its listeners, if it has any.
    pub(crate) const fn listeners_mut(&mut self) -> Option<&mut Listeners<S>> {
        match self {
            Self::Live { listeners, .. } => Some(listeners),
            Self::Binding { .. } | Self::AdapterGone { .. } | Self::Closed => None,
        }
    }

    /// The addresses where it is bound, by number.
    pub(crate) fn bound_at(&self, index: usize) -> Option<SocketAddr> {
        match self {
            Self::Live { listeners, .. } => listeners.get(index).map(|(at, _)| *at),
            Self::Binding { .. } | Self::AdapterGone { .. } | Self::Closed => None,
        }
    }

    /// The access list of the address, if this object counts as one that has the address open.
    pub(crate) const fn held(&self) -> Option<Option<&ListOf<S>>> {
        match self {
            Self::Binding { list, .. } | Self::Live { list, .. } => Some(list.as_ref()),
            Self::AdapterGone { .. } | Self::Closed => None,
        }
    }

    /// Takes out one listener for which `goes` holds. With the last one the adapter is gone, and
    /// the access list goes, too. All that is given back is to be dropped without the lock.
    pub(crate) fn lose(&mut self, goes: impl Fn(&Listener<S>) -> bool) -> Option<Lost<S>> {
        let Self::Live { listeners, .. } = self else { return None };
        let place = listeners.iter().position(goes).filter(|place| *place < listeners.len())?;
        let listener = listeners.swap_remove(place);
        let last = listeners.is_empty();
        Some(Lost {
            listener,
            rest: last.then(|| core::mem::replace(self, Self::AdapterGone { told: false })),
        })
    }
}

/// See [`State::lose`].
pub(crate) struct Lost<S: System> {
    listener: Listener<S>,
    /// The state that the object was in, if the adapter is gone now.
    pub(crate) rest: Option<State<S>>,
}

impl<S: System> Lost<S> {
    /// Gives the share of the listener up, see [`Network::close`].
    pub(crate) fn close(&mut self) {
        S::Network::close(&mut self.listener.1);
    }

    /// Waits until the port is free, see [`Network::wait_until_free`].
    pub(crate) fn wait_until_free(&self, level: PassiveLevel) {
        S::Network::wait_until_free(&self.listener.1, level);
    }

    /// The address that the listener had.
    pub(crate) fn at(&self) -> SocketAddr {
        self.listener.0
    }
}

impl<S: System> Address<S> {
    /// The address and port, as the client opened it, with the port that it has.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local.into()
    }

    /// Returns whether connections and datagrams to `at` are for this address: it is bound there.
    pub(crate) fn covers(&self, at: SocketAddr) -> bool {
        match &self.state {
            State::Live { listeners, .. } => listeners.iter().any(|(bound, _)| *bound == at),
            State::Binding { .. } | State::AdapterGone { .. } | State::Closed => false,
        }
    }
}

/// Gives the shares up, see [`Network::close`].
pub(crate) fn close<S: System>(listeners: &mut Listeners<S>) {
    listeners.iter_mut().for_each(|(_, listener)| S::Network::close(listener));
}

/// Waits until the ports of listeners are free whose shares were given up, see [`Network::wait_until_free`].
pub(crate) fn wait_until_free<S: System>(listeners: &Listeners<S>, level: PassiveLevel) {
    listeners.iter().for_each(|(_, listener)| S::Network::wait_until_free(listener, level));
}

/// A share of each listener.
///
/// # Errors
///
/// [`NoMemory`].
pub(crate) fn share<S: System>(listeners: &Listeners<S>) -> Result<Listeners<S>, NoMemory> {
    let mut shares = Vec::new();
    shares.try_reserve_exact(listeners.len()).map_err(|_| NoMemory)?;
    for (at, listener) in listeners {
        shares.push_within((*at, listener.clone())).map_err(|_| NoMemory)?;
    }
    Ok(shares)
}

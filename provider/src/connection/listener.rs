//! Listeners: who takes the connections that arrive at an endpoint.

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::ndk::{NDK_CONNECTOR, NDK_FN_CONNECT_EVENT_CALLBACK, NDK_OBJECT_TYPE, NDK_VERSION};

use super::connector::Connector;
use super::endpoint::{BindError, Endpoint};
use crate::adapter::Adapter;
use crate::consumer::Opaque;
use crate::heap::{NoMemory, Shared, Within as _};
use crate::kernel::{Kernel, Lock};
use crate::object::{Body, Hold, Id, Object, Registry};

/// Event bit: offers wait.
const OFFER: u32 = 1;

/// Offers that may wait for the consumer's connect event; more are refused.
const BACKLOG: usize = 1024;

type Offer<K> = NonNull<Object<K, Connector<K>>>;

/// Makes an object, of this version of the interface, of a connector that is offered: the edge knows with which
/// table.
type Make<K> = fn(NDK_VERSION, Connector<K>) -> Result<Offer<K>, NoMemory>;

struct State<K: Kernel> {
    endpoint: Option<Shared<Endpoint<K>>>,
    /// Connectors that the consumer has not been shown.
    offers: VecDeque<Offer<K>>,
    /// To the peers it looks as though nobody listens (CM-5).
    paused: bool,
    closing: bool,
}

// SAFETY: an offer is an object that nobody else knows; it moves to whoever takes it off the queue.
unsafe impl<K: Kernel> Send for State<K> {}

/// What a listener is beyond an object.
pub(crate) struct Listener<K: Kernel> {
    adapter: Hold<K, Adapter<K>>,
    callback: Option<NDK_FN_CONNECT_EVENT_CALLBACK>,
    context: Opaque,
    make: Make<K>,
    state: Lock<K, State<K>>,
}

/// Why a listener can't listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenError {
    /// It listens already.
    Listening,
    /// The address is not the adapter's.
    NotLocal,
    /// The endpoint is not to be had.
    Bind(BindError),
}

impl<K: Kernel> Listener<K> {
    /// A listener that does not listen yet; with room for its backlog.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(
        adapter: Hold<K, Adapter<K>>,
        callback: Option<NDK_FN_CONNECT_EVENT_CALLBACK>,
        context: Opaque,
        make: Make<K>,
    ) -> Result<Self, NoMemory> {
        let mut offers = VecDeque::new();
        offers.try_reserve_exact(BACKLOG).map_err(|_| NoMemory)?;
        let state = State { endpoint: None, offers, paused: false, closing: false };
        Ok(Self { adapter, callback, context, make, state: Lock::<K, _>::new(state) })
    }

    /// The adapter that it belongs to.
    pub(super) fn adapter(&self) -> &Object<K, Adapter<K>> {
        &self.adapter
    }

    /// The endpoint, which its connectors inherit (CL-12).
    pub(super) fn endpoint(&self) -> Option<Shared<Endpoint<K>>> {
        self.state.lock().endpoint.clone()
    }

    /// The address and port on which it listens.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.endpoint().map(|endpoint| endpoint.address())
    }

    /// NdkControlConnectEvents.
    pub(crate) fn pause(&self, paused: bool) {
        self.state.lock().paused = paused;
    }
}

impl<K: Kernel> Object<K, Listener<K>> {
    /// Makes an object of a connector that is to be offered.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn offer_of(&self, connector: Connector<K>) -> Result<Offer<K>, NoMemory> {
        (self.make)(self.version(), connector)
    }

    /// NdkListen, always inline.
    ///
    /// # Errors
    ///
    /// See [`ListenError`].
    pub(crate) fn listen(&self, address: SocketAddr) -> Result<(), ListenError> {
        let port = self.adapter.port();
        if !port.is_local(address.ip()) {
            return Err(ListenError::NotLocal);
        }
        if self.endpoint().is_some() {
            return Err(ListenError::Listening);
        }
        let endpoint = Endpoint::bind(port.segment(), address).map_err(ListenError::Bind)?;
        self.state.lock().endpoint = Some(endpoint.clone());
        endpoint.set_listener(self);
        Ok(())
    }

    /// Queues a connector for the consumer's connect event.
    ///
    /// # Errors
    ///
    /// Gives it back if the listener is closing or paused, or the backlog is full.
    pub(super) fn offer(&self, connector: Offer<K>) -> Result<(), Offer<K>> {
        {
            let mut state = self.state.lock();
            if state.closing || state.paused || state.offers.len() >= BACKLOG {
                return Err(connector);
            }
            state.offers.push_within(connector)?;
        }
        self.post(OFFER);
        Ok(())
    }

    fn next_offer(&self) -> Option<Offer<K>> {
        self.state.lock().offers.pop_front()
    }
}

impl<K: Kernel> Body<K> for Listener<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeListener;

    type Ties = Hold<K, Adapter<K>>;

    fn registry(&self) -> &Registry<K> {
        self.adapter.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.adapter));
    }

    /// New connections are refused from here on, those that nobody has seen too; the close waits for the
    /// connectors that were indicated (CL-7).
    fn start_close(object: &Object<K, Self>) {
        let endpoint = {
            let mut state = object.state.lock();
            state.closing = true;
            state.endpoint.clone()
        };
        if let Some(endpoint) = endpoint {
            endpoint.clear_listener();
        }
        while let Some(offer) = object.next_offer() {
            Connector::destroy(offer);
        }
    }

    /// The endpoint is let go here, before the completion.
    fn dismantle(self) -> Self::Ties {
        drop(self.state.into_inner());
        self.adapter
    }

    fn deliver(object: &Object<K, Self>, _: u32) {
        while let Some(offer) = object.next_offer() {
            match object.callback {
                Some(callback) => {
                    // SAFETY: the consumer gave this function and context at creation; the connector is
                    // its own from here on, to accept, reject and close.
                    unsafe { callback(object.context.0, offer.as_ptr().cast::<NDK_CONNECTOR>()) }
                }
                None => Connector::destroy(offer),
            }
        }
    }
}

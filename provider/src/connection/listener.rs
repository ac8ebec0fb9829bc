//! Listeners: who takes the connections that arrive at an endpoint.

#![expect(unsafe_code, reason = "consumers are called back")]

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::ndk::{NDK_CONNECTOR, NDK_FN_CONNECT_EVENT_CALLBACK, NDK_OBJECT_TYPE, NDK_VERSION};
use sys::status::{STATUS_ADDRESS_ALREADY_ASSOCIATED, STATUS_DELETE_PENDING, STATUS_INVALID_ADDRESS};

use super::connect_request::ConnectRequest;
use super::connector::Connector;
use super::endpoint::{BindError, Endpoint};
use super::wire::WirePort;
use crate::adapter::Adapter;
use crate::adapter::RnicState;
use crate::consumer::{Completion, Opaque, Request};
use crate::heap::{NoMemory, Shared, Within as _};
use crate::kernel::{self, Kernel, Lock};
use crate::lifetime::Kind;
use crate::object::{Id, Object, ObjectRef, ObjectType, OnNetwork, Registry};
use crate::status::StatusError;

/// Event bit: connect requests wait.
const CONNECT_REQUEST: u32 = 1;

/// Connect requests that may wait for the consumer's connect event; more are refused.
const BACKLOG: usize = 1024;

/// Makes an object, of this version of the interface, of a connector that is offered: the edge knows with
/// which table.
type Make<K> = fn(NDK_VERSION, Connector<K>) -> Result<NonNull<Object<K, Connector<K>>>, NoMemory>;

/// Admission of connect requests that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doors {
    /// It waits for the consumer's connect event.
    Open,
    /// It is refused: to the peers it looks as though there were no listener (CM-5).
    Paused,
    /// It is refused, for good (CL-7).
    Closed,
}

/// Binding state of the listener. A listener has one address, for good: the first NdkListen that gets here
/// claims it, and gives the claim back if its address can't be bound.
enum Binding<K: Kernel> {
    Unbound,
    /// A call of NdkListen binds the endpoint; another one is refused as if that had succeeded.
    Underway,
    Bound(Shared<Endpoint<K>>),
}

struct State<K: Kernel> {
    binding: Binding<K>,
    /// Connectors that were not indicated yet, each with the value of `shut` at its arrival.
    connect_requests: VecDeque<(u64, ConnectRequest<K>)>,
    doors: Doors,
    /// Number of times that the listener was paused or closed.
    shut: u64,
    /// Its port of TCP, if the RNIC has a network.
    port: Option<Shared<WirePort<K>>>,
}

impl<K: Kernel> State<K> {
    /// Refuses new connect requests, and those that were not indicated yet.
    fn shut(&mut self, doors: Doors) {
        self.doors = doors;
        self.shut = self.shut.wrapping_add(1);
    }

    fn endpoint(&self) -> Option<Shared<Endpoint<K>>> {
        match &self.binding {
            Binding::Bound(endpoint) => Some(endpoint.clone()),
            Binding::Unbound | Binding::Underway => None,
        }
    }

    /// Takes the oldest connect request, if it came before the last pause or close.
    fn next_stale(&mut self) -> Option<ConnectRequest<K>> {
        let shut = self.shut;
        self.connect_requests
            .pop_front_if(|(came, _)| *came != shut)
            .map(|(_, connect_request)| connect_request)
    }
}

/// Type-specific state of a listener.
pub(crate) struct Listener<K: Kernel> {
    adapter: ObjectRef<K, Adapter<K>>,
    callback: Option<NDK_FN_CONNECT_EVENT_CALLBACK>,
    context: Opaque,
    make: Make<K>,
    state: Lock<K, State<K>>,
}

/// Errors of NdkListen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenError {
    /// It listens already.
    Listening,
    /// The address is not the adapter's.
    NotLocal,
    /// It is being closed.
    Closing,
    /// The endpoint is not to be had.
    Bind(BindError),
}

impl<K: Kernel> Listener<K> {
    /// The offset of the lock of the state, from the object's address, and that of the pointer to the port of TCP, from
    /// the lock's value, for a debugger. The pointer is null if there is none.
    pub(crate) const PORT: [usize; 2] =
        [Object::<K, Self>::at(core::mem::offset_of!(Self, state)), core::mem::offset_of!(State<K>, port)];

    /// The offset of the state in its lock, for a debugger.
    pub(crate) fn state_in_lock() -> usize {
        kernel::value_in_lock::<K, State<K>>()
    }

    /// A listener that does not listen yet; with room for its backlog.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(
        adapter: ObjectRef<K, Adapter<K>>,
        callback: Option<NDK_FN_CONNECT_EVENT_CALLBACK>,
        context: Opaque,
        make: Make<K>,
    ) -> Result<Self, NoMemory> {
        let mut connect_requests = VecDeque::new();
        connect_requests.try_reserve_exact(BACKLOG).map_err(|_| NoMemory)?;
        let state =
            State { binding: Binding::Unbound, connect_requests, doors: Doors::Open, shut: 0, port: None };
        Ok(Self { adapter, callback, context, make, state: Lock::<K, _>::new(state) })
    }

    /// The adapter that it belongs to.
    pub(super) fn adapter(&self) -> &Object<K, Adapter<K>> {
        &self.adapter
    }

    /// The RNIC of the adapter that it belongs to.
    pub(crate) fn rnic(&self) -> &Shared<RnicState<K>> {
        self.adapter.rnic()
    }

    /// The endpoint, which its connectors inherit (CL-12).
    pub(super) fn endpoint(&self) -> Option<Shared<Endpoint<K>>> {
        self.state.lock().endpoint()
    }

    /// The address and port on which it listens.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.endpoint().map(|endpoint| endpoint.address())
    }

    /// NdkControlConnectEvents. Pausing refuses the connect requests that were not indicated yet too: to
    /// their peers it looks as though there were no listener (CM-5). A connect event that has begun
    /// completes.
    pub(crate) fn pause(&self, paused: bool) {
        {
            let mut state = self.state.lock();
            match (state.doors, paused) {
                (Doors::Open, true) => state.shut(Doors::Paused),
                (Doors::Paused, false) => state.doors = Doors::Open,
                (Doors::Open, false) | (Doors::Paused, true) | (Doors::Closed, _) => {}
            }
        }
        self.refuse_stale();
    }

    /// Makes the listener bind, which it does once.
    ///
    /// # Errors
    ///
    /// [`ListenError::Listening`]: it is bound, or another call binds it.
    fn claim_binding(&self) -> Result<(), ListenError> {
        let mut state = self.state.lock();
        match state.binding {
            Binding::Unbound => {
                state.binding = Binding::Underway;
                Ok(())
            }
            Binding::Underway | Binding::Bound(_) => Err(ListenError::Listening),
        }
    }

    /// Refuses the connect requests that came before the last pause or close.
    fn refuse_stale(&self) {
        while let Some(connect_request) = self.next_stale() {
            drop(connect_request);
        }
    }

    fn next_stale(&self) -> Option<ConnectRequest<K>> {
        self.state.lock().next_stale()
    }

    /// Takes the oldest connect request that may be indicated.
    fn next_connect_request(&self) -> Option<ConnectRequest<K>> {
        self.refuse_stale();
        let mut state = self.state.lock();
        let shut = state.shut;
        state
            .connect_requests
            .pop_front_if(|(came, _)| *came == shut)
            .map(|(_, connect_request)| connect_request)
    }
}

impl<K: Kernel> Object<K, Listener<K>> {
    /// Makes an object of a connector that is to be offered.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn connect_request_of(&self, connector: Connector<K>) -> Result<ConnectRequest<K>, NoMemory> {
        // SAFETY: it is created just now, and the pointer is kept by the connect request only.
        (self.make)(self.version(), connector).map(|made| unsafe { ConnectRequest::of(made) })
    }

    /// NdkListen, with the addresses that the RNIC has. A close may come during it.
    ///
    /// # Errors
    ///
    /// See [`ListenError`].
    pub(crate) fn listen(&self, address: SocketAddr) -> Result<(), ListenError> {
        let rnic = self.adapter.rnic();
        if !rnic.is_local(address.ip()) {
            return Err(ListenError::NotLocal);
        }
        self.claim_binding()?;
        let bound = Endpoint::bind(rnic.fabric(), address);
        let endpoint = {
            let mut state = self.state.lock();
            match bound {
                Ok(endpoint) => {
                    state.binding = Binding::Bound(endpoint.clone());
                    endpoint
                }
                Err(error) => {
                    state.binding = Binding::Unbound;
                    return Err(ListenError::Bind(error));
                }
            }
        };
        endpoint.set_listener(self);
        let open = self.state.lock().doors != Doors::Closed;
        if open {
            Ok(())
        } else {
            // The close has perhaps looked for the listener before it was set.
            endpoint.clear_listener();
            Err(ListenError::Closing)
        }
    }

    /// NdkListen where the RNIC has a network: TCP is asked for the port first (AD-2). The request completes when it is
    /// there, or refused, perhaps before this returns; a close cancels it.
    ///
    /// # Errors
    ///
    /// The request is answered inline with this status.
    pub(crate) fn listen_over(
        &self,
        network: &K::Network,
        address: SocketAddr,
        completion: Completion,
    ) -> Result<(), StatusError> {
        let rnic = self.adapter.rnic();
        if !rnic.is_local(address.ip()) {
            return Err(StatusError(STATUS_INVALID_ADDRESS));
        }
        let request = Request::new(completion, self.try_acquire(Kind::Request)?);
        let (hold, _call) = (self.try_acquire(Kind::Request)?, self.try_acquire(Kind::Request)?);
        if self.claim_binding().is_err() {
            request.answered_inline();
            return Err(StatusError(STATUS_ADDRESS_ALREADY_ASSOCIATED));
        }
        let port = self.port_for(network, address).and_then(|port| self.keep_port(port));
        match port {
            Ok(port) => {
                WirePort::listen(&port, address, request, hold);
                Ok(())
            }
            Err(error) => {
                self.not_opened();
                request.answered_inline();
                Err(error)
            }
        }
    }

    /// A port for this address, in our table where it is known.
    fn port_for(
        &self,
        network: &K::Network,
        address: SocketAddr,
    ) -> Result<Shared<WirePort<K>>, StatusError> {
        let rnic = self.adapter.rnic();
        let endpoint = match address.port() {
            0 => None,
            _ => Some(Endpoint::bind(rnic.fabric(), address)?),
        };
        WirePort::of_listener(rnic, network, endpoint).map_err(StatusError)
    }

    /// Keeps a port, which a close gives up.
    fn keep_port(&self, port: Shared<WirePort<K>>) -> Result<Shared<WirePort<K>>, StatusError> {
        let mut state = self.state.lock();
        if state.doors == Doors::Closed {
            return Err(StatusError(STATUS_DELETE_PENDING));
        }
        state.port = Some(port.clone());
        Ok(port)
    }

    /// TCP has the port: the listener listens. Returns false if it is being closed.
    pub(super) fn opened(&self, endpoint: Shared<Endpoint<K>>) -> bool {
        self.state.lock().binding = Binding::Bound(endpoint.clone());
        endpoint.set_listener(self);
        let open = self.state.lock().doors != Doors::Closed;
        if !open {
            // The close has perhaps looked for the listener before it was set.
            endpoint.clear_listener();
        }
        open
    }

    /// TCP did not get the port: the listener may listen again.
    pub(super) fn not_opened(&self) {
        let port = {
            let mut state = self.state.lock();
            state.binding = Binding::Unbound;
            state.port.take()
        };
        drop(port);
    }

    /// Returns true if connect requests are taken.
    pub(super) fn is_open(&self) -> bool {
        self.state.lock().doors == Doors::Open
    }

    /// Queues a connector for the consumer's connect event.
    ///
    /// # Errors
    ///
    /// Gives it back if the listener is closing or paused, or the backlog is full.
    pub(super) fn enqueue(&self, connect_request: ConnectRequest<K>) -> Result<(), ConnectRequest<K>> {
        {
            let mut state = self.state.lock();
            if state.doors != Doors::Open || state.connect_requests.len() >= BACKLOG {
                return Err(connect_request);
            }
            let came = state.shut;
            state
                .connect_requests
                .push_within((came, connect_request))
                .map_err(|(_, connect_request)| connect_request)?;
        }
        self.post(CONNECT_REQUEST);
        Ok(())
    }
}

impl<K: Kernel> ObjectType<K> for Listener<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeListener;

    const REFERENCES: [usize; 3] = [Object::<K, Self>::at(core::mem::offset_of!(Self, adapter)), 0, 0];

    type Antecedents = ObjectRef<K, Adapter<K>>;

    fn registry(&self) -> &Registry<K> {
        self.adapter.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.adapter));
    }

    /// Takes the lock of the listener.
    fn on_network(&self) -> Option<OnNetwork> {
        self.state.lock().port.as_ref()?.on_network()
    }

    /// Refuses new connect requests, and those that were not indicated yet; the close waits for the
    /// connectors that were indicated (CL-7).
    fn start_close(object: &Object<K, Self>) {
        let (endpoint, port) = {
            let mut state = object.state.lock();
            state.shut(Doors::Closed);
            (state.endpoint(), state.port.clone())
        };
        if let Some(endpoint) = endpoint {
            endpoint.clear_listener();
        }
        if let Some(port) = port {
            port.close();
        }
        object.refuse_stale();
    }

    /// Releases the endpoint, before the close completion.
    fn into_antecedents(self) -> Self::Antecedents {
        drop(self.state.into_inner());
        self.adapter
    }

    /// Indicates the queued connect requests, each unless the listener was paused or closed since it came, or
    /// the RNIC was removed or disabled.
    fn deliver(object: &Object<K, Self>, _: u32) {
        while let Some(connect_request) = object.next_connect_request() {
            match object.callback {
                Some(callback) if object.adapter.rnic().is_enabled() => {
                    // SAFETY: the consumer gave this function and context at creation; the connector is
                    // its own from here on, to accept, reject and close.
                    unsafe {
                        callback(object.context.0, connect_request.show().as_ptr().cast::<NDK_CONNECTOR>())
                    }
                }
                Some(_) | None => drop(connect_request),
            }
        }
    }
}

//! The ports of TCP that a listener or a shared endpoint has.
//!
//! A port is opened by NdkListen or NdkCreateSharedEndpoint, which pend meanwhile, and given up as soon as the close of
//! its object begins: that waits until TCP has let go, and for nothing that a peer does. Connections that peers open
//! stand in a list of bounded length until their request is there (LIM-1).

#![expect(unsafe_code, reason = "consumers are called back")]

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ptr::null_mut;

use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};

use super::life::TcpLife;
use super::upcalls::port_events;
use super::{Wire, no_memory};
use crate::adapter::RnicState;
use crate::connection::connector::Connector;
use crate::connection::endpoint::Endpoint;
use crate::connection::link::Link;
use crate::connection::listener::Listener;
use crate::connection::lookup::{CreateShared, Place, failed};
use crate::connection::shared_endpoint::SharedEndpoint;
use crate::consumer::Request;
use crate::heap::{Shared, Within as _};
use crate::kernel::event::{self, Event, RequestCall, Status};
use crate::kernel::network::{Accepted, Purpose};
use crate::kernel::{Kernel, Lock, Network};
use crate::lifetime::Kind;
use crate::object::{ObjectRef, OnNetwork};
use crate::set_once::SetOnce;

/// Connections without a request, of one listener (LIM-1).
const HALF_OPEN: usize = 256;

/// The object that a port is for.
enum Owner<K: Kernel> {
    /// NdkListen is pending.
    Opening(Request<K, Listener<K>>, ObjectRef<K, Listener<K>>),
    /// It listens.
    Listener(ObjectRef<K, Listener<K>>),
    /// NdkCreateSharedEndpoint is pending.
    Creating(CreateShared<K>),
    /// Connections go out from it.
    Shared(ObjectRef<K, SharedEndpoint<K>>),
    /// None (any more).
    Gone,
}

struct State<K: Kernel> {
    owner: Owner<K>,
    /// The address and port in our own table: taken before TCP has it where it is known, and free after (AD-2).
    endpoint: Option<Shared<Endpoint<K>>>,
    half_open: Vec<Shared<Wire<K>>>,
    closing: bool,
    /// The status of what is pending, if it fails.
    status: NTSTATUS,
}

/// See the module's head.
pub(crate) struct WirePort<K: Kernel> {
    rnic: Shared<RnicState<K>>,
    port: <K::Network as Network>::Port,
    tcp: TcpLife,
    /// The address and port that were asked for.
    at: SetOnce<SocketAddr>,
    state: Lock<K, State<K>>,
}

/// Completes NdkListen, with its event.
fn complete<K: Kernel>(request: Request<K, Listener<K>>, local: Option<SocketAddr>, status: NTSTATUS) {
    let (object, call) = (request.handle(), RequestCall::Listen);
    event::write::<K>(|| Event::RequestCompleted {
        object,
        request: call,
        local,
        remote: None,
        status: Status(status),
    });
    request.complete(status);
}

impl<K: Kernel> WirePort<K> {
    /// The offset of the number of its [life](TcpLife), from what a pointer to a port points to, for a debugger.
    pub(crate) const LIFE: usize = Shared::<Self>::VALUE.saturating_add(core::mem::offset_of!(Self, tcp));

    fn new(
        rnic: &Shared<RnicState<K>>,
        network: &K::Network,
        half_open: usize,
        endpoint: Option<Shared<Endpoint<K>>>,
    ) -> Result<Shared<Self>, NTSTATUS> {
        let mut list = Vec::new();
        list.try_reserve_exact(half_open).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        let state =
            State { owner: Owner::Gone, endpoint, half_open: list, closing: false, status: STATUS_CANCELLED };
        let port = network.port()?;
        let this = Self {
            rnic: rnic.clone(),
            port,
            tcp: TcpLife::new(),
            at: SetOnce::new(),
            state: Lock::<K, _>::new(state),
        };
        Shared::new(this).map_err(no_memory)
    }

    /// A port for a listener, which [`WirePort::listen`] opens.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES, or the network's status.
    pub(in crate::connection) fn of_listener(
        rnic: &Shared<RnicState<K>>,
        network: &K::Network,
        endpoint: Option<Shared<Endpoint<K>>>,
    ) -> Result<Shared<Self>, NTSTATUS> {
        Self::new(rnic, network, HALF_OPEN, endpoint)
    }

    /// Opens the port. The request completes when it is open, or closed; perhaps before this returns.
    pub(in crate::connection) fn listen(
        this: &Shared<Self>,
        at: SocketAddr,
        request: Request<K, Listener<K>>,
        listener: ObjectRef<K, Listener<K>>,
    ) {
        this.at.set(at);
        this.state.lock().owner = Owner::Opening(request, listener);
        this.tcp.begin();
        K::Network::open(&this.port, at, Purpose::Listen, port_events(this.clone()));
    }

    /// Opens a port for a shared endpoint, which is made when it is open.
    ///
    /// # Errors
    ///
    /// Gives the request back with STATUS_INSUFFICIENT_RESOURCES, or the network's status.
    pub(in crate::connection) fn share(
        network: &K::Network,
        endpoint: Option<Shared<Endpoint<K>>>,
        request: CreateShared<K>,
    ) -> Result<(), (NTSTATUS, CreateShared<K>)> {
        let this = match Self::new(request.adapter.rnic(), network, 0, endpoint) {
            Ok(this) => this,
            Err(status) => return Err((status, request)),
        };
        let at = request.at;
        this.state.lock().owner = Owner::Creating(request);
        this.tcp.begin();
        K::Network::open(&this.port, at, Purpose::Share, port_events(this.clone()));
        Ok(())
    }

    /// The state of the port, unless it is closed. Reads only.
    pub(in crate::connection) fn on_network(&self) -> Option<OnNetwork> {
        self.tcp.on_network(0)
    }

    /// Gives the port up: what has come and was not offered is cut off.
    pub(in crate::connection) fn close(&self) {
        let half_open = {
            let mut state = self.state.lock();
            state.closing = true;
            core::mem::take(&mut state.half_open)
        };
        for wire in &half_open {
            wire.cut_off();
        }
        self.tcp.close();
        K::Network::close(&self.port);
        drop(half_open);
    }

    /// TCP has found this address and port. Returns true if our table has it, too (AD-3).
    pub(super) fn bound(&self, local: SocketAddr) -> bool {
        if self.state.lock().endpoint.is_some() {
            return true;
        }
        let Ok(endpoint) = Endpoint::bind(self.rnic.fabric(), local) else { return false };
        let before = self.state.lock().endpoint.replace(endpoint);
        before.is_none()
    }

    /// The port is open, or failed to open.
    pub(super) fn opened(this: &Shared<Self>, outcome: Result<(), NTSTATUS>) {
        let (owner, endpoint) = {
            let mut state = this.state.lock();
            if let Err(status) = outcome {
                state.status = status;
                return;
            }
            (core::mem::replace(&mut state.owner, Owner::Gone), state.endpoint.clone())
        };
        let Some(endpoint) = endpoint else { return };
        let local = endpoint.address();
        match owner {
            Owner::Opening(request, listener) => {
                let open = listener.opened(endpoint);
                this.state.lock().owner = Owner::Listener(listener);
                let status = if open { STATUS_SUCCESS } else { STATUS_CANCELLED };
                // The consumer may close the listener in it.
                complete(request, Some(local), status);
            }
            Owner::Creating(request) => this.create(this.clone(), endpoint, request),
            owner @ (Owner::Listener(_) | Owner::Shared(_) | Owner::Gone) => this.state.lock().owner = owner,
        }
    }

    /// Makes the shared endpoint, and completes its creation.
    fn create(&self, this: Shared<Self>, endpoint: Shared<Endpoint<K>>, request: CreateShared<K>) {
        let CreateShared { adapter, at: _, make, completion, context } = request;
        let made = make(&adapter, Place::Of(endpoint, this));
        // SAFETY: the object is new, and the consumer does not know it yet.
        let hold =
            made.as_ref().ok().and_then(|made| unsafe { made.as_ref() }.try_acquire(Kind::Request).ok());
        // SAFETY: as above.
        let call =
            made.as_ref().ok().and_then(|made| unsafe { made.as_ref() }.try_acquire(Kind::Request).ok());
        let (status, object) = match made {
            Ok(object) => (STATUS_SUCCESS, object.as_ptr().cast()),
            Err(failure) => (failed(failure), null_mut()),
        };
        match hold {
            Some(hold) => self.state.lock().owner = Owner::Shared(hold),
            None => self.close(),
        }
        // SAFETY: the consumer passed this function and context for exactly this call.
        unsafe { completion(context.0, status, object) };
        drop((call, adapter));
    }

    /// Returns true if a peer that connects now is to be answered (CM-5, LIM-1).
    pub(super) fn inspect(&self) -> bool {
        let listener = {
            let state = self.state.lock();
            if state.closing || state.half_open.len() >= HALF_OPEN {
                return false;
            }
            match &state.owner {
                Owner::Listener(listener) => listener.acquire(Kind::Request).ok(),
                Owner::Opening(..) | Owner::Creating(_) | Owner::Shared(_) | Owner::Gone => None,
            }
        };
        self.rnic.is_enabled() && listener.is_some_and(|listener| listener.is_open())
    }

    /// A peer has connected: its request is awaited.
    pub(super) fn accepted(this: &Shared<Self>, accepted: Accepted<K::Network>) -> Option<Shared<Wire<K>>> {
        let Accepted { connection, local, remote } = accepted;
        if !this.inspect() {
            return None;
        }
        let wire = Wire::awaiting(&this.rnic, this.clone(), connection, (local, remote)).ok()?;
        {
            let mut state = this.state.lock();
            if state.closing || state.half_open.push_within(wire.clone()).is_err() {
                return None;
            }
        }
        Wire::arm(&wire);
        Some(wire)
    }

    /// A connection is not half open any more.
    pub(super) fn forget(&self, wire: &Shared<Wire<K>>) {
        let found = {
            let mut state = self.state.lock();
            let place = state.half_open.iter().position(|open| open.same(wire));
            place.map(|place| state.half_open.swap_remove(place))
        };
        drop(found);
    }

    /// Has the listener indicate a connector for a request. Returns false if it does not take it.
    pub(super) fn offer(&self, link: &Link<K>) -> bool {
        let listener = match &self.state.lock().owner {
            Owner::Listener(listener) => listener.acquire(Kind::Request).ok(),
            Owner::Opening(..) | Owner::Creating(_) | Owner::Shared(_) | Owner::Gone => None,
        };
        let Some(listener) = listener else { return false };
        let (Ok(adapter), Ok(tie)) =
            (listener.adapter().try_acquire(Kind::Successor), listener.try_acquire(Kind::Successor))
        else {
            return false;
        };
        let connector = Connector::requested(adapter, tie, link.clone());
        let Ok(connect_request) = listener.connect_request_of(connector) else { return false };
        let Ok(passive) = connect_request.connector().try_acquire(Kind::Request) else { return false };
        link.attach(passive);
        listener.enqueue(connect_request).is_ok()
    }

    /// TCP has let go of the port: the last call of the network.
    pub(super) fn closed(&self) {
        self.tcp.closed();
        let (owner, endpoint, status) = {
            let mut state = self.state.lock();
            (core::mem::replace(&mut state.owner, Owner::Gone), state.endpoint.take(), state.status)
        };
        match owner {
            Owner::Opening(request, listener) => {
                drop(endpoint);
                listener.not_opened();
                drop(listener);
                complete(request, self.at.get().copied(), status);
            }
            Owner::Creating(CreateShared { adapter, completion, context, .. }) => {
                drop(endpoint);
                // SAFETY: the consumer passed this function and context for exactly this call.
                unsafe { completion(context.0, status, null_mut()) };
                drop(adapter);
            }
            Owner::Listener(listener) => drop((endpoint, listener)),
            Owner::Shared(shared) => drop((endpoint, shared)),
            Owner::Gone => drop(endpoint),
        }
    }
}

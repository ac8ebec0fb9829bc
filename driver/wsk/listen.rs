//! Ports: addresses and ports that are taken, to listen there or to be shared.

use core::net::SocketAddr;
use core::ptr::{NonNull, null};
use core::sync::atomic::{AtomicBool, Ordering};

use lifecycle::{SocketRole, SocketSetup};
use provider::Shared;
use provider::kernel::network::{Accepted, Events, PortEvents, PortTable, Purpose};
use provider::rundown::Shard;
use sys::sockaddr::SOCKADDR;
use sys::status::{NTSTATUS, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG, VOID};
use sys::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_CLIENT_LISTEN_DISPATCH, WSK_EVENT_ACCEPT, WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_LISTEN_SOCKET, WSK_INSPECT_ACTION, WSK_INSPECT_ID, WSK_SOCKET,
};

use super::connect::{self, Connection};
use super::socket::{Owner, Socket};
use super::{NetworkState, WskNetwork, address, client};

/// The driver's functions for a socket that listens.
static DISPATCH: WSK_CLIENT_LISTEN_DISPATCH = WSK_CLIENT_LISTEN_DISPATCH {
    WskAcceptEvent: Some(accept_event),
    WskInspectEvent: Some(inspect_event),
    WskAbortEvent: Some(abort_event),
};

/// A port's own part of its socket.
pub(super) struct Port {
    /// Set once connections are let in.
    is_open: AtomicBool,
}

impl Owner for Port {
    type Table = PortTable<WskNetwork>;

    /// Connections that are accepted have their events enabled from the beginning, as the port has them enabled
    /// (<https://learn.microsoft.com/windows-hardware/drivers/network/so-wsk-event-callback>).
    const EVENTS: ULONG = WSK_EVENT_ACCEPT | connect::EVENTS;

    fn category(role: SocketRole) -> (ULONG, *const VOID) {
        match role {
            SocketRole::Listens => (WSK_FLAG_LISTEN_SOCKET, (&raw const DISPATCH).cast()),
            SocketRole::Keeps | SocketRole::Connects | SocketRole::ConnectsShared | SocketRole::Accepted => {
                (WSK_FLAG_CONNECTION_SOCKET, null())
            }
        }
    }

    fn bound(events: &Events<Self::Table>, local: SocketAddr) -> bool {
        events.bound(local)
    }

    fn opened(&self, events: &Events<Self::Table>, outcome: Result<(), NTSTATUS>) {
        // Before the user hears of it: a peer may connect as soon as it does.
        self.is_open.store(outcome.is_ok(), Ordering::Release);
        events.opened(outcome);
    }
}

/// A port, as the provider has it.
pub(crate) struct PortHandle(Shared<Socket<Port>>);

impl PortHandle {
    /// A port that has not begun.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn new(network: &Shared<NetworkState>) -> Result<Self, NTSTATUS> {
        Socket::new(network.clone(), Port { is_open: AtomicBool::new(false) }).map(Self)
    }

    /// See [`provider::kernel::Network::open`]. A port that comes before Winsock Kernel waits for it (WSK-1).
    pub(super) fn open(&self, at: SocketAddr, purpose: Purpose, events: PortEvents<WskNetwork>) {
        let role = match purpose {
            Purpose::Listen => SocketRole::Listens,
            Purpose::Share => SocketRole::Keeps,
        };
        // SAFETY: a port is begun once, and has no user before.
        unsafe { self.0.set_events(events) };
        // SAFETY: as above.
        unsafe { self.0.set_addresses(at, None) };
        // SAFETY: as above.
        unsafe { Socket::begin(&self.0, SocketSetup::new(role), at.port() == 0) };
        let port = NonNull::from(&*self.0);
        if client::provider().is_err() && client::keep(port).is_ok() {
            return;
        }
        // SAFETY: the socket has begun just now, and is not kept.
        unsafe { Socket::advance(port) };
    }

    /// See [`provider::kernel::Network::close`].
    pub(super) fn close(&self) {
        let port = NonNull::from(&*self.0);
        self.0.end();
        if client::forget(port) {
            // SAFETY: the setup of a port that was kept has not begun.
            unsafe { Socket::advance(port) };
        }
    }
}

/// A peer wants to connect (WSK-8). No identifier says that the socket is dead.
unsafe extern "efiapi" fn inspect_event(
    context: PVOID,
    _local: *const SOCKADDR,
    remote: *const SOCKADDR,
    id: *mut WSK_INSPECT_ID,
) -> WSK_INSPECT_ACTION {
    // SAFETY: the context is the port, which lives until its close is complete, and so does this event before.
    let socket = unsafe { &*context.cast::<Socket<Port>>() };
    if id.is_null() {
        socket.end();
        return WSK_INSPECT_ACTION::WskInspectReject;
    }
    // SAFETY: the address is valid during the call.
    let remote = unsafe { address::read(remote) };
    let lets_in = socket.owner.is_open.load(Ordering::Acquire) && socket.rundown.is_open(Shard::Initiator);
    let taken =
        lets_in && remote.is_some_and(|remote| socket.events().is_some_and(|events| events.inspect(remote)));
    if taken { WSK_INSPECT_ACTION::WskInspectAccept } else { WSK_INSPECT_ACTION::WskInspectReject }
}

/// A connection that was let in did not come about. Nothing is kept for one before it is accepted.
unsafe extern "efiapi" fn abort_event(_context: PVOID, _id: *mut WSK_INSPECT_ID) -> NTSTATUS {
    STATUS_SUCCESS
}

/// A peer has connected; no socket says that the port's is dead.
unsafe extern "efiapi" fn accept_event(
    context: PVOID,
    _flags: ULONG,
    local: *const SOCKADDR,
    remote: *const SOCKADDR,
    socket: *mut WSK_SOCKET,
    accepted_context: *mut PVOID,
    accepted_dispatch: *mut *const WSK_CLIENT_CONNECTION_DISPATCH,
) -> NTSTATUS {
    // SAFETY: the context is the port, which lives until its close is complete, and so does this event before.
    let port = unsafe { &*context.cast::<Socket<Port>>() };
    let Some(socket) = NonNull::new(socket) else {
        port.end();
        return STATUS_REQUEST_NOT_ACCEPTED;
    };
    // SAFETY: the address is valid during the call.
    let local = unsafe { address::read(local) };
    // SAFETY: as above.
    let remote = unsafe { address::read(remote) };
    let Some(connection) = port.accepted(socket, local, remote) else { return STATUS_REQUEST_NOT_ACCEPTED };
    // SAFETY: the place is the caller's.
    unsafe { accepted_context.write(connection.as_ptr().cast()) };
    // SAFETY: as above.
    unsafe { accepted_dispatch.write(&raw const connect::DISPATCH) };
    STATUS_SUCCESS
}

impl Socket<Port> {
    /// Offers an accepted connection to the user; `None` if Winsock Kernel is to close its socket.
    fn accepted(
        &self,
        socket: NonNull<WSK_SOCKET>,
        local: Option<SocketAddr>,
        remote: Option<SocketAddr>,
    ) -> Option<NonNull<Socket<connect::Stream>>> {
        let (local, remote) = (local?, remote?);
        let events = self.events().filter(|_| self.rundown.is_open(Shard::Initiator))?;
        let connection = Connection::accepted(&self.network, socket, local, remote).ok()?;
        let kept = Connection(connection.0.clone());
        let place = NonNull::from(&*kept.0);
        let Some(user) = events.accepted(Accepted { connection, local, remote }) else {
            kept.forget();
            return None;
        };
        kept.adopt(user).then_some(place)
    }
}

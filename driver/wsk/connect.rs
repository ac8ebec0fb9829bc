//! Connections: those that connect, and those that were accepted.

use core::net::SocketAddr;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, Ordering};

use lifecycle::{Arrival, SocketRole, SocketSetup};
use lock_api::RawMutex as _;
use provider::Shared;
use provider::kernel::network::{ConnectionEvents, ConnectionTable, Events, LocalEnd};
use provider::rundown::Shard;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{ULONG, VOID};
use sys::wsk::{
    WSK_CLIENT_CONNECTION_DISPATCH, WSK_EVENT_DISCONNECT, WSK_EVENT_RECEIVE, WSK_FLAG_CONNECTION_SOCKET,
    WSK_SOCKET,
};

use super::irp::{Device, Irp};
use super::receive;
use super::socket::{Owner, Socket};
use super::{NetworkState, WskNetwork, client};
use crate::kernel::{Lock, SpinLock};

/// The events of a connection.
pub(super) const EVENTS: ULONG = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT;

/// The driver's functions for a connection.
pub(super) static DISPATCH: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: Some(receive::receive_event),
    WskDisconnectEvent: Some(receive::disconnect_event),
    WskSendBacklogEvent: None,
};

/// A connection's own part of its socket.
pub(super) struct Stream {
    pub(super) arrival: Lock<Arrival>,
    /// Set when this side's stream was ended: nothing is sent any more.
    pub(super) finished: AtomicBool,
    /// The request that has bytes shown again.
    pub(super) resume: Irp,
    /// The request that ends this side's stream.
    pub(super) finish: Irp,
}

impl Stream {
    fn new(device: Device) -> Option<Self> {
        Some(Self {
            arrival: Lock::const_new(SpinLock::INIT, Arrival::default()),
            finished: AtomicBool::new(false),
            resume: Irp::new(device)?,
            finish: Irp::new(device)?,
        })
    }
}

impl Owner for Stream {
    type Table = ConnectionTable<WskNetwork>;

    const EVENTS: ULONG = EVENTS;

    fn category(_: SocketRole) -> (ULONG, *const VOID) {
        (WSK_FLAG_CONNECTION_SOCKET, (&raw const DISPATCH).cast())
    }

    fn bound(events: &Events<Self::Table>, local: SocketAddr) -> bool {
        events.bound(local)
    }

    fn opened(&self, events: &Events<Self::Table>, outcome: Result<(), NTSTATUS>) {
        events.opened(outcome);
    }
}

/// A connection, as the provider has it.
pub(crate) struct Connection(pub(super) Shared<Socket<Stream>>);

impl Connection {
    /// A connection that has not begun.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES, STATUS_NETWORK_UNREACHABLE.
    pub(super) fn new(network: &Shared<NetworkState>) -> Result<Self, NTSTATUS> {
        let _it_is_there = client::provider()?;
        let stream = Stream::new(network.device).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        Socket::new(network.clone(), stream).map(Self)
    }

    /// See [`provider::kernel::Network::connect`].
    pub(super) fn connect(&self, from: LocalEnd, to: SocketAddr, events: ConnectionEvents<WskNetwork>) {
        let role = match from {
            LocalEnd::Own(_) => SocketRole::Connects,
            LocalEnd::Shared(_) => SocketRole::ConnectsShared,
        };
        let local = from.address();
        // SAFETY: a connection is begun once, and has no user before.
        unsafe { self.0.set_events(events) };
        // SAFETY: as above.
        unsafe { self.0.set_addresses(local, Some(to)) };
        // SAFETY: as above.
        unsafe { Socket::begin(&self.0, SocketSetup::new(role), local.port() == 0) };
        // SAFETY: the socket has begun just now.
        unsafe { Socket::advance(NonNull::from(&*self.0)) };
    }

    /// The connection of a socket that Winsock Kernel has accepted. It has begun, and has no user.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES, STATUS_NETWORK_UNREACHABLE.
    pub(super) fn accepted(
        network: &Shared<NetworkState>,
        socket: NonNull<WSK_SOCKET>,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Self, NTSTATUS> {
        let this = Self::new(network)?;
        this.0.place.store(socket.as_ptr(), Ordering::Release);
        // SAFETY: the connection is known here only.
        unsafe { this.0.set_addresses(local, Some(remote)) };
        // SAFETY: as above.
        unsafe { Socket::begin(&this.0, SocketSetup::new(SocketRole::Accepted), false) };
        Ok(this)
    }

    /// Gives an accepted connection its user, and sets the socket's options. Returns false if it was cut off meanwhile:
    /// Winsock Kernel is to close the socket, for which no call was made.
    pub(super) fn adopt(self, events: ConnectionEvents<WskNetwork>) -> bool {
        // SAFETY: the user is set once, before any event of the socket.
        unsafe { self.0.set_events(events) };
        let kept = self.0.rundown.is_open(Shard::Initiator);
        if !kept {
            self.0.place.store(null_mut(), Ordering::Release);
        }
        // SAFETY: the socket has begun, and its setup not.
        unsafe { Socket::advance(NonNull::from(&*self.0)) };
        kept
    }

    /// Forgets an accepted connection that has no user; Winsock Kernel closes the socket.
    pub(super) fn forget(self) {
        // SAFETY: no call was made for the socket, and it has no user.
        unsafe { Socket::retract(&self.0) };
    }
}

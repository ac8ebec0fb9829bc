//! The calls up: functions of the provider with their context, as one value that is given back with the last call.

#![expect(unsafe_code, reason = "a context is known to the functions beside it only")]

use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::status::NTSTATUS;

use super::Network;

/// Bytes that have arrived, in pieces that stay as they are during the call.
pub trait Runs {
    /// The number of bytes.
    fn length(&self) -> usize;

    /// The bytes from `offset` on that lie in one piece: at least one before the end, none from there on. Offsets
    /// that grow cost little.
    fn at(&self, offset: usize) -> &[u8];
}

/// The answer to bytes that have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The number of bytes, from the first on, that need not be shown again. Fewer than there are is *short*.
    pub bytes: usize,
}

/// The functions of the owner of a connection. `context` is that of [`Events::new`].
#[derive(Debug)]
pub struct ConnectionTable<N: Network> {
    /// See [`ConnectionEvents::bound`].
    pub bound: unsafe fn(context: NonNull<c_void>, local: SocketAddr) -> bool,
    /// See [`ConnectionEvents::opened`].
    pub opened: unsafe fn(context: NonNull<c_void>, outcome: Result<(), NTSTATUS>),
    /// See [`ConnectionEvents::arrived`].
    pub arrived: unsafe fn(context: NonNull<c_void>, runs: &dyn Runs) -> Taken,
    /// See [`ConnectionEvents::sent`].
    pub sent: unsafe fn(context: NonNull<c_void>, batch: N::Batch, status: NTSTATUS),
    /// See [`ConnectionEvents::finished`].
    pub finished: unsafe fn(context: NonNull<c_void>),
    /// See [`ConnectionEvents::closed`]. Ends the context.
    pub closed: unsafe fn(context: NonNull<c_void>),
}

/// The functions of the owner of a port. `context` is that of [`Events::new`].
#[derive(Debug)]
pub struct PortTable<N: Network> {
    /// See [`PortEvents::bound`].
    pub bound: unsafe fn(context: NonNull<c_void>, local: SocketAddr) -> bool,
    /// See [`PortEvents::opened`].
    pub opened: unsafe fn(context: NonNull<c_void>, outcome: Result<(), NTSTATUS>),
    /// See [`PortEvents::inspect`].
    pub inspect: unsafe fn(context: NonNull<c_void>, remote: SocketAddr) -> bool,
    /// See [`PortEvents::accepted`].
    pub accepted: unsafe fn(context: NonNull<c_void>, accepted: Accepted<N>) -> Option<ConnectionEvents<N>>,
    /// See [`PortEvents::closed`]. Ends the context.
    pub closed: unsafe fn(context: NonNull<c_void>),
}

/// A connection of a peer, which is open.
#[derive(Debug)]
pub struct Accepted<N: Network> {
    /// The connection, which has begun.
    pub connection: N::Connection,
    /// The address and port here.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// A table, whose context [`Table::closed`] ends.
pub trait Table: 'static {
    /// The function that ends a context.
    fn closed(&self) -> unsafe fn(NonNull<c_void>);
}

impl<N: Network> Table for ConnectionTable<N> {
    fn closed(&self) -> unsafe fn(NonNull<c_void>) {
        self.closed
    }
}

impl<N: Network> Table for PortTable<N> {
    fn closed(&self) -> unsafe fn(NonNull<c_void>) {
        self.closed
    }
}

/// The functions of an owner, and the context that is theirs. The network calls [`Events::closed`] at the end; a value
/// that is dropped without it leaks the context.
#[derive(Debug)]
pub struct Events<T: Table> {
    context: NonNull<c_void>,
    table: &'static T,
}

/// The owner of a connection, as the network calls it.
pub type ConnectionEvents<N> = Events<ConnectionTable<N>>;

/// The owner of a port, as the network calls it.
pub type PortEvents<N> = Events<PortTable<N>>;

// SAFETY: the maker of one promises that its functions may be called by any thread.
unsafe impl<T: Table> Send for Events<T> {}
// SAFETY: as above, and at once.
unsafe impl<T: Table> Sync for Events<T> {}

impl<T: Table> Events<T> {
    /// The functions of `table`, each to be called with `context`.
    ///
    /// # Safety
    ///
    /// The functions may be called with the context by any thread, in the order of the module's head, until the one
    /// that ends the context is.
    pub const unsafe fn new(context: NonNull<c_void>, table: &'static T) -> Self {
        Self { context, table }
    }

    /// Nothing refers to the connection or port any more: the last call.
    pub fn closed(self) {
        let this = ManuallyDrop::new(self);
        // SAFETY: as the maker promised; the value is consumed, so no call follows.
        unsafe { this.table.closed()(this.context) }
    }
}

impl<N: Network> ConnectionEvents<N> {
    /// The connection has this local address and port, and goes on if the answer is true.
    #[must_use]
    pub fn bound(&self, local: SocketAddr) -> bool {
        // SAFETY: as the maker promised.
        unsafe { (self.table.bound)(self.context, local) }
    }

    /// The connection is open, or failed to open.
    pub fn opened(&self, outcome: Result<(), NTSTATUS>) {
        // SAFETY: as the maker promised.
        unsafe { (self.table.opened)(self.context, outcome) }
    }

    /// Bytes have arrived.
    #[must_use]
    pub fn arrived(&self, runs: &dyn Runs) -> Taken {
        // SAFETY: as the maker promised.
        unsafe { (self.table.arrived)(self.context, runs) }
    }

    /// TCP needs the batch no more: its bytes are at the peer (STATUS_SUCCESS), or may not be.
    pub fn sent(&self, batch: N::Batch, status: NTSTATUS) {
        // SAFETY: as the maker promised.
        unsafe { (self.table.sent)(self.context, batch, status) }
    }

    /// The peer has ended its stream.
    pub fn finished(&self) {
        // SAFETY: as the maker promised.
        unsafe { (self.table.finished)(self.context) }
    }
}

impl<N: Network> PortEvents<N> {
    /// The port is this address and port, and goes on if the answer is true.
    #[must_use]
    pub fn bound(&self, local: SocketAddr) -> bool {
        // SAFETY: as the maker promised.
        unsafe { (self.table.bound)(self.context, local) }
    }

    /// The port is taken, and listens if it is to; or it failed, and `closed` follows.
    pub fn opened(&self, outcome: Result<(), NTSTATUS>) {
        // SAFETY: as the maker promised.
        unsafe { (self.table.opened)(self.context, outcome) }
    }

    /// A peer wants to connect. If the answer is false it finds no listener.
    #[must_use]
    pub fn inspect(&self, remote: SocketAddr) -> bool {
        // SAFETY: as the maker promised.
        unsafe { (self.table.inspect)(self.context, remote) }
    }

    /// A peer has connected. The answer is the connection's owner; `None` has the network cut it off, without a call
    /// up.
    #[must_use]
    pub fn accepted(&self, accepted: Accepted<N>) -> Option<ConnectionEvents<N>> {
        // SAFETY: as the maker promised.
        unsafe { (self.table.accepted)(self.context, accepted) }
    }
}

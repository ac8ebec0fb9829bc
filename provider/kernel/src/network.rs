//! The network that connections to other machines go over: TCP as the kernel offers it.
//!
//! The provider calls down by [`Network`]; the network calls up by [`ConnectionEvents`] and [`PortEvents`], values that
//! it is given when a connection or a port begins and that it gives back with its last call.
//!
//! # Calls down
//!
//! Each may be made up to DISPATCH_LEVEL, with no lock held, also inside a call up, and returns without waiting. What
//! comes of it is called up, possibly before it returns.
//!
//! # Calls up
//!
//! Each is made up to DISPATCH_LEVEL, with no lock of the network's held that a call down would take. Of one connection
//! the order is:
//!
//! ```text
//! bound ─▶ opened ─▶ (arrived | sent)* ─▶ finished ─▶ (sent)* ─▶ closed
//! ```
//!
//! - `bound` and `opened` come on connections that [`Network::connect`] began; an accepted one is open when it is
//!   offered by [`PortEvents::accepted`]. After `opened` with an error nothing but `closed` follows.
//! - `arrived` is never called twice at once for a connection, and after a short one not again before
//!   [`Network::resume`]. `finished` comes once, when all bytes before the end of the peer's stream were taken.
//! - `sent` comes exactly once for each batch, whatever happens to the connection, and may overlap with `arrived`, with
//!   another `sent`, and with the [`Network::send`] that it answers.
//! - `closed` is the last: it begins when every other call of that connection has returned and every batch is back,
//!   also when the connection died by itself, and nothing of the network's refers to the provider afterwards. It
//!   always comes, without the peer's doing, once a connection has begun and [`Network::abort`] was called or the
//!   connection has died.

#![expect(unsafe_code, reason = "a network makes promises")]

mod events;
mod none;

pub use events::{
    Accepted, ConnectionEvents, ConnectionTable, Events, PortEvents, PortTable, Runs, Table, Taken,
};
pub use none::NoNetwork;

use core::net::SocketAddr;

use sys::status::NTSTATUS;

/// Bytes that are sent by one call. Nonpaged, made when its connection is, and used again and again.
pub trait Batch: Send + 'static {
    /// The whole room, whose bytes have a value from the beginning.
    fn room(&mut self) -> &mut [u8];

    /// Sets the number of bytes, from the first of the room on, that are to be sent.
    fn set_length(&mut self, length: usize);

    /// The number of bytes that are to be sent.
    fn length(&self) -> usize;

    /// Sets a number that the batch carries along for the provider.
    fn set_tag(&mut self, tag: u64);

    /// The number that was set last; 0 if there was none.
    fn tag(&self) -> u64;
}

/// The purpose of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Connections to it are offered. No other socket of the machine has the address and port (SO_EXCLUSIVEADDRUSE),
    /// and none is answered before [`PortEvents::inspect`] agrees (SO_CONDITIONAL_ACCEPT).
    Listen,
    /// Connections from it share the address and port (SO_REUSEADDR), which it keeps while there are none.
    Share,
}

/// The local end of a connection that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalEnd {
    /// An address and port of its own; port 0 is any that is free.
    Own(SocketAddr),
    /// That of a port with [`Purpose::Share`].
    Shared(SocketAddr),
}

impl LocalEnd {
    /// The address and port.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        match self {
            Self::Own(address) | Self::Shared(address) => address,
        }
    }
}

/// TCP below the provider: see the module's head.
///
/// # Safety
///
/// The provider's unsafe code relies on the order of the calls up, and on each of the events being given back once, as
/// the module's head says.
pub unsafe trait Network: Sized + Send + Sync + 'static {
    /// A connection. Dropping one that has not begun frees it. One that has begun is dropped after `closed`, or in it.
    type Connection: Send + Sync;

    /// A port: an address and port of this machine that is taken. As a connection.
    type Port: Send + Sync;

    /// Bytes to be sent.
    type Batch: Batch;

    /// Makes a connection that has not begun.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES; the network's status if it is not there (STATUS_NETWORK_UNREACHABLE).
    fn connection(&self) -> Result<Self::Connection, NTSTATUS>;

    /// Makes a batch of `room` bytes, at most 64 KiB. It may be sent on any connection of this network.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES.
    fn batch(&self, room: usize) -> Result<Self::Batch, NTSTATUS>;

    /// Makes a port that has not begun.
    ///
    /// # Errors
    ///
    /// As for [`Network::connection`].
    fn port(&self) -> Result<Self::Port, NTSTATUS>;

    /// Begins a connection: binds, asks by `bound`, connects, answers by `opened`. Where `bound` refuses a port that
    /// was any free one, another one is tried, 16 times at most.
    ///
    /// The statuses of `opened`: STATUS_SHARING_VIOLATION (the port is in use), STATUS_TOO_MANY_ADDRESSES (none is
    /// left), STATUS_INVALID_ADDRESS, STATUS_CONNECTION_REFUSED, STATUS_HOST_UNREACHABLE,
    /// STATUS_NETWORK_UNREACHABLE, STATUS_IO_TIMEOUT, STATUS_CANCELLED (aborted), STATUS_INSUFFICIENT_RESOURCES.
    fn connect(on: &Self::Connection, from: LocalEnd, to: SocketAddr, events: ConnectionEvents<Self>);

    /// Sends a batch behind those before; answered by `sent`. After [`Network::finish`] or [`Network::abort`] the
    /// status is an error. After `closed`, which another processor may be told meanwhile, the batch is dropped.
    fn send(on: &Self::Connection, batch: Self::Batch);

    /// Goes on after a short `arrived`: what was not taken is indicated again, with what has come since. Without a
    /// short one before, nothing happens. A call that overlaps the `arrived` that turns out to be short counts. After
    /// `closed` nothing happens.
    fn resume(on: &Self::Connection);

    /// Ends this side's stream behind the batches before. Once.
    fn finish(on: &Self::Connection);

    /// Cuts the connection off: pending batches come back, and `closed` follows. As often as one likes. A connection
    /// of which both streams have ended, and all batches are back, is closed without a reset.
    fn abort(on: &Self::Connection);

    /// The payload of a segment of TCP on an open connection, in bytes (EMSS): by its interface, or as TCP says.
    fn segment(on: &Self::Connection) -> u32;

    /// Begins a port: binds, asks by `bound`, listens if that is its purpose, answers by `opened`. As
    /// [`Network::connect`].
    fn open(port: &Self::Port, at: SocketAddr, purpose: Purpose, events: PortEvents<Self>);

    /// Gives a port up: `closed` follows. Connections that were accepted stay. As often
    /// as one likes.
    fn close(port: &Self::Port);
}

//! Transports below the sockets: bytes and connections, and nothing of NT.
//!
//! Nothing here waits. An end that could not go on says so, and calls its [`Ready`] when it can.

pub(super) mod host;
mod host_address;
pub(super) mod host_poll;
pub(super) mod pipe;
mod pipe_ends;

use core::net::SocketAddr;
use std::sync::Arc;

use sys::status::NTSTATUS;

/// A direction in which an end can go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// Bytes, the peer's end, or a connection has arrived.
    In,
    /// There is room for bytes, or a connect is over.
    Out,
}

/// Called without a lock of the transport's when an end can go on.
pub(super) type Ready = Arc<dyn Fn(Way) + Send + Sync>;

/// The sharing of a local address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sharing {
    /// Set if no other socket may have it.
    pub(super) exclusive: bool,
    /// Set if others that agree may have it too.
    pub(super) reuse: bool,
}

/// Returns whether an end with this local address, which came about at a listener if the last member says so, keeps an
/// address from another.
fn is_taken(
    (local, own, accepted): (SocketAddr, Sharing, bool),
    (at, sharing): (SocketAddr, Sharing),
) -> bool {
    let any = local.ip().is_unspecified() || at.ip().is_unspecified();
    let meets =
        local.port() == at.port() && local.is_ipv4() == at.is_ipv4() && (any || local.ip() == at.ip());
    let shared = sharing.reuse && own.reuse && !sharing.exclusive && !own.exclusive;
    // A connection that came about at an exclusive listener keeps the address:
    // https://learn.microsoft.com/windows/win32/winsock/using-so-reuseaddr-and-so-exclusiveaddruse
    meets && !shared && (!accepted || own.exclusive)
}

/// The outcome of a send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// So many bytes were taken, at least one.
    Taken(usize),
    /// None were; [`Way::Out`] follows.
    Full,
    /// The connection is broken.
    Broken(NTSTATUS),
}

/// The outcome of a receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Received {
    /// So many bytes were written, at least one.
    Bytes(usize),
    /// None are there; [`Way::In`] follows.
    Nothing,
    /// The peer has sent its last byte.
    End,
    /// The connection is broken.
    Broken(NTSTATUS),
}

/// A connection that has arrived at an end that listens. Dropping its end refuses it.
pub(super) struct Incoming {
    pub(super) end: Box<dyn End>,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

/// A setting of an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Setting {
    /// Small segments are not held back.
    NoDelay(bool),
    /// Keepalive probes are sent.
    KeepAlive(bool),
    /// Seconds of idleness before the first probe.
    KeepAliveIdle(u32),
    /// Seconds between probes.
    KeepAliveInterval(u32),
    /// Probes without an answer that end the connection.
    KeepAliveCount(u32),
}

/// One end of a connection, or an end that listens.
pub(super) trait End: Send + Sync {
    /// Says where to tell that it can go on.
    fn attach(&self, ready: Ready);
    /// Gives it a local address; a port of 0 lets the transport choose one.
    fn bind(&self, at: SocketAddr, sharing: Sharing) -> Result<(), NTSTATUS>;
    /// Its local address, once it has one.
    fn local(&self) -> Option<SocketAddr>;
    /// The peer's address, once it is connected.
    fn remote(&self) -> Option<SocketAddr>;
    /// Begins to listen.
    fn listen(&self) -> Result<(), NTSTATUS>;
    /// The next connection that has arrived.
    fn next(&self) -> Option<Incoming>;
    /// Lets a connection that has arrived come about.
    fn admit(&self);
    /// Begins to connect; [`Way::Out`] follows.
    fn connect(&self, to: SocketAddr);
    /// The outcome of a connect, once it is over.
    fn connected(&self) -> Option<Result<(), NTSTATUS>>;
    /// Sends from these pieces, in order.
    fn send(&self, pieces: &[libc::iovec]) -> Sent;
    /// Receives.
    fn receive(&self, into: &mut [u8]) -> Received;
    /// The status with which the connection was broken, known without a receive.
    fn broken(&self) -> Option<NTSTATUS>;
    /// Bytes that were taken and that the peer's transport has not acknowledged.
    fn unacknowledged(&self) -> usize;
    /// Ends the direction to the peer, after what was sent.
    fn finish(&self);
    /// Ends the connection at once, and frees the local address.
    fn abort(&self);
    /// Changes a setting.
    fn set(&self, setting: Setting);
}

//! A request, whatever carries it: in the driver an IRP, in tests a record.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::status::NTSTATUS;

use crate::slab::Id;

/// Names a request that waits, for the routine that cancels it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// The file that it is for.
    pub file: Id,
    /// Its number on that file.
    pub number: u64,
}

/// A request that this transport owns until it completes it.
///
/// # Cancelling
///
/// A request that waits is *armed*: its cancel routine may run at any moment and call
/// [`Transport::cancel`](crate::Transport::cancel) with the request ID. The thread that wants to complete the request
/// has to disarm it first. If that fails, the cancel routine is on its way and the request stays in its
/// queue until the routine has come; so of the two exactly one completes it, and never with a cancel
/// routine set.
///
/// # Safety
///
/// - [`Request::disarm`] returns `true` only if the cancel routine will not run for the preceding
///   [`Request::arm`]; [`Request::arm`] returns `false` only under the same condition.
/// - What [`Request::run`] yields stays readable until the request is completed.
pub unsafe trait Request: Send + Sized + 'static {
    /// Makes the request cancellable. `false` if it was cancelled before, and the caller still owns it.
    fn arm(&mut self, request_id: RequestId) -> bool;

    /// Makes it uncancellable again. `false` if its cancel routine runs or is about to.
    fn disarm(&mut self) -> bool;

    /// Bytes in its data buffer.
    fn length(&self) -> usize;

    /// The memory of its data buffer from `offset` on, as far as it is contiguous; `None` at its end, or if
    /// it can't be mapped.
    fn run(&self, offset: usize) -> Option<(NonNull<u8>, usize)>;

    /// The first bytes of its data buffer; `None` if there is no memory for them, or they can't be reached.
    fn copy(&self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).ok()?;
        while let Some(left) = length.checked_sub(bytes.len()).filter(|left| *left > 0) {
            let (place, run) = self.run(bytes.len())?;
            // SAFETY: so many bytes are readable there until the request is completed.
            let run = unsafe { core::slice::from_raw_parts(place.as_ptr(), run.min(left)) };
            if bytes.capacity().wrapping_sub(bytes.len()) < run.len() {
                return None;
            }
            bytes.extend_from_slice(run);
        }
        Some(bytes)
    }

    /// Copies `bytes` to its data buffer at `offset`; returns how many there was room for.
    fn fill(&mut self, offset: usize, bytes: &[u8]) -> usize;

    /// Passes the address of the other end to the client, if it asked for that.
    fn return_peer(&mut self, peer: SocketAddr);

    /// Completes it. Up to DISPATCH_LEVEL, with no lock held, disarmed.
    fn complete(self, status: NTSTATUS, information: usize);
}

/// The source from which a client wants a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From any source.
    Any,
    /// From this address; an unspecified host or port 0 in it is any.
    Address(SocketAddr),
    /// From something that is no address.
    Unknown,
}

impl Source {
    pub(crate) fn admits(self, from: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Address(only) => {
                let host = only.ip() == from.ip()
                    || (only.ip().is_unspecified() && only.is_ipv4() == from.is_ipv4());
                host && (only.port() == 0 || only.port() == from.port())
            }
            Self::Unknown => false,
        }
    }
}

/// A command for a connection endpoint, or, if it is about datagrams, for an address object. All of these
/// complete by [`Request::complete`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `TDI_CONNECT`.
    Connect {
        /// The destination; `None` if the client named no address that is one.
        to: Option<SocketAddr>,
        /// The time limit, in units of 100 ns.
        limit: Option<u64>,
    },
    /// `TDI_LISTEN`.
    Listen {
        /// The client accepts each connection by a request of its own.
        query: bool,
    },
    /// `TDI_ACCEPT`.
    Accept,
    /// `TDI_DISCONNECT`.
    Disconnect {
        /// `TDI_DISCONNECT_…`.
        flags: u32,
        /// The time limit of a release, in units of 100 ns.
        limit: Option<u64>,
    },
    /// `TDI_SEND`.
    Send {
        /// Bytes.
        length: usize,
        /// `TDI_SEND_…`.
        flags: u32,
    },
    /// `TDI_RECEIVE`.
    Receive {
        /// Bytes at most.
        length: usize,
        /// `TDI_RECEIVE_…`.
        flags: u32,
    },
    /// `TDI_SEND_DATAGRAM`.
    SendDatagram {
        /// The destination; `None` if the client named no address that is one.
        to: Option<SocketAddr>,
        /// Bytes.
        length: usize,
    },
    /// `TDI_RECEIVE_DATAGRAM`.
    ReceiveDatagram {
        /// The source that is asked for.
        from: Source,
        /// Bytes at most; 0 is as many as there is room for.
        length: usize,
        /// `TDI_RECEIVE_…`.
        flags: u32,
    },
}

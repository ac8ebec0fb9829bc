//! Winsock Kernel: how a driver registers as a client, obtains the provider, and through it sockets, and the RDMA side
//! of an adapter.
//!
//! There are listening and connection-oriented sockets over TCP. Sockets of other categories, names and addresses of
//! hosts are answered with STATUS_NOT_SUPPORTED.
//!
//! | module | contents |
//! |---|---|
//! | `provider` | the provider's table |
//! | `functions`, `listen_functions` | the functions of sockets |
//! | `accept`, `connect`, `option` | connections that arrive, and that are made; options |
//! | `input`, `event`, `output` | bytes that arrive; the events of a connection; bytes that go |
//! | `socket`, `lane`, `work` | sockets; their work and their end; the threads that do it and call drivers |
//! | `ndk` | the RDMA side of an adapter |
//! | `indication`, `buffer`, `request` | data that is indicated; buffers and requests of drivers |
//! | `capture` | the file with the bytes of all connections |
//! | `client` | clients |
//! | `stack` | transports |
//! | `address`, `choice` | addresses; choices from the seed |

mod accept;
mod address;
mod buffer;
mod capture;
mod choice;
mod client;
mod connect;
mod event;
mod functions;
mod indication;
mod input;
mod lane;
mod listen_functions;
mod ndk;
mod option;
mod output;
mod provider;
mod request;
mod socket;
mod stack;
mod work;

#[cfg(test)]
mod tests;

pub use client::refuse_clients;
use ntsim_core::Export;
use ntsim_core::subsystem::Subsystem;

/// The functions of this folder: those that `netio.sys` exports, and those of the provider's tables.
const EXPORTS: &[&[Export]] =
    &[client::EXPORTS, functions::EXPORTS, listen_functions::EXPORTS, ndk::EXPORTS, provider::EXPORTS];

/// Lets TCP over the pipe stand still: no byte moves, no request of a socket completes, and no event comes, until this is
/// called with false. Not under a schedule, nor by a thread that a socket has called.
pub fn hold(held: bool) {
    work::hold(held);
}

/// Takes the addresses of the peers whose connections had arrived at a socket that listens, and have ended since this was
/// called last: the last 256 ones, the oldest first.
pub fn ended_connections() -> Vec<core::net::SocketAddr> {
    socket::take_ended()
}

/// The network programming interface of Winsock Kernel.
pub(crate) struct Wsk;

impl Subsystem for Wsk {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn settle(&self) {
        work::settle();
    }

    fn inspect(&self) {
        socket::inspect();
        client::inspect();
    }

    fn stop(&self) {
        work::stop();
        capture::end();
    }

    unsafe fn release(&self) {
        socket::release();
        indication::release();
        stack::host_poll::release();
    }
}

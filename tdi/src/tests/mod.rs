//! The transport over the real provider, on the host: each test is a client with two ports.

mod cleanup;
pub(crate) mod client;
mod connect;
mod datagram;
mod expedited;
mod handler;
pub(crate) mod host;
mod random;
mod transfer;

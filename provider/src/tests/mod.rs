//! The provider as a consumer meets it: through its dispatch tables, on the host.

mod close;
mod connect;
mod consumer;
mod explain;
mod host;
mod memory;
mod model;
mod shared_endpoint;
mod srq;
mod storm;
mod transfer;

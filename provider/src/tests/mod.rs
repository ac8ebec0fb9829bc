//! The provider as a consumer meets it: through its dispatch tables, on the host.

mod attempt;
mod close;
mod connect;
mod connect_request;
pub(crate) mod consumer;
mod death;
mod ending;
mod explain;
mod lookup;
mod memory;
mod model;
mod openings;
mod preempt;
mod shared_endpoint;
mod shortage;
mod srq;
mod stress;
mod transfer;
mod wire;

#[global_allocator]
static ALLOCATOR: test_kernel::allocations::CountingAllocator = test_kernel::allocations::CountingAllocator;

//! The kernel services that the provider uses: the crate `softndk-kernel`.

pub use softndk_kernel::event;
pub use softndk_kernel::network;
pub use softndk_kernel::{Dpc, Event, Kernel, Mapping, Network, NoNetwork, Routine, Timer, Unmapped};

/// A lock that owns its data.
pub(crate) type Lock<K, T> = lock_api::Mutex<<K as Kernel>::Lock, T>;

//! The kernel services that the provider uses: the crate `softndk-kernel`.

pub use softndk_kernel::event;
pub use softndk_kernel::network;
pub use softndk_kernel::{Dpc, Event, Kernel, Mapping, Network, NoNetwork, Routine, Timer, Unmapped};

/// A lock that owns its data.
pub(crate) type Lock<K, T> = lock_api::Mutex<<K as Kernel>::Lock, T>;

/// The offset of the value in a lock of a `T`, for a debugger. `lock_api` does not say it at compile time.
pub(crate) fn value_in_lock<K: Kernel, T>() -> usize {
    let lock = Lock::<K, _>::new(core::mem::MaybeUninit::<T>::uninit());
    lock.data_ptr().addr().wrapping_sub((&raw const lock).addr())
}

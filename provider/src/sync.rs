//! The atomics and cells of the lock-free parts, in one place, so that the model checker can stand in.

#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "a cache line is asked for by its address"))]

#[cfg(not(any(test, loom)))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(all(test, not(loom)))]
pub(crate) use test_kernel::{AtomicBool, AtomicU32, AtomicU64};

#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

/// Asks for the cache line of `place`, which another processor has probably written and this one will write: so
/// that it is there by then, and comes once and not twice, for reading and for writing. It changes nothing else.
#[inline]
pub(crate) fn expect_to_write<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        // SAFETY: a prefetch reads and writes nothing, and `place` is a valid address anyway.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(core::ptr::from_ref(place).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Asks for the cache line of `place` for reading alone: a processor that writes it keeps what it has to write. It changes
/// nothing else.
#[inline]
pub(crate) fn expect_to_read<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads and writes nothing, and `place` is a valid address anyway.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(place).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// A full fence, as `fence` of [`Ordering::SeqCst`], for a thread that has made a read-modify-write between the stores and
/// the loads which it keeps apart, on whatever atomic.
///
/// On x86-64 every read-modify-write is a locked instruction, which lets no later load pass an earlier store ([Intel],
/// section 10.2.3.9; [AMD], section 7.4.2), so that nothing is left to do but to keep the compiler from it. (It is
/// `smp_mb__after_atomic` of [Linux].) Elsewhere, and in a model, it is the fence.
///
/// [Intel]: https://cdrdv2.intel.com/v1/dl/getContent/671447
/// [AMD]: https://docs.amd.com/v/u/en-US/24593_3.43
/// [Linux]: https://www.kernel.org/doc/Documentation/memory-barriers.txt
#[inline(always)]
pub(crate) fn fence_after_rmw() {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    fence(Ordering::SeqCst);
}

/// A value in a cache line of its own: what one processor writes all the time does not take from another
/// what lies beside it. Not `crossbeam_utils::CachePadded`, whose 128 bytes would double the size of a region.
#[repr(align(64))]
#[derive(Debug, Default)]
pub(crate) struct Line<T>(pub(crate) T);

impl<T> core::ops::Deref for Line<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// `core::cell::UnsafeCell` with the access style of loom's, which checks each access in a model.
#[cfg(not(loom))]
#[derive(Debug, Default)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Runs `access` with a pointer for reading.
    pub(crate) fn with<R>(&self, access: impl FnOnce(*const T) -> R) -> R {
        access(self.0.get())
    }

    /// Runs `access` with a pointer for writing.
    pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}

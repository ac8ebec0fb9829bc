//! A hold on an object, released when it is dropped.

#![expect(unsafe_code, reason = "objects are known and freed by their address")]

use core::ops::Deref;
use core::ptr::NonNull;

use super::{Core, Object, ObjectType, close};
use crate::kernel::Kernel;
use crate::lifetime::{AcquireError, Kind, Released};

/// Keeps an object alive. Dropping the last one completes a pending close, from a DPC; so a
/// hold may be dropped anywhere up to DISPATCH_LEVEL, but not with a lock held.
pub struct ObjectRef<K: Kernel, B: ObjectType<K>> {
    object: NonNull<Object<K, B>>,
    kind: Kind,
}

// SAFETY: a hold is a counted reference to an object that is itself Send and Sync.
unsafe impl<K: Kernel, B: ObjectType<K>> Send for ObjectRef<K, B> {}
// SAFETY: as above.
unsafe impl<K: Kernel, B: ObjectType<K>> Sync for ObjectRef<K, B> {}

impl<K: Kernel, B: ObjectType<K>> ObjectRef<K, B> {
    /// The offset of the object's address, for a debugger.
    pub(super) const OBJECT: usize = core::mem::offset_of!(Self, object);

    /// The offset of the [`Kind`]. Where an `Option` is none, that or the address is of no hold.
    pub(super) const KIND: usize = core::mem::offset_of!(Self, kind);

    /// Makes a value of a hold that was taken on the word.
    ///
    /// # Safety
    ///
    /// One hold of `kind` on `object` exists that no other value owns.
    pub(super) unsafe fn adopt(object: NonNull<Object<K, B>>, kind: Kind) -> Self {
        Self { object, kind }
    }

    /// One more hold on the same object, possible also while it is being closed.
    ///
    /// # Errors
    ///
    /// [`AcquireError::Full`] only.
    pub fn acquire(&self, kind: Kind) -> Result<Self, AcquireError> {
        self.core.lifetime.acquire(kind)?;
        Ok(Self { object: self.object, kind })
    }

    /// Its kind.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Gives the hold to the holder of the pointer, to be made a value again by [`ObjectRef::reclaim`].
    pub(crate) fn leak(self) -> NonNull<Object<K, B>> {
        core::mem::ManuallyDrop::new(self).object
    }

    /// Takes back a hold that was leaked.
    ///
    /// # Safety
    ///
    /// `object` came from [`ObjectRef::leak`] of a hold of this kind that was not reclaimed yet.
    pub(crate) unsafe fn reclaim(object: NonNull<Object<K, B>>, kind: Kind) -> Self {
        // SAFETY: as the caller promises, the hold exists and no value owns it.
        unsafe { Self::adopt(object, kind) }
    }

    /// Returns true if both refer to the same object.
    pub fn same(&self, other: &Object<K, B>) -> bool {
        core::ptr::eq(self.object.as_ptr(), other)
    }
}

impl<K: Kernel, B: ObjectType<K>> Deref for ObjectRef<K, B> {
    type Target = Object<K, B>;

    fn deref(&self) -> &Object<K, B> {
        // SAFETY: the object lives as long as any hold on it, and `self` is one.
        unsafe { self.object.as_ref() }
    }
}

impl<K: Kernel, B: ObjectType<K>> Drop for ObjectRef<K, B> {
    fn drop(&mut self) {
        // SAFETY: `self` owns a hold of its kind, and is dropped once.
        unsafe { release(self.object.cast::<Core<K>>(), self.kind) }
    }
}

/// Releases a hold. Releasing the last one completes a pending close.
///
/// # Safety
///
/// `object` is the head of an object on which the caller gives up a hold of this kind.
#[inline]
pub(super) unsafe fn release<K: Kernel>(object: NonNull<Core<K>>, kind: Kind) {
    // SAFETY: the object lives as long as any hold on it, and the caller has one.
    match unsafe { object.as_ref() }.lifetime.release(kind) {
        Released::Held => {}
        // SAFETY: the release returned `Last`, so the object belongs to this call alone.
        Released::Last => unsafe { close::queue_close_completion(object) },
    }
}

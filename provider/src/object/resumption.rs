//! A hold on an object that goes on when a wait is over, for a holder in a layer below that of the object.

#![expect(unsafe_code, reason = "objects are known and freed by their address")]

use core::ptr::NonNull;

use super::{Core, Object, ObjectRef, ObjectType, object_ref};
use crate::kernel::Kernel;
use crate::lifetime::Kind;

/// An object that can wait for something which does not know its type.
pub(crate) trait Resume<K: Kernel>: ObjectType<K> {
    /// Goes on after the wait. Up to DISPATCH_LEVEL, with no lock held.
    fn resume(object: &Object<K, Self>);
}

/// See the module's head. Dropping it releases the hold, as [`ObjectRef`] does.
pub(crate) struct Resumption<K: Kernel> {
    object: NonNull<Core<K>>,
    kind: Kind,
    /// Knows the type of the object.
    resume: unsafe fn(NonNull<Core<K>>),
}

// SAFETY: a hold is a counted reference to an object that is itself Send and Sync.
unsafe impl<K: Kernel> Send for Resumption<K> {}

impl<K: Kernel> Resumption<K> {
    /// Keeps a hold, to resume its object.
    pub(crate) fn of<B: Resume<K>>(hold: ObjectRef<K, B>) -> Self {
        let kind = hold.kind();
        Self { object: hold.leak().cast(), kind, resume: resume::<K, B> }
    }

    /// Has the object go on, and then releases it. Up to DISPATCH_LEVEL, with no lock held.
    pub(crate) fn resume(self) {
        // SAFETY: the object lives as long as the hold, and the function was made for its type.
        unsafe { (self.resume)(self.object) }
    }

    /// Returns true if it is `object` that waits.
    pub(crate) fn is_of<B: ObjectType<K>>(&self, object: &Object<K, B>) -> bool {
        core::ptr::eq(self.object.as_ptr(), core::ptr::from_ref(object).cast())
    }
}

impl<K: Kernel> Drop for Resumption<K> {
    fn drop(&mut self) {
        // SAFETY: the hold was leaked to this value, which is dropped once.
        unsafe { object_ref::release(self.object, self.kind) }
    }
}

/// # Safety
///
/// `object` is the head of an object of type `B` that exists.
unsafe fn resume<K: Kernel, B: Resume<K>>(object: NonNull<Core<K>>) {
    // SAFETY: as the caller promises.
    B::resume(unsafe { object.cast::<Object<K, B>>().as_ref() });
}

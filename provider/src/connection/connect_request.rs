//! A connect request: the connector of a connect event, before the consumer has seen it.

#![expect(unsafe_code, reason = "consumers are called back")]

use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::connector::Connector;
use crate::kernel::Kernel;
use crate::object::Object;

/// A connector that only the provider knows. Dropped, it is closed, and the peer's connect refused; may be
/// dropped up to DISPATCH_LEVEL, with no lock held.
pub(super) struct ConnectRequest<K: Kernel>(NonNull<Object<K, Connector<K>>>);

// SAFETY: an object is Send, and the connect request is the only one to know it.
unsafe impl<K: Kernel> Send for ConnectRequest<K> {}

impl<K: Kernel> ConnectRequest<K> {
    /// A connect request of a connector.
    ///
    /// # Safety
    ///
    /// The connector was created just now, and the caller lets go of the pointer.
    pub(super) unsafe fn of(connector: NonNull<Object<K, Connector<K>>>) -> Self {
        Self(connector)
    }

    /// The connector.
    pub(super) fn connector(&self) -> &Object<K, Connector<K>> {
        // SAFETY: it is closed by `drop` only, or by the consumer that `show` gave it to.
        unsafe { self.0.as_ref() }
    }

    /// Hands the connector to the consumer, to accept, reject and close.
    pub(super) fn show(self) -> NonNull<Object<K, Connector<K>>> {
        ManuallyDrop::new(self).0
    }
}

impl<K: Kernel> Drop for ConnectRequest<K> {
    fn drop(&mut self) {
        // SAFETY: no consumer has it, so it is the connect request's to close.
        unsafe { Object::close(self.0, None, core::ptr::null_mut()) };
    }
}

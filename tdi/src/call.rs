//! Calls of a client's handlers, which the files that they concern count.

#![forbid(unsafe_code)]

use crate::slab::Id;

/// A handler that runs or is about to: no handler can be called without one. Each file whose context the handler gets
/// counts it: the address, where it was registered, and, if `C` is a
/// [`ConnectionContext`](crate::ea::ConnectionContext), the endpoint. It begins under the lock under which the call
/// is decided, and lasts until `Transport::over`.
#[must_use = "the cleanup of each file that it concerns waits until it is over"]
pub(crate) struct Call<C> {
    address: Id,
    endpoint: Option<Id>,
    context: C,
}

impl<C> Call<C> {
    /// A call of a handler, of the files that count it.
    pub(crate) const fn new(address: Id, endpoint: Option<Id>, context: C) -> Self {
        Self { address, endpoint, context }
    }

    /// The files that count it: the address, and the endpoint if it concerns one.
    pub(crate) fn into_files(self) -> (Id, Option<Id>) {
        (self.address, self.endpoint)
    }
}

impl<C: Copy> Call<C> {
    /// The context that the handler gets besides its own.
    pub(crate) const fn context(&self) -> C {
        self.context
    }
}

//! The close of a socket.
//!
//! Once, asynchronous, also inside an event of the socket, and when no call of its functions is in progress
//! (WSK-3, WSK-6): the last pin makes it
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_close_socket>). Pending requests are
//! completed by it. Bytes that are not sent are dropped, unless both streams have ended.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use provider::rundown::Drain;

use super::irp::{Completion, Outcome};
use super::option;
use super::socket::{Owner, Socket};

/// The close of a socket that is due once it is not pinned.
pub(super) struct Closing<O: Owner>(pub(super) NonNull<Socket<O>>);

// SAFETY: the socket may be used on any thread, and lives until its close is complete.
unsafe impl<O: Owner> Send for Closing<O> {}
// SAFETY: as above.
unsafe impl<O: Owner> Sync for Closing<O> {}

impl<O: Owner> Drain for Closing<O> {
    fn drained(self) {
        // SAFETY: the socket's own count is not given back before this.
        let socket = unsafe { self.0.as_ref() };
        let Some(place) = NonNull::new(socket.place.load(Ordering::Acquire)) else {
            // SAFETY: the socket's own count, which ends here as there is no socket.
            return unsafe { Socket::release(self.0) };
        };
        // SAFETY: the socket is not pinned any more, and this is its one close.
        let Some(close) = (unsafe { option::basic(place) }).WskCloseSocket else { return };
        // SAFETY: the request was made ready with the socket, is used here only, and the socket counted until it is complete.
        let irp = unsafe { socket.close.pass(self.0) };
        // SAFETY: no call of the socket's functions is in progress, and none follows.
        let _completed_by_its_routine = unsafe { close(place.as_ptr(), irp) };
    }
}

/// The completion of a close: the last that happens to a socket.
pub(super) struct Closed;

impl<O: Owner> Completion<Socket<O>> for Closed {
    unsafe fn complete(subject: NonNull<Socket<O>>, _: Outcome) {
        // SAFETY: the socket's own count.
        unsafe { Socket::release(subject) };
    }
}

impl<O: Owner> Socket<O> {
    /// Has the socket closed as soon as it is not pinned. As often as one likes. Up to DISPATCH_LEVEL.
    pub(super) fn end(&self) {
        if let Some(closing) = self.rundown.close() {
            closing.drained();
        }
    }
}

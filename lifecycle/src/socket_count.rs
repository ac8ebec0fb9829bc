//! The things that refer to a socket until its last call up.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};

/// Counts the socket itself, until its close is complete; its setup; and every request that is with the network. What ends
/// the last of them ends the socket, once. Up to any level.
#[derive(Debug)]
pub struct SocketCount(AtomicU32);

impl SocketCount {
    /// That of a socket which has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The socket begins: it and its setup are counted. No thread has the socket yet.
    pub fn begin(&self) {
        self.0.store(2, Ordering::Relaxed);
    }

    /// Counts a request, until [`SocketCount::release`]. Returns false if the socket has ended, or has not begun: a caller
    /// of the user's may come behind its last call up, and what ended once is not to end again.
    #[must_use]
    pub fn acquire(&self) -> bool {
        // As many requests as overflow the count do not fit into memory.
        let more = |count: u32| count.checked_add(1).filter(|_| count != 0);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Ends what was counted. Returns true for the last of it: everything that the others did has happened before.
    #[must_use]
    pub fn release(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl Default for SocketCount {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn request_behind_the_end_is_not_counted() {
        let count = SocketCount::new();
        assert!(!count.acquire(), "it has not begun");
        count.begin();
        assert!(count.acquire());
        assert!(!count.release() && !count.release());
        assert!(count.release(), "the last one ends it");
        assert!(!count.acquire(), "it has ended, and would end a second time");
    }
}

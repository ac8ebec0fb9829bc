//! The sockets of an adapter, which its halt waits for.

/// Counts sockets from their beginning to the end of their close. An event, set and cleared as the changes say, is
/// signalled while there are none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gate {
    sockets: usize,
}

impl Gate {
    /// The number of sockets.
    #[must_use]
    pub const fn sockets(&self) -> usize {
        self.sockets
    }

    /// A socket begins: the event is to be cleared.
    pub const fn enter(&mut self) {
        self.sockets = self.sockets.saturating_add(1);
    }

    /// A socket is closed. Returns whether it was the last, and the event is to be signalled.
    #[must_use]
    pub const fn leave(&mut self) -> bool {
        self.sockets = self.sockets.saturating_sub(1);
        self.sockets == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn last_socket_that_leaves_opens_the_gate() {
        let mut gate = Gate::default();
        gate.enter();
        gate.enter();
        assert!(!gate.leave());
        assert_eq!(gate.sockets(), 1);
        assert!(gate.leave());
    }
}

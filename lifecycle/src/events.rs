//! Events to NDIS about an adapter, and the halt that ends them.

/// The state of the events about an adapter: each has begun before the halt, or never begins. One is raised at a time.
#[derive(Debug, PartialEq, Eq)]
pub enum Events {
    /// None is raised.
    Allowed,
    /// One is raised, and has not returned.
    Raised,
    /// The adapter is being halted, and NDIS is not to be called about it any more.
    Over,
}

impl Events {
    /// Returns whether the adapter is being halted.
    #[must_use]
    pub const fn are_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Begins an event; `false` if none may begin now.
    #[must_use]
    pub const fn begin(&mut self) -> bool {
        let begins = matches!(self, Self::Allowed);
        if begins {
            *self = Self::Raised;
        }
        begins
    }

    /// Ends the event, which has returned; the halt may have begun meanwhile.
    pub const fn end(&mut self) {
        if matches!(self, Self::Raised) {
            *self = Self::Allowed;
        }
    }

    /// Ends all events at the beginning of a halt.
    pub const fn end_all(&mut self) {
        *self = Self::Over;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn second_event_begins_when_the_first_has_returned() {
        let mut events = Events::Allowed;
        assert!(events.begin());
        assert!(!events.begin());
        events.end();
        assert!(events.begin());
    }

    #[test]
    fn event_after_the_halt_has_begun_never_begins() {
        let mut events = Events::Allowed;
        events.end_all();
        assert!(events.are_over() && !events.begin());
    }

    #[test]
    fn event_that_returns_during_the_halt_leaves_events_over() {
        let mut events = Events::Allowed;
        assert!(events.begin() && !events.are_over());
        events.end_all();
        events.end();
        assert!(events.are_over() && !events.begin());
    }
}

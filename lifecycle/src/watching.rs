//! A registration for changes, which is made while its end may come.

/// The state of a registration of type `W`. It is made without a lock, so that two threads may make one, and the end may
/// come in between.
#[derive(Debug, PartialEq, Eq)]
pub enum Watching<W> {
    /// None yet: it was not asked for, or could not be had.
    No,
    /// Registered.
    Yes(W),
    /// None any more: the subject goes.
    Over,
}

impl<W> Watching<W> {
    /// Returns whether a registration is to be made.
    #[must_use]
    pub const fn is_due(&self) -> bool {
        matches!(self, Self::No)
    }

    /// Keeps a registration that was made; returns it if it came too late, to be cancelled.
    #[must_use = "what comes too late is to be cancelled"]
    pub fn keep(&mut self, made: W) -> Option<W> {
        if !self.is_due() {
            return Some(made);
        }
        *self = Self::Yes(made);
        None
    }

    /// Ends the watch for good; returns the registration, to be cancelled.
    #[must_use = "the registration is to be cancelled"]
    pub fn end(&mut self) -> Option<W> {
        match core::mem::replace(self, Self::Over) {
            Self::Yes(made) => Some(made),
            Self::No | Self::Over => None,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn first_registration_is_kept_and_cancelled_at_the_end() {
        let mut watching = Watching::No;
        assert!(watching.is_due());
        assert_eq!(watching.keep(1), None);
        assert!(!watching.is_due());
        assert_eq!(watching.end(), Some(1));
        assert_eq!(watching.end(), None);
    }

    #[test]
    fn second_registration_is_returned_and_the_first_stays() {
        let mut watching = Watching::Yes(1);
        assert_eq!(watching.keep(2), Some(2));
        assert_eq!(watching, Watching::Yes(1));
    }

    #[test]
    fn registration_that_comes_after_the_end_is_returned() {
        let mut watching = Watching::No;
        assert_eq!(watching.end(), None);
        assert!(!watching.is_due());
        assert_eq!(watching.keep(1), Some(1));
        assert_eq!(watching, Watching::Over);
    }
}

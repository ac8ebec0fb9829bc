//! Work that runs once at a time, however often it is requested.

/// The state of a work item: it runs once at a time, and once more if it is requested while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// All that was requested is done.
    Idle,
    /// The item is queued, and will do all that was requested so far.
    Queued,
    /// The function runs.
    Running {
        /// Set if it has perhaps missed the latest request.
        requested: bool,
    },
}

impl Work {
    /// Sees to it that the function runs after now. Returns whether the item is to be queued.
    #[must_use]
    pub const fn request(&mut self) -> bool {
        let queue = matches!(self, Self::Idle);
        *self = match self {
            Self::Idle | Self::Queued => Self::Queued,
            Self::Running { .. } => Self::Running { requested: true },
        };
        queue
    }

    /// Begins a run, which does all that was requested before.
    pub const fn begin(&mut self) {
        *self = Self::Running { requested: false };
    }

    /// Ends a run. Returns whether all is done; otherwise another run is to begin.
    #[must_use]
    pub const fn end(&mut self) -> bool {
        let done = !matches!(self, Self::Running { requested: true });
        if done {
            *self = Self::Idle;
        }
        done
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn item_that_is_queued_is_not_queued_again() {
        let mut work = Work::Idle;
        assert!(work.request());
        assert!(!work.request());
        work.begin();
        assert!(work.end());
        assert_eq!(work, Work::Idle);
    }

    #[test]
    fn request_during_a_run_leads_to_one_more_run() {
        let mut work = Work::Idle;
        assert!(work.request());
        work.begin();
        assert!(!work.request() && !work.request(), "the item runs, and may not be queued");
        assert!(!work.end());
        work.begin();
        assert!(work.end());
        assert!(work.request(), "it is idle");
    }
}

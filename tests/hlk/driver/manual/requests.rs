//! The requests of one queue, whose results are taken in the order in which they were posted.

use core::ffi::c_void;

use protocol::MANUAL_DEPTH;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_IO_TIMEOUT, STATUS_SUCCESS};

use crate::number::usize_from;
use crate::test_context::TestContext;
use crate::work::Work;

const DEPTH: usize = usize_from(MANUAL_DEPTH);

/// Records of requests, used one after the other. `posted` and `taken` only grow.
pub(super) struct Requests<'l> {
    works: [&'l Work; DEPTH],
    posted: usize,
    taken: usize,
}

impl<'l> Requests<'l> {
    pub(super) fn new(test: &TestContext<'l>, step: &'static str) -> Result<Self, NTSTATUS> {
        let mut works = [test.work(step)?; DEPTH];
        for work in works.iter_mut().skip(1) {
            *work = test.work(step)?;
        }
        Ok(Self { works, posted: 0, taken: 0 })
    }

    fn record(&self, number: usize) -> Option<&'l Work> {
        self.works.get(number.checked_rem(DEPTH)?).copied()
    }

    /// Posts a request by `post`, which gets its context.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` if results of so many are not taken, or the status of the post.
    pub(super) fn post(&mut self, post: impl FnOnce(*mut c_void) -> NTSTATUS) -> Result<(), NTSTATUS> {
        let free = self.posted.saturating_sub(self.taken) < DEPTH;
        let work = self.record(self.posted).filter(|_| free).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        work.reset();
        match post(work.context()) {
            STATUS_SUCCESS => {
                self.posted = self.posted.saturating_add(1);
                Ok(())
            }
            refused => Err(refused),
        }
    }

    /// The request whose result is taken next.
    pub(super) fn oldest(&self) -> Option<&'l Work> {
        if self.taken < self.posted { self.record(self.taken) } else { None }
    }

    /// Takes the result of the oldest request, which is this, unless it has none yet.
    ///
    /// # Errors
    /// The status, unless it is success.
    pub(super) fn take_unless_late(&mut self, status: NTSTATUS) -> Result<(), NTSTATUS> {
        if status != STATUS_IO_TIMEOUT {
            self.taken = self.taken.saturating_add(1);
        }
        if status == STATUS_SUCCESS { Ok(()) } else { Err(status) }
    }
}

//! The stress run: many connections with traffic, closed in the middle of it.
//!
//! A [`Group`] has a listener and many connections; each of its two sides has a CQ, and is driven by a thread
//! of the runner's ([`side`]), which keeps requests of every kind in flight on every [`StressEndpoint`] of its side.
//! When a side is stopped, its threads close what they drove with all of that in flight. The other side may
//! go on, and sees its connections break.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

mod endpoint;
mod group;
mod side;

use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::{GroupReport, Level, OpenReport, Outcome, Side, SideReport, StressCounters, StressRequest};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use self::group::Group;
use crate::heap::{List, try_box};
use crate::number::usize_from;
use crate::slot::Content;
use crate::test_context::{TestContext, TestState};

/// A stress run.
pub(crate) struct Stress {
    /// The state that the groups borrow from. Taken back and freed by [`Stress::close`].
    test_state: &'static TestState,
    test: TestContext<'static>,
    /// The number of connections of each group.
    connections: u32,
    groups: List<Group>,
    state: StressState,
}

/// The state that the threads of a stress run share.
struct StressState {
    /// Memory may run out.
    shortage: bool,
    stopping: [AtomicBool; 2],
    results: AtomicU64,
}

impl StressState {
    /// Returns whether this side is to be closed.
    fn is_stopping(&self, side: Side) -> bool {
        let [near, far] = &self.stopping;
        let side = match side {
            Side::Near => near,
            Side::Far => far,
        };
        side.load(Ordering::Acquire)
    }

    /// Counts results that were polled.
    fn count(&self, results: u64) {
        self.results.fetch_add(results, Ordering::Relaxed);
    }

    /// Returns whether requests must succeed: no side is being closed, and memory does not run out.
    fn must_succeed(&self) -> bool {
        !self.shortage && !self.is_stopping(Side::Near) && !self.is_stopping(Side::Far)
    }
}

/// One thread's drive: its side, its group and its method.
pub(crate) struct Drive {
    pub(crate) group: u32,
    pub(crate) side: Side,
    pub(crate) level: Level,
    pub(crate) seed: u32,
}

impl Stress {
    /// Opens both adapters. The report says how it went; there is a stress run only after success.
    pub(crate) fn open(request: &StressRequest) -> Result<(Option<Box<Self>>, Box<OpenReport>), NTSTATUS> {
        let mut report = try_box(OpenReport { status: STATUS_SUCCESS, outcome: Outcome::NONE })?;
        let test_state: *mut TestState = Box::into_raw(TestState::set_up(Level::Passive)?);
        // SAFETY: the box was just leaked, and is only taken back when nothing borrows from it any more.
        let test: &'static TestState = unsafe { &*test_state };
        match Self::prepare(test, request) {
            Ok(stress) => Ok((Some(stress), report)),
            Err(status) => {
                report.status = status;
                // SAFETY: the box was leaked above, and the failed attempt has dropped its handles.
                report.outcome = *unsafe { Box::from_raw(test_state) }.take_down()?;
                Ok((None, report))
            }
        }
    }

    fn prepare(test_state: &'static TestState, request: &StressRequest) -> Result<Box<Self>, NTSTATUS> {
        let test = TestContext::open(test_state, request.near, request.far)?;
        let state = StressState {
            shortage: request.shortage != 0,
            stopping: [AtomicBool::new(false), AtomicBool::new(false)],
            results: AtomicU64::new(0),
        };
        try_box(Self { test_state, test, connections: request.connections, groups: List::new(), state })
    }

    /// Connects a group; to be called once for each.
    pub(crate) fn connect(&self, number: u32) -> Result<GroupReport, NTSTATUS> {
        let (group, report) = Group::connect(&self.test, number, self.connections)?;
        self.groups.push(group)?;
        Ok(report)
    }

    /// Drives one side of a group until it is closed.
    pub(crate) fn drive(&self, drive: &Drive) -> Result<SideReport, NTSTATUS> {
        side::drive(self.group(drive.group)?, drive, &self.state)
    }

    fn group(&self, number: u32) -> Result<&Group, NTSTATUS> {
        self.groups.iter().find(|group| group.number == number).ok_or(STATUS_INVALID_PARAMETER)
    }

    /// The counters up to now.
    pub(crate) fn counters(&self) -> StressCounters {
        StressCounters { results: self.state.results.load(Ordering::Relaxed) }
    }

    /// Tells the threads that drive this side to close it.
    pub(crate) fn stop_side(&self, side: Side) {
        if let Some(stopping) = self.state.stopping.get(usize_from(side.code())) {
            stopping.store(true, Ordering::Release);
        }
    }

    /// Closes the rest of this side, whose threads have ended, and its adapter.
    pub(crate) fn close_adapter(&self, side: Side) -> Result<(), NTSTATUS> {
        let adapter = match side {
            Side::Near => self.test.near,
            Side::Far => self.test.far,
        };
        self.test_state.close_adapter(adapter)
    }

    /// Closes whatever is open and audits all that happened.
    pub(crate) fn close(self: Box<Self>) -> Result<Box<Outcome>, NTSTATUS> {
        let test_state: *const TestState = self.test_state;
        drop(self);
        // SAFETY: the box was leaked by `open`, and the stress run that borrowed from it is dropped.
        unsafe { Box::from_raw(test_state.cast_mut()) }.take_down()
    }
}

impl Content for Stress {
    fn abandon(self: Box<Self>) {
        // No request is left that asks for the outcome of the closes.
        let _ = self.close();
    }
}

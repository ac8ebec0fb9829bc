//! The manual end: a QP that does step by step what the runner says, so that its peer may be a program of another author
//! with a protocol of its own.

#![expect(unsafe_code, reason = "the state of an end is borrowed from an address")]

mod memory;
mod requests;
mod stage;

use alloc::boxed::Box;

use protocol::{INVALIDATES, Level, MANUAL_DEPTH, SOLICITS};
use protocol::{ManualRequest, OpenReport, Outcome, PartRequest, Step, StepReport, StepRequest};
use sys::ndk::NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT;
use sys::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};

use self::memory::Memories;
use self::requests::Requests;
use self::stage::Stage;
use crate::heap::try_box;
use crate::ndk::{QpDepths, Remote};
use crate::pair::QpSet;
use crate::slot::Content;
use crate::test_context::{TestContext, TestState};
use crate::work::{Poll, Work};

/// An end, and how far it has come.
pub(crate) struct Manual {
    /// The state that the handles below borrow from. Taken back and freed by [`Manual::close`].
    test_state: &'static TestState,
    test: TestContext<'static>,
    queues: QpSet<'static>,
    initiated: Requests<'static>,
    received: Requests<'static>,
    memories: Memories<'static>,
    stage: Stage<'static>,
}

impl Manual {
    /// Opens the adapter and makes the queues. The report says how it went; there is an end only after success.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` if not even the report can be made.
    pub(crate) fn open(request: &ManualRequest) -> Result<(Option<Box<Self>>, Box<OpenReport>), NTSTATUS> {
        let mut report = try_box(OpenReport { status: STATUS_SUCCESS, outcome: Outcome::NONE })?;
        let test_state: *mut TestState = Box::into_raw(TestState::set_up(Level::Passive)?);
        // SAFETY: the box was just leaked, and is only taken back when nothing borrows from it any more.
        let lent: &'static TestState = unsafe { &*test_state };
        match Self::make(lent, request) {
            Ok(manual) => Ok((Some(manual), report)),
            Err(status) => {
                // SAFETY: the box was leaked above, and the failed attempt has dropped its handles.
                report.outcome = *unsafe { Box::from_raw(test_state) }.take_down()?;
                report.status = status;
                Ok((None, report))
            }
        }
    }

    fn make(test_state: &'static TestState, request: &ManualRequest) -> Result<Box<Self>, NTSTATUS> {
        let test = TestContext::alone(test_state, request.own)?;
        let depths = QpDepths { receive: MANUAL_DEPTH, initiator: MANUAL_DEPTH, ..QpDepths::SMALL };
        try_box(Self {
            test_state,
            test,
            queues: QpSet::on(test.near, depths)?,
            initiated: Requests::new(&test, "send, write or read")?,
            received: Requests::new(&test, "receive")?,
            memories: Memories::none(),
            stage: Stage::Made,
        })
    }

    /// Does a step.
    pub(crate) fn step(&mut self, request: &StepRequest) -> StepReport {
        let mut report = StepReport::new(STATUS_SUCCESS);
        if let Err(status) = self.try_step(request, &mut report) {
            report.status = status;
        }
        report
    }

    fn try_step(&mut self, request: &StepRequest, report: &mut StepReport) -> Result<(), NTSTATUS> {
        let (test, queues) = (&self.test, self.queues);
        match Step::try_from(request.step).map_err(|_| STATUS_INVALID_PARAMETER)? {
            Step::Memory => self.memories.add(test, &queues, request, report),
            Step::Connect => self.stage.connect(test, &queues, request, report),
            Step::Listen => self.stage.listen(test, report),
            Step::Accept => self.stage.accept(test, &queues, request, report),
            Step::Receive => {
                let sge = self.memories.part(request)?;
                self.received.post(|work| queues.qp.receive(work, &[sge]))
            }
            Step::Send => {
                let sge = self.memories.part(request)?;
                let solicits = request.flags & SOLICITS != 0;
                let flags = if solicits { NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT } else { 0 };
                self.initiated.post(|work| {
                    if request.flags & INVALIDATES == 0 {
                        queues.qp.send(work, &[sge], flags)
                    } else {
                        queues.qp.send_and_invalidate(work, &[sge], flags, request.token)
                    }
                })
            }
            Step::Write => {
                let sge = self.memories.part(request)?;
                self.initiated.post(|work| queues.qp.write(work, &[sge], remote(request), 0))
            }
            Step::Read => {
                let sge = self.memories.part(request)?;
                self.initiated.post(|work| queues.qp.read(work, &[sge], remote(request), 0))
            }
            Step::Await => {
                let oldest = self.initiated.oldest().ok_or(STATUS_INVALID_DEVICE_STATE)?;
                let status = self.result(oldest, report);
                self.initiated.take_unless_late(status)
            }
            Step::AwaitReceive => {
                let oldest = self.received.oldest().ok_or(STATUS_INVALID_DEVICE_STATE)?;
                let status = self.result(oldest, report);
                self.received.take_unless_late(status)
            }
            Step::Disconnect => self.stage.disconnect(),
            Step::AwaitDisconnect => match self.stage.peer_leaves(request.milliseconds)? {
                true => Ok(()),
                false => Err(STATUS_IO_TIMEOUT),
            },
        }
    }

    /// Waits for the result of a request; the report gets what it tells.
    fn result(&self, work: &Work, report: &mut StepReport) -> NTSTATUS {
        let status = self.queues.cq.wait_unless(Poll::Extended, work, || self.stage.peer_has_gone());
        report.length = work.bytes();
        (report.invalidated, report.token) = work.invalidated().map_or((0, 0), |token| (1, token));
        status
    }

    /// Copies bytes into a memory.
    ///
    /// # Errors
    /// `STATUS_INVALID_PARAMETER` if they do not lie in one.
    pub(crate) fn put(&mut self, part: &PartRequest, bytes: &[u8]) -> Result<(), NTSTATUS> {
        self.memories.at(part.memory, part.offset, bytes.len())?.put_at(part.offset, bytes);
        Ok(())
    }

    /// Copies bytes out of a memory.
    ///
    /// # Errors
    /// `STATUS_INVALID_PARAMETER` if they do not lie in one.
    pub(crate) fn get(&mut self, part: &PartRequest, bytes: &mut [u8]) -> Result<(), NTSTATUS> {
        self.memories.at(part.memory, part.offset, bytes.len())?.take_at(part.offset, bytes);
        Ok(())
    }

    /// Closes everything. A connection that is there is disconnected.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` if there is no memory for the outcome.
    pub(crate) fn close(mut self: Box<Self>) -> Result<Box<Outcome>, NTSTATUS> {
        // There may be no connection, or none any more; the closes end what is left.
        let _ = self.stage.disconnect();
        let test_state: *const TestState = self.test_state;
        drop(self);
        // SAFETY: the box was leaked by `open`, and the end that borrowed from it is dropped.
        unsafe { Box::from_raw(test_state.cast_mut()) }.take_down()
    }
}

impl Content for Manual {
    /// Drops the outcome of the closes: no request asks for it.
    fn abandon(self: Box<Self>) {
        let _ = self.close();
    }
}

/// The place in the memory of the peer that a step names.
const fn remote(request: &StepRequest) -> Remote {
    Remote { address: request.address, token: request.token }
}

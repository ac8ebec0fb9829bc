//! Measuring a provider: loops that do nothing but call it, and take the time.
//!
//! Nothing here keeps records of calls, as the call log does for what is verified. What is allocated is
//! allocated before the clock runs, so that a count of allocations around a measure is the provider's.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

mod bulk;
mod clock;
mod flow;
mod ping_pong;
mod pool;
mod samples;
mod transfer;

use alloc::boxed::Box;

use protocol::{
    FlowReport, FlowRequest, Kind, Level, MEASURE_DEPTH, MEASURE_LENGTH, Measure, MeasureRequest,
    MeasuringRequest, Outcome,
};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER};

use self::bulk::{Bulk, Closes};
use self::clock::Moment;
pub(crate) use self::samples::Samples;
use self::transfer::Link;
use crate::heap::try_box;
use crate::slot::Content;
use crate::test_context::{TestContext, TestState};

/// Two connected ends, and the objects that are only there to be counted.
pub(crate) struct Measuring {
    /// The state that the link borrows from. Taken back and freed by [`Measuring::close`].
    test_state: &'static TestState,
    test: TestContext<'static>,
    link: Link<'static>,
    bulk: Option<Bulk>,
    closes: Box<Closes>,
}

impl Measuring {
    /// Opens both adapters and connects them.
    ///
    /// # Errors
    /// The status with which that failed; everything is closed again then.
    pub(crate) fn open(request: &MeasuringRequest) -> Result<Box<Self>, NTSTATUS> {
        let test_state: *mut TestState = Box::into_raw(TestState::set_up(Level::Passive)?);
        // SAFETY: the box was just leaked, and is only taken back when nothing borrows from it any more.
        let lent: &'static TestState = unsafe { &*test_state };
        let opened = TestContext::open(lent, request.near, request.far).and_then(|test| {
            let link = Link::connect(&test)?;
            try_box(Self { test_state: lent, test, link, bulk: None, closes: Closes::new()? })
        });
        opened.inspect_err(|_| {
            // SAFETY: the box was leaked above, and the failed attempt has dropped what borrowed from it.
            let _ = unsafe { Box::from_raw(test_state) }.take_down();
        })
    }

    /// Takes samples; says how many bytes they fill.
    ///
    /// # Errors
    /// `STATUS_INVALID_PARAMETER`, or the status with which what is measured failed.
    pub(crate) fn measure(
        &mut self,
        request: &MeasureRequest,
        mut samples: Samples,
    ) -> Result<usize, NTSTATUS> {
        let measure = Measure::try_from(request.measure).map_err(|_| STATUS_INVALID_PARAMETER)?;
        let MeasureRequest { length, depth, .. } = *request;
        if !(1..=MEASURE_LENGTH).contains(&length) || !(1..=MEASURE_DEPTH).contains(&depth) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let began = Moment::now();
        match measure {
            Measure::Copy | Measure::Send | Measure::Write | Measure::Read => {
                self.link.transfer(measure, (length, depth), &mut samples)?;
            }
            Measure::CacheLine => ping_pong::cache_line(&mut samples)?,
            Measure::Exchange => ping_pong::exchange(&self.link, length, &mut samples)?,
            Measure::Notification => self.link.notified(length, &mut samples)?,
            Measure::Pool => pool::blocks(length, &mut samples)?,
            Measure::Create => {
                self.end_herd();
                let kind = Kind::from(request.kind);
                self.bulk = Some(Bulk::create(&self.test, kind, &mut samples, &self.closes)?);
            }
            Measure::Close | Measure::CloseUnder => {
                let bulk = self.bulk.take().ok_or(STATUS_INVALID_PARAMETER)?;
                bulk.close(&mut samples, measure == Measure::CloseUnder, &self.closes);
            }
        }
        Ok(samples.finish(began.cycles_per_second()))
    }

    /// Lets bytes flow from the near end to the far one.
    ///
    /// # Errors
    /// `STATUS_INVALID_PARAMETER`, or the status with which an operation failed.
    pub(crate) fn flow(&mut self, request: &FlowRequest) -> Result<FlowReport, NTSTATUS> {
        flow::flow(&self.link, request)
    }

    fn end_herd(&mut self) {
        if let Some(bulk) = self.bulk.take() {
            bulk.end(&self.closes);
        }
    }

    /// Closes everything.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` if there is no memory for the outcome.
    pub(crate) fn close(mut self: Box<Self>) -> Result<Box<Outcome>, NTSTATUS> {
        self.end_herd();
        let Self { test_state, closes, .. } = *self;
        let test_state: *const TestState = test_state;
        // SAFETY: the box was leaked by `open`, and what borrowed from it is dropped.
        let outcome = unsafe { Box::from_raw(test_state.cast_mut()) }.take_down();
        // Only now have all close completions returned.
        drop(closes);
        outcome
    }
}

impl Content for Measuring {
    /// Drops the outcome of the closes: no request asks for it.
    fn abandon(self: Box<Self>) {
        let _ = self.close();
    }
}

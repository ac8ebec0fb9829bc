//! Flows: operations one behind the other, some of them outstanding all the time. Each end has a thread, which sleeps
//! until its CQ notifies where there is no result: over TCP other threads move the bytes, and want the processors.

use core::ptr::null_mut;

use protocol::{Flow, FlowReport, FlowRequest, MEASURE_DEPTH, MEASURE_LENGTH};
use sys::ndk::{NDK_CQ_NOTIFY_ANY, NDK_OP_FLAG_DEFER};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT, STATUS_UNSUCCESSFUL};

use super::transfer::{End, Link, Results, check};
use crate::call_log::WAIT_TIMEOUT;
use crate::kernel;

/// Bytes of the message that says that all is written.
const NOTICE: u32 = 64;

/// The value of every byte that flows.
const SENT: u8 = 0x5A;

/// Lets bytes flow, and checks that the last operation's are there.
///
/// # Errors
/// `STATUS_INVALID_PARAMETER`; what an operation failed with; `STATUS_UNSUCCESSFUL` if other bytes arrived.
pub(super) fn flow(link: &Link<'_>, request: &FlowRequest) -> Result<FlowReport, NTSTATUS> {
    let flow = Flow::try_from(request.flow).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let FlowRequest { length, outstanding, count, .. } = *request;
    if !(1..=MEASURE_LENGTH).contains(&length) || !(1..=MEASURE_DEPTH / 2).contains(&outstanding) {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let Link { near, far } = link;
    near.buffer.fill(SENT, length);
    far.buffer.fill(!SENT, length);
    let run = Run { length, outstanding, count };
    let ticks = match flow {
        Flow::Send => {
            let receives = run.with(outstanding.saturating_mul(2));
            received(far, &receives, || run.over(near, |flags| near.send(length, flags)))?
        }
        Flow::Write => {
            let notice = Run { length: NOTICE, outstanding: 1, count: 1 };
            received(far, &notice, || {
                let (qp, from) = (near.qp_set.qp, [near.sge(length)]);
                run.over(near, |flags| check(qp.write(null_mut(), &from, far.remote(), flags)))?;
                notice.over(near, |flags| near.send(NOTICE, flags))
            })?
        }
        Flow::Read => {
            let began = kernel::ticks();
            let (qp, to) = (far.qp_set.qp, [far.sge(length)]);
            run.over(far, |flags| check(qp.read(null_mut(), &to, near.remote(), flags)))?;
            kernel::ticks().saturating_sub(began)
        }
    };
    if far.buffer.holds(SENT, length) {
        Ok(FlowReport { ticks, frequency: kernel::frequency() })
    } else {
        Err(STATUS_UNSUCCESSFUL)
    }
}

/// Operations of one kind.
#[derive(Clone, Copy)]
struct Run {
    length: u32,
    outstanding: u32,
    count: u32,
}

impl Run {
    /// As many operations, of which more are outstanding.
    const fn with(self, outstanding: u32) -> Self {
        Self { outstanding, ..self }
    }

    /// Posts as many operations as may be outstanding: all but the last with the flag that says that more follows.
    fn fill(
        &self,
        posted: &mut u32,
        done: u32,
        post: &impl Fn(u32) -> Result<(), NTSTATUS>,
    ) -> Result<(), NTSTATUS> {
        let last = done.saturating_add(self.outstanding).min(self.count);
        while *posted < last {
            *posted = posted.saturating_add(1);
            post(if *posted < last { NDK_OP_FLAG_DEFER } else { 0 })?;
        }
        Ok(())
    }

    /// Posts all operations at an end, and takes their results.
    fn over(&self, end: &End<'_>, post: impl Fn(u32) -> Result<(), NTSTATUS>) -> Result<(), NTSTATUS> {
        self.from(end, 0, post)
    }

    /// The same, where so many are posted already.
    fn from(
        &self,
        end: &End<'_>,
        mut posted: u32,
        post: impl Fn(u32) -> Result<(), NTSTATUS>,
    ) -> Result<(), NTSTATUS> {
        let (mut done, mut results) = (0_u32, Results::new());
        while done < self.count {
            self.fill(&mut posted, done, &post)?;
            done = done.saturating_add(some_results(end, &mut results, self.length)?);
        }
        Ok(())
    }
}

/// Posts the receives, has `moves` run beside them, and says how long it took until the last of them had its result.
fn received(
    end: &End<'_>,
    receives: &Run,
    moves: impl FnOnce() -> Result<(), NTSTATUS>,
) -> Result<u64, NTSTATUS> {
    let post = |_| end.receive(receives.length);
    let mut posted = 0;
    receives.fill(&mut posted, 0, &post)?;
    let (mut all, mut ended) = (Err(STATUS_UNSUCCESSFUL), 0);
    let (began, moved) = kernel::beside(
        || {
            all = receives.from(end, posted, post);
            ended = kernel::ticks();
        },
        || (kernel::ticks(), moves()),
    )?;
    all.and(moved).map(|()| ended.saturating_sub(began))
}

/// Takes results, at least one: sleeps until there is one.
fn some_results(end: &End<'_>, results: &mut Results, length: u32) -> Result<u32, NTSTATUS> {
    let cq = end.qp_set.cq;
    loop {
        let taken = results.take(cq, length)?;
        if taken != 0 {
            return Ok(taken);
        }
        cq.arm(NDK_CQ_NOTIFY_ANY);
        // A result may have come before the arm.
        let taken = results.take(cq, length)?;
        if taken != 0 {
            return Ok(taken);
        }
        if !cq.object().event_within(WAIT_TIMEOUT) {
            return Err(STATUS_IO_TIMEOUT);
        }
    }
}

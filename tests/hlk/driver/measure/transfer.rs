//! A connection, and moving data over it from one thread that drives both ends.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use core::ptr::null_mut;

use protocol::{MEASURE_DEPTH, MEASURE_LENGTH, Measure};
use sys::ndk::{
    NDK_ADAPTER, NDK_CQ, NDK_CQ_NOTIFY_ANY, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ,
    NDK_MR_FLAG_ALLOW_REMOTE_WRITE, NDK_RESULT, NDK_SGE,
};
use sys::status::{
    NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT, STATUS_SUCCESS, STATUS_UNSUCCESSFUL,
};

use super::Samples;
use crate::buffer::Buffer;
use crate::call_log::WAIT_TIMEOUT;
use crate::kernel;
use crate::ndk::{Handle, Inside, QpDepths, Remote, sge};
use crate::number::{u64_from, usize_from};
use crate::pair::{self, QpSet};
use crate::test_context::TestContext;

/// The number of results that are polled at once.
const BATCH: usize = 16;

/// Room for the results of one poll. A loop keeps it from one poll to the next: clearing it each time would be measured
/// with the provider.
pub(super) struct Results([NDK_RESULT; BATCH]);

impl Results {
    /// Cleared.
    pub(super) const fn new() -> Self {
        const EMPTY: NDK_RESULT =
            NDK_RESULT { Status: 0, BytesTransferred: 0, QPContext: null_mut(), RequestContext: null_mut() };
        Self([EMPTY; BATCH])
    }

    /// Polls once. Says how many results there were, all of which have to be successes that moved `length` bytes.
    ///
    /// # Errors
    /// The status of a failure; `STATUS_UNSUCCESSFUL` for another length.
    pub(super) fn take(&mut self, cq: Handle<'_, NDK_CQ>, length: u32) -> Result<u32, NTSTATUS> {
        let taken = cq.poll(&mut self.0);
        for result in self.0.iter().take(taken) {
            check(result.Status)?;
            if result.BytesTransferred != length {
                return Err(STATUS_UNSUCCESSFUL);
            }
        }
        u32::try_from(taken).map_err(|_| STATUS_UNSUCCESSFUL)
    }
}

/// Bytes of an end's buffer. What a message is received into, or compared with a copy from, is in the first half. What
/// an answer is sent from is in the second, so that no end sends from a cache line that the other has just written.
const BUFFER: u32 = MEASURE_LENGTH * 2;

/// One end: its queues and its buffer.
pub(super) struct End<'l> {
    pub(super) qp_set: QpSet<'l>,
    pub(super) buffer: &'l Buffer,
    local_token: u32,
    remote_token: u32,
}

impl<'l> End<'l> {
    fn on(test: &TestContext<'l>, adapter: Handle<'l, NDK_ADAPTER>) -> Result<Self, NTSTATUS> {
        const ACCESS: u32 =
            NDK_MR_FLAG_ALLOW_LOCAL_WRITE | NDK_MR_FLAG_ALLOW_REMOTE_READ | NDK_MR_FLAG_ALLOW_REMOTE_WRITE;
        let depths = QpDepths { receive: MEASURE_DEPTH, initiator: MEASURE_DEPTH, ..QpDepths::SMALL };
        let qp_set = QpSet::on(adapter, depths)?;
        let buffer = test.buffer(BUFFER)?;
        qp_set.mr.register(buffer.mdl(), BUFFER, ACCESS, Inside::Nothing)?.wait()?;
        let (local_token, remote_token) = (qp_set.mr.local_token(), qp_set.mr.remote_token());
        Ok(Self { qp_set, buffer, local_token, remote_token })
    }

    /// The first `length` bytes of the buffer, for use on this side.
    pub(super) fn sge(&self, length: u32) -> NDK_SGE {
        sge(self.buffer.address(0), length, self.local_token)
    }

    pub(super) fn remote(&self) -> Remote {
        Remote { address: u64_from(self.buffer.address(0)), token: self.remote_token }
    }

    pub(super) fn receive(&self, length: u32) -> Result<(), NTSTATUS> {
        check(self.qp_set.qp.receive(null_mut(), &[self.sge(length)]))
    }

    pub(super) fn send(&self, length: u32, flags: u32) -> Result<(), NTSTATUS> {
        check(self.qp_set.qp.send(null_mut(), &[self.sge(length)], flags))
    }

    /// Sends from the half of the buffer into which nothing is received.
    pub(super) fn answer(&self, length: u32, flags: u32) -> Result<(), NTSTATUS> {
        let from = sge(self.buffer.address(MEASURE_LENGTH), length, self.local_token);
        check(self.qp_set.qp.send(null_mut(), &[from], flags))
    }

    /// Polls until it has `count` results, all of them successes that moved `length` bytes, or until
    /// `abandoned` says so.
    pub(super) fn results(
        &self,
        Results(results): &mut Results,
        (count, length): (u32, u32),
        abandoned: impl Fn() -> bool,
    ) -> Result<(), NTSTATUS> {
        /// Empty polls after which the time is looked at.
        const EMPTY_POLLS: u32 = 1 << 16;
        let (mut left, mut empty, mut deadline) = (usize_from(count), 0_u32, None);
        while left != 0 {
            let room = left.min(BATCH);
            let taken = results.get_mut(..room).map_or(0, |results| self.qp_set.cq.poll(results));
            for result in results.iter().take(taken) {
                check(result.Status)?;
                if result.BytesTransferred != length {
                    return Err(STATUS_UNSUCCESSFUL);
                }
            }
            left = left.saturating_sub(taken);
            if taken != 0 {
                continue;
            }
            empty = empty.wrapping_add(1);
            if empty.is_multiple_of(EMPTY_POLLS) {
                let now = kernel::ticks();
                let timeout = kernel::frequency().saturating_mul(u64::from(WAIT_TIMEOUT)) / 1000;
                if now > *deadline.get_or_insert(now.saturating_add(timeout)) || abandoned() {
                    return Err(STATUS_IO_TIMEOUT);
                }
            }
        }
        Ok(())
    }
}

/// Two connected ends.
pub(super) struct Link<'l> {
    pub(super) near: End<'l>,
    pub(super) far: End<'l>,
}

impl<'l> Link<'l> {
    pub(super) fn connect(test: &TestContext<'l>) -> Result<Self, NTSTATUS> {
        let near = End::on(test, test.near)?;
        let far = End::on(test, test.far)?;
        pair::connect(test, near.qp_set.qp, far.qp_set.qp, b"near", b"far")?;
        Ok(Self { near, far })
    }

    /// Sends `length` bytes and sleeps until the sender's CQ notifies.
    ///
    /// # Errors
    /// What an operation failed with; `STATUS_IO_TIMEOUT` if no notification comes.
    pub(super) fn notified(&self, length: u32, samples: &mut Samples) -> Result<(), NTSTATUS> {
        let Self { near, far } = self;
        let (mut results, never) = (Results::new(), || false);
        samples.repeat(|| {
            far.receive(length)?;
            near.qp_set.cq.arm(NDK_CQ_NOTIFY_ANY);
            near.send(length, 0)?;
            if !near.qp_set.cq.object().event_within(WAIT_TIMEOUT) {
                return Err(STATUS_IO_TIMEOUT);
            }
            near.results(&mut results, (1, length), never)?;
            far.results(&mut results, (1, length), never)
        })
    }

    /// Moves the near buffer's first bytes into the far one's, again and again, and checks that they are
    /// there in the end.
    ///
    /// # Errors
    /// What an operation failed with; `STATUS_UNSUCCESSFUL` if other bytes arrived.
    pub(super) fn transfer(
        &self,
        measure: Measure,
        (length, depth): (u32, u32),
        samples: &mut Samples,
    ) -> Result<(), NTSTATUS> {
        const SENT: u8 = 0x5A;
        let Self { near, far } = self;
        near.buffer.fill(SENT, length);
        far.buffer.fill(!SENT, length);
        let (from, to) = ([near.sge(length)], near.buffer.as_ptr());
        let (mut results, never) = (Results::new(), || false);
        match measure {
            Measure::Copy => samples.repeat(|| {
                for _ in 0..depth {
                    // SAFETY: both buffers have so many bytes, and nothing is posted that uses them.
                    unsafe { far.buffer.as_ptr().copy_from_nonoverlapping(to, usize_from(length)) };
                }
                Ok(())
            }),
            Measure::Send => samples.repeat(|| {
                for _ in 0..depth {
                    far.receive(length)?;
                }
                for _ in 0..depth {
                    near.send(length, 0)?;
                }
                near.results(&mut results, (depth, length), never)?;
                far.results(&mut results, (depth, length), never)
            }),
            Measure::Write => samples.repeat(|| {
                for _ in 0..depth {
                    check(near.qp_set.qp.write(null_mut(), &from, far.remote(), 0))?;
                }
                near.results(&mut results, (depth, length), never)
            }),
            // The far end reads, so that the bytes go the same way.
            Measure::Read => samples.repeat(|| {
                for _ in 0..depth {
                    check(far.qp_set.qp.read(null_mut(), &[far.sge(length)], near.remote(), 0))?;
                }
                far.results(&mut results, (depth, length), never)
            }),
            Measure::CacheLine
            | Measure::Exchange
            | Measure::Pool
            | Measure::Create
            | Measure::Close
            | Measure::CloseUnder
            | Measure::Notification => Err(STATUS_INVALID_PARAMETER),
        }?;
        if far.buffer.holds(SENT, length) { Ok(()) } else { Err(STATUS_UNSUCCESSFUL) }
    }
}

pub(super) fn check(status: NTSTATUS) -> Result<(), NTSTATUS> {
    if status == STATUS_SUCCESS { Ok(()) } else { Err(status) }
}

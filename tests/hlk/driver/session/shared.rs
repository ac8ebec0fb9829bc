//! Receives that come from an SRQ, which is refilled when it says that few are left (WR-9).

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sys::ndk::{NDK_CQ, NDK_PD, NDK_SRQ};
use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_DISCONNECTED, STATUS_IO_TIMEOUT};

use super::control_message::{Control, ControlMessage};
use crate::ndk::{Handle, Then};
use crate::number::usize_from;
use crate::test_context::TestContext;
use crate::work::Poll;

/// Receives in a full queue.
pub(super) const DEPTH: u32 = 4;
/// Fewer than these, and the queue says so.
const THRESHOLD: u32 = 2;

/// Letters that an SRQ gives to whatever message comes.
pub(super) struct Shared<'l> {
    pub(super) srq: Handle<'l, NDK_SRQ>,
    control_messages: [ControlMessage<'l>; usize_from(DEPTH)],
    /// A bit for each control message that is not posted.
    free: AtomicU32,
    refills: AtomicU32,
    abandoned: AtomicBool,
}

impl<'l> Shared<'l> {
    /// A full queue, which will say when it is to be refilled.
    pub(super) fn open(test: &TestContext<'l>, pd: Handle<'l, NDK_PD>) -> Result<Self, NTSTATUS> {
        let control_message = || ControlMessage::new(test, pd, "receive from the SRQ");
        let shared = Self {
            // No threshold yet: a queue is not to say of itself that it is empty because it is new.
            srq: pd.start_srq(DEPTH, 0, Then::Keep)?.wait()?,
            control_messages: [
                control_message()?,
                control_message()?,
                control_message()?,
                control_message()?,
            ],
            free: AtomicU32::new((1 << DEPTH) - 1),
            refills: AtomicU32::new(0),
            abandoned: AtomicBool::new(false),
        };
        shared.fill()?;
        Ok(shared)
    }

    /// Posts what is free, and arms the notification.
    fn fill(&self) -> Result<(), NTSTATUS> {
        for (_, control_message) in
            self.numbered().filter(|(bit, _)| self.free.load(Ordering::Relaxed) & bit != 0)
        {
            control_message.receive_shared(self.srq)?;
        }
        self.free.store(0, Ordering::Relaxed);
        self.srq.modify(0, THRESHOLD)?.wait()
    }

    /// The control messages, each with its bit.
    fn numbered(&self) -> impl Iterator<Item = (u32, &ControlMessage<'l>)> {
        self.control_messages.iter().scan(1_u32, |next, control_message| {
            let bit = *next;
            *next = bit.wrapping_shl(1);
            Some((bit, control_message))
        })
    }

    /// Waits for a message, whose result goes to `cq`, unless `gone` says that none comes any more; its change has to wake
    /// the waiters for `cq`.
    ///
    /// # Errors
    /// `STATUS_CANCELLED` once the wait is [abandoned](Self::abandon), `STATUS_CONNECTION_DISCONNECTED` if none comes.
    pub(super) fn take(
        &self,
        cq: Handle<'_, NDK_CQ>,
        poll: Poll,
        gone: impl Fn() -> bool,
    ) -> Result<Control, NTSTATUS> {
        let free = self.free.load(Ordering::Relaxed);
        let arrived = || {
            self.numbered().find(|(bit, control_message)| free & bit == 0 && control_message.work.is_done())
        };
        let ready = || {
            let gone = gone();
            // A message that came before is in the CQ.
            while gone && cq.harvest_by(poll) != 0 {}
            match arrived() {
                None if self.abandoned.load(Ordering::Acquire) => Some(Err(STATUS_CANCELLED)),
                None if gone => Some(Err(STATUS_CONNECTION_DISCONNECTED)),
                arrived => arrived.map(Ok),
            }
        };
        let came = cq.wait_until("receive from the SRQ", poll, ready).unwrap_or(Err(STATUS_IO_TIMEOUT));
        let (bit, control_message) = came?;
        let message = control_message.read();
        let free = free | bit;
        self.free.store(free, Ordering::Relaxed);
        if DEPTH.saturating_sub(free.count_ones()) < THRESHOLD {
            if !self.srq.object().wait_for_event("SRQ notification") {
                return Err(STATUS_IO_TIMEOUT);
            }
            self.fill()?;
            self.refills.fetch_add(1, Ordering::Relaxed);
        }
        message
    }

    /// The number of low-watermark notifications of the SRQ, each followed by a refill.
    pub(super) fn refills(&self) -> u32 {
        self.refills.load(Ordering::Relaxed)
    }

    /// Ends a wait for a message that does not come any more: receives of an SRQ are not cancelled when a
    /// connection ends.
    pub(super) fn abandon(&self, cq: Handle<'_, NDK_CQ>) {
        self.abandoned.store(true, Ordering::Release);
        cq.object().signal();
    }
}

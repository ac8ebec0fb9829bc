//! One side of one connection, and the requests that are in flight on it.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::{Kind, Violation};
use sys::ndk::{
    NDK_CONNECTOR, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ,
    NDK_MR_FLAG_ALLOW_REMOTE_WRITE, NDK_MR_FLAG_RDMA_READ_SINK, NDK_SGE,
};
use sys::status::{NTSTATUS, STATUS_SUCCESS};

use super::side::DriveState;
use crate::buffer::Buffer;
use crate::call_log::Object;
use crate::ndk::{Handle, Inside, QpDepths, Remote, sge};
use crate::number::{u64_from, usize_from};
use crate::pair::QpSet;
use crate::test_context::TestContext;
use crate::work::Work;

const RECEIVES: usize = 4;
const INITIATORS: usize = 3;

/// Requests of an endpoint that are in flight at most.
pub(super) const REQUESTS: u32 = 7;
const _: () = assert!(RECEIVES + INITIATORS == usize_from(REQUESTS));

/// The depths of an endpoint's QP.
pub(super) const DEPTHS: QpDepths =
    QpDepths { receive: 4, initiator: 3, receive_sges: 1, initiator_sges: 1, inline: 0 };

/// Bytes of a message, which is the number of those that were sent before it.
const MESSAGE: u32 = 8;
/// Bytes that a write or read moves.
const BULK: u32 = 1024;
/// The offset of the messages to send: they follow the received ones; after both comes the target of writes and
/// reads, whose contents are not checked.
const OUTBOX: u32 = 64;
const BULK_AREA: u32 = 128;
const LENGTH: u32 = BULK_AREA + BULK;

/// Registered memory of one endpoint.
pub(super) struct Memory {
    buffer: &'static Buffer,
    local_token: u32,
    remote_token: u32,
}

impl Memory {
    /// The token and address that the peer needs.
    pub(super) fn remote(&self) -> Remote {
        Remote { address: u64_from(self.buffer.address(BULK_AREA)), token: self.remote_token }
    }

    fn sge(&self, offset: u32, length: u32) -> NDK_SGE {
        sge(self.buffer.address(offset), length, self.local_token)
    }
}

/// A request, which is posted again and again, but not before it has its result.
struct Slot {
    work: Work,
    posted: AtomicBool,
    /// Offset of its message.
    offset: u32,
}

impl Slot {
    const fn new(step: &'static str, offset: u32) -> Self {
        Self { work: Work::new(step), posted: AtomicBool::new(false), offset }
    }

    fn is_posted(&self) -> bool {
        self.posted.load(Ordering::Relaxed)
    }

    /// The status of its result, once.
    fn take(&self) -> Option<NTSTATUS> {
        (self.is_posted() && self.work.is_done()).then(|| {
            self.posted.store(false, Ordering::Relaxed);
            self.work.status()
        })
    }
}

/// One side of one connection. It is used by the one thread that drives its side.
pub(super) struct StressEndpoint {
    qp_set: QpSet<'static>,
    connector: Handle<'static, NDK_CONNECTOR>,
    memory: Memory,
    peer: Remote,
    receives: [Slot; RECEIVES],
    initiators: [Slot; INITIATORS],
    sent: AtomicU64,
    /// Messages that arrived; the number of the receive that is next to have a result, too.
    received: AtomicU64,
    /// Set when a request has failed: nothing more is posted.
    broken: AtomicBool,
}

impl StressEndpoint {
    /// Registers memory for one endpoint.
    pub(super) fn memory(test: &TestContext<'static>, qp_set: QpSet<'static>) -> Result<Memory, NTSTATUS> {
        const ACCESS: u32 = NDK_MR_FLAG_ALLOW_LOCAL_WRITE
            | NDK_MR_FLAG_ALLOW_REMOTE_READ
            | NDK_MR_FLAG_ALLOW_REMOTE_WRITE
            | NDK_MR_FLAG_RDMA_READ_SINK;
        let buffer = test.buffer(LENGTH)?;
        qp_set.mr.register(buffer.mdl(), LENGTH, ACCESS, Inside::Nothing)?.wait()?;
        Ok(Memory { buffer, local_token: qp_set.mr.local_token(), remote_token: qp_set.mr.remote_token() })
    }

    pub(super) const fn new(
        qp_set: QpSet<'static>,
        connector: Handle<'static, NDK_CONNECTOR>,
        memory: Memory,
        peer: Remote,
    ) -> Self {
        Self {
            qp_set,
            connector,
            memory,
            peer,
            receives: [
                Slot::new("stress: receive", 0),
                Slot::new("stress: receive", 8),
                Slot::new("stress: receive", 16),
                Slot::new("stress: receive", 24),
            ],
            initiators: [
                Slot::new("stress: initiate", OUTBOX),
                Slot::new("stress: initiate", OUTBOX + 8),
                Slot::new("stress: initiate", OUTBOX + 16),
            ],
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// The endpoint's objects, antecedents first.
    pub(super) fn objects(&self) -> [&'static Object; 4] {
        [self.qp_set.pd.object(), self.qp_set.qp.object(), self.qp_set.mr.object(), self.connector.object()]
    }

    /// Takes the results that were polled, and posts as much as may be in flight.
    pub(super) fn pump(&self, drive_state: &mut DriveState<'_>) {
        self.settle(drive_state);
        for slot in self.turn().filter(|slot| !slot.is_posted()) {
            let sges = [self.memory.sge(slot.offset, MESSAGE)];
            self.post(slot, drive_state, |context| self.qp_set.qp.receive(context, &sges));
        }
        for slot in self.initiators.iter().filter(|slot| !slot.is_posted()) {
            let bulk = [self.memory.sge(BULK_AREA, BULK)];
            match drive_state.random(4) {
                0 => {
                    self.post(slot, drive_state, |context| self.qp_set.qp.write(context, &bulk, self.peer, 0))
                }
                1 => {
                    self.post(slot, drive_state, |context| self.qp_set.qp.read(context, &bulk, self.peer, 0))
                }
                _ => {
                    let number = self.sent.load(Ordering::Relaxed);
                    self.memory.buffer.put_at(slot.offset, &number.to_le_bytes());
                    let sges = [self.memory.sge(slot.offset, MESSAGE)];
                    if self.post(slot, drive_state, |context| self.qp_set.qp.send(context, &sges, 0)) {
                        self.sent.store(number.saturating_add(1), Ordering::Relaxed);
                    }
                    continue;
                }
            };
        }
    }

    /// The receives in the order in which they are or were posted. The results of a queue come in that order,
    /// so the first is the one after the last that has arrived.
    fn turn(&self) -> impl Iterator<Item = &Slot> {
        let next = self.received.load(Ordering::Relaxed).checked_rem(u64_from(RECEIVES));
        let next = next.and_then(|next| usize::try_from(next).ok()).unwrap_or(0);
        let (after, first) = self.receives.split_at(next);
        first.iter().chain(after)
    }

    /// Posts a request, unless the endpoint is broken; says whether it was accepted.
    fn post(
        &self,
        slot: &Slot,
        drive_state: &mut DriveState<'_>,
        post: impl FnOnce(*mut core::ffi::c_void) -> NTSTATUS,
    ) -> bool {
        if self.broken.load(Ordering::Relaxed) {
            return false;
        }
        slot.work.reset();
        let status = post(slot.work.context());
        if status == STATUS_SUCCESS {
            slot.posted.store(true, Ordering::Relaxed);
            drive_state.report.accepted = drive_state.report.accepted.saturating_add(1);
        } else {
            self.fail("stress: post", status, drive_state);
        }
        status == STATUS_SUCCESS
    }

    /// Takes the results that were polled.
    pub(super) fn settle(&self, drive_state: &mut DriveState<'_>) {
        for slot in self.turn() {
            match slot.take() {
                Some(STATUS_SUCCESS) => self.check(slot),
                Some(failure) => self.fail("stress: receive", failure, drive_state),
                None => break,
            }
        }
        for failure in self.initiators.iter().filter_map(Slot::take).filter(|status| *status != 0) {
            self.fail("stress: send, write or read", failure, drive_state);
        }
    }

    /// No message is lost, repeated, or late.
    fn check(&self, slot: &Slot) {
        let expected = self.received.fetch_add(1, Ordering::Relaxed);
        let mut number = [0; usize_from(MESSAGE)];
        self.memory.buffer.take_at(slot.offset, &mut number);
        let call_log = self.connector.call_log();
        call_log.require("stress: the message that is next", u64::from_le_bytes(number) == expected);
        call_log.require("stress: a whole message", slot.work.bytes() == MESSAGE);
    }

    fn fail(&self, step: &str, status: NTSTATUS, drive_state: &DriveState<'_>) {
        self.broken.store(true, Ordering::Relaxed);
        if drive_state.state.must_succeed() {
            self.connector.call_log().expect(step, status, STATUS_SUCCESS);
        }
    }

    /// The number of requests without a polled result.
    pub(super) fn unseen(&self) -> u64 {
        let slots = self.receives.iter().chain(&self.initiators);
        slots
            .filter(|slot| slot.is_posted() && !slot.work.is_done())
            .fold(0, |count, _| count.saturating_add(1))
    }

    /// All results can have been polled: whatever was accepted has one (WR-2).
    pub(super) fn expect_all_seen(&self) {
        let unseen = self.unseen();
        if unseen != 0 {
            let seen = i32::try_from(unseen).unwrap_or(i32::MAX);
            let call_log = self.connector.call_log();
            call_log.find(Violation::NeverCompleted, Kind::Qp, "stress: requests of a closed QP", seen, 0);
        }
    }
}

//! The start of most scenarios: two connected sides with some registered memory.

use protocol::Difference;
use sys::ndk::{
    NDK_CONNECTOR, NDK_LISTENER, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ,
    NDK_MR_FLAG_ALLOW_REMOTE_WRITE, NDK_SGE,
};
use sys::status::{NTSTATUS, STATUS_SUCCESS};

use crate::buffer::Buffer;
use crate::call_log::{Object, StartedCall};
use crate::ndk::{Handle, Inside, QpDepths, Remote, sge};
use crate::number::u64_from;
use crate::pair::{self, Connection, QpSet};
use crate::test_context::TestContext;
use crate::work::Work;

/// Bytes of memory on each side.
pub(super) const MEMORY: u32 = 4096;

/// The time, in milliseconds, to wait for a notification that must not come.
pub(super) const QUIET: u32 = 50;

/// Local and remote access of every kind.
const ALL_ACCESS: u32 =
    NDK_MR_FLAG_ALLOW_LOCAL_WRITE | NDK_MR_FLAG_ALLOW_REMOTE_READ | NDK_MR_FLAG_ALLOW_REMOTE_WRITE;

/// Registered memory of one side.
#[derive(Clone, Copy)]
pub(super) struct Memory<'l> {
    pub(super) buffer: &'l Buffer,
    pub(super) local_token: u32,
    pub(super) remote_token: u32,
}

impl<'l> Memory<'l> {
    /// Registers [`MEMORY`] bytes in the side's region with these access rights: `NDK_MR_FLAG_…`.
    pub(super) fn of(test: &TestContext<'l>, qp_set: QpSet<'l>, flags: u32) -> Result<Self, NTSTATUS> {
        let buffer = test.buffer(MEMORY)?;
        qp_set.mr.register(buffer.mdl(), MEMORY, flags, Inside::Nothing)?.wait()?;
        Ok(Self { buffer, local_token: qp_set.mr.local_token(), remote_token: qp_set.mr.remote_token() })
    }

    /// The first `length` bytes, for use on this side.
    pub(super) fn sge(self, length: u32) -> NDK_SGE {
        sge(self.buffer.address(0), length, self.local_token)
    }

    /// The byte at `offset`, for use on the other side.
    pub(super) fn remote(self, offset: u32) -> Remote {
        Remote { address: u64_from(self.buffer.address(offset)), token: self.remote_token }
    }
}

/// Two connected sides.
pub(super) struct ConnectedPair<'l> {
    pub(super) test: TestContext<'l>,
    pub(super) near: QpSet<'l>,
    pub(super) far: QpSet<'l>,
    pub(super) listener: Handle<'l, NDK_LISTENER>,
    pub(super) near_connector: Handle<'l, NDK_CONNECTOR>,
    pub(super) far_connector: Handle<'l, NDK_CONNECTOR>,
    pub(super) near_memory: Memory<'l>,
    pub(super) far_memory: Memory<'l>,
}

impl<'l> ConnectedPair<'l> {
    /// Connects two sides over a listener of their own.
    pub(super) fn connected(test: &TestContext<'l>) -> Result<Self, NTSTATUS> {
        Self::over(test, pair::listen(test)?, ALL_ACCESS)
    }

    /// Connects two new sides over `listener`; the far side's memory has the access rights
    /// `far_access`.
    pub(super) fn over(
        test: &TestContext<'l>,
        listener: Handle<'l, NDK_LISTENER>,
        far_access: u32,
    ) -> Result<Self, NTSTATUS> {
        let near = QpSet::on(test.near, QpDepths::SMALL)?;
        let far = QpSet::on(test.far, QpDepths::SMALL)?;
        let Connection { near: near_connector, far: far_connector } =
            pair::connect_to(test, listener, (near.qp, b"near"), (far.qp, b"far"))?;
        Ok(Self {
            near_memory: Memory::of(test, near, ALL_ACCESS)?,
            far_memory: Memory::of(test, far, far_access)?,
            test: *test,
            near,
            far,
            listener,
            near_connector,
            far_connector,
        })
    }

    /// Posts `count` receives of [`MEMORY`] bytes on the far side.
    pub(super) fn far_receives<const N: usize>(&self) -> Result<[&'l Work; N], NTSTATUS> {
        post_receives(&self.test, self.far, self.far_memory)
    }

    /// Waits until what the near side has written is at the far side: by the completion of the Write, or over TCP by a
    /// Send behind it.
    pub(super) fn settle(&self) -> Result<(), NTSTATUS> {
        if !self.test.differs(Difference::WriteOnItsWay) {
            return Ok(());
        }
        let call_log = self.test.call_log();
        let (receive, send) =
            (self.test.work("receive behind a write")?, self.test.work("send behind a write")?);
        let posted = self.far.qp.receive(receive.context(), &[]);
        call_log.expect("post a receive behind a write", posted, STATUS_SUCCESS);
        let posted = self.near.qp.send(send.context(), &[], 0);
        call_log.expect("post a send behind a write", posted, STATUS_SUCCESS);
        call_log.expect("send behind a write", self.near.cq.wait_for(send), STATUS_SUCCESS);
        call_log.expect("receive behind a write", self.far.cq.wait_for(receive), STATUS_SUCCESS);
        Ok(())
    }

    /// Moves `bytes` from near to far and checks that they arrive.
    pub(super) fn exchange(&self, bytes: &[u8]) -> Result<(), NTSTATUS> {
        let call_log = self.test.call_log();
        let length = u32::try_from(bytes.len()).unwrap_or(MEMORY);
        self.near_memory.buffer.put(bytes);
        let [receive] = self.far_receives::<1>()?;
        let send = self.test.work("send")?;
        let posted = self.near.qp.send(send.context(), &[self.near_memory.sge(length)], 0);
        call_log.expect("post a send", posted, STATUS_SUCCESS);
        call_log.expect("send", self.near.cq.wait_for(send), STATUS_SUCCESS);
        call_log.expect("receive", self.far.cq.wait_for(receive), STATUS_SUCCESS);
        call_log.require("as many bytes as were sent", receive.bytes() == length);
        let mut arrived = [0_u8; 64];
        self.far_memory.buffer.take(&mut arrived);
        call_log.require("the bytes that were sent", arrived.starts_with(bytes));
        Ok(())
    }
}

/// Posts receives of [`MEMORY`] bytes.
pub(super) fn post_receives<'l, const N: usize>(
    test: &TestContext<'l>,
    qp_set: QpSet<'l>,
    memory: Memory<'l>,
) -> Result<[&'l Work; N], NTSTATUS> {
    let first = test.work("receive")?;
    let mut works = [first; N];
    for (index, slot) in works.iter_mut().enumerate() {
        if index != 0 {
            *slot = test.work("receive")?;
        }
        let posted = qp_set.qp.receive(slot.context(), &[memory.sge(MEMORY)]);
        test.call_log().expect("post a receive", posted, STATUS_SUCCESS);
    }
    Ok(works)
}

/// Checks that each work request has one result by now, with one of these statuses.
pub(super) fn expect_results(
    test: &TestContext<'_>,
    qp_set: QpSet<'_>,
    step: &str,
    works: &[&Work],
    statuses: &[NTSTATUS],
) {
    while qp_set.cq.harvest() != 0 {}
    for work in works {
        test.call_log().expect(step, work.results().cast_signed(), 1);
        test.call_log().expect_one_of(step, work.status(), statuses);
    }
}

/// Waits for the event of a connector or CQ.
pub(super) fn wait_event(test: &TestContext<'_>, object: &Object, step: &str) {
    let came = object.wait_for_event(step);
    test.call_log().require(step, came);
}

/// Closes objects and waits until their closes are complete.
pub(super) fn close_and_wait(objects: &[&Object]) {
    objects.iter().for_each(|object| object.close());
    // What does not complete is a finding of the call log.
    objects.iter().for_each(|object| {
        let _ = object.wait_closed();
    });
}

/// Connects from a QP of its own to the far end, which must be refused.
pub(super) fn expect_refused<'l>(test: &TestContext<'l>, step: &str) -> Result<(), NTSTATUS> {
    let qp_set = QpSet::on(test.near, QpDepths::SMALL)?;
    let (connector, connecting): (_, StartedCall<'l>) = pair::start_connect(test, qp_set.qp, b"")?;
    test.call_log().expect(step, connecting.status(), sys::status::STATUS_CONNECTION_REFUSED);
    close_and_wait(&[connector.object()]);
    Ok(())
}

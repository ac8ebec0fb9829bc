//! Tokens and ranges that grant no access.

use protocol::Difference;
use sys::ndk::{
    NDK_MR_FLAG_ALLOW_LOCAL_READ, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ,
    NDK_MR_FLAG_ALLOW_REMOTE_WRITE, NDK_SGE,
};
use sys::status::{NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_CANCELLED, STATUS_SUCCESS};

use super::connected_pair::{ConnectedPair, MEMORY, Memory, close_and_wait, post_receives, wait_event};
use crate::ndk::{Inside, Remote, sge};
use crate::pair::{self, QpSet};
use crate::test_context::TestContext;
use crate::work::Work;

/// An RDMA operation of the near side.
#[derive(Clone, Copy)]
pub(super) enum Rdma {
    Read,
    Write,
}

impl Rdma {
    /// Posts it and says how it ended.
    pub(super) fn run(
        self,
        pair: &ConnectedPair<'_>,
        sges: &[NDK_SGE],
        remote: Remote,
    ) -> Result<NTSTATUS, NTSTATUS> {
        let work = pair.test.work("RDMA")?;
        let posted = match self {
            Self::Read => pair.near.qp.read(work.context(), sges, remote, 0),
            Self::Write => pair.near.qp.write(work.context(), sges, remote, 0),
        };
        Ok(if posted == STATUS_SUCCESS { pair.near.cq.wait_for(work) } else { posted })
    }
}

/// Writes what the far side does not admit: that is an access violation of the Write; over TCP it may have succeeded by
/// then, and the far side ends the connection.
pub(super) fn expect_refused_write(
    pair: &ConnectedPair<'_>,
    step: &str,
    sges: &[NDK_SGE],
    remote: Remote,
) -> Result<(), NTSTATUS> {
    let call_log = pair.test.call_log();
    let status = Rdma::Write.run(pair, sges, remote)?;
    if pair.test.differs(Difference::RefusedWrite) {
        call_log.expect_one_of(step, status, &[STATUS_ACCESS_VIOLATION, STATUS_SUCCESS]);
        wait_event(&pair.test, pair.near_connector.object(), "the end of the connection of a refused write");
    } else {
        call_log.expect(step, status, STATUS_ACCESS_VIOLATION);
    }
    Ok(())
}

/// WR-7, WR-8: what the far side did not grant is an access violation at the initiator, and ends the
/// connection; what it granted, up to the last byte, works.
pub(super) fn remote(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    const READ: u32 = NDK_MR_FLAG_ALLOW_REMOTE_READ;
    const WRITE: u32 = NDK_MR_FLAG_ALLOW_REMOTE_WRITE;
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    let granted = ConnectedPair::over(test, listener, READ | WRITE)?;
    let last = [granted.near_memory.sge(16)];
    let end = granted.far_memory.remote(MEMORY.saturating_sub(16));
    granted.near_memory.buffer.put(b"the last sixteen");
    call_log.expect("write the last bytes", Rdma::Write.run(&granted, &last, end)?, STATUS_SUCCESS);
    granted.settle()?;
    let mut arrived = [0; 16];
    granted.far_memory.buffer.take_at(MEMORY.saturating_sub(16), &mut arrived);
    call_log.require("the last bytes", &arrived == b"the last sixteen");
    call_log.expect("read the last bytes", Rdma::Read.run(&granted, &last, end)?, STATUS_SUCCESS);

    type Place = fn(&ConnectedPair<'_>) -> Remote;
    let cases: [(&str, Rdma, u32, Place); 6] = [
        ("write with a token that never was", Rdma::Write, READ | WRITE, |pair| {
            let good = pair.far_memory.remote(0);
            Remote { token: good.token ^ 0x00ff_ff00, ..good }
        }),
        ("write one byte too far", Rdma::Write, READ | WRITE, |pair| {
            pair.far_memory.remote(MEMORY.saturating_sub(15))
        }),
        ("write near the end of the address space", Rdma::Write, READ | WRITE, |pair| Remote {
            address: u64::MAX.saturating_sub(7),
            ..pair.far_memory.remote(0)
        }),
        ("write what is to be read only", Rdma::Write, READ, |pair| pair.far_memory.remote(0)),
        ("read what is to be written only", Rdma::Read, WRITE, |pair| pair.far_memory.remote(0)),
        ("read what is local", Rdma::Read, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, |pair| pair.far_memory.remote(0)),
    ];
    for (step, rdma, access, place) in cases {
        let pair = ConnectedPair::over(test, listener, access)?;
        let receive = posted_receive(&pair)?;
        let sges = [pair.near_memory.sge(16)];
        match rdma {
            Rdma::Write => expect_refused_write(&pair, step, &sges, place(&pair))?,
            Rdma::Read => {
                let status = rdma.run(&pair, &sges, place(&pair))?;
                call_log.expect(step, status, STATUS_ACCESS_VIOLATION);
            }
        }
        call_log.expect(step, pair.far.cq.wait_for(receive), STATUS_CANCELLED);
        close_and_wait(&[pair.near_connector.object(), pair.far_connector.object()]);
    }

    let pair = ConnectedPair::over(test, listener, READ | WRITE)?;
    let stale = pair.far_memory.remote(0);
    pair.far.mr.deregister(Inside::Nothing)?.wait()?;
    expect_refused_write(&pair, "write to what was deregistered", &[pair.near_memory.sge(16)], stale)
}

/// A receive of the far side, into memory of another region than the one under test.
fn posted_receive<'l>(pair: &ConnectedPair<'l>) -> Result<&'l Work, NTSTATUS> {
    let spare = QpSet { mr: pair.far.pd.create_mr()?, ..pair.far };
    let memory = Memory::of(&pair.test, spare, NDK_MR_FLAG_ALLOW_LOCAL_WRITE)?;
    post_receives::<1>(&pair.test, spare, memory).map(|[receive]| receive)
}

/// WR-4, WR-7: a local token and range are checked too, at the post or in the result.
pub(super) fn local(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    const ALL: u32 = NDK_MR_FLAG_ALLOW_REMOTE_READ | NDK_MR_FLAG_ALLOW_REMOTE_WRITE;
    let call_log = test.call_log();
    let listener = pair::listen(test)?;
    type Place = fn(&ConnectedPair<'_>) -> NDK_SGE;
    let cases: [(&str, Place); 2] = [
        ("write from a token that never was", |pair| {
            let good = pair.near_memory;
            sge(good.buffer.address(0), 16, good.local_token ^ 0x00ff_ff00)
        }),
        ("write from beyond the region", |pair| {
            let good = pair.near_memory;
            sge(good.buffer.address(MEMORY.saturating_sub(15)), 16, good.local_token)
        }),
    ];
    for (step, place) in cases {
        let pair = ConnectedPair::over(test, listener, ALL)?;
        let status = Rdma::Write.run(&pair, &[place(&pair)], pair.far_memory.remote(0))?;
        call_log.expect(step, status, STATUS_ACCESS_VIOLATION);
        close_and_wait(&[pair.near_connector.object(), pair.far_connector.object()]);
    }

    // A receive into memory that may only be read fails when it is posted or when the bytes come.
    let pair = ConnectedPair::over(test, listener, NDK_MR_FLAG_ALLOW_LOCAL_READ)?;
    let receive = test.work("receive into read-only memory")?;
    let mut received = pair.far.qp.receive(receive.context(), &[pair.far_memory.sge(16)]);
    if received == STATUS_SUCCESS {
        let send = test.work("send")?;
        let posted = pair.near.qp.send(send.context(), &[pair.near_memory.sge(16)], 0);
        call_log.expect("post a send", posted, STATUS_SUCCESS);
        received = pair.far.cq.wait_for(receive);
        let _ = pair.near.cq.wait_for(send);
    }
    call_log.expect("receive into read-only memory", received, STATUS_ACCESS_VIOLATION);
    Ok(())
}

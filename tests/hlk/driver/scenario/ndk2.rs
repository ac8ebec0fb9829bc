//! Versions of the interface, and what the newer ones added.

use sys::ndk::{
    NDK_CONNECTOR, NDK_CQ_NOTIFY_ANY, NDK_OPERATION_TYPE, NDK_VERSION, NDK_VERSION_1_1, NDK_VERSION_1_2,
    NDK_VERSION_2_0, NDK_VERSION_2_1,
};
use sys::status::{NDIS_STATUS_BAD_VERSION, NTSTATUS, STATUS_SUCCESS};

use super::connected_pair::{Memory, post_receives, wait_event};
use crate::ndk::{CqDepth, Handle, Inside, QpDepths};
use crate::pair::{self, QpSet, READS};
use crate::test_context::TestContext;

/// VER-1, VER-2: the older minor versions are spoken too, each with what it has; others are refused.
pub(super) fn versions(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    for version in [NDK_VERSION_1_1, NDK_VERSION_1_2, NDK_VERSION_2_0, NDK_VERSION_2_1] {
        let adapter = test.open_as(version)?;
        let spoken = adapter.info()?.Version;
        call_log.require("the major version that was asked for", spoken.Major == version.Major);
        call_log.require("at least the minor version", spoken.Minor >= version.Minor);
        let cq = adapter.create_cq(CqDepth(4))?;
        adapter.create_pd()?.create_qp(cq, QpDepths { receive: 2, initiator: 2, ..QpDepths::SMALL })?;
    }
    let newest = NDK_VERSION_2_1;
    let refused = [
        NDK_VERSION { Major: 1, Minor: 3 },
        NDK_VERSION { Minor: newest.Minor.saturating_add(1), ..newest },
        NDK_VERSION { Major: newest.Major.saturating_add(1), Minor: 0 },
        NDK_VERSION { Major: 0, Minor: 9 },
    ];
    for version in refused {
        let status = test.open_as(version).err().unwrap_or(STATUS_SUCCESS);
        call_log.expect("open as an unknown version", status, NDIS_STATUS_BAD_VERSION);
    }
    Ok(())
}

/// CM-8: accept, complete connect and the disconnect event in their extended forms, and extended results.
pub(super) fn extended(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let near = QpSet::on(test.near, QpDepths::SMALL)?;
    let far = QpSet::on(test.far, QpDepths::SMALL)?;
    let listener = pair::listen(test)?;
    let (connector, connecting) = pair::start_connect(test, near.qp, b"near")?;
    let offer =
        Handle::<NDK_CONNECTOR>::new(call_log, call_log.take_connect_event(listener.object(), connecting)?);
    let accepting = offer.accept_extended(far.qp, READS, b"far")?;
    connecting.wait()?;
    connector.complete_connect_extended()?.wait()?;
    accepting.wait()?;

    let (source, sink) = (Memory::of(test, near, 0)?, Memory::of(test, far, 1)?);
    let [receive] = post_receives::<1>(test, far, sink)?;
    let send = test.work("send")?;
    far.cq.arm(NDK_CQ_NOTIFY_ANY);
    call_log.expect("post a send", near.qp.send(send.context(), &[source.sge(24)], 0), STATUS_SUCCESS);
    call_log.expect("send", near.cq.wait_for(send), STATUS_SUCCESS);
    wait_event(test, far.cq.object(), "receive");
    let result = far.cq.poll_extended();
    let expected = |result: sys::ndk::NDK_RESULT_EX| {
        result.Status == STATUS_SUCCESS
            && result.Type == NDK_OPERATION_TYPE::NdkOperationTypeReceive
            && result.BytesTransferred == 24
            && result.RequestContext == receive.context()
            && result.QPContext == core::ptr::from_ref(far.qp.object()).cast_mut().cast()
    };
    call_log.require("an extended result", result.is_some_and(expected));

    let disconnecting = connector.disconnect(Inside::Nothing)?;
    wait_event(test, offer.object(), "extended disconnect event");
    offer.disconnect(Inside::Nothing)?.expect_one_of(&[STATUS_SUCCESS]);
    disconnecting.expect_one_of(&[STATUS_SUCCESS]);
    Ok(())
}

//! Two sides and the way from nothing to a connection.

use sys::ndk::{NDK_ADAPTER, NDK_CONNECTOR, NDK_CQ, NDK_LISTENER, NDK_MR, NDK_PD, NDK_QP};
use sys::status::{NTSTATUS, STATUS_SUCCESS};

use crate::call_log::StartedCall;
use crate::ndk::{Address, CqDepth, Handle, Inside, QpDepths, ReadLimits};
use crate::number::usize_from;
use crate::test_context::TestContext;

/// The objects that one side needs before it can connect.
#[derive(Clone, Copy)]
pub(crate) struct QpSet<'l> {
    pub(crate) cq: Handle<'l, NDK_CQ>,
    pub(crate) pd: Handle<'l, NDK_PD>,
    pub(crate) qp: Handle<'l, NDK_QP>,
    pub(crate) mr: Handle<'l, NDK_MR>,
}

impl<'l> QpSet<'l> {
    /// Makes CQ, PD, QP and MR on `adapter`.
    pub(crate) fn on(adapter: Handle<'l, NDK_ADAPTER>, depths: QpDepths) -> Result<Self, NTSTATUS> {
        let cq = adapter.create_cq(CqDepth(depths.receive.saturating_add(depths.initiator)))?;
        Self::with(adapter, cq, depths)
    }

    /// Makes the rest around a CQ.
    pub(crate) fn with(
        adapter: Handle<'l, NDK_ADAPTER>,
        cq: Handle<'l, NDK_CQ>,
        depths: QpDepths,
    ) -> Result<Self, NTSTATUS> {
        let pd = adapter.create_pd()?;
        let qp = pd.create_qp(cq, depths)?;
        let mr = pd.create_mr()?;
        Ok(Self { cq, pd, qp, mr })
    }
}

/// The connectors of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Connection<'l> {
    pub(crate) near: Handle<'l, NDK_CONNECTOR>,
    pub(crate) far: Handle<'l, NDK_CONNECTOR>,
}

/// Disconnects connectors: whatever either side waits for, or will, does not come any more, and a disconnected QP
/// cancels it. (A flush would only cancel what is posted already.)
pub(crate) fn give_up<const N: usize>(connectors: [Handle<'_, NDK_CONNECTOR>; N]) {
    for started in connectors.map(|connector| connector.disconnect(Inside::Nothing)).into_iter().flatten() {
        // However it ends, the connection is over.
        let _ = started.status();
    }
}

/// The RDMA Reads that each side allows and asks for.
pub(crate) const READS: ReadLimits = ReadLimits { inbound: 4, outbound: 4 };

/// Listens at the far end.
pub(crate) fn listen<'l>(test: &TestContext<'l>) -> Result<Handle<'l, NDK_LISTENER>, NTSTATUS> {
    let listener = test.far.create_listener()?;
    listener.listen(&Address::of(&test.far_end), Inside::Nothing)?.wait()?;
    Ok(listener)
}

/// Begins to connect from the near end to the far end.
pub(crate) fn start_connect<'l>(
    test: &TestContext<'l>,
    qp: Handle<'l, NDK_QP>,
    data: &[u8],
) -> Result<(Handle<'l, NDK_CONNECTOR>, StartedCall<'l>), NTSTATUS> {
    let connector = test.near.create_connector()?;
    let (from, to) = (Address::of(&test.near_end), Address::of(&test.far_end));
    let started = connector.connect(qp, &from, &to, READS, data, Inside::Nothing)?;
    Ok((connector, started))
}

/// Connects `near_qp` and `far_qp`, with private data both ways, which is checked.
pub(crate) fn connect<'l>(
    test: &TestContext<'l>,
    near_qp: Handle<'l, NDK_QP>,
    far_qp: Handle<'l, NDK_QP>,
    near_data: &[u8],
    far_data: &[u8],
) -> Result<Connection<'l>, NTSTATUS> {
    connect_to(test, listen(test)?, (near_qp, near_data), (far_qp, far_data))
}

/// The same, over a listener that is there already.
pub(crate) fn connect_to<'l>(
    test: &TestContext<'l>,
    listener: Handle<'l, NDK_LISTENER>,
    (near_qp, near_data): (Handle<'l, NDK_QP>, &[u8]),
    (far_qp, far_data): (Handle<'l, NDK_QP>, &[u8]),
) -> Result<Connection<'l>, NTSTATUS> {
    let (near, connecting) = start_connect(test, near_qp, near_data)?;
    let offer = test.call_log().take_connect_event(listener.object(), connecting)?;
    let far = Handle::new(test.call_log(), offer);
    expect_data(far, near_data, "private data of the connector");
    let accepting = far.accept(far_qp, READS, far_data, Inside::Nothing)?;
    connecting.wait()?;
    expect_data(near, far_data, "private data of the acceptor");
    near.complete_connect(Inside::Nothing)?.wait()?;
    accepting.wait()?;
    Ok(Connection { near, far })
}

/// CM-7: the peer's private data comes as it was sent, also into a buffer that is larger.
pub(crate) fn expect_data(connector: Handle<'_, NDK_CONNECTOR>, expected: &[u8], step: &str) {
    let mut buffer = [0_u8; 128];
    let mut limits = ReadLimits { inbound: 0, outbound: 0 };
    let (status, length) = connector.connection_data(&mut buffer, &mut limits);
    let call_log = connector.call_log();
    call_log.expect(step, status, STATUS_SUCCESS);
    call_log.require(step, buffer.starts_with(expected));
    // The length that comes back is what a buffer needs, which may be more than what was sent.
    call_log.require(step, usize_from(length) >= expected.len());
}

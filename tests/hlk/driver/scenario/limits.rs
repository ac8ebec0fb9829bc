//! Sizes at and over an adapter's limits, and what is not there yet.

use sys::ndk::{NDK_ADAPTER_FLAG_CQ_INTERRUPT_MODERATION_SUPPORTED, NDK_ADAPTER_FLAG_CQ_RESIZE_SUPPORTED};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};

use crate::ndk::{Address, CqDepth, QpDepths, Then};
use crate::pair::{self, QpSet};
use crate::test_context::TestContext;

/// OBJ-5, OBJ-6, CQ-7: an operation that an adapter's information denies is refused, one that it claims works,
/// and every object refuses an undefined extension.
pub(super) fn not_supported(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let info = test.near.info()?;
    let qp_set = QpSet::on(test.near, QpDepths::SMALL)?;
    let claims = |flag: u32| info.AdapterFlags & flag != 0;
    let claimed = [
        (
            "create a memory window",
            info.MaxWindowSize != 0,
            qp_set.pd.start_mw(Then::Keep)?.started().status(),
        ),
        (
            "resize a CQ",
            claims(NDK_ADAPTER_FLAG_CQ_RESIZE_SUPPORTED),
            qp_set.cq.resize(CqDepth(32))?.status(),
        ),
        (
            "moderate a CQ",
            claims(NDK_ADAPTER_FLAG_CQ_INTERRUPT_MODERATION_SUPPORTED),
            qp_set.cq.moderate(50, 8),
        ),
    ];
    for (step, claimed, status) in claimed {
        call_log.expect(step, status, if claimed { STATUS_SUCCESS } else { STATUS_NOT_SUPPORTED });
    }
    let (connector, listener) = (test.near.create_connector()?, test.near.create_listener()?);
    let (mw, srq) = (qp_set.pd.start_mw(Then::Keep)?.wait()?, qp_set.pd.start_srq(2, 0, Then::Keep)?.wait()?);
    let endpoint = test.near.start_shared_endpoint(&Address::of(&test.near_end), Then::Keep)?.wait()?;
    let extensions = [
        ("extension of an adapter", test.near.query_unknown_extension()),
        ("extension of a CQ", qp_set.cq.query_unknown_extension()),
        ("extension of a PD", qp_set.pd.query_unknown_extension()),
        ("extension of a QP", qp_set.qp.query_unknown_extension()),
        ("extension of an MR", qp_set.mr.query_unknown_extension()),
        ("extension of a connector", connector.query_unknown_extension()),
        ("extension of a listener", listener.query_unknown_extension()),
        ("extension of a window", mw.query_unknown_extension()),
        ("extension of an SRQ", srq.query_unknown_extension()),
        ("extension of a shared endpoint", endpoint.query_unknown_extension()),
    ];
    for (step, status) in extensions {
        call_log.expect(step, status, STATUS_NOT_SUPPORTED);
    }
    Ok(())
}

/// CQ-7: at a limit it works, over it the parameter is invalid.
pub(super) fn limits(test: &TestContext<'_>) -> Result<(), NTSTATUS> {
    let call_log = test.call_log();
    let info = test.near.info()?;
    let pd = test.near.create_pd()?;
    let cq = test.near.create_cq(CqDepth(info.MaxCqDepth))?;
    let too_deep = test.near.start_cq(CqDepth(info.MaxCqDepth.saturating_add(1)), Then::Keep)?;
    call_log.expect("a CQ that is too deep", too_deep.started().status(), STATUS_INVALID_PARAMETER);

    let most = QpDepths {
        receive: info.MaxReceiveQueueDepth,
        initiator: info.MaxInitiatorQueueDepth,
        receive_sges: info.MaxReceiveRequestSge,
        initiator_sges: info.MaxInitiatorRequestSge,
        inline: info.MaxInlineDataSize,
    };
    pd.create_qp(cq, most)?;
    let over = [
        ("too deep a receive queue", QpDepths { receive: most.receive.saturating_add(1), ..most }),
        ("too deep an initiator queue", QpDepths { initiator: most.initiator.saturating_add(1), ..most }),
        ("too many SGEs to receive", QpDepths { receive_sges: most.receive_sges.saturating_add(1), ..most }),
        ("too many SGEs to send", QpDepths { initiator_sges: most.initiator_sges.saturating_add(1), ..most }),
        ("too much inline data", QpDepths { inline: most.inline.saturating_add(1), ..most }),
    ];
    for (step, depths) in over {
        let creation = pd.start_qp(cq, depths, Then::Keep)?;
        call_log.expect(step, creation.started().status(), STATUS_INVALID_PARAMETER);
    }
    pair::listen(test).map(drop)
}

//! The layer's dispatch tables, which objects point to in place of the provider's.
//!
//! One per kind of object. A consumer of an older version than the table reads only its beginning, so the
//! connector's serves all versions, as do those of QP and CQ: the functions that came later are at the
//! end, and refuse where the provider's table ends earlier.

#![forbid(unsafe_code)]

use sys::ndk::*;

use crate::checks::Checks;
use crate::exports::extension::NdkQueryExtension;
use crate::exports::{adapter, close, connector, cq, direct, listener, memory, pd, qp, srq};
use crate::kind::Kind;

/// The layer's table for objects of a kind.
pub(crate) fn of(kind: Kind, checks: Checks) -> *const () {
    let direct = checks == Checks::Lifetimes;
    match kind {
        Kind::Adapter => (&raw const ADAPTER).cast(),
        Kind::Qp if direct => (&raw const QP_DIRECT).cast(),
        Kind::Qp => (&raw const QP).cast(),
        Kind::Cq if direct => (&raw const CQ_DIRECT).cast(),
        Kind::Cq => (&raw const CQ).cast(),
        Kind::Mr => (&raw const MR).cast(),
        Kind::Mw => (&raw const MW).cast(),
        Kind::Pd => (&raw const PD).cast(),
        Kind::SharedEndpoint => (&raw const SHARED_ENDPOINT).cast(),
        Kind::Connector => (&raw const CONNECTOR).cast(),
        Kind::Listener => (&raw const LISTENER).cast(),
        Kind::Srq if direct => (&raw const SRQ_DIRECT).cast(),
        Kind::Srq => (&raw const SRQ).cast(),
    }
}

static ADAPTER: NDK_ADAPTER_DISPATCH = NDK_ADAPTER_DISPATCH {
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkQueryAdapterInfo: Some(adapter::NdkQueryAdapterInfo),
    NdkCreateCq: Some(adapter::NdkCreateCq),
    NdkCreatePd: Some(adapter::NdkCreatePd),
    NdkCreateSharedEndpoint: Some(adapter::NdkCreateSharedEndpoint),
    NdkCreateConnector: Some(adapter::NdkCreateConnector),
    NdkCreateListener: Some(adapter::NdkCreateListener),
    NdkBuildLAM: Some(adapter::NdkBuildLAM),
    NdkReleaseLAM: Some(adapter::NdkReleaseLAM),
};

static QP: NDK_QP_DISPATCH = NDK_QP_DISPATCH {
    NdkCloseQp: Some(close::NdkCloseQp),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkFlush: Some(qp::NdkFlush),
    NdkSend: Some(qp::NdkSend),
    NdkReceive: Some(qp::NdkReceive),
    NdkBind: Some(qp::NdkBind),
    NdkFastRegister: Some(qp::NdkFastRegister),
    NdkInvalidate: Some(qp::NdkInvalidate),
    NdkRead: Some(qp::NdkRead),
    NdkWrite: Some(qp::NdkWrite),
    NdkSendAndInvalidate: Some(qp::NdkSendAndInvalidate),
};

static QP_DIRECT: NDK_QP_DISPATCH = NDK_QP_DISPATCH {
    NdkSend: Some(direct::send),
    NdkReceive: Some(direct::receive),
    NdkBind: Some(direct::bind),
    NdkFastRegister: Some(direct::fast_register),
    NdkInvalidate: Some(direct::invalidate),
    NdkRead: Some(direct::read),
    NdkWrite: Some(direct::write),
    NdkSendAndInvalidate: Some(direct::send_and_invalidate),
    ..QP
};

static CQ: NDK_CQ_DISPATCH = NDK_CQ_DISPATCH {
    NdkCloseCq: Some(close::NdkCloseCq),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkResizeCq: Some(cq::NdkResizeCq),
    NdkArmCq: Some(cq::NdkArmCq),
    NdkGetCqResults: Some(cq::NdkGetCqResults),
    NdkControlCqInterruptModeration: Some(cq::NdkControlCqInterruptModeration),
    NdkGetCqResultsEx: Some(cq::NdkGetCqResultsEx),
};

static CQ_DIRECT: NDK_CQ_DISPATCH = NDK_CQ_DISPATCH {
    NdkGetCqResults: Some(direct::results),
    NdkGetCqResultsEx: Some(direct::results_ex),
    ..CQ
};

static MR: NDK_MR_DISPATCH = NDK_MR_DISPATCH {
    NdkCloseMr: Some(close::NdkCloseMr),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkRegisterMr: Some(memory::NdkRegisterMr),
    NdkDeregisterMr: Some(memory::NdkDeregisterMr),
    NdkInitializeFastRegisterMr: Some(memory::NdkInitializeFastRegisterMr),
    NdkGetRemoteTokenFromMr: Some(memory::NdkGetRemoteTokenFromMr),
    NdkGetLocalTokenFromMr: Some(memory::NdkGetLocalTokenFromMr),
};

static MW: NDK_MW_DISPATCH = NDK_MW_DISPATCH {
    NdkCloseMw: Some(close::NdkCloseMw),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkGetRemoteTokenFromMw: Some(memory::NdkGetRemoteTokenFromMw),
};

static PD: NDK_PD_DISPATCH = NDK_PD_DISPATCH {
    NdkClosePd: Some(close::NdkClosePd),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkCreateMr: Some(pd::NdkCreateMr),
    NdkCreateMw: Some(pd::NdkCreateMw),
    NdkCreateSrq: Some(pd::NdkCreateSrq),
    NdkCreateQp: Some(pd::NdkCreateQp),
    NdkCreateQpWithSrq: Some(pd::NdkCreateQpWithSrq),
    NdkGetPrivilegedMemoryRegionToken: Some(pd::NdkGetPrivilegedMemoryRegionToken),
};

static SHARED_ENDPOINT: NDK_SHARED_ENDPOINT_DISPATCH = NDK_SHARED_ENDPOINT_DISPATCH {
    NdkCloseSharedEndpoint: Some(close::NdkCloseSharedEndpoint),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkGetLocalAddress: Some(listener::NdkGetSharedEndpointLocalAddress),
};

static CONNECTOR: NDK_CONNECTOR_DISPATCH = NDK_CONNECTOR_DISPATCH {
    NdkCloseConnector: Some(close::NdkCloseConnector),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkConnect: Some(connector::NdkConnect),
    NdkConnectWithSharedEndpoint: Some(connector::NdkConnectWithSharedEndpoint),
    NdkCompleteConnect: Some(connector::NdkCompleteConnect),
    NdkAccept: Some(connector::NdkAccept),
    NdkReject: Some(connector::NdkReject),
    NdkGetConnectionData: Some(connector::NdkGetConnectionData),
    NdkGetLocalAddress: Some(connector::NdkGetLocalAddress),
    NdkGetPeerAddress: Some(connector::NdkGetPeerAddress),
    NdkDisconnect: Some(connector::NdkDisconnect),
    NdkCompleteConnectEx: Some(connector::NdkCompleteConnectEx),
    NdkAcceptEx: Some(connector::NdkAcceptEx),
};

static LISTENER: NDK_LISTENER_DISPATCH = NDK_LISTENER_DISPATCH {
    NdkCloseListener: Some(close::NdkCloseListener),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkListen: Some(listener::NdkListen),
    NdkGetLocalAddress: Some(listener::NdkGetListenerLocalAddress),
    NdkControlConnectEvents: Some(listener::NdkControlConnectEvents),
};

static SRQ: NDK_SRQ_DISPATCH = NDK_SRQ_DISPATCH {
    NdkCloseSrq: Some(close::NdkCloseSrq),
    NdkQueryExtension: Some(NdkQueryExtension),
    NdkModifySrq: Some(srq::NdkModifySrq),
    NdkSrqReceive: Some(srq::NdkSrqReceive),
};

static SRQ_DIRECT: NDK_SRQ_DISPATCH = NDK_SRQ_DISPATCH { NdkSrqReceive: Some(direct::srq_receive), ..SRQ };

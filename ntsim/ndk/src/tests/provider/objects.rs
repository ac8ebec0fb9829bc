//! Creates and requests.

use super::*;
use ntsim_core::number::narrow;

extern "efiapi" fn query_info(
    adapter: *mut NDK_ADAPTER,
    info: *mut NDK_ADAPTER_INFO,
    size: *mut ULONG,
) -> NTSTATUS {
    // SAFETY: zero is a valid value of every member.
    let mut answer: NDK_ADAPTER_INFO = unsafe { core::mem::zeroed() };
    answer.Version = fake(adapter).provider().version;
    // SAFETY: the caller passed room for both.
    unsafe {
        info.write(answer);
        size.write(narrow(size_of::<NDK_ADAPTER_INFO>()));
    }
    STATUS_SUCCESS
}

creates! {
    create_cq(NDK_ADAPTER, ULONG; NDK_FN_CQ_NOTIFICATION_CALLBACK, *mut GROUP_AFFINITY) -> NDK_CQ: cq;
    create_pd(NDK_ADAPTER) -> NDK_PD: pd;
    create_shared_endpoint(NDK_ADAPTER, *const SOCKADDR, ULONG) -> NDK_SHARED_ENDPOINT: shared_endpoint;
    create_connector(NDK_ADAPTER) -> NDK_CONNECTOR: connector;
    create_listener(NDK_ADAPTER; NDK_FN_CONNECT_EVENT_CALLBACK) -> NDK_LISTENER: listener;
    create_mr(NDK_PD, BOOLEAN) -> NDK_MR: mr;
    create_mw(NDK_PD) -> NDK_MW: mw;
    create_srq(NDK_PD, ULONG, ULONG, ULONG; NDK_FN_SRQ_NOTIFICATION_CALLBACK, *mut GROUP_AFFINITY) -> NDK_SRQ: srq;
}

requests! {
    build_lam(NDK_ADAPTER, *mut MDL, SIZE_T; *mut NDK_LOGICAL_ADDRESS_MAPPING, *mut ULONG, *mut ULONG);
    deregister(NDK_MR);
}

extern "efiapi" fn release_lam(_adapter: *mut NDK_ADAPTER, _mapping: *mut NDK_LOGICAL_ADDRESS_MAPPING) {}

pub(crate) const ADAPTER: NDK_ADAPTER_DISPATCH = NDK_ADAPTER_DISPATCH {
    NdkQueryExtension: Some(query_extension),
    NdkQueryAdapterInfo: Some(query_info),
    NdkCreateCq: Some(create_cq),
    NdkCreatePd: Some(create_pd),
    NdkCreateSharedEndpoint: Some(create_shared_endpoint),
    NdkCreateConnector: Some(create_connector),
    NdkCreateListener: Some(create_listener),
    NdkBuildLAM: Some(build_lam),
    NdkReleaseLAM: Some(release_lam),
};

pub(crate) extern "efiapi" fn create_qp(
    pd: *mut NDK_PD,
    receive_cq: *mut NDK_CQ,
    initiator_cq: *mut NDK_CQ,
    qp_context: PVOID,
    _receive_depth: ULONG,
    _initiator_depth: ULONG,
    _max_receive_sge: ULONG,
    _max_initiator_sge: ULONG,
    _inline_size: ULONG,
    completion: Option<NDK_FN_CREATE_COMPLETION>,
    context: PVOID,
    out: *mut *mut NDK_QP,
) -> NTSTATUS {
    let parent = fake(pd);
    let parents = vec![parent.at(), At::of(receive_cq), At::of(initiator_cq)];
    let qp = make::<NDK_QP>(parent.provider(), &parent.provider().qp, parents);
    {
        let mut state = fake(qp).state();
        state.qp_context = qp_context.expose_provenance();
        state.receive_cq = Some(At::of(receive_cq));
        state.initiator_cq = Some(At::of(initiator_cq));
    }
    answer_create(parent, qp, completion, context, out)
}

extern "efiapi" fn create_qp_with_srq(
    pd: *mut NDK_PD,
    receive_cq: *mut NDK_CQ,
    initiator_cq: *mut NDK_CQ,
    srq: *mut NDK_SRQ,
    qp_context: PVOID,
    _initiator_depth: ULONG,
    _max_initiator_sge: ULONG,
    _inline_size: ULONG,
    completion: Option<NDK_FN_CREATE_COMPLETION>,
    context: PVOID,
    out: *mut *mut NDK_QP,
) -> NTSTATUS {
    let mut qp = ptr::null_mut();
    let made =
        create_qp(pd, receive_cq, initiator_cq, qp_context, 0, 0, 0, 0, 0, completion, context, &raw mut qp);
    if made == STATUS_SUCCESS {
        fake(qp).depend_on(At::of(srq));
        // SAFETY: the caller passed the out-parameter for this.
        unsafe { out.write(qp) };
    }
    made
}

extern "efiapi" fn privileged_token(_pd: *mut NDK_PD, token: *mut UINT32) {
    // SAFETY: the caller passed room for it.
    unsafe { token.write(7) };
}

pub(crate) const PD: NDK_PD_DISPATCH = NDK_PD_DISPATCH {
    NdkClosePd: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkCreateMr: Some(create_mr),
    NdkCreateMw: Some(create_mw),
    NdkCreateSrq: Some(create_srq),
    NdkCreateQp: Some(create_qp),
    NdkCreateQpWithSrq: Some(create_qp_with_srq),
    NdkGetPrivilegedMemoryRegionToken: Some(privileged_token),
};

pub(crate) extern "efiapi" fn register(
    mr: *mut NDK_MR,
    _mdl: *mut MDL,
    _length: SIZE_T,
    _flags: ULONG,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let fake = fake(mr);
    fake.state().token = fake.provider().tokens.fetch_add(1, Ordering::Relaxed);
    answer(fake, completion, context)
}

extern "efiapi" fn initialize_fast_register(
    mr: *mut NDK_MR,
    _pages: ULONG,
    _remote: BOOLEAN,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    register(mr, ptr::null_mut(), 0, 0, completion, context)
}

pub(crate) extern "efiapi" fn region_token(mr: *mut NDK_MR) -> UINT32 {
    fake(mr).state().token
}

pub(crate) const MR: NDK_MR_DISPATCH = NDK_MR_DISPATCH {
    NdkCloseMr: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkRegisterMr: Some(register),
    NdkDeregisterMr: Some(deregister),
    NdkInitializeFastRegisterMr: Some(initialize_fast_register),
    NdkGetRemoteTokenFromMr: Some(region_token),
    NdkGetLocalTokenFromMr: Some(region_token),
};

extern "efiapi" fn window_token(mw: *mut NDK_MW) -> UINT32 {
    fake(mw).state().token
}

pub(crate) const MW: NDK_MW_DISPATCH = NDK_MW_DISPATCH {
    NdkCloseMw: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkGetRemoteTokenFromMw: Some(window_token),
};

addresses! {
    shared_endpoint_address(NDK_SHARED_ENDPOINT);
}

pub(crate) const SHARED_ENDPOINT: NDK_SHARED_ENDPOINT_DISPATCH = NDK_SHARED_ENDPOINT_DISPATCH {
    NdkCloseSharedEndpoint: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkGetLocalAddress: Some(shared_endpoint_address),
};

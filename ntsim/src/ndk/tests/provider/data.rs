//! The data path: posts, results, notifications.

use super::*;

/// Puts a result into a CQ and notifies if that is due.
pub(crate) fn queue_result(cq: At, result: NDK_RESULT_EX) {
    let fake = cq.fake();
    {
        let mut state = fake.state();
        state.results.push_back(result);
        state.fresh = true;
    }
    satisfy(fake);
}

fn satisfy(fake: &'static Fake) {
    let due = {
        let mut state = fake.state();
        let due = state.fresh && state.armed.is_some();
        if due {
            state.armed = None;
        }
        due
    };
    if due {
        fake.hold();
        fake.provider.defer(move || {
            notify(fake, STATUS_SUCCESS);
            fake.release();
        });
    }
}

/// Calls a CQ's or SRQ's notification.
pub(crate) fn notify(fake: &'static Fake, status: NTSTATUS) {
    let (event, context) = {
        let mut state = fake.state();
        state.fresh = false;
        state.event
    };
    // SAFETY: the number is the address of the callback that was passed for this, with this context; both
    // kinds of notification have the same signature.
    unsafe {
        let event = core::mem::transmute::<usize, NDK_FN_CQ_NOTIFICATION_CALLBACK>(event);
        event(ptr::with_exposed_provenance_mut(context), status);
    }
}

/// A result for a request of `qp`.
pub(crate) fn result(
    qp: &Fake,
    context: usize,
    status: NTSTATUS,
    operation: NDK_OPERATION_TYPE,
) -> NDK_RESULT_EX {
    NDK_RESULT_EX {
        Status: status,
        BytesTransferred: 0,
        QPContext: ptr::with_exposed_provenance_mut(qp.state().qp_context),
        RequestContext: ptr::with_exposed_provenance_mut(context),
        Type: operation,
        ProviderErrorCode: 0,
        TypeSpecificCompletionOutput: 0,
    }
}

/// Completes a request of the initiator queue.
pub(crate) fn complete<T>(
    qp: *mut T,
    context: PVOID,
    status: NTSTATUS,
    operation: NDK_OPERATION_TYPE,
) -> NTSTATUS {
    let fake = fake(qp);
    let cq = fake.state().initiator_cq.unwrap();
    queue_result(cq, result(fake, context.expose_provenance(), status, operation));
    STATUS_SUCCESS
}

fn post(qp: *mut NDK_QP, context: PVOID, flags: ULONG, operation: NDK_OPERATION_TYPE) -> NTSTATUS {
    if flags & NDK_OP_FLAG_SILENT_SUCCESS != 0 {
        return STATUS_SUCCESS;
    }
    complete(qp, context, STATUS_SUCCESS, operation)
}

/// Completes the oldest receive of a QP.
pub(crate) fn deliver(qp: *mut NDK_QP, status: NTSTATUS) {
    let fake = fake(qp);
    let (context, cq) = {
        let mut state = fake.state();
        (state.receives.pop_front().unwrap(), state.receive_cq.unwrap())
    };
    queue_result(cq, result(fake, context, status, NDK_OPERATION_TYPE::NdkOperationTypeReceive));
}

/// Cancels every receive of a QP; those of an SRQ have no CQ to go to.
pub(crate) fn flush_receives(fake: &'static Fake) {
    while fake.state().receive_cq.is_some() && !fake.state().receives.is_empty() {
        deliver(fake.at().pointer(), STATUS_CANCELLED);
    }
}

extern "win64" fn flush(qp: *mut NDK_QP) {
    flush_receives(fake(qp));
}

pub(crate) extern "win64" fn send(
    qp: *mut NDK_QP,
    context: PVOID,
    _sgl: *const NDK_SGE,
    _count: ULONG,
    flags: ULONG,
) -> NTSTATUS {
    post(qp, context, flags, NDK_OPERATION_TYPE::NdkOperationTypeSend)
}

extern "win64" fn send_and_invalidate(
    qp: *mut NDK_QP,
    context: PVOID,
    _sgl: *const NDK_SGE,
    _count: ULONG,
    flags: ULONG,
    _token: UINT32,
) -> NTSTATUS {
    post(qp, context, flags, NDK_OPERATION_TYPE::NdkOperationTypeSend)
}

extern "win64" fn receive(qp: *mut NDK_QP, context: PVOID, _sgl: *const NDK_SGE, _count: ULONG) -> NTSTATUS {
    fake(qp).state().receives.push_back(context.expose_provenance());
    STATUS_SUCCESS
}

extern "win64" fn bind(
    qp: *mut NDK_QP,
    context: PVOID,
    mr: *mut NDK_MR,
    mw: *mut NDK_MW,
    _address: PVOID,
    _length: SIZE_T,
    flags: ULONG,
) -> NTSTATUS {
    let window = fake(mw);
    window.depend_on(At::of(mr));
    window.state().token = window.provider.tokens.fetch_add(1, Ordering::Relaxed);
    post(qp, context, flags, NDK_OPERATION_TYPE::NdkOperationTypeBind)
}

extern "win64" fn fast_register(
    qp: *mut NDK_QP,
    context: PVOID,
    _mr: *mut NDK_MR,
    _pages: ULONG,
    _page_array: *const NDK_LOGICAL_ADDRESS,
    _offset: ULONG,
    _length: SIZE_T,
    _base: PVOID,
    flags: ULONG,
) -> NTSTATUS {
    post(qp, context, flags, NDK_OPERATION_TYPE::NdkOperationTypeFastRegister)
}

extern "win64" fn invalidate(
    qp: *mut NDK_QP,
    context: PVOID,
    _memory: *mut NDK_OBJECT_HEADER,
    flags: ULONG,
) -> NTSTATUS {
    post(qp, context, flags, NDK_OPERATION_TYPE::NdkOperationTypeInvalidate)
}

extern "win64" fn read(
    qp: *mut NDK_QP,
    context: PVOID,
    _sgl: *const NDK_SGE,
    _count: ULONG,
    _address: UINT64,
    _token: UINT32,
    flags: ULONG,
) -> NTSTATUS {
    post(qp, context, flags, NDK_OPERATION_TYPE::NdkOperationTypeRead)
}

extern "win64" fn write(
    qp: *mut NDK_QP,
    context: PVOID,
    _sgl: *const NDK_SGE,
    _count: ULONG,
    _address: UINT64,
    _token: UINT32,
    flags: ULONG,
) -> NTSTATUS {
    post(qp, context, flags, NDK_OPERATION_TYPE::NdkOperationTypeWrite)
}

pub(crate) const QP: NDK_QP_DISPATCH = NDK_QP_DISPATCH {
    NdkCloseQp: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkFlush: Some(flush),
    NdkSend: Some(send),
    NdkReceive: Some(receive),
    NdkBind: Some(bind),
    NdkFastRegister: Some(fast_register),
    NdkInvalidate: Some(invalidate),
    NdkRead: Some(read),
    NdkWrite: Some(write),
    NdkSendAndInvalidate: Some(send_and_invalidate),
};

extern "win64" fn resize(
    cq: *mut NDK_CQ,
    _depth: ULONG,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    answer(fake(cq), completion, context)
}

pub(crate) extern "win64" fn arm(cq: *mut NDK_CQ, notify: ULONG) {
    let fake = fake(cq);
    fake.state().armed = Some(notify);
    satisfy(fake);
}

pub(crate) extern "win64" fn poll_ex(cq: *mut NDK_CQ, results: *mut NDK_RESULT_EX, count: ULONG) -> ULONG {
    let mut state = fake(cq).state();
    let mut taken = 0;
    while taken < count {
        let Some(result) = state.results.pop_front() else { break };
        // SAFETY: the caller passed room for `count`.
        unsafe { results.add(taken as usize).write(result) };
        taken += 1;
    }
    taken
}

extern "win64" fn poll(cq: *mut NDK_CQ, results: *mut NDK_RESULT, count: ULONG) -> ULONG {
    let mut state = fake(cq).state();
    let mut taken = 0;
    while taken < count {
        let Some(result) = state.results.pop_front() else { break };
        let NDK_RESULT_EX { Status, BytesTransferred, QPContext, RequestContext, .. } = result;
        // SAFETY: the caller passed room for `count`.
        unsafe {
            results.add(taken as usize).write(NDK_RESULT {
                Status,
                BytesTransferred,
                QPContext,
                RequestContext,
            });
        }
        taken += 1;
    }
    taken
}

extern "win64" fn moderate(_cq: *mut NDK_CQ, _interval: ULONG, _count: ULONG) -> NTSTATUS {
    STATUS_NOT_SUPPORTED
}

pub(crate) const CQ: NDK_CQ_DISPATCH = NDK_CQ_DISPATCH {
    NdkCloseCq: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkResizeCq: Some(resize),
    NdkArmCq: Some(arm),
    NdkGetCqResults: Some(poll),
    NdkControlCqInterruptModeration: Some(moderate),
    NdkGetCqResultsEx: Some(poll_ex),
};

extern "win64" fn modify(
    srq: *mut NDK_SRQ,
    _depth: ULONG,
    _threshold: ULONG,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    answer(fake(srq), completion, context)
}

extern "win64" fn srq_receive(
    srq: *mut NDK_SRQ,
    context: PVOID,
    _sgl: *const NDK_SGE,
    _count: ULONG,
) -> NTSTATUS {
    fake(srq).state().receives.push_back(context.expose_provenance());
    STATUS_SUCCESS
}

pub(crate) const SRQ: NDK_SRQ_DISPATCH = NDK_SRQ_DISPATCH {
    NdkCloseSrq: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkModifySrq: Some(modify),
    NdkSrqReceive: Some(srq_receive),
};

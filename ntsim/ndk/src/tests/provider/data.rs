//! The data path: posts, results, notifications.

use super::*;
use ntsim_core::number::ToUsize;

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
        fake.provider().defer(move || {
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

extern "efiapi" fn flush(qp: *mut NDK_QP) {
    flush_receives(fake(qp));
}

/// Defines posts that succeed at once, whatever else they take before the flags and, behind a semicolon, after them.
macro_rules! posts {
    ($($post:ident($($before:ty),* $(; $after:ty)?): $operation:ident;)*) => {
        $(pub(crate) extern "efiapi" fn $post(
            qp: *mut NDK_QP,
            context: PVOID,
            $(_: $before,)*
            flags: ULONG,
            $(_: $after,)?
        ) -> NTSTATUS {
            post(qp, context, flags, NDK_OPERATION_TYPE::$operation)
        })*
    };
}

posts! {
    send(*const NDK_SGE, ULONG): NdkOperationTypeSend;
    send_and_invalidate(*const NDK_SGE, ULONG; UINT32): NdkOperationTypeSend;
    fast_register(*mut NDK_MR, ULONG, *const NDK_LOGICAL_ADDRESS, ULONG, SIZE_T, PVOID): NdkOperationTypeFastRegister;
    invalidate(*mut NDK_OBJECT_HEADER): NdkOperationTypeInvalidate;
    read(*const NDK_SGE, ULONG, UINT64, UINT32): NdkOperationTypeRead;
    write(*const NDK_SGE, ULONG, UINT64, UINT32): NdkOperationTypeWrite;
}

/// Defines posts of a receive, which waits for the test.
macro_rules! receives {
    ($($receive:ident($queue:ty);)*) => {
        $(extern "efiapi" fn $receive(
            queue: *mut $queue,
            context: PVOID,
            _sgl: *const NDK_SGE,
            _count: ULONG,
        ) -> NTSTATUS {
            fake(queue).state().receives.push_back(context.expose_provenance());
            STATUS_SUCCESS
        })*
    };
}

receives! {
    receive(NDK_QP);
    srq_receive(NDK_SRQ);
}

requests! {
    resize(NDK_CQ, ULONG);
    modify(NDK_SRQ, ULONG, ULONG);
}

extern "efiapi" fn bind(
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
    window.state().token = window.provider().tokens.fetch_add(1, Ordering::Relaxed);
    post(qp, context, flags, NDK_OPERATION_TYPE::NdkOperationTypeBind)
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

pub(crate) extern "efiapi" fn arm(cq: *mut NDK_CQ, notify: ULONG) {
    let fake = fake(cq);
    fake.state().armed = Some(notify);
    satisfy(fake);
}

/// Hands out up to `count` results.
fn take<T>(cq: *mut NDK_CQ, results: *mut T, count: ULONG, form: impl Fn(NDK_RESULT_EX) -> T) -> ULONG {
    let mut state = fake(cq).state();
    let mut taken = 0;
    while taken < count {
        let Some(result) = state.results.pop_front() else { break };
        // SAFETY: the caller passed room for `count`.
        unsafe { results.add(taken.to_usize()).write(form(result)) };
        taken += 1;
    }
    taken
}

pub(crate) extern "efiapi" fn poll_ex(cq: *mut NDK_CQ, results: *mut NDK_RESULT_EX, count: ULONG) -> ULONG {
    take(cq, results, count, |result| result)
}

extern "efiapi" fn poll(cq: *mut NDK_CQ, results: *mut NDK_RESULT, count: ULONG) -> ULONG {
    take(cq, results, count, |result| {
        let NDK_RESULT_EX { Status, BytesTransferred, QPContext, RequestContext, .. } = result;
        NDK_RESULT { Status, BytesTransferred, QPContext, RequestContext }
    })
}

extern "efiapi" fn moderate(_cq: *mut NDK_CQ, _interval: ULONG, _count: ULONG) -> NTSTATUS {
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

pub(crate) const SRQ: NDK_SRQ_DISPATCH = NDK_SRQ_DISPATCH {
    NdkCloseSrq: Some(close),
    NdkQueryExtension: Some(query_extension),
    NdkModifySrq: Some(modify),
    NdkSrqReceive: Some(srq_receive),
};

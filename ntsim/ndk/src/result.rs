//! Results of work requests, as polls take them out of a CQ.

#![forbid(unsafe_code)]

use core::ptr;
use std::sync::Arc;

use ntsim_core::number::Low;
use ntsim_core::sched;
use sys::ndk::*;
use sys::status::NTSTATUS;
use sys::wdm::PVOID;

use crate::layer::layer;
use crate::object::{Cq, Effect, TrackedObject, TypeState};
use crate::request_id::{RequestId, Side};
use crate::rules::{self, found};
use crate::work::Outcome;

/// A result in either form.
pub(crate) trait Entry {
    fn status(&self) -> NTSTATUS;
    fn qp_context(&mut self) -> &mut PVOID;
    fn request_context(&mut self) -> &mut PVOID;
    fn operation(&self) -> Option<NDK_OPERATION_TYPE>;
    /// The token that the message of a receive invalidated.
    fn invalidated(&self) -> Option<u32>;
}

impl Entry for NDK_RESULT {
    fn status(&self) -> NTSTATUS {
        self.Status
    }

    fn qp_context(&mut self) -> &mut PVOID {
        &mut self.QPContext
    }

    fn request_context(&mut self) -> &mut PVOID {
        &mut self.RequestContext
    }

    fn operation(&self) -> Option<NDK_OPERATION_TYPE> {
        None
    }

    fn invalidated(&self) -> Option<u32> {
        None
    }
}

impl Entry for NDK_RESULT_EX {
    fn status(&self) -> NTSTATUS {
        self.Status
    }

    fn qp_context(&mut self) -> &mut PVOID {
        &mut self.QPContext
    }

    fn request_context(&mut self) -> &mut PVOID {
        &mut self.RequestContext
    }

    fn operation(&self) -> Option<NDK_OPERATION_TYPE> {
        Some(self.Type)
    }

    fn invalidated(&self) -> Option<u32> {
        let invalidates = self.Type == NDK_OPERATION_TYPE::NdkOperationTypeReceiveAndInvalidate;
        invalidates.then_some(self.TypeSpecificCompletionOutput.low_u32())
    }
}

/// Checks a result that a poll has taken, and gives it the consumer's contexts.
pub(crate) fn take<R: Entry>(tracked: &TrackedObject, cq: &Cq, result: &mut R) {
    let id = RequestId::of(*result.request_context());
    let Some(source) = cq.source(id.object) else {
        let context = *result.request_context();
        return found(
            rules::RESULT_UNKNOWN,
            format!("a result of {tracked} has the request context {context:p}"),
        );
    };
    let (status, operation) = (result.status(), result.operation());
    sched::answered("NDK_RESULT", &status);
    let Outcome { context, broken, effects } = match &source.type_state {
        TypeState::Qp(qp) => qp.queue(id.side).completed(id.number, status, operation),
        TypeState::Srq(srq) => srq.queue.completed(id.number, status, operation),
        _ => return,
    };
    let number = id.number;
    for rule in broken {
        found(
            rule,
            format!("{tracked} has a result with status {status:#010x} of request {number} of {source}"),
        );
    }
    if let Some(context) = context {
        *result.request_context() = ptr::with_exposed_provenance_mut(context);
    }
    take_qp(tracked, cq, &source, id.side, result);
    effects.into_iter().for_each(Effect::apply);
    let adapter = tracked.adapter_serial();
    let invalidated = result.invalidated().map(|token| layer().tokens.owners(Some(adapter), token));
    for memory in invalidated.into_iter().flatten() {
        if let Some(effect) = Effect::invalidate(&memory) {
            effect.apply();
        }
    }
}

/// Checks which QP a result names, and gives it the consumer's context.
fn take_qp<R: Entry>(
    tracked: &TrackedObject,
    cq: &Cq,
    source: &Arc<TrackedObject>,
    side: Side,
    result: &mut R,
) {
    let context = *result.qp_context();
    let named = u32::try_from(context.addr()).ok().and_then(|serial| cq.source(serial));
    let named = named.as_ref().map(|named| (named, &named.type_state));
    let Some((named, TypeState::Qp(qp))) = named else {
        return found(rules::RESULT_QP, format!("a result of {tracked} has the QP context {context:p}"));
    };
    *result.qp_context() = ptr::with_exposed_provenance_mut(qp.context);
    if !qp.receives_through(source, side) && !Arc::ptr_eq(named, source) {
        found(rules::RESULT_QP, format!("{tracked} has a result of {source} that names {named}"));
    }
    if !qp.completes_in(side, tracked.serial) {
        found(rules::RESULT_QP, format!("{tracked} has a result of {named} that belongs in another CQ"));
    }
}

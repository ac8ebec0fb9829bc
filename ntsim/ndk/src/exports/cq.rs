//! The completion queue.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::sched;
use sys::ndk::*;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG};

use crate::arm_model::Notify;
use crate::call::{Call, enter};
use crate::notification::check_overdue;
use crate::object::{Cq, TrackedObject, TypeState};
use crate::request;
use crate::result::{self, Entry};
use crate::rules::{self, found};
use crate::serialization::{Caller, Entered};

/// Polls, checks what comes and gives it the consumer's contexts.
///
/// # Safety
/// `results` has room for `count`, of which the provider fills as many as it returns.
unsafe fn poll<R: Entry>(
    call: &Call<NDK_CQ>,
    results: *mut R,
    count: ULONG,
    provider: impl FnOnce() -> ULONG,
) -> ULONG {
    let TypeState::Cq(cq) = &call.tracked.type_state else { return 0 };
    let inside = serialized(call, cq);
    check_overdue(&call.tracked, cq);
    let closed = cq.closed_sources();
    let taken = call.run(provider);
    if taken > count {
        found(rules::RESULT_COUNT, format!("{} of {} returned {taken} of {count}", call.name, call.tracked));
        return 0;
    }
    if taken == 0 && count != 0 {
        found_empty(&call.tracked, cq, &closed);
    } else if taken != 0 {
        cq.taken.fetch_add(taken, Ordering::Relaxed);
        // SAFETY: the provider says that it filled so many, and there is room for them.
        let results = unsafe { core::slice::from_raw_parts_mut(results, taken.to_usize()) };
        cq.arm.took(results.iter().map(Entry::status), sched::now);
        results.iter_mut().for_each(|result| result::take(&call.tracked, cq, result));
    }
    drop(inside);
    taken
}

fn serialized<'a>(call: &Call<NDK_CQ>, cq: &'a Cq) -> Option<Entered<'a>> {
    let inside = cq.serialization.enter(Caller::Thread);
    if inside.is_none() {
        found(rules::CQ_NOT_SERIALIZED, format!("{} of {} on two threads at once", call.name, call.tracked));
    }
    inside
}

fn found_empty(tracked: &TrackedObject, cq: &Cq, closed: &[Arc<TrackedObject>]) {
    if cq.arm.found_empty() {
        found(
            rules::CQ_NOTIFICATION_SPURIOUS,
            format!("{tracked} gave a notification and then no result for it"),
        );
    }
    let overflown = cq.may_have_overflown();
    for source in closed {
        cq.sources.lock().remove(&source.serial);
        let TypeState::Qp(qp) = &source.type_state else { continue };
        let missing = qp.outstanding(tracked.serial);
        if missing != 0 && !overflown {
            found(
                rules::RESULT_MISSING,
                format!("{source} is closed, {tracked} is empty, and {missing} requests had no result"),
            );
        }
    }
}

exports! {
    "(ndk)";

    /// Changes the depth.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkResizeCq(
        cq: *mut NDK_CQ,
        depth: ULONG,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
    ) -> NTSTATUS {
        let (call, resize) = enter!(cq, NdkResizeCq);
        if let TypeState::Cq(state) = &call.tracked.type_state {
            state.depth.fetch_min(depth, Ordering::Relaxed);
        }
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            resize(cq, depth, completion, context)
        }, None)
    }

    /// Asks for one notification.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkArmCq(cq: *mut NDK_CQ, notify: ULONG) {
        let (call, arm) = enter!(cq, NdkArmCq, else return);
        let TypeState::Cq(state) = &call.tracked.type_state else { return };
        let inside = serialized(&call, state);
        check_overdue(&call.tracked, state);
        state.arm.armed(Notify::of(notify));
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { arm(cq, notify) });
        drop(inside);
    }

    /// Takes results.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetCqResults(cq: *mut NDK_CQ, results: *mut NDK_RESULT, count: ULONG) -> ULONG {
        let (call, provider) = enter!(cq, NdkGetCqResults, else return 0);
        // SAFETY: the consumer's arguments.
        let provider = || unsafe { provider(cq, results, count) };
        // SAFETY: the consumer has room for `count` results.
        unsafe { poll(&call, results, count, provider) }
    }

    /// Takes results in their extended form.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkGetCqResultsEx(cq: *mut NDK_CQ, results: *mut NDK_RESULT_EX, count: ULONG) -> ULONG {
        let (call, provider) = enter!(cq, NdkGetCqResultsEx, since 1, 2, else return 0);
        // SAFETY: the consumer's arguments.
        let provider = || unsafe { provider(cq, results, count) };
        // SAFETY: the consumer has room for `count` results.
        unsafe { poll(&call, results, count, provider) }
    }

    /// Sets when notifications are held back.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkControlCqInterruptModeration(cq: *mut NDK_CQ, interval: ULONG, count: ULONG) -> NTSTATUS {
        let (call, control) = enter!(cq, NdkControlCqInterruptModeration);
        // SAFETY: the consumer's arguments.
        let status = call.run(|| unsafe { control(cq, interval, count) });
        if let TypeState::Cq(state) = &call.tracked.type_state
            && status == STATUS_SUCCESS
        {
            state.arm.moderated(interval);
        }
        status
    }
}

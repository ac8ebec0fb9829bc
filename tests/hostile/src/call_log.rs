//! The results and completions that the provider owes, each exactly once.

#![expect(unsafe_code, reason = "a consumer passes addresses to the provider")]

use core::cell::RefCell;
use std::collections::HashMap;

use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::PVOID;

/// Identifies a request, a work request, an event or a close; it is their context.
pub(crate) type RequestId = usize;

/// Identifies a CQ.
pub(crate) type Queue = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// It has not returned.
    Running,
    /// It has not returned, and its completion has been called.
    Overtaken,
    /// It returned STATUS_PENDING.
    Pending,
}

/// The completion queue of a work request's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    /// To this queue.
    To(Queue),
    /// To this queue, unless the request succeeds.
    Failure(Queue),
    /// To the queue of the QP that takes the receive from its SRQ, if any does.
    Somewhere,
}

impl Owed {
    fn queue(self) -> Option<Queue> {
        match self {
            Self::To(queue) | Self::Failure(queue) => Some(queue),
            Self::Somewhere => None,
        }
    }
}

/// The outcomes of a run's work requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Accepted.
    pub accepted: usize,
    /// Refused when they were posted.
    pub refused: usize,
    /// Results that say success.
    pub succeeded: usize,
    /// Results that say something else.
    pub failed: usize,
}

#[derive(Default)]
struct CallLog {
    outcomes: Outcomes,
    last: RequestId,
    calls: HashMap<RequestId, Call>,
    work: HashMap<RequestId, Owed>,
    /// Connectors that were offered and not taken up.
    offers: Vec<usize>,
}

thread_local! {
    static CALL_LOG: RefCell<CallLog> = RefCell::default();
}

fn with<R>(f: impl FnOnce(&mut CallLog) -> R) -> R {
    CALL_LOG.with_borrow_mut(f)
}

/// Forgets everything.
pub(crate) fn begin() {
    with(|call_log| *call_log = CallLog::default());
}

fn id() -> RequestId {
    with(|call_log| {
        call_log.last += 1;
        call_log.last
    })
}

fn number(context: PVOID) -> RequestId {
    context.addr()
}

/// Makes a call that takes a completion; `call` gets the context.
pub(crate) fn request(call: impl FnOnce(PVOID) -> NTSTATUS) -> NTSTATUS {
    let id = id();
    with(|call_log| call_log.calls.insert(id, Call::Running));
    let status = call(core::ptr::without_provenance_mut(id));
    with(|call_log| {
        let before = call_log.calls.remove(&id);
        match (status, before) {
            (STATUS_PENDING, Some(Call::Running)) => {
                call_log.calls.insert(id, Call::Pending);
            }
            (STATUS_PENDING, Some(Call::Overtaken)) | (_, Some(Call::Running)) => {}
            (_, before) => panic!("a call returned {status:#010x} and was {before:?}"),
        }
    });
    status
}

/// The completion of a request.
pub(crate) unsafe extern "efiapi" fn completed(context: PVOID, status: NTSTATUS) {
    assert_ne!(status, STATUS_PENDING, "a request completed as pending");
    settle(context);
}

/// The completion of a close.
pub(crate) unsafe extern "efiapi" fn closed(context: PVOID) {
    settle(context);
}

fn settle(context: PVOID) {
    let id = number(context);
    with(|call_log| match call_log.calls.insert(id, Call::Overtaken) {
        Some(Call::Running) => {}
        Some(Call::Pending) => {
            call_log.calls.remove(&id);
        }
        before => panic!("completion {id} was called, and its call was {before:?}"),
    });
}

/// Closes an object.
pub(crate) fn close(call: impl FnOnce(PVOID) -> NTSTATUS) {
    let status = request(call);
    assert!(matches!(status, STATUS_SUCCESS | STATUS_PENDING), "a close returned {status:#010x}");
}

/// Posts a work request; whether it was accepted.
pub(crate) fn post(owed: Owed, call: impl FnOnce(PVOID) -> NTSTATUS) -> bool {
    let id = id();
    with(|call_log| call_log.work.insert(id, owed));
    let status = call(core::ptr::without_provenance_mut(id));
    assert_ne!(status, STATUS_PENDING, "a work request does not pend");
    if !NT_SUCCESS(status) {
        let known = with(|call_log| call_log.work.remove(&id));
        assert!(known.is_some(), "a work request that was refused had a result");
    }
    count(status, |outcomes| &mut outcomes.accepted, |outcomes| &mut outcomes.refused);
    NT_SUCCESS(status)
}

fn count(status: NTSTATUS, good: fn(&mut Outcomes) -> &mut usize, bad: fn(&mut Outcomes) -> &mut usize) {
    let place = if NT_SUCCESS(status) { good } else { bad };
    with(|call_log| *place(&mut call_log.outcomes) += 1);
}

/// A result was taken from `queue`.
pub(crate) fn result(queue: Queue, context: PVOID, status: NTSTATUS) {
    count(status, |outcomes| &mut outcomes.succeeded, |outcomes| &mut outcomes.failed);
    let id = number(context);
    match with(|call_log| call_log.work.remove(&id)) {
        Some(Owed::Somewhere) => {}
        Some(Owed::Failure(of)) if NT_SUCCESS(status) => {
            panic!("work request {id} of queue {of} was to be silent, and has a result")
        }
        Some(Owed::To(of) | Owed::Failure(of)) => {
            assert_eq!(of, queue, "a result is in the queue of its request");
        }
        None => panic!("a result for work request {id}, which has none outstanding"),
    }
}

/// `queue` is empty and nothing can come into it any more: every request had its result.
pub(crate) fn queue_is_done(queue: Queue) {
    let left =
        with(|call_log| call_log.work.iter().find(|(_, owed)| **owed == Owed::To(queue)).map(|(t, _)| *t));
    assert_eq!(left, None, "a work request had no result");
    forgive(queue);
}

/// The results of a queue can't be waited for: it is closed, or it has overflown.
pub(crate) fn forgive(queue: Queue) {
    with(|call_log| call_log.work.retain(|_, owed| owed.queue() != Some(queue)));
}

/// Notes a connector that a listener offers.
pub(crate) fn offer(connector: usize) {
    with(|call_log| call_log.offers.push(connector));
}

/// The connectors that were offered since the last call.
pub(crate) fn offers() -> Vec<usize> {
    with(|call_log| core::mem::take(&mut call_log.offers))
}

/// Everything has been paid; returns what came of it.
pub(crate) fn end() -> Outcomes {
    with(|call_log| {
        assert!(call_log.calls.is_empty(), "calls were never completed: {:?}", call_log.calls);
        let owed = call_log.work.values().find(|owed| owed.queue().is_some());
        assert_eq!(owed, None, "a work request had no result");
        call_log.outcomes
    })
}

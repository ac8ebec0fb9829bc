//! Notifications that are held back, against the clock, the consumer and the close.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::ptr::null_mut;
use std::sync::Arc;

use sys::ndk::NDK_OPERATION_TYPE;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG};
use test_kernel::model::{Model, expire, is_ticking, pump};

use super::fixture::{Ending, Fixture, Pointer, close, close_inline};
use super::{explore, race};
use crate::adapter::Cq;
use crate::completion::{Arm, Cqe};
use crate::consumer::Opaque;
use crate::lifetime::Kind;
use crate::object::Object;

/// No count limits: only the clock ends the holding back.
const BY_TIME: (ULONG, ULONG) = (1000, ULONG::MAX);
/// Two results do, or the clock.
const BY_TWO: (ULONG, ULONG) = (1000, 2);

/// A completion queue and what its consumer saw. Plain atomics: loom is not to explore these.
#[derive(Clone)]
struct Queue {
    cq: Pointer<Cq<Model>>,
    story: Arc<Story>,
}

#[derive(Default)]
struct Story {
    notified: AtomicU32,
    closed: Ending,
}

unsafe extern "efiapi" fn notified(context: PVOID, status: NTSTATUS) {
    // SAFETY: the context is a story that the model keeps.
    let story = unsafe { &*context.cast::<Story>() };
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(story.closed.calls.load(SeqCst), 0, "a notification after the close");
    story.notified.fetch_add(1, SeqCst);
}

impl Queue {
    fn new(fixture: &Fixture, (interval, count): (ULONG, ULONG)) -> Self {
        let story = Arc::new(Story::default());
        let cq = fixture.cq(Some(notified), Arc::as_ptr(&story).cast_mut().cast());
        cq.moderate(interval, count).unwrap();
        cq.arm(Arm::Any);
        Self { cq, story }
    }

    fn notified(&self) -> u32 {
        self.story.notified.load(SeqCst)
    }

    /// A queue pair that completes a request, and then lets go of the queue.
    fn pushes(&self) -> Work {
        let cq = self.cq.try_acquire(Kind::Successor).unwrap();
        Box::new(move || {
            push(&cq);
            drop(cq);
            pump();
        })
    }

    /// Takes the oldest result and arms, as the consumer does.
    fn poll_and_arm(&self) {
        let _taken = self.cq.poll();
        self.story.notified.store(0, SeqCst);
        self.cq.arm(Arm::Any);
    }

    fn tear_down(self, fixture: Fixture) {
        expire();
        close_inline(self.cq);
        fixture.tear_down();
    }
}

type Work = Box<dyn FnOnce() + Send>;

fn push(cq: &Object<Model, Cq<Model>>) {
    let none = Opaque(null_mut());
    let result = Cqe {
        status: STATUS_SUCCESS,
        bytes: 0,
        qp_context: none,
        request_context: none,
        operation: NDK_OPERATION_TYPE::NdkOperationTypeSend,
        invalidated: 0,
    };
    assert_eq!(cq.push(result, false), Ok(()));
}

fn clock() -> Work {
    Box::new(expire)
}

#[test]
fn close_against_coalesced_notification_and_its_timer() {
    explore(Some(2), || {
        let fixture = Fixture::new();
        let queue = Queue::new(&fixture, BY_TIME);
        let (cq, story) = (queue.cq, queue.story.clone());
        let closes: Work = Box::new(move || {
            if close(cq, &story.closed) == STATUS_SUCCESS {
                story.closed.ended(STATUS_SUCCESS);
            }
            pump();
        });
        race(vec![closes, queue.pushes(), clock()]);
        pump();
        assert!(!is_ticking(), "a timer outlives its object");
        assert_eq!(queue.story.closed.status(), STATUS_SUCCESS);
        fixture.tear_down();
    });
}

#[test]
fn timer_against_arm_and_result() {
    explore(Some(2), || {
        let fixture = Fixture::new();
        let queue = Queue::new(&fixture, BY_TIME);
        push(&queue.cq);
        let arming = queue.clone();
        let consumer: Work = Box::new(move || {
            arming.poll_and_arm();
            pump();
        });
        race(vec![consumer, queue.pushes(), clock()]);
        expire();
        assert_ne!(queue.notified(), 0, "an arm that a result satisfies is answered");
        queue.tear_down(fixture);
    });
}

#[test]
fn settings_against_coalesced_result() {
    explore(Some(3), || {
        let fixture = Fixture::new();
        let queue = Queue::new(&fixture, BY_TIME);
        let cq = queue.cq;
        let settings: Work = Box::new(move || {
            cq.moderate(0, 0).unwrap();
            pump();
        });
        race(vec![settings, queue.pushes()]);
        assert_eq!(queue.notified(), 1, "nothing is held back by settings that are gone");
        assert!(!is_ticking());
        queue.tear_down(fixture);
    });
}

#[test]
fn results_up_to_the_count_against_timer() {
    explore(Some(2), || {
        let fixture = Fixture::new();
        let queue = Queue::new(&fixture, BY_TWO);
        race(vec![queue.pushes(), queue.pushes(), clock()]);
        pump();
        assert_eq!(queue.notified(), 1, "one for one arm, and at once");
        expire();
        assert_eq!(queue.notified(), 1);
        queue.tear_down(fixture);
    });
}

//! Completion queues: results in, notifications out.
//!
//! A queue pair pushes results from any processor; the consumer takes them out, one thread at a time
//! (CQ-1). Notifications are made from the queue's DPC, one after another. Neither side takes a
//! lock. A moderated queue holds notifications back until enough results are in it, or its timer expires.

#![expect(unsafe_code, reason = "the notification callback of a consumer is called")]

mod arm;
mod entries;
mod moderation;

pub(crate) use arm::{Arm, Class};
pub(crate) use moderation::{Moderation, ModerationError};

use sys::ndk::{NDK_FN_CQ_NOTIFICATION_CALLBACK, NDK_OBJECT_TYPE, NDK_OPERATION_TYPE};
use sys::status::{NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_SUCCESS};
use sys::wdm::{GROUP_AFFINITY, ULONG};

use crate::consumer::Opaque;
use crate::heap::NoMemory;
use crate::kernel::event::{self, Count, Event, Handle};
use crate::kernel::{Kernel, Timer as _};
use crate::lifetime::Kind;
use crate::object::{Id, Object, ObjectRef, ObjectTimer, ObjectType, Registry, TIMER, Vector};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use arm::{Answer, ArmWord};
use entries::Entries;
use moderation::Settings;

/// Event bit: notifications are pending.
const NOTIFY: u32 = 1;

/// Event bit: a result found no room, which is the end of the queue pairs.
const OVERFLOWN: u32 = 2;

/// A completion queue entry (CQE): the result of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cqe {
    pub(crate) status: NTSTATUS,
    pub(crate) bytes: u32,
    pub(crate) qp_context: Opaque,
    pub(crate) request_context: Opaque,
    pub(crate) operation: NDK_OPERATION_TYPE,
    /// The token that the message of a receive invalidated.
    pub(crate) invalidated: u32,
}

/// The adapter that a CQ belongs to. Its module stands above this one, as it knows its RNIC and the connections.
pub(crate) trait CqAdapter<K: Kernel>: ObjectType<K> {
    /// Returns true if a CQ notification may be called inside the call that causes it.
    fn notifies_immediately(&self) -> bool;

    /// Counts a CQ that has overflowed. Up to DISPATCH_LEVEL.
    fn count_cq_error(&self);
}

/// Type-specific state of a completion queue: [`Cq`](crate::adapter::Cq), of an adapter.
pub(crate) struct CompletionQueue<K: Kernel, A: CqAdapter<K>> {
    adapter: ObjectRef<K, A>,
    entries: Entries,
    /// One past the position of the newest result that was solicited, or failed.
    newest_solicited: AtomicU64,
    newest_error: AtomicU64,
    arm: ArmWord,
    moderation: Settings,
    /// Timer that expires when a coalesced notification is due.
    timer: ObjectTimer<K>,
    /// As the consumer asked for it last; the queue may be deeper.
    depth: AtomicU32,
    /// Notifications not yet made.
    notifications_pending: AtomicU32,
    /// A result found no room; the queue and its queue pairs are dead (CQ-6).
    overflown: AtomicBool,
    callback: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>,
    context: Opaque,
    vector: Vector<K>,
    on_overflow: OnOverflow<K, A>,
}

/// Called once, in the queue's DPC, when a result has found no room.
pub(crate) type OnOverflow<K, A> = fn(&Object<K, CompletionQueue<K, A>>);

/// A result that is published, and has not notified yet.
#[must_use]
pub(crate) struct Unsettled {
    class: Class,
    position: u64,
}

/// A result found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl<K: Kernel, A: CqAdapter<K>> CompletionQueue<K, A> {
    /// A queue for at least `depth` results, whose notifications run on the processors of `affinity`, if possible.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(
        adapter: ObjectRef<K, A>,
        depth: u32,
        callback: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>,
        context: Opaque,
        affinity: Option<GROUP_AFFINITY>,
        on_overflow: OnOverflow<K, A>,
    ) -> Result<Self, NoMemory> {
        let vector = Vector::new(affinity, adapter.notifies_immediately());
        Ok(Self {
            adapter,
            entries: Entries::new(depth)?,
            newest_solicited: AtomicU64::new(0),
            newest_error: AtomicU64::new(0),
            arm: ArmWord::new(),
            moderation: Settings::new(),
            timer: ObjectTimer::new(),
            depth: AtomicU32::new(depth),
            notifications_pending: AtomicU32::new(0),
            overflown: AtomicBool::new(false),
            callback,
            context,
            vector,
            on_overflow,
        })
    }

    /// The adapter that it belongs to.
    pub(crate) fn adapter(&self) -> &Object<K, A> {
        &self.adapter
    }

    /// A result is to come soon.
    pub(crate) fn expect_push(&self) {
        self.entries.expect_push();
    }

    /// The oldest result.
    pub(crate) fn poll(&self) -> Option<Cqe> {
        self.entries.pop()
    }

    /// Returns true if the queue overflowed and lost a result.
    pub(crate) fn is_overflown(&self) -> bool {
        self.overflown.load(Ordering::Acquire)
    }

    /// Returns the position of a result of at least `class` in the queue, if there is one: the newest for
    /// errors and solicited results, the oldest for any.
    fn present(&self, class: Class) -> Option<u64> {
        let head = self.entries.head();
        let newest = match class {
            Class::Plain => return self.entries.oldest(),
            Class::Solicited => &self.newest_solicited,
            Class::Error => &self.newest_error,
        };
        newest.load(Ordering::SeqCst).checked_sub(1).filter(|position| *position >= head)
    }
}

impl<K: Kernel, A: CqAdapter<K>> CompletionQueue<K, A> {
    /// Returns true if a coalesced notification is due, by the number of results in the queue.
    fn is_due(&self, moderation: Moderation) -> bool {
        // Where a resize is under way the difference is too large, and the notification early.
        let results = self.entries.tail().saturating_sub(self.entries.head());
        self.overflown.load(Ordering::SeqCst)
            || moderation.is_reached(results, self.depth.load(Ordering::Relaxed))
    }
}

impl<K: Kernel, A: CqAdapter<K>> Object<K, CompletionQueue<K, A>> {
    /// Appends a result and makes the notification that it satisfies. Any processor, up to
    /// DISPATCH_LEVEL; the caller holds the queue.
    ///
    /// # Errors
    ///
    /// [`Overflow`]: the queue is full, and dead from now on.
    #[inline(always)]
    pub(crate) fn push(&self, result: Cqe, solicited: bool) -> Result<(), Overflow> {
        self.push_unsettled(result, solicited).map(|unsettled| self.settle(unsettled))
    }

    /// As [`Object::push`], and leaves the notification to the caller.
    ///
    /// # Errors
    ///
    /// As there; nothing is left to the caller then.
    #[inline(always)]
    pub(crate) fn push_unsettled(&self, result: Cqe, solicited: bool) -> Result<Unsettled, Overflow> {
        let class = match (result.status, solicited) {
            (STATUS_SUCCESS, false) => Class::Plain,
            (STATUS_SUCCESS, true) => Class::Solicited,
            _ => Class::Error,
        };
        match self.entries.push(result) {
            Ok(position) => {
                let past = position.wrapping_add(1);
                if class >= Class::Solicited {
                    self.newest_solicited.fetch_max(past, Ordering::SeqCst);
                }
                if class == Class::Error {
                    self.newest_error.fetch_max(past, Ordering::SeqCst);
                }
                Ok(Unsettled { class, position })
            }
            Err(_) => {
                self.overflow();
                self.settle(Unsettled { class: Class::Error, position: self.entries.tail() });
                Err(Overflow)
            }
        }
    }

    /// No result is reported from here on (CQ-6), also where room is made.
    #[cold]
    fn overflow(&self) {
        self.entries.end();
        if !self.overflown.swap(true, Ordering::SeqCst) {
            self.adapter.count_cq_error();
            let depth = Count(self.depth.load(Ordering::Relaxed));
            event::write::<K>(|| Event::CqOverflow { cq: Handle(core::ptr::from_ref(self).addr()), depth });
            self.post(OVERFLOWN);
        }
    }

    /// Asks for a notification (CQ-2, CQ-3). What is in the queue already satisfies the arm too, also
    /// what was there at the last notification, which the interface leaves open.
    pub(crate) fn arm(&self, arm: Arm) {
        self.arm.arm(arm, self.entries.head());
        let overflow = self.overflown.load(Ordering::SeqCst).then(|| (Class::Error, self.entries.tail()));
        let present = [Class::Error, Class::Solicited, Class::Plain]
            .into_iter()
            .filter_map(|class| Some((class, self.present(class)?)));
        let answer = overflow
            .into_iter()
            .chain(present)
            .map(|(class, position)| self.ask(class, position))
            .find(|answer| *answer != Answer::Nothing);
        // The consumer may close the queue in the notification; one that is being closed makes none.
        if let Some(answer) = answer
            && let Ok(_held) = self.try_acquire(Kind::Request)
        {
            self.answer(answer);
        }
    }

    /// NdkControlCqInterruptModeration, always inline. What was held back by the earlier settings is so no
    /// longer. Not concurrently with itself; the caller owns a hold.
    ///
    /// # Errors
    ///
    /// [`ModerationError`], and nothing has changed.
    pub(crate) fn moderate(&self, interval: ULONG, count: ULONG) -> Result<(), ModerationError> {
        let depth = self.depth.load(Ordering::Relaxed);
        self.moderation.set(Moderation::new(interval, count, depth, K::Timer::lateness())?);
        fence(Ordering::SeqCst);
        self.cancel_timer();
        self.flush_coalesced();
        Ok(())
    }

    /// NdkResizeCq: makes room for at least `depth` results (CQ-7). A smaller depth than before takes no room away, as
    /// a queue may be deeper than it was asked to be; but it is full with so many, and a notification that is held
    /// back for more is so no longer. Not concurrently with itself; the caller owns a hold.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and nothing has changed.
    pub(crate) fn resize(&self, depth: u32) -> Result<(), NoMemory> {
        self.entries.grow(depth)?;
        self.depth.store(depth, Ordering::Relaxed);
        // A result that comes meanwhile finds the new depth, or is found here.
        fence(Ordering::SeqCst);
        if self.is_due(self.moderation.now()) {
            self.cancel_timer();
            self.flush_coalesced();
        }
        Ok(())
    }

    /// Makes the notification that a result satisfies, now that it is published.
    #[inline(always)]
    pub(crate) fn settle(&self, Unsettled { class, position }: Unsettled) {
        self.answer(self.ask(class, position));
    }

    /// As [`Object::settle`], for a caller that has made a read-modify-write since the push: it keeps the look at the arm
    /// behind the result, as the fence there does.
    #[inline(always)]
    pub(crate) fn settle_after_rmw(&self, Unsettled { class, position }: Unsettled) {
        self.answer(self.arm.satisfy_after_rmw(class, position, || self.is_moderated()));
    }

    fn ask(&self, class: Class, position: u64) -> Answer {
        self.arm.satisfy(class, position, || self.is_moderated())
    }

    fn is_moderated(&self) -> bool {
        self.moderation.now() != Moderation::OFF
    }

    fn answer(&self, answer: Answer) {
        match answer {
            Answer::Nothing => {}
            Answer::Notify => self.notify(),
            Answer::Coalesce => self.coalesce(),
            Answer::Coalesced if self.is_due(self.moderation.now()) => self.flush_coalesced(),
            Answer::Coalesced => {}
        }
    }

    /// Makes one notification pending.
    fn notify(&self) {
        self.notifications_pending.fetch_add(1, Ordering::AcqRel);
        self.post(NOTIFY);
    }

    /// A notification that is coalesced, if there is one, is not any longer.
    fn flush_coalesced(&self) {
        if self.arm.flush_coalesced() {
            self.notify();
        }
    }

    /// Sees to it that the notification that is coalesced from now on comes when it is due.
    #[cold]
    fn coalesce(&self) {
        // Entries that come from here on find the notification held back, and settings that change too.
        fence(Ordering::SeqCst);
        let moderation = self.moderation.now();
        if self.is_due(moderation) {
            return self.flush_coalesced();
        }
        if let Some(limit) = moderation.limit() {
            self.set_timer(limit);
        }
        if self.moderation.now() != moderation {
            // The timer is one of earlier settings; their change found neither it nor what it is for.
            self.cancel_timer();
            self.flush_coalesced();
        }
    }
}

impl<K: Kernel, A: CqAdapter<K>> ObjectType<K> for CompletionQueue<K, A> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeCq;

    const REFERENCES: [usize; 3] = [Object::<K, Self>::at(core::mem::offset_of!(Self, adapter)), 0, 0];

    type Antecedents = ObjectRef<K, A>;

    fn registry(&self) -> &Registry<K> {
        self.adapter.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.adapter));
    }

    fn timer(&self) -> Option<&ObjectTimer<K>> {
        Some(&self.timer)
    }

    fn vector(&self) -> Option<&Vector<K>> {
        Some(&self.vector)
    }

    /// Nothing to cancel: a notification that has not begun is dropped in [`ObjectType::deliver`].
    fn start_close(_: &Object<K, Self>) {}

    fn into_antecedents(self) -> Self::Antecedents {
        self.adapter
    }

    fn deliver(object: &Object<K, Self>, events: u32) {
        if events & TIMER != 0 && object.arm.flush_coalesced() {
            object.notifications_pending.fetch_add(1, Ordering::AcqRel);
        }
        if events & OVERFLOWN != 0 {
            (object.on_overflow)(object);
        }
        let pending = object.notifications_pending.swap(0, Ordering::AcqRel);
        for _ in 0..pending {
            if object.holds().closing {
                return;
            }
            let overflown = object.overflown.load(Ordering::SeqCst);
            let status = if overflown { STATUS_BUFFER_OVERFLOW } else { STATUS_SUCCESS };
            if let Some(callback) = object.callback {
                // SAFETY: the consumer gave this function and context at creation; the DPC
                // holds the queue, so its close has not completed.
                unsafe { callback(object.context.0, status) }
            }
        }
    }
}

//! The callbacks and contexts that the layer passes to the provider in place of the consumer's.
//!
//! The context that the provider sees is a number, not an address: a callback that comes after its object
//! has gone, or with a context that was never passed, finds nothing, and the finding can say what the number
//! once stood for.
//!
//! | module | contents |
//! |---|---|
//! | `consumer` | what the consumer passed: its callback and its context |
//! | `prospect` | the object that a create is going to make |

mod consumer;
mod prospect;

use core::ptr;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use ntsim_core::number::{ToU64, ToUsize};
use parking_lot::Mutex;
use sys::wdm::PVOID;

pub(crate) use self::consumer::{CompletionRules, Consumer, Out, Then};
pub(crate) use self::prospect::Prospect;
use crate::object::{Stage, TrackedObject};
use crate::rules::{self, found};

/// Contexts are numbered from here: no address on x86-64, so that using one as such faults.
const FIRST: u64 = 0x4E44_4B00_0000_0000;

/// The number of ended contexts that are remembered for reports.
const REMEMBERED: usize = 1 << 16;

const RETURNED_PENDING: u8 = 1;
const RETURNED_FINAL: u8 = 2;
const CALLED: u8 = 4;

/// A callback that the provider may make.
pub(crate) struct Context {
    id: u64,
    /// The interface's name of the function that was given the callback.
    pub(crate) function: &'static str,
    pub(crate) consumer: Consumer,
    subject: OnceLock<Arc<TrackedObject>>,
    answer: AtomicU8,
}

/// The finding to be made if a context that has ended is used again.
struct Ended {
    rule: &'static str,
    text: String,
    adapter: Arc<TrackedObject>,
}

/// Every context of a machine.
#[derive(Default)]
pub(crate) struct Contexts {
    last: AtomicU64,
    live: [Mutex<HashMap<u64, Arc<Context>>>; 16],
    ended: Mutex<(VecDeque<u64>, HashMap<u64, Ended>)>,
}

impl Contexts {
    fn shard(&self, id: u64) -> &Mutex<HashMap<u64, Arc<Context>>> {
        &self.live[(id % 16).to_usize()]
    }

    /// A context for a callback of `subject`, or of an object that does not exist yet.
    pub(crate) fn make(
        &self,
        function: &'static str,
        subject: Option<&Arc<TrackedObject>>,
        consumer: Consumer,
    ) -> Arc<Context> {
        let id = FIRST + self.last.fetch_add(1, Ordering::Relaxed);
        let context = Arc::new(Context {
            id,
            function,
            consumer,
            subject: subject.map_or_else(OnceLock::new, |subject| OnceLock::from(Arc::clone(subject))),
            answer: AtomicU8::new(0),
        });
        self.shard(id).lock().insert(id, Arc::clone(&context));
        context
    }

    /// The context that the provider handed back to the callback called `callback`.
    ///
    /// `None`, with a finding, if there is none: the callback must not reach the consumer.
    pub(crate) fn find(&self, context: PVOID, callback: &'static str) -> Option<Arc<Context>> {
        let id = context.addr().to_u64();
        let live = self.shard(id).lock().get(&id).cloned();
        let Some(live) = live else {
            self.report_ended(id, callback);
            return None;
        };
        live.may_call(callback).then_some(live)
    }

    #[cold]
    fn report_ended(&self, id: u64, callback: &'static str) {
        let ended = self.ended.lock();
        match ended.1.get(&id) {
            Some(Ended { adapter, text, .. }) if adapter.stage() == Stage::Closed => {
                found(
                    rules::CALLBACK_AFTER_ADAPTER_CLOSE,
                    format!("{callback} for {text}, after {adapter} was closed"),
                );
            }
            Some(Ended { rule, text, .. }) => found(rule, format!("{callback} for {text}")),
            None => found(
                rules::CALLBACK_CONTEXT,
                format!("{callback} was called with the context {id:#x}, which stands for nothing"),
            ),
        }
    }

    /// Ends a context: another callback with it breaks `rule`.
    pub(crate) fn end(&self, context: &Context, rule: &'static str) {
        if self.shard(context.id).lock().remove(&context.id).is_none() {
            return;
        }
        let Some(subject) = context.subject.get() else { return };
        let ended = Ended {
            rule,
            text: format!("{} of {subject}", context.function),
            adapter: Arc::clone(subject.adapter()),
        };
        let (order, known) = &mut *self.ended.lock();
        order.push_back(context.id);
        known.insert(context.id, ended);
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
    }

    /// Notes whether the function returned STATUS_PENDING; says what that means for its request.
    pub(crate) fn returned(&self, context: &Context, pending: bool) -> Returned {
        let CompletionRules { twice, after_final } = context.consumer.completion_rules();
        let bit = if pending { RETURNED_PENDING } else { RETURNED_FINAL };
        let called = context.answer.fetch_or(bit, Ordering::AcqRel) & CALLED != 0;
        match (pending, called) {
            (true, false) => Returned::CompletionFollows,
            (true, true) => {
                self.end(context, twice);
                Returned::CompletionCame
            }
            (false, false) => {
                self.end(context, after_final);
                Returned::Final
            }
            (false, true) => {
                self.end(context, after_final);
                if let Some(subject) = context.subject.get() {
                    found(
                        after_final,
                        format!(
                            "{} of {subject} called the completion and did not return STATUS_PENDING",
                            context.function
                        ),
                    );
                }
                Returned::CompletionCame
            }
        }
    }

    /// Notes that the completion is called; `false`, with a finding, if it must not have been.
    pub(crate) fn called(&self, context: &Context, callback: &'static str) -> bool {
        let CompletionRules { twice, after_final } = context.consumer.completion_rules();
        let before = context.answer.fetch_or(CALLED, Ordering::AcqRel);
        let subject = context.subject.get().map_or_else(String::new, ToString::to_string);
        if before & CALLED != 0 {
            found(twice, format!("{callback} for {} of {subject}", context.function));
            return false;
        }
        if before & RETURNED_FINAL != 0 {
            found(after_final, format!("{callback} for {} of {subject}", context.function));
            return false;
        }
        if before & RETURNED_PENDING != 0 {
            self.end(context, twice);
        }
        true
    }

    /// Ends the event contexts of an object that is closed.
    pub(crate) fn end_events(&self, subject: &TrackedObject) {
        let events = core::mem::take(&mut *subject.events.lock());
        for id in events {
            let context = self.shard(id).lock().get(&id).cloned();
            if let Some(context) = context {
                self.end(&context, rules::CALLBACK_AFTER_CLOSE);
            }
        }
    }

    /// Forgets everything; nothing calls back any more.
    pub(crate) fn clear(&self) {
        self.live.iter().for_each(|shard| shard.lock().clear());
        *self.ended.lock() = Default::default();
    }
}

impl Context {
    /// Returns the context that the provider gets in place of the consumer's.
    pub(crate) fn pointer(&self) -> PVOID {
        ptr::without_provenance_mut(self.id.to_usize())
    }

    /// The object whose callback it is. For an event that is registered by a create: once that is done.
    pub(crate) fn subject(&self) -> Option<&Arc<TrackedObject>> {
        self.subject.get()
    }

    /// Returns whether the object can still get this callback; a finding if it is closed.
    fn may_call(&self, callback: &'static str) -> bool {
        let Some(subject) = self.subject.get() else { return true };
        let adapter = subject.adapter();
        if adapter.stage() == Stage::Closed {
            found(
                rules::CALLBACK_AFTER_ADAPTER_CLOSE,
                format!("{callback} for {} of {subject}, after {adapter} was closed", self.function),
            );
            return false;
        }
        let late = subject.stage() >= Stage::Completing && !matches!(self.consumer, Consumer::Close { .. });
        if late {
            found(rules::CALLBACK_AFTER_CLOSE, format!("{callback} for {} of {subject}", self.function));
        }
        !late
    }

    /// Assigns an event to the object that it was registered for: it ends with it.
    pub(crate) fn belongs_to(&self, subject: &Arc<TrackedObject>) {
        let _ = self.subject.set(Arc::clone(subject));
        subject.events.lock().push(self.id);
    }
}

/// The consequence of a function's return for its request.
#[must_use]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Returned {
    /// The request is over; there was and will be no completion.
    Final,
    /// The completion has been called already.
    CompletionCame,
    /// The completion is still to be called.
    CompletionFollows,
}

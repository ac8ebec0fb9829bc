//! The DPC queue of one processor, and when its processing begins.
//!
//! The rule is that of the page
//! [Organization of DPC Queues](https://learn.microsoft.com/windows-hardware/drivers/kernel/organization-of-dpc-queues):
//!
//! | importance | on the caller's processor | on another one |
//! |---|---|---|
//! | Low | deferred, unless the queue is deep or the request rate is low | deferred, unless the queue is deep |
//! | Medium | at once | deferred, unless the queue is deep |
//! | MediumHigh, High | at once | at once |
//!
//! A deferred queue is processed at the next tick, or earlier: when the processor goes idle, or together with
//! a DPC that begins the processing at once. The page names neither limit; those here are the initial values of
//! `KiMaximumDpcQueueDepth` and `KiMinimumDpcRate` in ReactOS (ntoskrnl/ke/dpc.c). On a machine with a schedule
//! the seed decides whether the request rate is low, and whether the tick comes now or when nothing else can
//! run: so either order is played.

#![forbid(unsafe_code)]

use core::ffi::c_void;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::processor::Dpc;
use super::time::{TICK, duration, elapsed, now};
use crate::address::Va;
use crate::per_machine::PerMachine;
use crate::sched::Settings;

/// The depth from which on a deferred queue is processed at once.
const DEEP: usize = 4;

/// Requests per tick below which a DPC of low importance is processed at once on its own processor.
const LOW_RATE: u64 = 3;

/// The place in the queue, and whether its processing begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Importance {
    /// `LowImportance`
    Low,
    /// `MediumImportance`
    Medium,
    /// `MediumHighImportance`
    MediumHigh,
    /// `HighImportance`
    High,
}

/// The random numbers that order the processing of DPC queues, if the schedule has a seed.
struct DpcOrder(Option<Mutex<fastrand::Rng>>);

static ORDER: PerMachine<DpcOrder> = PerMachine::new();

impl Default for DpcOrder {
    fn default() -> Self {
        let schedule = Settings::current().schedule;
        Self(schedule.map(|schedule| Mutex::new(fastrand::Rng::with_seed(schedule.seed ^ 0x4450_4351))))
    }
}

impl DpcOrder {
    fn decides(&self) -> Option<bool> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).bool())
    }
}

/// The queue of one processor.
#[derive(Default)]
pub(super) struct DpcQueue {
    state: Mutex<State>,
    depth: AtomicUsize,
    requested: AtomicBool,
}

#[derive(Default)]
struct State {
    calls: VecDeque<Dpc>,
    /// Time since boot at which a deferred queue is processed.
    due: Option<Duration>,
    /// Requests since the tick with that number.
    requests: (u64, u64),
}

impl State {
    /// Returns whether few requests were made in the ticks since this was asked last.
    fn rate_is_low(&mut self) -> bool {
        let tick = now() / TICK;
        let (since, requests) = self.requests;
        if tick != since {
            self.requests = (tick, 0);
        }
        requests / (tick - since).max(1) < LOW_RATE
    }
}

impl DpcQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the state has come to, before its lock is given back.
    fn changed(&self, state: &mut State) {
        self.depth.store(state.calls.len(), Ordering::Release);
        if state.calls.is_empty() {
            state.due = None;
            self.requested.store(false, Ordering::Release);
        }
    }

    /// Queues a call; whether the queue is to be processed at once. `own`: for the processor of the caller.
    pub(super) fn push(&self, call: Dpc, importance: Importance, own: bool) -> bool {
        let mut state = self.lock();
        state.requests.1 += 1;
        match importance {
            Importance::High => state.calls.push_front(call),
            _ => state.calls.push_back(call),
        }
        let order = ORDER.get();
        let at_once = state.calls.len() > DEEP
            || match importance {
                Importance::MediumHigh | Importance::High => true,
                Importance::Medium => own,
                Importance::Low => own && order.decides().unwrap_or_else(|| state.rate_is_low()),
            };
        self.changed(&mut state);
        if at_once {
            self.requested.store(true, Ordering::Release);
        } else if state.due.is_none() {
            let tick_is_now = order.decides().unwrap_or(false);
            state.due = Some(if tick_is_now { elapsed() } else { duration((now() / TICK + 1) * TICK) });
        }
        at_once
    }

    /// Queues a call during the processing of the queue, which takes it along.
    pub(super) fn push_in_processing(&self, call: Dpc, importance: Importance) {
        self.push(call, importance, true);
        self.request();
    }

    /// The next call to make, if the queue is to be processed.
    #[inline]
    pub(super) fn pop(&self) -> Option<Dpc> {
        if !self.is_requested() {
            return None;
        }
        let mut state = self.lock();
        let next = state.calls.pop_front();
        self.changed(&mut state);
        next
    }

    /// Returns whether the queue is to be processed.
    #[inline]
    pub(super) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Has the queue processed, if there is anything in it.
    pub(super) fn request(&self) {
        let state = self.lock();
        self.requested.store(!state.calls.is_empty(), Ordering::Release);
    }

    /// The time at which a queue with DPCs is processed.
    pub(super) fn due(&self) -> Option<Duration> {
        self.lock().due
    }

    /// Returns whether nothing is in the queue.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.depth.load(Ordering::Acquire) == 0
    }

    /// Takes back the calls whose contexts `which` chooses; returns these.
    pub(super) fn take(&self, which: impl Fn(Va) -> bool) -> Vec<Va> {
        let mut state = self.lock();
        let contexts = state.calls.iter().map(|call| Va::of(call.context));
        let taken = contexts.filter(|context| which(*context)).collect();
        state.calls.retain(|call| !which(Va::of(call.context)));
        self.changed(&mut state);
        taken
    }

    /// Returns whether a call with this context is queued.
    pub(super) fn has(&self, context: *mut c_void) -> bool {
        self.lock().calls.iter().any(|call| call.context == context)
    }

    /// Takes back the calls with this context; returns how many there were.
    pub(super) fn cancel(&self, context: *mut c_void) -> usize {
        self.take(|other| other == Va::of(context)).len()
    }

    /// Takes back the calls whose contexts lie in `range`; returns these.
    pub(super) fn take_within(&self, range: &Range<Va>) -> Vec<Va> {
        if self.is_empty() { Vec::new() } else { self.take(|context| range.contains(&context)) }
    }
}

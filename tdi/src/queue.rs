//! Requests that wait, and who may complete them.

#![forbid(unsafe_code)]

use alloc::collections::VecDeque;

use provider::{NoMemory, Within as _};

use crate::request::{Request, RequestId};

/// A request that waits.
pub(crate) struct Waiting<R, T = ()> {
    number: u64,
    pub(crate) request: R,
    /// Its cancel routine has come: it is ours to complete, as cancelled.
    pub(crate) cancelled: bool,
    /// It was disarmed: it is ours to complete.
    claimed: bool,
    /// The state that its owner keeps with it.
    pub(crate) what: T,
}

impl<R: Request, T> Waiting<R, T> {
    /// Arms a request.
    ///
    /// # Errors
    ///
    /// The request is given back if it was cancelled before.
    pub(crate) fn arm(mut request: R, request_id: RequestId, what: T) -> Result<Self, R> {
        if request.arm(request_id) {
            Ok(Self { number: request_id.number, request, cancelled: false, claimed: false, what })
        } else {
            Err(request)
        }
    }

    /// Returns whether the caller may take it out and complete it, now or later. If not, its cancel routine is on its
    /// way.
    pub(crate) fn claim(&mut self) -> bool {
        self.claimed = self.claimed || self.cancelled || self.request.disarm();
        self.claimed
    }

    /// The number of its request ID.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Its cancel routine has come, if this is the request that it came for.
    pub(crate) fn cancel(&mut self, number: u64) -> bool {
        let found = self.number == number;
        self.cancelled |= found;
        found
    }
}

/// Takes a single request out of its place, if it may be completed.
pub(crate) fn claim<R: Request, T>(place: &mut Option<Waiting<R, T>>) -> Option<Waiting<R, T>> {
    if place.as_mut()?.claim() { place.take() } else { None }
}

/// As [`claim`], unless the request was cancelled: then it stays, and is completed as such later.
pub(crate) fn claim_uncancelled<R: Request, T>(place: &mut Option<Waiting<R, T>>) -> Option<Waiting<R, T>> {
    let waiting = place.as_mut()?;
    if waiting.claim() && !waiting.cancelled { place.take() } else { None }
}

/// Requests that wait in the order in which they came.
pub(crate) struct Queue<R, T = ()>(VecDeque<Waiting<R, T>>);

impl<R: Request, T> Queue<R, T> {
    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Sees to it that the queue can hold `count` requests, so that [`Queue::push`] does not allocate.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn reserve(&mut self, count: usize) -> Result<(), NoMemory> {
        self.0.try_reserve(count.saturating_sub(self.0.len())).map_err(|_| NoMemory)
    }

    pub(crate) fn push(&mut self, waiting: Waiting<R, T>) {
        let queued = self.0.push_within(waiting);
        debug_assert!(queued.is_ok(), "room was made for it");
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn front(&self) -> Option<&Waiting<R, T>> {
        self.0.front()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting<R, T>> {
        self.0.iter_mut()
    }

    /// Takes the front, if it may be completed.
    pub(crate) fn claim_front(&mut self) -> Option<Waiting<R, T>> {
        if self.0.front_mut()?.claim() { self.0.pop_front() } else { None }
    }

    /// Returns whether there is one for which `wanted` holds.
    pub(crate) fn any(&self, wanted: impl Fn(&T) -> bool) -> bool {
        self.0.iter().any(|waiting| wanted(&waiting.what))
    }

    /// Takes the first for which `wanted` holds and that may be completed; those before it that may not are
    /// left to their cancel routines.
    pub(crate) fn claim_first(&mut self, wanted: impl Fn(&T) -> bool) -> Option<Waiting<R, T>> {
        let place = self.0.iter_mut().position(|waiting| wanted(&waiting.what) && waiting.claim())?;
        self.0.remove(place)
    }

    /// Returns whether there is a cancelled one for which `wanted` holds.
    pub(crate) fn has_cancelled(&self, wanted: impl Fn(&T) -> bool) -> bool {
        self.0.iter().any(|waiting| waiting.cancelled && wanted(&waiting.what))
    }

    /// Takes the first cancelled one for which `wanted` holds.
    pub(crate) fn take_cancelled(&mut self, wanted: impl Fn(&T) -> bool) -> Option<Waiting<R, T>> {
        let place = self.0.iter().position(|waiting| waiting.cancelled && wanted(&waiting.what))?;
        self.0.remove(place)
    }

    /// See [`Waiting::cancel`].
    pub(crate) fn cancel(&mut self, number: u64) -> bool {
        self.0.iter_mut().any(|waiting| waiting.cancel(number))
    }
}

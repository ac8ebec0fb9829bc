//! Object lifetime: one atomic word per object counts its references and records its close.
//!
//! # The word
//!
//! ```text
//!  63       62          61 ...... 44   43 ...... 24   23 ....... 0
//! CLOSING  CLOSE CALL   callbacks      requests       successors
//! ```
//!
//! | field | held by | released when |
//! |---|---|---|
//! | successors | an object that was created from, or tied to, this one | its close completion has *returned* (CL-5, CL-6) |
//! | requests | an asynchronous request, a call in progress, an open connection | the request's completion has *returned*, the call ends, the connection is drained (CL-3) |
//! | callbacks | a DPC that is queued or running | it has returned (CL-3) |
//! | CLOSE CALL | the close call itself | flush and cancellation have begun; it asks for the close status |
//! | CLOSING | set once, by close; never cleared | - |
//!
//! # The transitions, and what the caller owes after each
//!
//! | transition | outcome | the caller now |
//! |---|---|---|
//! | [`Lifetime::try_acquire`] | `Ok` | owns one hold and must [`Lifetime::release`] it |
//! | | `Err(Closing)` | may not begin anything: closing has begun |
//! | [`Lifetime::acquire`] | `Ok` | owns one more hold; it already owned one, so closing does not matter |
//! | [`Lifetime::release`] | `Held` | may not touch the object again |
//! | | `Last` | owns the object alone: completes the pending close, once |
//! | [`Lifetime::close`] | `Ok` | starts flush and cancellation, then asks [`Lifetime::finish_close`] |
//! | | `Err(AlreadyClosing)` | does nothing: the object belongs to the earlier close |
//! | [`Lifetime::finish_close`] | `Closed` | owns the object alone: frees it and answers STATUS_SUCCESS |
//! | | `Pending` | answers STATUS_PENDING and may not touch the object again |
//!
//! # Why no interleaving is wrong
//!
//! "All counts zero and CLOSING set and CLOSE CALL clear" is one value of one word: `FREE`. Every
//! transition is one read-modify-write, so in the total order of the word's modifications the value
//! appears at most once: it has no hold left to release, `try_acquire` refuses under CLOSING, `acquire` needs
//! a hold, and `close` refuses under CLOSING. Exactly one call makes that transition, and its outcome alone
//! says so:
//!
//! - *close against the last completion*: if the release comes first, `finish_close` makes the word free and
//!   the close is inline; if `finish_close` comes first, the release makes it free and completes the close.
//! - *close against a callback in progress*: the DPC took its hold before it was queued, by `acquire`
//!   from a holder, and releases it after the callback has returned. So either `finish_close` finds it, or it
//!   was released before, when the callback had returned.
//! - *close inside a callback*: the callback's own hold is still there when `finish_close` runs, so the
//!   status is `Pending`, and the return of the callback or a later release is the `Last` one.
//! - *an antecedent against its last successor*: the successor's hold on the antecedent's word is released
//!   after the successor's close completion has returned, by the DPC that called it; of several successors
//!   only one release can be the `Last`, and if all come before `finish_close`, the antecedent's close is
//!   inline.
//! - *create against the parent's close*: `try_acquire` for the successor either comes before CLOSING, and
//!   then the parent waits for it, or is refused.
//! - *a listener's close against a connection that arrives*: the connect takes a hold as a successor does. It
//!   is refused, or it is counted, and then its connect request finds the listener's own state closing and is
//!   given back, or is taken off the queue by the close, or was shown: in each case the hold goes with the
//!   connector.
//! - *flush against posts*: not the word's business. A post and a flush each hold the queue pair as a
//!   request; the combiner makes one of them see the other's work.
//! - *the consumer acts inside the completion*: the completion follows from the release that returned `Last`,
//!   after `finish_close` has returned `Pending`, or while it is about to; neither touches the object again.
//!
//! `tests` explores the word in every interleaving of three threads, `loom_tests` the objects, listeners and
//! queue pairs upon it.
//!
//! Release is a release operation and the outcome that owns the object alone acquires, so all that was
//! done under any hold happens before the object is freed.
//!
//! An overflow of one count into its neighbour is impossible: a full count refuses (`Full`).

#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use crate::sync::{AtomicU64, Ordering};

const CLOSING: u64 = 1 << 63;
const CLOSE_CALL: u64 = 1 << 62;

/// The value at which an object may go.
const FREE: u64 = CLOSING;

/// The kind of a reference to an object. As wide as half a pointer: in the holes that a byte would leave, what lies
/// over it in a work request is copied in overlapping pieces, each of which waits for the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// An object that was created from this one or tied to it by use (OBJ-2).
    Successor = 0,
    /// A request that is not completed, a call in progress, a connection that is not drained.
    Request,
    /// A DPC that is queued or running.
    Callback,
}

impl Kind {
    const fn shift(self) -> u32 {
        match self {
            Self::Successor => 0,
            Self::Request => 24,
            Self::Callback => 44,
        }
    }

    const fn width(self) -> u32 {
        match self {
            Self::Successor => 24,
            Self::Request => 20,
            Self::Callback => 18,
        }
    }

    const fn one(self) -> u64 {
        1 << self.shift()
    }

    const fn limit(self) -> u64 {
        (1_u64 << self.width()).wrapping_sub(1)
    }

    const fn count(self, word: u64) -> u64 {
        (word >> self.shift()) & self.limit()
    }
}

/// A hold was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcquireError {
    /// Closing has begun: nothing new may start on the object.
    Closing,
    /// As many holds of this kind exist as the word can count.
    Full,
}

/// Outcome of [`Lifetime::release`], with the obligation of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Released {
    /// Nothing; it may not touch the object again.
    Held,
    /// The completion of the pending close, exactly once; the object is its own alone.
    Last,
}

/// Outcome of [`Lifetime::finish_close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CloseStatus {
    /// Nothing holds the object: free it and answer STATUS_SUCCESS; the completion is never called.
    Closed,
    /// References remain: answer STATUS_PENDING; the release of the last one completes the close.
    Pending,
}

/// The object is being closed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyClosing;

/// Snapshot of the counts of an object's lifetime word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Close was called.
    pub closing: bool,
    /// The close call has not determined its status yet.
    pub close_call: bool,
    /// Successors whose close completion has not returned.
    pub successors: u32,
    /// Requests, calls and connections in progress.
    pub requests: u32,
    /// DPCs that are queued or running.
    pub callbacks: u32,
}

/// The word. See the module's head for its states.
#[derive(Debug)]
pub struct Lifetime(AtomicU64);

impl Default for Lifetime {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifetime {
    /// An open object that nothing holds.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes a hold on an object that is not being closed.
    ///
    /// # Errors
    ///
    /// [`AcquireError::Closing`] once [`Lifetime::close`] was called; [`AcquireError::Full`] at the count's limit.
    pub fn try_acquire(&self, kind: Kind) -> Result<(), AcquireError> {
        self.add(kind, CLOSING)
    }

    /// Takes a further hold for a caller that already owns one; closing does not matter to it.
    ///
    /// # Errors
    ///
    /// [`AcquireError::Full`] at the count's limit.
    pub fn acquire(&self, kind: Kind) -> Result<(), AcquireError> {
        self.add(kind, 0)
    }

    fn add(&self, kind: Kind, refuse: u64) -> Result<(), AcquireError> {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if word & refuse != 0 {
                return Err(AcquireError::Closing);
            }
            if kind.count(word) == kind.limit() {
                return Err(AcquireError::Full);
            }
            let held = word.wrapping_add(kind.one());
            match self.0.compare_exchange_weak(word, held, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
        }
    }

    /// Gives a hold back. The caller must own one of this kind.
    pub fn release(&self, kind: Kind) -> Released {
        let word = self.0.fetch_sub(kind.one(), Ordering::AcqRel);
        debug_assert!(kind.count(word) > 0, "a reference was released that had no owner");
        if word.wrapping_sub(kind.one()) == FREE { Released::Last } else { Released::Held }
    }

    /// Begins to close. From here on [`Lifetime::try_acquire`] refuses; the close call itself holds the
    /// object until [`Lifetime::finish_close`]. Returns true if anything holds it now: its close will probably be pending.
    ///
    /// # Errors
    ///
    /// [`AlreadyClosing`] if close was called before.
    pub fn close(&self) -> Result<bool, AlreadyClosing> {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if word & CLOSING != 0 {
                return Err(AlreadyClosing);
            }
            let closing = word | CLOSING | CLOSE_CALL;
            match self.0.compare_exchange_weak(word, closing, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(before) => return Ok(before != 0),
                Err(now) => word = now,
            }
        }
    }

    /// Ends the close call: inline or pending.
    pub fn finish_close(&self) -> CloseStatus {
        let word = self.0.fetch_and(!CLOSE_CALL, Ordering::AcqRel);
        if word & !CLOSE_CALL == FREE { CloseStatus::Closed } else { CloseStatus::Pending }
    }

    /// Returns a snapshot of the counts; another processor may change them at once.
    #[must_use]
    pub fn holds(&self) -> Holds {
        let word = self.0.load(Ordering::Acquire);
        let count = |kind: Kind| u32::try_from(kind.count(word)).unwrap_or(u32::MAX);
        Holds {
            closing: word & CLOSING != 0,
            close_call: word & CLOSE_CALL != 0,
            successors: count(Kind::Successor),
            requests: count(Kind::Request),
            callbacks: count(Kind::Callback),
        }
    }
}

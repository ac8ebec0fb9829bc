//! The sinks of the reads that are awaited, the oldest first.
//!
//! The arrival of a response and a flush exclude each other, as they do for a receive: a read whose result is cancelled
//! has its memory touched no more. A response that comes all the same is read over.

#![forbid(unsafe_code)]

use alloc::collections::VecDeque;

use sys::status::{NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_SUCCESS};

use crate::heap::{NoMemory, Within as _};
use crate::kernel::{Kernel, Lock};
use crate::queue_pair::responder::DeliveryLock;
use crate::sync::Line;

/// The sink of a read: where its list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sink {
    /// The place of the request in its queue.
    pub(super) position: u64,
    /// Entries of its list.
    pub(super) entries: usize,
}

struct State {
    /// `None`: the read was cancelled, and its response is read over.
    awaited: VecDeque<Option<Sink>>,
    /// Reads that have begun.
    begun: u64,
    /// Reads whose response has come whole.
    done: u64,
    /// The oldest read whose memory refused the response.
    refused: Option<u64>,
}

/// See the module's head.
pub(super) struct Sinks<K: Kernel> {
    state: Lock<K, State>,
    /// Locked while a response is placed, and by a flush.
    delivery: Line<DeliveryLock>,
}

impl<K: Kernel> Sinks<K> {
    /// None, with room for as many as may be outstanding.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn new() -> Result<Self, NoMemory> {
        let mut awaited = VecDeque::new();
        awaited.try_reserve_exact(iwarp::MOST_READS).map_err(|_| NoMemory)?;
        let state = State { awaited, begun: 0, done: 0, refused: None };
        Ok(Self { state: Lock::<K, _>::new(state), delivery: Line(DeliveryLock::new()) })
    }

    /// A read begins: its number, of all reads of the connection.
    pub(super) fn begin(&self, sink: Sink) -> u64 {
        let mut state = self.state.lock();
        // There is room: the engine has found that one more may be outstanding.
        let refused = state.awaited.push_within(Some(sink));
        debug_assert!(refused.is_ok(), "no more reads are awaited than may be");
        let number = state.begun;
        state.begun = number.wrapping_add(1);
        number
    }

    /// Returns true if a read is awaited, also one that was cancelled.
    pub(super) fn is_awaited(&self) -> bool {
        !self.state.lock().awaited.is_empty()
    }

    /// The sink of the oldest read; `None` if that was cancelled.
    pub(super) fn oldest(&self) -> Option<Sink> {
        self.state.lock().awaited.front().copied().flatten()
    }

    /// The response to the oldest read has come whole.
    pub(super) fn done(&self) {
        let mut state = self.state.lock();
        let _done = state.awaited.pop_front();
        state.done = state.done.wrapping_add(1);
    }

    /// The memory of the oldest read refuses its response.
    pub(super) fn refuse(&self) {
        let mut state = self.state.lock();
        state.refused = Some(state.done);
    }

    /// The status of a read, once it has one.
    pub(super) fn status(&self, number: u64) -> Option<NTSTATUS> {
        let state = self.state.lock();
        if state.refused == Some(number) {
            return Some(STATUS_ACCESS_VIOLATION);
        }
        (number < state.done).then_some(STATUS_SUCCESS)
    }

    /// Begins to place a response; [`Sinks::placed`] ends that. Returns false if a flush is at work, which then has
    /// the arrival go on.
    #[must_use]
    pub(super) fn try_place(&self) -> bool {
        self.delivery.try_lock()
    }

    /// Ends it. Returns true if a flush has come meanwhile.
    #[must_use]
    pub(super) fn placed(&self) -> bool {
        self.delivery.unlock()
    }

    /// Cancels the reads that are awaited: nothing more is placed for them. `None`, and nothing is cancelled, if a
    /// response is being placed; the flush is then asked for again. Else `true` if a response has come meanwhile, and
    /// waits.
    pub(super) fn cancel(&self) -> Option<bool> {
        if !self.delivery.try_lock() {
            return None;
        }
        self.state.lock().awaited.iter_mut().for_each(|sink| *sink = None);
        Some(self.delivery.unlock())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use test_kernel::Manual;

    fn sink(position: u64) -> Sink {
        Sink { position, entries: 1 }
    }

    #[test]
    fn reads_end_in_the_order_of_their_begin() {
        let sinks = Sinks::<Manual>::new().unwrap();
        assert_eq!([7, 9].map(|position| sinks.begin(sink(position))), [0, 1]);
        assert_eq!((sinks.oldest(), sinks.status(0)), (Some(sink(7)), None));
        sinks.done();
        assert_eq!((sinks.status(0), sinks.status(1)), (Some(STATUS_SUCCESS), None));
        assert_eq!(sinks.oldest(), Some(sink(9)));
        sinks.refuse();
        assert_eq!(sinks.status(1), Some(STATUS_ACCESS_VIOLATION));
    }

    #[test]
    fn cancelled_read_has_no_sink_and_is_awaited_all_the_same() {
        let sinks = Sinks::<Manual>::new().unwrap();
        sinks.begin(sink(1));
        assert!(sinks.try_place());
        assert_eq!(sinks.cancel(), None, "a response is being placed");
        assert_eq!(sinks.oldest(), Some(sink(1)));
        assert!(sinks.placed(), "the flush is to come again");
        assert_eq!(sinks.cancel(), Some(false));
        assert!(sinks.oldest().is_none() && sinks.is_awaited());
        sinks.done();
        assert!(!sinks.is_awaited());
    }
}

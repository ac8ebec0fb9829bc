//! Shared receive queues: receives that several queue pairs take from (WR-9).
//!
//! Unlike the queues of a queue pair this one has a lock: its takers are not serialised by the consumer.
//! Under it a queue pair either gets a receive or joins those that wait, so no wake-up is lost.

#![expect(unsafe_code, reason = "work requests name memory by its address")]

use alloc::collections::VecDeque;

use sys::ndk::{NDK_FN_SRQ_NOTIFICATION_CALLBACK, NDK_OBJECT_TYPE};
use sys::status::STATUS_SUCCESS;
use sys::wdm::GROUP_AFFINITY;

use super::Receive;
use crate::adapter::Pd;
use crate::consumer::Opaque;
use crate::heap::{NoMemory, Within as _};
use crate::kernel::{Kernel, Lock};
use crate::lifetime::Kind;
use crate::memory::Sge;
use crate::object::{Id, Object, ObjectRef, ObjectType, Registry, Vector};
use crate::queue_pair::sgl::{Sgl, refill};
use crate::queue_pair::{PostError, Qp};

/// Event bit: the number of receives fell below the threshold (the low watermark).
const BELOW: u32 = 1;

/// A receive that no queue pair has taken.
struct Posted {
    context: Opaque,
    sink: Sgl,
}

struct State<K: Kernel> {
    receives: VecDeque<Posted>,
    depth: usize,
    threshold: usize,
    /// A notification is owed when the receives fall below the threshold.
    armed: bool,
    /// Queue pairs whose peer has a message but found no receive, each once, the longest first.
    waiting: VecDeque<ObjectRef<K, Qp<K>>>,
    /// Queue pairs that take from here; there is room for so many to wait.
    users: usize,
}

impl<K: Kernel> State<K> {
    /// Returns true if the low threshold notification is due now, and disarms it then.
    fn below(&mut self) -> bool {
        let below = self.armed && self.receives.len() < self.threshold;
        self.armed &= !below;
        below
    }
}

/// Type-specific state of a shared receive queue.
pub(crate) struct Srq<K: Kernel> {
    pd: ObjectRef<K, Pd<K>>,
    max_sge: usize,
    state: Lock<K, State<K>>,
    callback: Option<NDK_FN_SRQ_NOTIFICATION_CALLBACK>,
    context: Opaque,
    vector: Vector<K>,
}

fn room<T>(count: usize) -> Result<VecDeque<T>, NoMemory> {
    let mut queue = VecDeque::new();
    queue.try_reserve_exact(count).map_err(|_| NoMemory)?;
    Ok(queue)
}

/// Moves everything to a queue that has room for it.
fn move_all<T>(from: &mut VecDeque<T>, to: &mut VecDeque<T>) {
    while let Some(value) = from.pop_front() {
        let moved = to.push_within(value);
        debug_assert!(moved.is_ok(), "there is room for all");
    }
}

impl<K: Kernel> Srq<K> {
    /// A queue for `depth` receives of at most `max_sge` entries, armed if there is a threshold. Its notifications
    /// run on the processors of `affinity`, if possible.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(
        pd: ObjectRef<K, Pd<K>>,
        (depth, max_sge, threshold): (usize, usize, usize),
        callback: Option<NDK_FN_SRQ_NOTIFICATION_CALLBACK>,
        context: Opaque,
        affinity: Option<GROUP_AFFINITY>,
    ) -> Result<Self, NoMemory> {
        let vector = Vector::new(affinity, pd.adapter().notifies_immediately());
        let receives = room(depth)?;
        let (armed, waiting) = (threshold > 0, VecDeque::new());
        let state = State { receives, depth, threshold, armed, waiting, users: 0 };
        Ok(Self { pd, max_sge, state: Lock::<K, _>::new(state), callback, context, vector })
    }

    /// The protection domain.
    pub(crate) fn pd(&self) -> &Object<K, Pd<K>> {
        &self.pd
    }

    /// Makes room for one more queue pair to wait.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    fn attach(&self) -> Result<(), NoMemory> {
        loop {
            let users = self.state.lock().users;
            let mut larger = room(users.saturating_add(1))?;
            {
                let mut state = self.state.lock();
                if state.users == users {
                    move_all(&mut state.waiting, &mut larger);
                    core::mem::swap(&mut larger, &mut state.waiting);
                    state.users = users.saturating_add(1);
                    return Ok(());
                }
            }
        }
    }

    /// A queue pair that was attached goes.
    fn detach(&self) {
        let mut state = self.state.lock();
        state.users = state.users.saturating_sub(1);
    }

    /// A queue pair no longer waits.
    pub(in crate::queue_pair) fn forget(&self, qp: &Object<K, Qp<K>>) {
        let forgotten = {
            let mut state = self.state.lock();
            let place = state.waiting.iter().position(|waiting| waiting.same(qp));
            place.and_then(|place| state.waiting.remove(place))
        };
        drop(forgotten);
    }
}

/// A queue pair's part in a shared queue: room to wait there, given back when it is dropped.
pub(in crate::queue_pair) struct Seat<K: Kernel>(
    /// Taken out by [`Seat::leave`] only.
    Option<ObjectRef<K, Srq<K>>>,
);

impl<K: Kernel> Seat<K> {
    /// Takes a seat.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; the queue is as it was.
    pub(super) fn take(srq: ObjectRef<K, Srq<K>>) -> Result<Self, NoMemory> {
        srq.attach()?;
        Ok(Self(Some(srq)))
    }

    /// The queue.
    pub(super) fn srq(&self) -> Option<&Object<K, Srq<K>>> {
        self.0.as_deref()
    }

    /// Gives up the seat; returns the reference to the SRQ, which stays an antecedent.
    pub(in crate::queue_pair) fn leave(mut self) -> Option<ObjectRef<K, Srq<K>>> {
        let srq = self.0.take()?;
        srq.detach();
        Some(srq)
    }
}

impl<K: Kernel> Drop for Seat<K> {
    fn drop(&mut self) {
        if let Some(srq) = &self.0 {
            srq.detach();
        }
    }
}

impl<K: Kernel> Object<K, Srq<K>> {
    /// NdkSrqReceive: accepts a receive and gives it to a queue pair that waits, if one does.
    ///
    /// # Errors
    ///
    /// [`PostError::TooLarge`] or [`PostError::QueueFull`].
    pub(crate) fn post_receive(
        &self,
        context: Opaque,
        entries: impl ExactSizeIterator<Item = Sge>,
    ) -> Result<(), PostError> {
        if entries.len() > self.max_sge {
            return Err(PostError::TooLarge);
        }
        let mut sink = Sgl::new();
        refill(&mut sink, entries);
        {
            let mut state = self.state.lock();
            if state.receives.len() >= state.depth {
                return Err(PostError::QueueFull);
            }
            // There is room: the queue was made for its depth.
            state.receives.push_within(Posted { context, sink }).map_err(|_| PostError::QueueFull)?;
        }
        while let Some(qp) = self.next_waiting() {
            qp.peer_progress();
        }
        Ok(())
    }

    fn next_waiting(&self) -> Option<ObjectRef<K, Qp<K>>> {
        let mut state = self.state.lock();
        if state.receives.is_empty() { None } else { state.waiting.pop_front() }
    }

    /// The oldest receive for `qp`, and in `rest` its entries after the first; if there is none, it waits for one.
    pub(super) fn take(&self, qp: &Object<K, Qp<K>>, rest: &mut Sgl) -> Option<Receive> {
        let (taken, unlisted, below) = {
            let mut state = self.state.lock();
            let taken = state.receives.pop_front();
            let waits = taken.is_none() && !state.waiting.iter().any(|waiting| waiting.same(qp));
            let hold = if waits { qp.try_acquire(Kind::Request).ok() } else { None };
            let unlisted = hold.and_then(|hold| state.waiting.push_within(hold).err());
            (taken, unlisted, state.below())
        };
        debug_assert!(unlisted.is_none(), "there is room for every queue pair that takes from here");
        drop(unlisted);
        if below {
            self.post(BELOW);
        }
        taken.map(|Posted { context, sink }| {
            let mut entries = sink.into_iter();
            let first = entries.next().unwrap_or_default();
            refill(rest, entries);
            Receive { context, first }
        })
    }

    /// NdkModifySrq: zero keeps what is (WR-9). A threshold arms, and is notified at once if the queue is
    /// below it already.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], and nothing has changed.
    pub(crate) fn modify(&self, depth: usize, threshold: usize) -> Result<(), NoMemory> {
        // Arming it again is on the way of every message; so memory is taken only for more than there was ever
        // room for. Room never shrinks, and what is queued beyond a smaller depth stays.
        let lacks_room = |state: &State<K>| state.receives.capacity() < depth;
        let grows = lacks_room(&self.state.lock());
        let mut larger = if grows { room(depth)? } else { VecDeque::new() };
        let below = {
            let mut state = self.state.lock();
            if lacks_room(&state) {
                move_all(&mut state.receives, &mut larger);
                core::mem::swap(&mut larger, &mut state.receives);
            }
            if depth > 0 {
                state.depth = depth;
            }
            if threshold > 0 {
                state.threshold = threshold;
                state.armed = true;
            }
            state.below()
        };
        if below {
            self.post(BELOW);
        }
        Ok(())
    }
}

impl<K: Kernel> ObjectType<K> for Srq<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeSrq;

    const REFERENCES: [usize; 3] = [Object::<K, Self>::at(core::mem::offset_of!(Self, pd)), 0, 0];

    type Antecedents = ObjectRef<K, Pd<K>>;

    fn registry(&self) -> &Registry<K> {
        self.pd.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.pd));
    }

    fn vector(&self) -> Option<&Vector<K>> {
        Some(&self.vector)
    }

    /// A mere dereference: closing waits for the queue pairs (CL-5). Receives that none of them took have
    /// no result: a result belongs to a queue pair.
    fn start_close(_: &Object<K, Self>) {}

    fn into_antecedents(self) -> Self::Antecedents {
        self.pd
    }

    fn deliver(object: &Object<K, Self>, _: u32) {
        if object.holds().closing {
            return;
        }
        if let Some(callback) = object.callback {
            // SAFETY: the consumer gave this function and context at creation; the DPC holds
            // the queue, so its close has not completed.
            unsafe { callback(object.context.0, STATUS_SUCCESS) }
        }
    }
}

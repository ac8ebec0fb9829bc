//! Connection state of a QP: the connection attempt that has claimed it, and the connection once established.

#![expect(unsafe_code, reason = "the engine has a lease of its connection")]

use super::Qp;
use super::remote::{self, Remote};
use crate::connection::{Link, Wire};
use crate::kernel::{Kernel, Lock};
use crate::object::Object;
use crate::set_once::SetOnce;
use crate::sync::{AtomicBool, Ordering};

/// See the module's head. A QP connects once (CM-3).
pub(super) struct Attachment<K: Kernel> {
    /// A connector has the QP.
    claimed: AtomicBool,
    /// The attempt, then the connection, of the connector: it is notified when the QP enters its error state.
    bound: Lock<K, Option<Link<K>>>,
    /// The same, once the connection is established: for transfers, which take no lock.
    joined: SetOnce<Link<K>>,
}

impl<K: Kernel> Attachment<K> {
    /// The offsets of the state and the value of the connection that is [set once](SetOnce), for a debugger.
    pub(super) const JOINED: [usize; 2] = {
        assert!(size_of::<Option<Link<K>>>() == size_of::<Link<K>>(), "a link lies where it may lie");
        let [state, value] = SetOnce::<Link<K>>::PLACES;
        let joined = core::mem::offset_of!(Self, joined);
        [joined.saturating_add(state), joined.saturating_add(value)]
    };

    /// Not connected.
    pub(super) fn new() -> Self {
        Self { claimed: AtomicBool::new(false), bound: Lock::<K, _>::new(None), joined: SetOnce::new() }
    }

    /// Claims the QP for an attempt. Returns true if no other attempt has it.
    pub(super) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// Sets the attempt to notify when the QP enters its error state.
    pub(super) fn bind(&self, link: Link<K>) {
        let earlier = self.bound.lock().replace(link);
        drop(earlier);
    }

    /// Releases the claim, as the attempt failed.
    pub(super) fn unclaim(&self) {
        let link = self.bound.lock().take();
        drop(link);
        self.claimed.store(false, Ordering::Release);
    }

    /// Its attempt or connection, if there is one.
    pub(super) fn link(&self) -> Option<Link<K>> {
        self.bound.lock().clone()
    }

    /// Records the established connection.
    pub(super) fn join(&self, link: Link<K>) {
        self.joined.set(link);
    }

    /// Returns true if the connection is established: the QP accepts initiator requests.
    pub(super) fn is_established(&self) -> bool {
        self.joined.get().is_some_and(Link::is_established)
    }

    /// The other end, for the requests of the engine, if the connection is established.
    ///
    /// # Safety
    ///
    /// A run of the combiner of the initiator's engine calls this, and uses what it returns until its next call at most.
    pub(super) unsafe fn remote(&self) -> Option<Remote<'_, K>> {
        // SAFETY: as the caller promises.
        unsafe { Remote::leased(self.joined.get()?) }
    }

    /// Runs the engine of the peer, if it is of this driver and the connection is established. Where it is no longer, the end
    /// of that engine's lease is to come or has been.
    pub(super) fn run_peer(&self) {
        if let Some(link) = self.joined.get() {
            remote::run_peer(link);
        }
    }

    /// Resumes a message of the peer, if the connection is established; `qp` is the QP of this attachment.
    pub(super) fn resume_peer(&self, qp: &Object<K, Qp<K>>) {
        if let Some(link) = self.joined.get() {
            remote::resume(link, qp);
        }
    }

    /// The connection, if it is, or was, one over a network.
    pub(super) fn wire(&self) -> Option<&Wire<K>> {
        self.joined.get()?.wire()
    }

    /// Returns true if a connection is, or was, established.
    pub(super) fn is_joined(&self) -> bool {
        self.joined.get().is_some()
    }

    /// Breaks an established connection.
    pub(super) fn fail(&self) {
        if let Some(link) = self.joined.get() {
            link.fail();
        }
    }
}

//! Queue pairs: what they are made of, their life, and their ends.
//!
//! | module | contents |
//! |---|---|
//! | this one | the object: an initiator, a responder, and what ends both |
//! | `post` | what consumers post |
//! | `initiator` | the send queue, and the engine that executes its requests |
//! | `responder` | the receive queue or SRQ, and the delivery of messages into it |
//! | `remote` | the door to the other end, through which the engine reaches it |
//! | `loopback` | a QP of this driver at the other end |
//! | `wire` | another machine at the other end |
//! | `attachment` | the connection attempt, and the connection |
//! | `work`, `sgl` | work requests and the queues of them; scatter/gather lists |
//!
//! | a queue pair is | initiator posts | receive posts | leaves it by |
//! |---|---|---|---|
//! | not connected | refused (WR-7) | accepted | complete connect |
//! | connected | accepted | accepted | disconnect on either side, an error |
//! | disconnected by the peer | refused | accepted; what was accepted waits | disconnect here, close |
//! | dead | refused | accepted and flushed at once; refused if the receive CQ has overflown | - |
//!
//! Dead is what disconnect here, a broken connection, an overflow of its CQ and close lead to: every accepted request
//! has exactly one result, cancelled if nothing else (WR-2), unless its CQ has no room for any (CQ-6).

mod attachment;
mod initiator;
mod loopback;
mod post;
mod remote;
mod responder;
mod sgl;
mod wire;
mod work;

pub(crate) use post::PostError;
pub(crate) use responder::Srq;
pub(crate) use wire::WireTransfers;
pub(crate) use work::{Flags, Operation};

use sys::ndk::NDK_OBJECT_TYPE;

use crate::adapter::{Cq, Pd};
use crate::connection::Link;
use crate::consumer::Opaque;
use crate::heap::NoMemory;
use crate::kernel::Kernel;
use crate::memory::Domain;
use crate::object::{Id, Object, ObjectRef, ObjectTimer, ObjectType, OnNetwork, Registry, Resume, TIMER};
use crate::sync::{AtomicU32, Ordering};
use attachment::Attachment;
use initiator::Initiator;
use responder::{Receives, Responder};

/// Queue depths and SGE limits of a new queue pair; checked against the limits of the adapter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depths {
    pub(crate) receive: u32,
    pub(crate) initiator: u32,
    pub(crate) receive_sge: u32,
    pub(crate) initiator_sge: u32,
    /// Bytes of inline data in one request.
    pub(crate) inline: u32,
}

/// Flush once: cancel what is queued now.
const FLUSH: u32 = 1;
/// Dead: cancel what is queued, and whatever comes.
const DEAD: u32 = 2;
/// The rest of a flush that found the delivery locked.
const FLUSH_RECEIVES: u32 = 4;

/// The RNR timer of the send in flight has expired.
const TIMER_EXPIRED: u32 = 8;

/// Type-specific state of a queue pair.
pub(crate) struct Qp<K: Kernel> {
    pd: ObjectRef<K, Pd<K>>,
    context: Opaque,
    initiator: Initiator<K>,
    responder: Responder<K>,
    /// Event bits that the engine handles before the next request: see [`FLUSH`] and those below it.
    cancel: AtomicU32,
    attachment: Attachment<K>,
}

impl<K: Kernel> Qp<K> {
    /// The offset of the receives, for a debugger, and how many words they have.
    pub(crate) const RECEIVES: [usize; 2] = [
        Object::<K, Self>::at(core::mem::offset_of!(Self, responder.receives)),
        size_of::<Receives<K>>().div_ceil(size_of::<usize>()),
    ];

    /// The offsets of the number that says whether a connection was established, of four bytes, and of the link that leads
    /// to it, from the object's address, for a debugger.
    pub(crate) const JOINED: [usize; 2] = {
        let [state, value] = Attachment::<K>::JOINED;
        let attachment = core::mem::offset_of!(Self, attachment);
        [
            Object::<K, Self>::at(attachment.saturating_add(state)),
            Object::<K, Self>::at(attachment.saturating_add(value)),
        ]
    };

    /// A queue pair that is not connected, with a receive queue of its own unless `srq` is given.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn new(
        pd: ObjectRef<K, Pd<K>>,
        receive_cq: ObjectRef<K, Cq<K>>,
        initiator_cq: ObjectRef<K, Cq<K>>,
        srq: Option<ObjectRef<K, Srq<K>>>,
        context: Opaque,
        depths: Depths,
    ) -> Result<Self, NoMemory> {
        Ok(Self {
            initiator: Initiator::new(initiator_cq, &depths)?,
            responder: Responder::new(receive_cq, srq, &depths)?,
            pd,
            context,
            cancel: AtomicU32::new(0),
            attachment: Attachment::new(),
        })
    }

    /// The protection domain.
    pub(crate) fn pd(&self) -> &Object<K, Pd<K>> {
        &self.pd
    }

    /// The protection domain, as it is compared.
    pub(crate) fn domain(&self) -> Domain {
        Domain::of(&self.pd)
    }

    /// Takes the queue pair for a connector. A queue pair connects once (CM-3).
    #[must_use]
    pub(crate) fn claim(&self) -> bool {
        self.attachment.claim()
    }

    /// Sets the connection attempt to notify when the queue pair enters its error state. The caller has
    /// claimed the queue pair, and checks [`Qp::is_dead`] after this, under the lock of the attempt. Up to
    /// DISPATCH_LEVEL, no lock held.
    pub(crate) fn bind(&self, link: Link<K>) {
        self.attachment.bind(link);
    }

    /// Releases the claim, as the connection was not established. Up to DISPATCH_LEVEL, no lock held.
    pub(crate) fn unclaim(&self) {
        self.attachment.unclaim();
    }

    /// Records the established connection, which transfers use from then on.
    pub(crate) fn join(&self, link: Link<K>) {
        self.attachment.join(link);
    }

    /// Returns true if a connection is, or was, established.
    pub(crate) fn is_joined(&self) -> bool {
        self.attachment.is_joined()
    }

    /// Returns true if the QP is in its error state: every request that is posted is flushed.
    pub(crate) fn is_dead(&self) -> bool {
        self.cancel.load(Ordering::SeqCst) & DEAD != 0
    }
}

impl<K: Kernel> Object<K, Qp<K>> {
    /// Runs the initiator's engine. The caller holds the queue pair, directly or by a transfer.
    pub(crate) fn progress(&self) {
        self.initiator.progress(self);
    }

    /// Unlocks the delivery, if the peer's engine keeps it. A run of that engine calls this, as it ends its lease of the
    /// connection.
    pub(crate) fn give_up_deliveries(&self) {
        self.responder.give_up(self);
    }

    /// Resumes a message of the peer that waits for a receive, as one is posted.
    fn peer_progress(&self) {
        self.attachment.resume_peer(self);
    }

    /// NdkFlush: what is queued on both queues is cancelled. May run concurrently with posts (WR-1).
    pub(crate) fn flush(&self) {
        self.cancel.fetch_or(FLUSH, Ordering::SeqCst);
        self.progress();
    }

    /// Flushes for good.
    pub(crate) fn kill(&self) {
        self.cancel.fetch_or(DEAD, Ordering::SeqCst);
        self.progress();
    }

    /// Flushes for good, and ends the attempt or the connection that it is in.
    fn die(&self) {
        self.kill();
        if let Some(link) = self.attachment.link() {
            link.qp_died();
        }
    }

    /// The CQ has overflown: a QP that completes into it dies.
    fn cq_overflown(&self, cq: &Object<K, Cq<K>>) {
        if [&self.responder.cq, &self.initiator.cq].into_iter().any(|own| core::ptr::eq(&raw const **own, cq))
        {
            self.die();
        }
    }

    /// A result was lost: the queue pair is of no more use (CQ-6). Those that share the queue with it follow in the
    /// queue's DPC.
    fn overflow(&self) {
        self.cancel.fetch_or(DEAD, Ordering::SeqCst);
        self.break_connection();
    }

    /// Ends the connection; when the transfers that still run have drained, both ends are flushed.
    fn break_connection(&self) {
        if self.is_joined() {
            self.pd.adapter().rnic().counters().connection_error();
            self.attachment.fail();
        }
    }
}

/// A QP waits for the memory that a request of its invalidated.
impl<K: Kernel> Resume<K> for Qp<K> {
    fn resume(object: &Object<K, Self>) {
        object.progress();
        // Or a message of the peer does, perhaps since an instant ago: the arrival has not said so yet.
        if let Some(wire) = object.attachment.wire() {
            wire.transfers().resume(object, wire);
        }
    }
}

/// Ends the QPs that complete into a CQ which has overflown (CQ-6). Up to DISPATCH_LEVEL, no lock held.
pub(crate) fn cq_overflown<K: Kernel>(cq: &Object<K, Cq<K>>) {
    cq.adapter().registry().for_each::<Qp<K>>(|qp| qp.cq_overflown(cq));
}

impl<K: Kernel> ObjectType<K> for Qp<K> {
    const TYPE: NDK_OBJECT_TYPE = NDK_OBJECT_TYPE::NdkObjectTypeQp;

    const REFERENCES: [usize; 3] = [
        Object::<K, Self>::at(core::mem::offset_of!(Self, pd)),
        Object::<K, Self>::at(core::mem::offset_of!(Self, responder.cq)),
        Object::<K, Self>::at(core::mem::offset_of!(Self, initiator.cq)),
    ];

    type Antecedents =
        (ObjectRef<K, Pd<K>>, ObjectRef<K, Cq<K>>, ObjectRef<K, Cq<K>>, Option<ObjectRef<K, Srq<K>>>);

    fn registry(&self) -> &Registry<K> {
        self.pd.registry()
    }

    fn antecedents(&self, name: &mut dyn FnMut(Id)) {
        name(Id::of(&self.pd));
        name(Id::of(&self.responder.cq));
        name(Id::of(&self.initiator.cq));
        if let Some(srq) = self.responder.srq() {
            name(Id::of(srq));
        }
    }

    fn on_network(&self) -> Option<OnNetwork> {
        self.attachment.wire()?.on_network()
    }

    fn timer(&self) -> Option<&ObjectTimer<K>> {
        Some(&self.initiator.timer)
    }

    /// Flushes the outstanding requests and ends the connection (CL-4).
    fn start_close(object: &Object<K, Self>) {
        object.die();
        if let Some(srq) = object.responder.srq() {
            srq.forget(object);
        }
    }

    fn into_antecedents(self) -> Self::Antecedents {
        let srq = match self.responder.receives {
            Receives::Own(_) => None,
            Receives::Shared(seat) => seat.leave(),
        };
        (self.pd, self.responder.cq, self.initiator.cq, srq)
    }

    /// A queue pair has no callbacks of its own, only a timer.
    fn deliver(object: &Object<K, Self>, events: u32) {
        if events & TIMER != 0 {
            object.cancel.fetch_or(TIMER_EXPIRED, Ordering::SeqCst);
            object.progress();
        }
    }
}

//! A QP of this driver at the other end: data is copied once, from one QP's memory to the other's.
//!
//! A transfer keeps what it gathered on the stack. What does that is not inlined, so that the frame
//! of their caller does not grow to hold the locals of all: a frame over a page does not even link,
//! because a kernel stack has no probe for it.

use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_SUCCESS,
};

use super::Qp;
use super::initiator::{PendingInvalidate, Step};
use super::remote::{self, RemoteMemory, Send};
use super::responder::{Message, Receive};
use super::sgl::Sgl;
use super::work::Flags;
use crate::adapter::PinnedSgl;
use crate::connection::{Connection, Established, Side};
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::lifetime::{AcquireError, Kind};
use crate::memory::{AccessError, Invalidated, Rights, Sge, copy};
use crate::number::u64_from;
use crate::object::{Object, ObjectRef};
use crate::rundown::{Pin, Shard};

/// See the module's head.
pub(super) struct Loopback<'c, K: Kernel> {
    established: Pin<'c, Established<K>>,
    /// The end that initiates.
    side: Side,
}

/// A message that met a receive.
struct Met {
    /// The receive's own.
    context: Opaque,
    /// The message's length, or the status by which the receive fails.
    moved: Result<usize, NTSTATUS>,
}

/// As [`remote::Arrived`].
pub(super) struct Arrived<K: Kernel> {
    receiver: ObjectRef<K, Qp<K>>,
    message: Message,
}

impl<K: Kernel> Arrived<K> {
    fn new(receiver: &Object<K, Qp<K>>, message: Message) -> Result<Self, AcquireError> {
        Ok(Self { receiver: receiver.try_acquire(Kind::Request)?, message })
    }

    /// Completes the receive.
    pub(super) fn complete(self) {
        self.receiver.responder.delivered(&self.receiver, STATUS_SUCCESS, self.message);
    }

    /// Completes the receive as cancelled: the send is.
    pub(super) fn cancel(self) {
        let message = Message::none(self.message.context);
        self.receiver.responder.delivered(&self.receiver, STATUS_CANCELLED, message);
    }
}

impl<'c, K: Kernel> Loopback<'c, K> {
    /// The initiator of `side` of a connection, if that is established.
    pub(super) fn pin(connection: &'c Connection<K>, side: Side) -> Option<Self> {
        Some(Self { established: connection.transfer(side)?, side })
    }

    fn peer(&self) -> &Object<K, Qp<K>> {
        self.established.peer_of(self.side)
    }

    /// As [`Remote::resume`](super::remote::Remote::resume).
    pub(super) fn resume(&self) {
        self.peer().progress();
    }

    /// As [`Remote::send`](super::remote::Remote::send).
    pub(super) fn send(
        &self,
        qp: &Object<K, Qp<K>>,
        Send { data, flags, invalidates }: Send<'_>,
        pending_invalidate: &mut Option<PendingInvalidate<K>>,
    ) -> Result<Step, Step> {
        let peer = self.peer();
        let Some(Met { context, moved }) = Self::deliver(qp, data, peer)? else {
            return Ok(Step::ReceiverNotReady);
        };
        let mut message = Message { solicited: flags.contains(Flags::SOLICIT), ..Message::none(context) };
        let length = match moved {
            Ok(length) => length,
            Err(status) => {
                peer.responder.delivered(peer, status, message);
                return Ok(Step::Broken);
            }
        };
        self.count(qp, peer, length);
        message.bytes = u32::try_from(length).unwrap_or(u32::MAX);
        if let Some(token) = invalidates {
            message.invalidated = Some(token);
            let owner = peer.pd.adapter().table().invalidatable(token, peer.domain(), true);
            let outcome = match owner {
                Ok((owner, which)) => Arrived::new(peer, message).map_err(Step::from).and_then(|arrived| {
                    let arrived = remote::Arrived::Loopback(arrived);
                    PendingInvalidate::begin(qp, owner, Some(which), Some(arrived), pending_invalidate)
                }),
                Err(_) => Ok(Invalidated::NotValid),
            };
            match outcome {
                Ok(Invalidated::Now) => {}
                Ok(Invalidated::Later) => return Ok(Step::AwaitingDrain),
                // The receiver must abort the connection (the page of NdkSendAndInvalidate).
                Ok(Invalidated::NotValid) | Err(_) => {
                    message.invalidated = None;
                    peer.responder.delivered(peer, STATUS_ACCESS_VIOLATION, message);
                    return Ok(Step::Broken);
                }
            }
        }
        peer.responder.delivered(peer, STATUS_SUCCESS, message);
        Ok(Step::Done)
    }

    /// Moves a message into the peer's next receive, which keeps the delivery locked until
    /// [`Responder::delivered`](super::responder::Responder::delivered).
    /// `None` if the peer has no receive, or its delivery is locked.
    #[inline(never)]
    fn deliver(
        qp: &Object<K, Qp<K>>,
        data: &Sgl,
        peer: &Object<K, Qp<K>>,
    ) -> Result<Option<Met>, AccessError> {
        peer.responder.expect_delivery();
        let (mut source, mut sink) = (PinnedSgl::new(), PinnedSgl::new());
        Self::gather(qp, &mut source, data, (Rights::LOCAL_READ, Shard::Initiator))?;
        let mut rest = Sgl::new();
        let Some(Receive { context, first }) = peer.responder.next_receive(peer, &mut rest) else {
            return Ok(None);
        };
        let needed = (Rights::LOCAL_WRITE, Shard::Target);
        let admitted = Self::gather(peer, &mut sink, &[first], needed)
            .and_then(|()| Self::gather(peer, &mut sink, &rest, needed));
        let moved = if admitted.is_err() {
            Err(STATUS_ACCESS_VIOLATION)
        } else if source.length() > sink.length() {
            Err(STATUS_BUFFER_OVERFLOW)
        } else {
            copy(&source, &sink, source.length());
            Ok(source.length())
        };
        Ok(Some(Met { context, moved }))
    }

    /// As [`Remote::write`](super::remote::Remote::write).
    #[inline(never)]
    pub(super) fn write(&self, qp: &Object<K, Qp<K>>, data: &Sgl, to: RemoteMemory) -> Result<Step, Step> {
        let peer = self.peer();
        let (mut source, mut sink) = (PinnedSgl::new(), PinnedSgl::new());
        Self::gather(qp, &mut source, data, (Rights::LOCAL_READ, Shard::Initiator))?;
        Self::gather_named(peer, &mut sink, source.length(), Rights::REMOTE_WRITE, to)?;
        copy(&source, &sink, source.length());
        self.count(qp, peer, source.length());
        Ok(Step::Done)
    }

    /// As [`Remote::read`](super::remote::Remote::read).
    #[inline(never)]
    pub(super) fn read(&self, qp: &Object<K, Qp<K>>, list: &Sgl, from: RemoteMemory) -> Result<Step, Step> {
        let peer = self.peer();
        let (mut source, mut sink) = (PinnedSgl::new(), PinnedSgl::new());
        Self::gather(qp, &mut sink, list, (Rights::LOCAL_WRITE, Shard::Initiator))?;
        Self::gather_named(peer, &mut source, sink.length(), Rights::REMOTE_READ, from)?;
        copy(&source, &sink, sink.length());
        self.count(peer, qp, sink.length());
        Ok(Step::Done)
    }

    /// The QP's own memory, for itself or for its peer.
    fn gather<'t>(
        qp: &'t Object<K, Qp<K>>,
        gathered: &mut PinnedSgl<'t, K>,
        list: &[Sge],
        needed: (Rights, Shard),
    ) -> Result<(), AccessError> {
        gathered.local(qp.pd.adapter().table(), qp.domain(), needed, list)
    }

    /// The memory of the QP that its peer names.
    fn gather_named<'t>(
        qp: &'t Object<K, Qp<K>>,
        gathered: &mut PinnedSgl<'t, K>,
        length: usize,
        needed: Rights,
        RemoteMemory { address, token }: RemoteMemory,
    ) -> Result<(), AccessError> {
        let length = u32::try_from(length).map_err(|_| AccessError::Bounds)?;
        let named = Sge { address, length, token: token.0 };
        gathered.remote(qp.pd.adapter().table(), qp.domain(), needed, named)
    }

    /// Counts the bytes that a request of this side has moved.
    fn count(&self, from: &Object<K, Qp<K>>, to: &Object<K, Qp<K>>, bytes: usize) {
        let stripe = usize::try_from(self.established.direction(self.side)).unwrap_or(0);
        from.pd.adapter().rnic().counters().sent(stripe, u64_from(bytes));
        to.pd.adapter().rnic().counters().received(stripe, u64_from(bytes));
    }
}

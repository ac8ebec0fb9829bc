//! A QP of this driver at the other end: data is copied once, from one QP's memory to the other's.
//!
//! # Cache lines that change hands
//!
//! Between a processor that sends and one that receives these lines go from one to the other, and nothing else does. (A
//! Read is a Write whose source is the peer's.)
//!
//! | line | of | goes | because |
//! |---|---|---|---|
//! | slot of the receive queue | Send | from the poster to the sender; back when the queue has come round to it | the sender has to know the receive's memory and context: both are in the slot, with the first entry ([`Receive`](super::responder::Receive)). Emptying it makes the slot free |
//! | row of further entries | Send into a receive of several | likewise | a slot has room for one |
//! | source of the data | Send, Write | from where the consumer wrote it | one processor copies; it is the one that sends |
//! | sink of the data | Send, Write | from the sender to where the consumer reads it | the bytes themselves. A sender that reads its next message's source from there pays for the line twice |
//! | slot of the CQ | completion | from the processor that pushes to the one that polls; back when the queue has come round | the result; emptying it makes the slot free |
//! | arm word of the CQ | completion, if armed | from the processor that arms to the one that pushes | one of the two has to see the other ([`arm`](crate::completion)). Unarmed, it stays where it is read |
//! | `completed` of a work queue | once a queue's round | from the processor that completes to the poster | the poster may not overrun the queue |
//!
//! These stay with one side, each in a line of its own: the lifetime word of each QP (its own posts), the pins of each
//! registration (a shard for each side, see [`rundown`](crate::rundown)), the tails and heads of the rings, the
//! combiner of each initiator, the counters (a stripe for each direction). The connection's shards and the delivery lock are
//! read, and not written until the connection ends or a flush wants the lock. A look at whether a connection is established
//! is at the shard of the side that asks.
//!
//! # Locked instructions
//!
//! One Send of 64 bytes that meets a receive, from NdkReceive to both results, in the order of the calls; both sides have
//! a registered region and a CQ of their own. Each takes about 5 ns on the machine of `docs/performance.md`, whatever line
//! it is for.
//!
//! | call | instruction | of | because |
//! |---|---|---|---|
//! | NdkReceive | compare-exchange | lifetime word | a message may take the receive at once, and its result make the consumer close the QP before the call returns |
//! | | fence | - | the post looks for a message or a flush that waits, after its push; they look for a receive after they have said that they wait |
//! | | subtraction | lifetime word | gives the hold back, perhaps as the last |
//! | NdkSend | compare-exchange | lifetime word | another processor may run the engine for the request, likewise |
//! | | compare-exchange | combiner | one processor at a time executes requests, and a note that finds it at work is not lost |
//! | | compare-exchange | source's region | its memory stays until it is copied: a closer finds the pin, or the pin finds the region closed |
//! | | compare-exchange | sink's region | likewise |
//! | | subtraction | sink's region | perhaps the last pin; before the receive has its result |
//! | | subtraction | source's region | likewise |
//! | | compare-exchange | tail of the receive's CQ | results of several QPs, and of both their sides, are pushed at the same time |
//! | | fence | - | the look at the arm, after the push: the consumer that arms looks for results after that |
//! | | compare-exchange | tail of the Send's CQ | as of the receive's |
//! | | compare-exchange | combiner | finds a note, or leaves; it is the fence too between the push and the look at the arm |
//! | | subtraction | lifetime word | gives the hold back, perhaps as the last |
//! | NdkGetCqResults, twice | none | | the consumer serialises polls |
//!
//! These are fourteen. A Write has nine: one NdkWrite in place of NdkSend, and neither the first three nor the two of the
//! receive's CQ. What has none: posts and takes of the work queues (serialised by the consumer, the combiner, the delivery
//! lock), the connection (the engine has a lease of it, see `rundown::lease`), the delivery lock (the engine keeps it from
//! one message to the next), the counters.

mod place;

use sys::status::{STATUS_ACCESS_VIOLATION, STATUS_CANCELLED, STATUS_SUCCESS};

use super::Qp;
use super::initiator::{PendingInvalidate, Step};
use super::remote::{self, RemoteMemory, Send};
use super::responder::Message;
use super::sgl::Sgl;
use super::work::Flags;
use crate::connection::{Direction, Established, Side};
use crate::kernel::Kernel;
use crate::lifetime::{AcquireError, Kind};
use crate::memory::Invalidated;
use crate::number::u64_from;
use crate::object::{Object, ObjectRef};
use place::Met;

/// See the module's head.
pub(super) struct Loopback<'c, K: Kernel> {
    established: &'c Established<K>,
    /// The end that initiates.
    side: Side,
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
    /// For the initiator of `side` of a connection.
    pub(super) const fn new(established: &'c Established<K>, side: Side) -> Self {
        Self { established, side }
    }

    fn peer(&self) -> &Object<K, Qp<K>> {
        self.established.peer_of(self.side)
    }

    /// As [`Remote::give_up_if_wanted`](super::remote::Remote::give_up_if_wanted).
    #[inline(always)]
    pub(super) fn give_up_if_wanted(&self) {
        let peer = self.peer();
        peer.responder.give_up_if_wanted(peer);
    }

    /// As [`Remote::send`](super::remote::Remote::send).
    pub(super) fn send(
        &self,
        qp: &Object<K, Qp<K>>,
        Send { data, flags, invalidates }: Send<'_>,
        pending_invalidate: &mut Option<PendingInvalidate<K>>,
    ) -> Result<Step, Step> {
        let peer = self.peer();
        let Some(Met { context, moved }) = place::deliver(qp, data, peer)? else {
            return Ok(Step::ReceiverNotReady);
        };
        let mut message = Message { solicited: flags.contains(Flags::SOLICIT), ..Message::none(context) };
        let length = match moved {
            Ok(length) => length,
            Err(status) => {
                peer.responder.delivered_kept(peer, status, message);
                return Ok(Step::Broken);
            }
        };
        self.count(Direction::Out, length);
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
                Ok(Invalidated::Later) => {
                    // Until the message has its result, no flush may overtake it.
                    peer.responder.keep_for_one();
                    return Ok(Step::AwaitingDrain);
                }
                // The receiver must abort the connection (the page of NdkSendAndInvalidate).
                Ok(Invalidated::NotValid) | Err(_) => {
                    message.invalidated = None;
                    peer.responder.delivered_kept(peer, STATUS_ACCESS_VIOLATION, message);
                    return Ok(Step::Broken);
                }
            }
        }
        peer.responder.delivered_kept(peer, STATUS_SUCCESS, message);
        Ok(Step::Done)
    }

    /// As [`Remote::write`](super::remote::Remote::write).
    #[inline(never)]
    pub(super) fn write(&self, qp: &Object<K, Qp<K>>, data: &Sgl, to: RemoteMemory) -> Result<Step, Step> {
        let peer = self.peer();
        let length = place::write(qp, data, peer, to)?;
        self.count(Direction::Out, length);
        Ok(Step::Done)
    }

    /// As [`Remote::read`](super::remote::Remote::read).
    #[inline(never)]
    pub(super) fn read(&self, qp: &Object<K, Qp<K>>, list: &Sgl, from: RemoteMemory) -> Result<Step, Step> {
        let peer = self.peer();
        let length = place::read(qp, list, peer, from)?;
        self.count(Direction::In, length);
        Ok(Step::Done)
    }

    /// Counts the bytes that a request of this side has moved.
    #[inline(always)]
    fn count(&self, direction: Direction, bytes: usize) {
        self.established.count(self.side, direction, u64_from(bytes));
    }
}

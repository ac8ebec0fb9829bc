//! Judges the headers of a peer's segments, one after the other: what may be done with the payload of each.
//!
//! Nothing changes before a segment has come whole; the effect of a segment that is judged waits for its end.

use crate::ddp::{Msn, Stag};
use crate::fault::PeerFault;
use crate::rdmap::{Message, Placed, ReadRequest, SendKind, Sequenced};
use crate::reads::{Inbound, Reads, Response};

/// A segment of the peer whose header is legal; the payload follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Goes to memory that the peer names. Every segment is to be checked: memory, domain, right, bounds; one without
    /// payload touches nothing, so its tag is not looked at.
    Write {
        /// The memory.
        stag: Stag,
        /// The place in it.
        offset: u64,
        /// The bytes of payload.
        length: u16,
        /// Ends the message.
        last: bool,
    },
    /// Goes to the receive of the message: at offset 0 the next one is taken.
    Send {
        /// The kind of Send.
        kind: SendKind,
        /// The place in the message.
        offset: u32,
        /// The bytes of payload.
        length: u16,
        /// Ends the message.
        last: bool,
    },
    /// Asks for memory; its source is to be checked when it is answered.
    ReadRequest(ReadRequest),
    /// Goes to the sink of the oldest read.
    ReadResponse {
        /// The place in the sink.
        offset: u32,
        /// The bytes of payload.
        length: u16,
        /// Ends the response.
        last: bool,
    },
    /// Nothing is to be done with it.
    Empty,
}

/// The end of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentEnd {
    /// Its message goes on, or there is nothing to tell.
    Quiet,
    /// The receive of a Send is complete.
    Received {
        /// The kind of Send.
        kind: SendKind,
        /// The length of the message.
        length: u32,
    },
    /// A Read Request waits to be answered.
    ReadRequested,
    /// The oldest read is complete.
    ReadDone,
}

/// The change that the end of a segment makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    Send { kind: SendKind, received: u32, last: bool },
    Request(Inbound),
    Response(Response),
}

/// The places at which the next untagged segments have to be.
#[derive(Debug)]
pub(crate) struct Sequencer {
    sends: Msn,
    /// The kind of the Send that has come in part, and the bytes of it that are there.
    sending: Option<(SendKind, u32)>,
    requests: Msn,
}

impl Sequencer {
    pub(crate) const fn new() -> Self {
        Self { sends: Msn::FIRST, sending: None, requests: Msn::FIRST }
    }

    /// Returns whether a message has come in part.
    pub(crate) const fn is_within_message(&self) -> bool {
        self.sending.is_some()
    }

    /// Judges a segment with `payload` bytes behind its header; `request` is the body of a Read Request.
    pub(crate) fn judge<const READS: usize>(
        &self,
        reads: &Reads<READS>,
        message: Message,
        payload: u16,
        request: Option<ReadRequest>,
    ) -> Result<(Segment, Effect), PeerFault> {
        match (message, request) {
            (Message::Write(placed), _) => {
                within(placed, payload)?;
                let Placed { stag, offset, last } = placed;
                Ok((Segment::Write { stag, offset, length: payload, last }, Effect::None))
            }
            (Message::ReadResponse(placed), _) => {
                within(placed, payload)?;
                let response = reads.judge(placed, payload)?;
                let segment = if response.is_rtr {
                    Segment::Empty
                } else {
                    Segment::ReadResponse { offset: response.offset, length: payload, last: placed.last }
                };
                Ok((segment, Effect::Response(response)))
            }
            (Message::Send(kind, sequenced), _) => self.send(kind, sequenced, payload),
            (Message::ReadRequest(Sequenced { msn, offset, last }), Some(request)) => {
                if msn != self.requests {
                    return Err(PeerFault::MessageNumber);
                }
                if offset != 0 {
                    return Err(PeerFault::MessageOffset);
                }
                // The body is all of the message.
                if !last {
                    return Err(PeerFault::Opcode);
                }
                if !reads.has_room() {
                    return Err(PeerFault::TooManyReads);
                }
                Ok((Segment::ReadRequest(request), Effect::Request(Inbound { msn, request })))
            }
            // A request has its body, and a Terminate ends the stream before it comes here.
            (Message::ReadRequest(_) | Message::Terminate(_), _) => Err(PeerFault::Opcode),
        }
    }

    fn send(&self, kind: SendKind, place: Sequenced, payload: u16) -> Result<(Segment, Effect), PeerFault> {
        let Sequenced { msn, offset, last } = place;
        let (begun, received) = self.sending.unwrap_or((kind, 0));
        if msn != self.sends {
            return Err(PeerFault::MessageNumber);
        }
        if offset != received {
            return Err(PeerFault::MessageOffset);
        }
        if kind != begun {
            return Err(PeerFault::Opcode);
        }
        let received = received.checked_add(payload.into()).ok_or(PeerFault::MessageTooLong)?;
        let segment = Segment::Send { kind, offset, length: payload, last };
        Ok((segment, Effect::Send { kind, received, last }))
    }

    /// Makes the change of a segment that has come whole.
    pub(crate) fn commit<const READS: usize>(
        &mut self,
        reads: &mut Reads<READS>,
        effect: Effect,
    ) -> Result<SegmentEnd, PeerFault> {
        Ok(match effect {
            Effect::None => SegmentEnd::Quiet,
            Effect::Send { kind, received, last: false } => {
                self.sending = Some((kind, received));
                SegmentEnd::Quiet
            }
            Effect::Send { kind, received, last: true } => {
                self.sending = None;
                self.sends = self.sends.next();
                SegmentEnd::Received { kind, length: received }
            }
            Effect::Request(inbound) => {
                reads.requested(inbound)?;
                self.requests = inbound.msn.next();
                SegmentEnd::ReadRequested
            }
            Effect::Response(response) => {
                let ended = reads.received(response);
                if ended && !response.is_rtr { SegmentEnd::ReadDone } else { SegmentEnd::Quiet }
            }
        })
    }
}

/// The place of the last byte is one. A segment without payload is at no place.
fn within(placed: Placed, payload: u16) -> Result<(), PeerFault> {
    let further = u64::from(payload).saturating_sub(1);
    placed.offset.checked_add(further).map(|_| ()).ok_or(PeerFault::OffsetWrap)
}

#[cfg(test)]
mod tests;

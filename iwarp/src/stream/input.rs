//! The bytes of the peer.

use crate::ddp::{Header, Packet, TAGGED};
use crate::fault::{Fault, PeerFault};
use crate::fpdu::{CRC, Found};
use crate::mpa::{Agreed, Depth};
use crate::rdmap::{Copied, HeaderError, Message, READ_REQUEST, ReadRequest, TERMINATE, Terminate};
use crate::receive::{Segment, SegmentEnd};
use crate::stream::{Current, Nudge, Phase, Stream};

/// The next thing in the stream of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing until this many bytes are there in one piece, from the first one that is not consumed.
    Need(usize),
    /// Nothing until the consumer has answered; the bytes wait.
    Hold,
    /// An FPDU that is to be summed before it is read: this many bytes, with the sum behind them. The caller waits
    /// until they are all there, and calls [`Stream::verdict`]. They need not be in one piece.
    Check(u32),
    /// A request: the consumer is to [`Stream::accept`] or [`Stream::reject`].
    Offer {
        /// The private data.
        private: &'a [u8],
        /// The reads that the initiator answers and has outstanding at a time, if it says so.
        depths: Option<(Depth, Depth)>,
    },
    /// A reply: the consumer is to [`Stream::complete`], if it is accepted.
    Answer {
        /// The agreement; `None` if the responder rejects.
        accepted: Option<Agreed>,
        /// The private data.
        private: &'a [u8],
    },
    /// The header of a segment, whose payload follows.
    Segment(Segment),
    /// This many of the bytes that follow are payload: the caller moves or skips them, and calls [`Stream::placed`].
    Payload(u16),
    /// The end of the segment.
    End(SegmentEnd),
    /// The peer ends the stream, and says why. It is not answered.
    Terminated(Terminate),
    /// The stream ends before its time.
    Fault(Fault),
    /// Bytes behind the end, which mean nothing.
    Over,
}

/// The result of reading a header.
enum Read {
    Need(usize),
    Segment(Current, Segment, u16),
    Terminated(Terminate, u16),
}

/// A fault of a header, with a copy of it if it was there whole.
type HeaderFault = (PeerFault, Option<Copied>);

impl<const READS: usize> Stream<READS> {
    /// The number of bytes of `input` that are consumed, and the next thing in the stream.
    ///
    /// `input` begins with the first byte that is not consumed. Nothing is consumed twice, and the cuts between the
    /// inputs mean nothing.
    pub fn step<'a>(&mut self, input: &'a [u8]) -> (usize, Step<'a>) {
        match self.phase {
            Phase::RequestSent => self.read_reply(input),
            Phase::RequestAwaited => self.read_request(input),
            Phase::ReplyRead(_) => (0, Step::Hold),
            Phase::Offered(_) if input.is_empty() => (0, Step::Hold),
            Phase::Offered(_) => (0, self.fault(PeerFault::EarlyBytes, None)),
            Phase::ReplySent | Phase::Operating | Phase::FinSent => {
                let (consumed, step) = self.read_fpdu(input);
                let waits = consumed < input.len() && matches!(step, Step::Need(_));
                self.note(!input.is_empty(), waits);
                (consumed, step)
            }
            Phase::FinReceived
            | Phase::Rejecting(_)
            | Phase::Terminating(_)
            | Phase::Closing
            | Phase::Over => (input.len(), Step::Over),
        }
    }

    /// The caller has moved or skipped bytes of payload, at most as many as [`Step::Payload`] said.
    pub fn placed(&mut self, bytes: u16) {
        self.framer.take(bytes);
    }

    /// Judges the FPDU that [`Step::Check`] was about, by the sum of its bytes and the one that stands behind them.
    ///
    /// The sum is wrong: the stream ends with the fault that is returned.
    pub fn verdict(&mut self, sum: u32, field: [u8; CRC]) -> Result<(), Fault> {
        if self.framer.verdict(sum, field).is_ok() {
            self.first_fpdu();
            return Ok(());
        }
        Err(self.fail(Fault::Peer(PeerFault::Crc), None))
    }

    fn read_fpdu(&mut self, input: &[u8]) -> (usize, Step<'static>) {
        let Ok((consumed, found)) = self.framer.step(input) else {
            return (0, self.fault(PeerFault::Framing, None));
        };
        let rest = input.get(consumed..).unwrap_or_default();
        match (found, self.current) {
            (Found::Need(more), _) => (consumed, Step::Need(more)),
            (Found::Check(bytes), _) => (consumed, Step::Check(bytes)),
            (Found::Ulpdu(left), Some(_)) => {
                let bytes = u16::try_from(rest.len()).map_or(left, |bytes| bytes.min(left));
                (consumed, if bytes == 0 { Step::Need(1) } else { Step::Payload(bytes) })
            }
            (Found::Ulpdu(ulpdu), None) => {
                let (header, step) = self.read_header(rest, ulpdu);
                (consumed.saturating_add(header), step)
            }
            (Found::End, current) => (consumed, self.end_of_segment(current)),
        }
    }

    fn read_header(&mut self, input: &[u8], ulpdu: u16) -> (usize, Step<'static>) {
        match self.parse_header(input, ulpdu) {
            Ok(Read::Need(bytes)) => (0, Step::Need(bytes)),
            Ok(Read::Segment(current, segment, header)) => {
                self.framer.take(header);
                self.current = Some(current);
                (header.into(), Step::Segment(segment))
            }
            Ok(Read::Terminated(terminate, header)) => {
                self.enter(Phase::Closing);
                (header.into(), Step::Terminated(terminate))
            }
            Err((fault, copied)) => (0, self.fault(fault, copied)),
        }
    }

    /// Reads the header at the start of a ULPDU; changes nothing.
    fn parse_header(&self, input: &[u8], ulpdu: u16) -> Result<Read, HeaderFault> {
        let length = input.first().map_or(TAGGED, |control| Packet::length(*control));
        if usize::from(ulpdu) < length {
            return Err((PeerFault::Framing, None));
        }
        let Some(packet) = Packet::new(input) else { return Ok(Read::Need(length)) };
        let copied = |request| Some(Copied::of(ulpdu, packet.bytes(), request));
        let header = Header::parse(packet).map_err(|_| {
            let fault = match packet {
                Packet::Tagged(_) => PeerFault::TaggedVersion,
                Packet::Untagged(_) => PeerFault::UntaggedVersion,
            };
            (fault, copied(None))
        })?;
        let message = Message::parse(header).map_err(|error| {
            let fault = match error {
                HeaderError::Queue => PeerFault::Queue,
                HeaderError::Version => PeerFault::RdmapVersion,
                HeaderError::Opcode => PeerFault::Opcode,
            };
            (fault, copied(None))
        })?;
        let body = input.get(length..).unwrap_or_default();
        let payload = ulpdu.saturating_sub(u16::try_from(length).unwrap_or(u16::MAX));
        let (request, payload) = match message {
            Message::Write(_) | Message::ReadResponse(_) | Message::Send(..) => (None, payload),
            Message::ReadRequest(_) => {
                // The body is as long as it is, and nothing follows it.
                if usize::from(payload) != READ_REQUEST {
                    return Err((PeerFault::Opcode, copied(None)));
                }
                let Some(body) = body.first_chunk::<READ_REQUEST>() else {
                    return Ok(Read::Need(length.saturating_add(READ_REQUEST)));
                };
                (Some(ReadRequest::parse(body)), 0)
            }
            Message::Terminate(_) => {
                let whole = usize::from(payload).min(TERMINATE);
                let Some(body) = body.get(..whole) else {
                    return Ok(Read::Need(length.saturating_add(whole)));
                };
                let terminate = Terminate::parse(body).ok_or((PeerFault::TerminateCutShort, None))?;
                return Ok(Read::Terminated(terminate, ulpdu.saturating_sub(payload)));
            }
        };
        let judged = self.sequencer.judge(&self.reads, message, payload, request);
        let (segment, effect) = judged.map_err(|fault| (fault, copied(request)))?;
        let current = Current { copied: Copied::of(ulpdu, packet.bytes(), request), effect };
        Ok(Read::Segment(current, segment, ulpdu.saturating_sub(payload)))
    }

    /// A first FPDU has come whole, and is valid: the responder may send.
    fn first_fpdu(&mut self) {
        if matches!(self.phase, Phase::ReplySent) {
            self.enter(Phase::Operating);
        }
    }

    fn end_of_segment(&mut self, current: Option<Current>) -> Step<'static> {
        // A ULPDU has a header, so there is a segment.
        let Some(Current { copied, effect }) = current else { return self.fault(PeerFault::Framing, None) };
        self.current = None;
        self.last = Some(copied);
        self.first_fpdu();
        match self.sequencer.commit(&mut self.reads, effect) {
            Ok(end) => Step::End(end),
            Err(fault) => self.fault(fault, Some(copied)),
        }
    }

    /// Notes that bytes have come, and whether they have led into an FPDU. A first byte that waits with the caller is
    /// the beginning of one, too.
    fn note(&mut self, came: bool, waits: bool) {
        if came && self.nudge != Nudge::Before {
            self.nudge = Nudge::Done;
        }
        let is_within = waits || !self.framer.is_between();
        // Any other timer has its time whatever comes meanwhile: that for the first FPDU, and that for the end.
        if is_within && !self.is_within && matches!(self.phase, Phase::Operating) {
            self.starts = self.starts.wrapping_add(1);
        }
        self.is_within = is_within;
    }

    fn fault(&mut self, fault: PeerFault, copied: Option<Copied>) -> Step<'static> {
        Step::Fault(self.fail(Fault::Peer(fault), copied))
    }
}

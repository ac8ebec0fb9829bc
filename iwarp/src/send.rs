//! Cuts messages into FPDUs (RFC 5041 section 5.2): headers, and the ranges of payload that they stand before.

use core::ops::Range;

use crate::bytes::Bytes;
use crate::crc::Digest;
use crate::ddp::{self, Msn, Stag};
use crate::fpdu::{CRC, LENGTH, Mulpdu, pad};
use crate::rdmap::{Message, Placed, ReadRequest, SendKind, Sequenced, TERMINATE, Terminate};

/// The length of the longest header: of a Terminate with all that it can copy.
pub const HEADER: usize = LENGTH + ddp::UNTAGGED + TERMINATE;

/// The most zero bytes behind a ULPDU.
const PAD: usize = 3;

/// The source of an FPDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The message that the caller posted; the payload is a range of it.
    Message,
    /// The answer to the oldest read of the peer; the payload is a range of what it reads.
    Response,
    /// The engine's own: no payload.
    Engine,
}

/// An FPDU that is to be sent: header, payload, and the trailer that [`Cut::trailer`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The source of the payload.
    pub origin: Origin,
    /// The bytes before the payload, with the length of the FPDU.
    pub header: Bytes<HEADER>,
    /// The range of the payload.
    pub payload: Range<u32>,
    /// Ends its message.
    pub last: bool,
    pad: u8,
    crc: bool,
}

impl Cut {
    /// The digest of the header, to which the caller adds the payload; `None` if there are no sums.
    pub fn digest(&self) -> Option<Digest> {
        self.crc.then(|| {
            let mut digest = Digest::new();
            digest.update(&self.header);
            digest
        })
    }

    /// The bytes behind the payload: zeros, and the sum of all before it, or zero.
    pub fn trailer(&self, digest: Option<Digest>) -> Bytes<{ PAD + CRC }> {
        let mut trailer = Bytes::new();
        let zeros = [0; PAD];
        let zeros = zeros.get(..usize::from(self.pad)).unwrap_or_default();
        trailer.put(zeros);
        match digest {
            Some(mut digest) if self.crc => {
                digest.update(zeros);
                trailer.put(&digest.to_wire());
            }
            _ => trailer.put(&[0; CRC]),
        }
        trailer
    }

    /// The length of the FPDU.
    pub fn length(&self) -> usize {
        let payload = usize::try_from(self.payload.end.saturating_sub(self.payload.start));
        let trailer = usize::from(self.pad).saturating_add(CRC);
        payload
            .map_or(usize::MAX, |payload| payload.saturating_add(self.header.len()).saturating_add(trailer))
    }
}

/// A message that is being cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Current {
    /// A Send: its number.
    Send(SendKind, Msn),
    /// A Write: the memory, and the place of its first byte.
    Write(Stag, u64),
    /// The response to a read: the memory, and the place of its first byte.
    Response(Stag, u64),
    /// A Read Request: its number.
    Request(ReadRequest, Msn),
}

/// A message with the part of it that has been cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    current: Current,
    length: u32,
    sent: u32,
}

/// Cuts the messages of one direction, one at a time.
#[derive(Debug)]
pub(crate) struct Segmenter {
    mulpdu: Mulpdu,
    pub(crate) crc: bool,
    sends: Msn,
    requests: Msn,
    progress: Option<Progress>,
}

impl Segmenter {
    pub(crate) const fn new(mulpdu: Mulpdu) -> Self {
        Self { mulpdu, crc: false, sends: Msn::FIRST, requests: Msn::FIRST, progress: None }
    }

    /// Returns whether the next message may begin: none has been cut in part.
    pub(crate) const fn is_idle(&self) -> bool {
        self.progress.is_none()
    }

    /// Begins a Send. The segmenter is idle.
    pub(crate) fn send(&mut self, kind: SendKind, length: u32) {
        let msn = self.sends;
        self.sends = msn.next();
        self.begin(Current::Send(kind, msn), length);
    }

    /// Begins a Write, whose end is a place. The segmenter is idle.
    pub(crate) fn write(&mut self, stag: Stag, offset: u64, length: u32) {
        self.begin(Current::Write(stag, offset), length);
    }

    /// Begins the response to a read of the peer. The segmenter is idle.
    pub(crate) fn respond(&mut self, request: ReadRequest) {
        self.begin(Current::Response(request.sink, request.sink_offset), request.length);
    }

    /// Begins a Read Request. The segmenter is idle.
    pub(crate) fn request(&mut self, request: ReadRequest) {
        let msn = self.requests;
        self.requests = msn.next();
        self.begin(Current::Request(request, msn), 0);
    }

    fn begin(&mut self, current: Current, length: u32) {
        debug_assert!(self.is_idle(), "one message at a time");
        self.progress = Some(Progress { current, length, sent: 0 });
    }

    /// The next FPDU of the message that has begun, if it has at most `room` bytes.
    pub(crate) fn cut(&mut self, room: usize) -> Option<Cut> {
        let Progress { current, length, sent } = self.progress?;
        let head = if matches!(current, Current::Send(..)) { ddp::UNTAGGED } else { ddp::TAGGED };
        let most = u32::from(self.mulpdu.get()).saturating_sub(u32::try_from(head).unwrap_or(u32::MAX));
        let end = sent.saturating_add(length.saturating_sub(sent).min(most));
        let last = end == length;
        let sequenced = |msn| Sequenced { msn, offset: sent, last };
        let placed = |stag, first: u64| Placed { stag, offset: first.wrapping_add(u64::from(sent)), last };
        let cut = match current {
            Current::Send(kind, msn) => {
                self.frame(Origin::Message, Message::Send(kind, sequenced(msn)), &[], sent..end)
            }
            Current::Write(stag, first) => {
                self.frame(Origin::Message, Message::Write(placed(stag, first)), &[], sent..end)
            }
            Current::Response(stag, first) => {
                self.frame(Origin::Response, Message::ReadResponse(placed(stag, first)), &[], sent..end)
            }
            Current::Request(request, msn) => {
                let message = Message::ReadRequest(sequenced(msn));
                self.frame(Origin::Message, message, &request.emit(), sent..end)
            }
        };
        if cut.length() > room {
            return None;
        }
        self.progress = (!last).then_some(Progress { current, length, sent: end });
        Some(cut)
    }

    /// The FPDU of a Write of no length. Stands between two messages.
    pub(crate) fn empty_write(&self, stag: Stag) -> Cut {
        self.frame(Origin::Engine, Message::Write(Placed { stag, offset: 0, last: true }), &[], 0..0)
    }

    /// The FPDU of a Terminate, the first and only one.
    pub(crate) fn terminate(&self, terminate: Terminate) -> Cut {
        let message = Message::Terminate(Sequenced { msn: Msn::FIRST, offset: 0, last: true });
        self.frame(Origin::Engine, message, &terminate.emit(), 0..0)
    }

    fn frame(&self, origin: Origin, message: Message, body: &[u8], payload: Range<u32>) -> Cut {
        let head = message.emit().emit();
        let length = payload.end.saturating_sub(payload.start);
        // At most MULPDU, or the length of a Terminate.
        let ulpdu = [u16::try_from(head.len()), u16::try_from(body.len()), u16::try_from(length)]
            .into_iter()
            .fold(0_u16, |sum, part| sum.saturating_add(part.unwrap_or(u16::MAX)));
        let mut header = Bytes::new();
        header.put(&ulpdu.to_be_bytes());
        header.put(&head);
        header.put(body);
        let last = match message {
            Message::Write(placed) | Message::ReadResponse(placed) => placed.last,
            Message::Send(_, sequenced) | Message::ReadRequest(sequenced) | Message::Terminate(sequenced) => {
                sequenced.last
            }
        };
        Cut { origin, header, payload, last, pad: pad(ulpdu), crc: self.crc }
    }
}

#[cfg(test)]
mod tests;

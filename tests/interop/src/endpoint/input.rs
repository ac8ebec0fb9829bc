//! The bytes of the peer.

use iwarp::crc::Digest;
use iwarp::fault::{Fault, LocalFault};
use iwarp::rdmap::SendKind;
use iwarp::{Segment, SegmentEnd, Step};

use super::{Endpoint, Target};
use crate::error::Error;
use crate::event::Event;

impl Endpoint {
    /// Consumes what has come; `private` is what an offer is accepted with.
    pub(super) fn consume(&mut self, private: &[u8]) -> Result<(), Error> {
        let input = core::mem::take(&mut self.input);
        let mut at = 0;
        loop {
            let (consumed, step) = self.stream.step(&input[at..]);
            at += consumed;
            let rest = &input[at..];
            match step {
                Step::Need(_) | Step::Hold => break,
                Step::Check(bytes) => {
                    let bytes = bytes as usize;
                    let Some(field) = rest.get(bytes..).and_then(|rest| rest.first_chunk()) else { break };
                    let mut digest = Digest::new();
                    digest.update(&rest[..bytes]);
                    if let Err(fault) = self.stream.verdict(digest.value(), *field) {
                        self.events.push_back(Event::Fault(fault));
                    }
                }
                Step::Offer { private: theirs, .. } => {
                    self.private = theirs.to_vec();
                    let reads = self.settings.reads;
                    let reply = self.stream.accept(reads, reads, private).map_err(|_| Error::PrivateData)?;
                    std::io::Write::write_all(&mut self.socket, &reply)?;
                }
                Step::Answer { accepted, private: theirs } => {
                    self.private = theirs.to_vec();
                    if accepted.is_some() {
                        self.stream.complete().map_err(|_| Error::Rejected)?;
                    }
                }
                Step::Segment(segment) => self.segment(segment),
                Step::Payload(bytes) => {
                    self.payload(&rest[..usize::from(bytes)]);
                    self.stream.placed(bytes);
                    at += usize::from(bytes);
                }
                Step::End(end) => self.end(end),
                Step::Terminated(terminate) => {
                    self.received.add(7);
                    self.events.push_back(Event::Terminated(terminate));
                }
                Step::Fault(fault) => {
                    self.fault(fault);
                    if let Some(reply) = self.stream.rejection() {
                        std::io::Write::write_all(&mut self.socket, &reply)?;
                    }
                }
                Step::Over => break,
            }
        }
        self.input = input[at..].to_vec();
        Ok(())
    }

    fn fault(&mut self, fault: Fault) {
        self.target = Target::Nowhere;
        self.events.push_back(Event::Fault(fault));
    }

    fn segment(&mut self, segment: Segment) {
        self.received.add(opcode(&segment));
        self.target = match segment {
            Segment::Write { length: 0, .. } | Segment::ReadRequest(_) | Segment::Empty => Target::Nowhere,
            Segment::Write { stag, offset, length, .. } => match self.memory.write(stag, offset, length) {
                Ok(_) => Target::Region(stag, offset),
                Err(error) => {
                    let fault = self.stream.refuse_write(error);
                    return self.fault(fault);
                }
            },
            Segment::Send { offset, length, .. } => {
                let fits = self.receive.len() + usize::from(length) <= self.settings.receive;
                let lacks = if offset == 0 && self.settings.receives == 0 {
                    Some(LocalFault::NoReceive)
                } else {
                    (!fits).then_some(LocalFault::ReceiveTooShort)
                };
                if let Some(fault) = lacks {
                    let fault = self.stream.give_up(fault);
                    return self.fault(fault);
                }
                Target::Receive
            }
            Segment::ReadResponse { offset, .. } => Target::Sink(offset as usize),
        };
    }

    fn payload(&mut self, bytes: &[u8]) {
        match &mut self.target {
            Target::Region(stag, offset) => {
                let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
                // The segment has been admitted whole.
                if let Ok(place) = self.memory.write(*stag, *offset, length) {
                    place.copy_from_slice(bytes);
                }
                *offset += u64::from(length);
            }
            Target::Receive => self.receive.extend_from_slice(bytes),
            Target::Sink(place) => {
                if let Some(sink) = self.sinks.front_mut() {
                    sink[*place..*place + bytes.len()].copy_from_slice(bytes);
                    *place += bytes.len();
                }
            }
            Target::Nowhere => {}
        }
    }

    fn end(&mut self, end: SegmentEnd) {
        match end {
            SegmentEnd::Quiet | SegmentEnd::ReadRequested => {}
            SegmentEnd::Received { kind, .. } => {
                self.settings.receives = self.settings.receives.saturating_sub(1);
                let bytes = core::mem::take(&mut self.receive);
                if kind.invalidate.is_some_and(|stag| !self.memory.invalidate(stag)) {
                    let fault = self.stream.give_up(LocalFault::NotInvalidatable);
                    return self.fault(fault);
                }
                self.events.push_back(Event::Received { kind, bytes });
            }
            SegmentEnd::ReadDone => {
                if let Some(sink) = self.sinks.pop_front() {
                    self.events.push_back(Event::ReadDone(sink));
                }
            }
        }
    }
}

/// The opcode of a segment (RFC 5040 section 4.1).
const fn opcode(segment: &Segment) -> u8 {
    match segment {
        Segment::Write { .. } => 0,
        Segment::ReadRequest(_) => 1,
        Segment::ReadResponse { .. } | Segment::Empty => 2,
        Segment::Send { kind: SendKind { solicited, invalidate }, .. } => match (*solicited, *invalidate) {
            (false, None) => 3,
            (false, Some(_)) => 4,
            (true, None) => 5,
            (true, Some(_)) => 6,
        },
    }
}

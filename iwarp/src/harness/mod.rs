//! A pair in a box: two engines, their memory, and the bytes between them. For tests and fuzz targets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a harness that goes wrong is seen to"
)]

mod pair;

pub(crate) use pair::Pair;

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use crate::crc::Digest;
use crate::ddp::Stag;
use crate::fault::{AccessError, Fault, LocalFault};
use crate::mpa::Config;
use crate::rdmap::{SendKind, Terminate};
use crate::{Cut, Message, Origin, PostError, Segment, SegmentEnd, State, Step, Stream};

/// The token of the memory that a peer may write and read.
pub(crate) const REGION: Stag = Stag(0x0001_2345);
/// The length of that memory.
pub(crate) const REGION_LENGTH: usize = 40_000;
/// The bytes on each side of it, which stay as they are.
const MARGIN: usize = 64;
const CANARY: u8 = 0xA5;
/// The sink tag of the engines.
pub(crate) const SINK: Stag = Stag(2);
/// The length of the receives.
pub(crate) const RECEIVE: usize = 30_000;

pub(crate) const CONFIG: Config = Config { crc: true, ird: 4, ord: 4, sink: SINK };

/// The events of a side, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Offered(Vec<u8>),
    Answered(bool, Vec<u8>),
    Received(SendKind, Vec<u8>),
    ReadDone(Vec<u8>),
    Terminated(Terminate),
    Fault(Fault),
}

/// The place of the payload that comes.
#[derive(Clone, Copy)]
enum Target {
    Region(usize),
    Receive,
    Sink(usize),
    Nowhere,
}

/// One side.
pub(crate) struct Side {
    pub(crate) stream: Stream<4>,
    pub(crate) inbox: Vec<u8>,
    pub(crate) outbox: Vec<u8>,
    pub(crate) events: Vec<Event>,
    memory: Vec<u8>,
    target: Target,
    receive: Vec<u8>,
    /// The sinks of the reads that are awaited.
    sinks: VecDeque<Vec<u8>>,
    /// Messages that are not begun, with their payload.
    posted: VecDeque<(Message, Vec<u8>)>,
    /// The payload of the message that is being cut, and of the answer.
    message: Vec<u8>,
    answer: Vec<u8>,
}

impl Side {
    fn of(stream: Stream<4>) -> Self {
        let mut memory = vec![CANARY; MARGIN * 2 + REGION_LENGTH];
        memory[MARGIN..MARGIN + REGION_LENGTH].fill(0);
        Self {
            stream,
            inbox: vec![],
            outbox: vec![],
            events: vec![],
            memory,
            target: Target::Nowhere,
            receive: vec![],
            sinks: VecDeque::new(),
            posted: VecDeque::new(),
            message: vec![],
            answer: vec![],
        }
    }

    pub(crate) fn region(&mut self) -> &mut [u8] {
        &mut self.memory[MARGIN..MARGIN + REGION_LENGTH]
    }

    /// Returns whether nothing outside of the memory was touched.
    pub(crate) fn is_intact(&self) -> bool {
        let (before, after) = (&self.memory[..MARGIN], &self.memory[MARGIN + REGION_LENGTH..]);
        before.iter().chain(after).all(|byte| *byte == CANARY)
    }

    pub(crate) fn send(&mut self, kind: SendKind, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap();
        self.posted.push_back((Message::Send { kind, length }, payload.to_vec()));
    }

    pub(crate) fn write(&mut self, stag: Stag, offset: u64, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap();
        self.posted.push_back((Message::Write { stag, offset, length }, payload.to_vec()));
    }

    pub(crate) fn read(&mut self, source: Stag, offset: u64, length: u32) {
        self.posted.push_back((Message::Read { source, offset, length }, vec![]));
    }

    fn place(&self, stag: Stag, offset: u64, length: usize) -> Result<usize, AccessError> {
        if stag != REGION {
            return Err(AccessError::UnknownStag);
        }
        let first = usize::try_from(offset).map_err(|_| AccessError::Bounds)?;
        let is_within = REGION_LENGTH.checked_sub(first).is_some_and(|left| length <= left);
        if is_within { Ok(MARGIN + first) } else { Err(AccessError::Bounds) }
    }

    /// Consumes what has come; the initiator's consumer goes on at once, the responder's accepts at once.
    pub(crate) fn input(&mut self) {
        let inbox = core::mem::take(&mut self.inbox);
        let mut at = 0;
        // Each step consumes bytes, or is followed by another kind of step.
        let mut rounds = inbox.len() * 8 + 64;
        loop {
            rounds = rounds.checked_sub(1).expect("the engine makes progress");
            let (consumed, step) = self.stream.step(&inbox[at..]);
            at += consumed;
            let rest = &inbox[at..];
            match step {
                Step::Need(bytes) => {
                    assert!(rest.len() < bytes, "{bytes} bytes are there, and asked for");
                    break;
                }
                Step::Hold => break,
                Step::Check(bytes) => {
                    let bytes = usize::try_from(bytes).unwrap();
                    let Some(field) = rest.get(bytes..).and_then(|rest| rest.first_chunk()) else { break };
                    let mut digest = Digest::new();
                    digest.update(&rest[..bytes]);
                    if let Err(fault) = self.stream.verdict(digest.value(), *field) {
                        self.events.push(Event::Fault(fault));
                    }
                }
                Step::Offer { private, .. } => {
                    self.events.push(Event::Offered(private.to_vec()));
                    let reply = self.stream.accept(u16::MAX, u16::MAX, b"welcome").unwrap();
                    self.outbox.extend_from_slice(&reply);
                }
                Step::Answer { accepted, private } => {
                    self.events.push(Event::Answered(accepted.is_some(), private.to_vec()));
                    if accepted.is_some() {
                        self.stream.complete().unwrap();
                    }
                }
                Step::Segment(segment) => self.segment(segment),
                Step::Payload(bytes) => {
                    self.payload(&rest[..usize::from(bytes)]);
                    self.stream.placed(bytes);
                    at += usize::from(bytes);
                }
                Step::End(end) => self.end(end),
                Step::Terminated(terminate) => self.events.push(Event::Terminated(terminate)),
                Step::Fault(fault) => self.events.push(Event::Fault(fault)),
                Step::Over => break,
            }
        }
        self.inbox = inbox[at..].to_vec();
    }

    fn segment(&mut self, segment: Segment) {
        self.target = match segment {
            Segment::Write { length: 0, .. } | Segment::ReadRequest(_) | Segment::Empty => Target::Nowhere,
            Segment::Write { stag, offset, length, .. } => match self.place(stag, offset, length.into()) {
                Ok(place) => Target::Region(place),
                Err(error) => {
                    let fault = self.stream.refuse_write(error);
                    self.events.push(Event::Fault(fault));
                    Target::Nowhere
                }
            },
            Segment::Send { length, .. } if self.receive.len() + usize::from(length) > RECEIVE => {
                let fault = self.stream.give_up(LocalFault::ReceiveTooShort);
                self.events.push(Event::Fault(fault));
                Target::Nowhere
            }
            Segment::Send { .. } => Target::Receive,
            Segment::ReadResponse { offset, .. } => Target::Sink(usize::try_from(offset).unwrap()),
        };
    }

    fn payload(&mut self, bytes: &[u8]) {
        match &mut self.target {
            Target::Region(place) => {
                self.memory[*place..*place + bytes.len()].copy_from_slice(bytes);
                *place += bytes.len();
            }
            Target::Receive => self.receive.extend_from_slice(bytes),
            Target::Sink(place) => {
                let sink = self.sinks.front_mut().expect("a response has a read");
                sink[*place..*place + bytes.len()].copy_from_slice(bytes);
                *place += bytes.len();
            }
            Target::Nowhere => panic!("payload of a segment that has none"),
        }
    }

    fn end(&mut self, end: SegmentEnd) {
        match end {
            SegmentEnd::Quiet | SegmentEnd::ReadRequested => {}
            SegmentEnd::Received { kind, length } => {
                let message = core::mem::take(&mut self.receive);
                assert_eq!(u32::try_from(message.len()), Ok(length));
                self.events.push(Event::Received(kind, message));
            }
            SegmentEnd::ReadDone => {
                let sink = self.sinks.pop_front().expect("a read that is done was awaited");
                self.events.push(Event::ReadDone(sink));
            }
        }
    }

    /// Cuts what may be sent; answers go before messages.
    pub(crate) fn output(&mut self) {
        // No test has as many FPDUs at a time.
        for _ in 0..10_000 {
            match self.stream.next_cut(usize::MAX) {
                Some(cut) => self.put(&cut),
                None if self.begin() => {}
                None => return,
            }
        }
        panic!("the engine comes to an end");
    }

    fn begin(&mut self) -> bool {
        if self.stream.state() != State::Operating {
            return false;
        }
        if let Some(request) = self.stream.read_to_answer() {
            let length = usize::try_from(request.length).unwrap();
            let place = self.place(request.source, request.source_offset, length);
            match if request.wraps() { Err(AccessError::Wrap) } else { place } {
                Ok(place) => {
                    self.answer = self.memory[place..][..usize::try_from(request.length).unwrap()].to_vec();
                }
                // A read of no length has no source.
                Err(_) if request.length == 0 => self.answer = vec![],
                Err(error) => {
                    let fault = self.stream.refuse_read(error);
                    self.events.push(Event::Fault(fault));
                    return true;
                }
            }
            return self.stream.answer().is_ok();
        }
        let Some((message, _)) = self.posted.front() else { return false };
        match self.stream.post(*message) {
            Ok(()) => {}
            Err(PostError::TooManyReads) => return false,
            Err(error) => panic!("{error:?}"),
        }
        if let Some((message, payload)) = self.posted.pop_front() {
            if let Message::Read { length, .. } = message {
                self.sinks.push_back(vec![0; usize::try_from(length).unwrap()]);
            }
            self.message = payload;
        }
        true
    }

    fn put(&mut self, cut: &Cut) {
        let range = usize::try_from(cut.payload.start).unwrap()..usize::try_from(cut.payload.end).unwrap();
        let payload = match cut.origin {
            Origin::Message => &self.message[range],
            Origin::Response => &self.answer[range],
            Origin::Engine => &[],
        };
        let mut digest = cut.digest();
        if let Some(digest) = &mut digest {
            digest.update(payload);
        }
        self.outbox.extend_from_slice(&cut.header);
        self.outbox.extend_from_slice(payload);
        self.outbox.extend_from_slice(&cut.trailer(digest));
    }
}

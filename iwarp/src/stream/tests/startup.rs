use crate::fault::{Fault, PeerFault};
use crate::fpdu::Mulpdu;
use crate::harness::{CONFIG, Event, Pair, SINK};
use crate::mpa::{
    Agreed, Config, Depth, Enhanced, Form, Frame, FrameError, Kind, Revision, Rtr, StartupError,
};
use crate::rdmap::Code;
use crate::stream::{PostError, State, StateError, Step, Stream, Transition};
use crate::{MOST_READS, Message, Segment, SegmentEnd};
use alloc::vec::Vec;

const MULPDU: Mulpdu = Mulpdu::of_segment(1460);
const WORDS: Enhanced = Enhanced {
    peer_to_peer: true,
    rtr_empty: false,
    rtr_write: true,
    rtr_read: false,
    ird: Depth::at_most(4),
    ord: Depth::at_most(4),
};

fn frame(kind: Kind, words: Enhanced) -> Vec<u8> {
    let form = Form::Enhanced(words);
    Frame { kind, markers: false, crc: false, form, private: b"x" }.emit().unwrap().to_vec()
}

fn reply(words: Enhanced) -> Vec<u8> {
    frame(Kind::Reply { rejected: false }, words)
}

fn initiator() -> Stream<4> {
    Stream::connect(Config { crc: false, ..CONFIG }, MULPDU, &[]).unwrap().0
}

fn responder() -> Stream<4> {
    Stream::listen(Config { crc: false, ..CONFIG }, MULPDU)
}

/// A responder that has accepted a request with these words.
fn accepted(words: Enhanced) -> Stream<4> {
    let mut stream = responder();
    assert!(matches!(stream.step(&frame(Kind::Request, words)), (25, Step::Offer { .. })));
    let _reply = stream.accept(4, 4, &[]).unwrap();
    stream
}

/// An initiator that has read a reply with these words, and goes on.
fn completed(words: Enhanced) -> Stream<4> {
    let mut stream = initiator();
    assert!(matches!(stream.step(&reply(words)), (25, Step::Answer { accepted: Some(_), .. })));
    stream.complete().unwrap();
    stream
}

/// The code of the Terminate that a stream sends, and its end after that.
fn terminate(stream: &mut Stream<4>) -> Code {
    let cut = stream.next_cut(usize::MAX).unwrap();
    assert!(stream.next_cut(usize::MAX).is_none() && stream.state() == State::Closing);
    crate::rdmap::Terminate::parse(&cut.header[20..]).unwrap().code
}

/// MPA-1, MPA-11 (RFC 5044 section 7.1.2): a connection comes about whatever cuts TCP makes, with the private data of both sides.
#[test]
fn connection_comes_about_byte_by_byte() {
    let mut pair = Pair::new(CONFIG, CONFIG, 1460);
    pair.settle_by(&mut |_| 1);
    assert_eq!(pair.states(), (State::Operating, State::Operating));
    assert_eq!(pair.initiator.events, [Event::Answered(true, b"welcome".to_vec())]);
    assert_eq!(pair.responder.events, [Event::Offered(b"hello".to_vec())]);
    let steps: Vec<_> = pair.responder.stream.transitions().collect();
    assert_eq!(
        steps,
        [
            Transition { from: State::RequestAwaited, to: State::Offered },
            Transition { from: State::Offered, to: State::ReplySent },
            Transition { from: State::ReplySent, to: State::Operating },
        ]
    );
}

/// MPA-11 (RFC 5044 section 7.1.2): an initiator that sends before the reply breaks the protocol, and is not told.
#[test]
fn bytes_before_the_reply_end_the_connection() {
    let mut stream = responder();
    let mut bytes = frame(Kind::Request, WORDS);
    bytes.push(0);
    assert!(matches!(stream.step(&bytes), (25, Step::Offer { private: b"x", .. })));
    assert_eq!(stream.step(&[]), (0, Step::Hold));
    assert_eq!(stream.step(&bytes[25..]), (0, Step::Fault(Fault::Peer(PeerFault::EarlyBytes))));
    assert!(stream.state() == State::Over && stream.next_cut(usize::MAX).is_none());
    assert_eq!(stream.accept(1, 1, &[]).err(), Some(StateError::State));
}

/// MPA-11 (RFC 5044 section 7.1.2): bytes behind the reply are FPDUs, and wait for the initiator's consumer.
#[test]
fn bytes_behind_the_reply_wait_for_the_consumer() {
    let mut stream = initiator();
    let bytes = [reply(WORDS), [&[0, 18, 0x41, 0x43][..], &[0; 11], &[1, 0, 0, 0, 0]].concat()].concat();
    assert!(matches!(stream.step(&bytes), (25, Step::Answer { .. })));
    assert_eq!(stream.step(&bytes[25..]), (0, Step::Hold));
    stream.complete().unwrap();
    assert!(matches!(stream.step(&bytes[25..]), (20, Step::Segment(Segment::Send { .. }))));
}

/// MPA-12 (RFC 5044 section 7.1.2): the responder sends nothing before the first FPDU has come whole.
#[test]
fn responder_is_silent_until_the_first_fpdu_is_whole() {
    let mut first = completed(WORDS);
    let cut = first.next_cut(usize::MAX).unwrap();
    let bytes = [&*cut.header, &*cut.trailer(None)].concat();
    let mut stream = accepted(WORDS);
    let (mut at, mut ended) = (0, false);
    for end in 0..=bytes.len() {
        assert_eq!(stream.state(), State::ReplySent, "{end}");
        assert_eq!(
            stream.post(Message::Send { kind: crate::rdmap::SendKind::PLAIN, length: 1 }),
            Err(PostError::State)
        );
        assert!(stream.next_cut(usize::MAX).is_none());
        loop {
            let (consumed, step) = stream.step(&bytes[at..end]);
            at += consumed;
            ended |= step == Step::End(SegmentEnd::Quiet);
            if matches!(step, Step::Need(_) | Step::End(_)) {
                break;
            }
        }
    }
    assert!(ended && stream.state() == State::Operating);
}

/// MPA-12 (RFC 5044 section 7.1.2): a fault in a first FPDU that is not valid ends the connection without a Terminate.
#[test]
fn fault_in_the_first_fpdu_is_not_told() {
    let mut stream = accepted(WORDS);
    assert_eq!(stream.step(&[0, 3]), (0, Step::Fault(Fault::Peer(PeerFault::Framing))));
    assert!(stream.state() == State::Over && stream.next_cut(usize::MAX).is_none());
    // With sums it is valid as soon as its sum is right, and what is wrong in it can be told.
    let mut pair = Pair::new(CONFIG, CONFIG, 1460);
    pair.responder.inbox = core::mem::take(&mut pair.initiator.outbox);
    pair.responder.input();
    let mut bytes = [&[0, 14, 0xC2, 0x40][..], &[0; 12]].concat();
    let mut digest = crate::crc::Digest::new();
    digest.update(&bytes);
    bytes.extend(digest.to_wire());
    pair.responder.inbox = bytes;
    pair.responder.input();
    assert_eq!(terminate(&mut pair.responder.stream), Code::new(1, 1, 4));
}

/// MPA-7 (RFC 6581 section 9.2): the indication by Write has no length, is the last segment, and names a tag but not 0.
#[test]
fn first_fpdu_is_a_write_of_no_length() {
    let mut stream = completed(WORDS);
    let send = Message::Send { kind: crate::rdmap::SendKind::PLAIN, length: 1 };
    assert_eq!(stream.post(send), Err(PostError::Busy));
    let cut = stream.next_cut(usize::MAX).unwrap();
    assert_eq!(cut.header[..4], [0, 14, 0xC1, 0x40]);
    assert_eq!(cut.header[4..], [&SINK.0.to_be_bytes()[..], &[0; 8]].concat());
    assert!(cut.payload.is_empty() && stream.post(send).is_ok());
}

/// MPA-7 (RFC 6581 section 9.2): the indication by Read has no length, is answered, and no consumer hears of it.
#[test]
fn first_fpdu_is_a_read_of_no_length_if_the_reply_says_so() {
    let words = Enhanced { rtr_write: false, rtr_read: true, ird: Depth::at_most(0), ..WORDS };
    let mut stream = completed(words);
    let request = stream.next_cut(usize::MAX).unwrap();
    assert_eq!((request.header[3], stream.reads_awaited()), (0x41, 1));
    let words = Enhanced { rtr_write: false, rtr_read: true, ord: Depth::at_most(0), ..WORDS };
    let mut peer = accepted(words);
    let bytes = [&*request.header, &*request.trailer(None)].concat();
    assert!(matches!(peer.step(&bytes), (48, Step::Segment(Segment::ReadRequest(_)))));
    assert_eq!(peer.step(&bytes[48..]), (bytes.len() - 48, Step::End(SegmentEnd::ReadRequested)));
    assert_eq!(peer.answer().map(|request| request.length), Ok(0));
    let response = peer.next_cut(usize::MAX).unwrap();
    let bytes = [&*response.header, &*response.trailer(None)].concat();
    assert_eq!(stream.step(&bytes), (16, Step::Segment(Segment::Empty)));
    assert_eq!(stream.step(&bytes[16..]), (4, Step::End(SegmentEnd::Quiet)));
    assert_eq!((stream.reads_awaited(), peer.read_to_answer()), (0, None));
}

/// MPA-7, MPA-8 (RFC 6581 sections 8 and 9): no common RTR, and more reads than are answered, are told by a Terminate.
#[test]
fn reply_that_does_not_suit_is_told() {
    let no_rtr = Enhanced { rtr_write: false, ..WORDS };
    let reads = Enhanced { ord: Depth::at_most(5), ..WORDS };
    for (words, error, code) in [
        (no_rtr, StartupError::NoRtr, Code::new(2, 0, 7)),
        (reads, StartupError::InsufficientIrd, Code::new(2, 0, 6)),
    ] {
        let mut stream = initiator();
        let reply = reply(words);
        let (_, step) = stream.step(&reply);
        assert_eq!(step, Step::Fault(Fault::Peer(PeerFault::Startup(error))));
        assert_eq!(terminate(&mut stream), code);
    }
}

/// MPA-2 (RFC 5044 section 8): a frame that is none closes the connection at once, and nothing of it is read on.
#[test]
fn frame_that_is_none_closes_the_connection() {
    let mut stream = responder();
    let fault = Fault::Peer(PeerFault::Startup(StartupError::Frame(FrameError::Key)));
    assert_eq!(stream.step(b"GET / HTTP/1.1"), (0, Step::Fault(fault)));
    assert_eq!(stream.step(b"GET / HTTP/1.1"), (14, Step::Over));
    let mut stream = initiator();
    let request = frame(Kind::Request, WORDS);
    let (_, step) = stream.step(&request);
    assert!(matches!(step, Step::Fault(_)));
    assert!(stream.state() == State::Over && stream.next_cut(usize::MAX).is_none());
}

/// MPA-3 (RFC 5044 section 7.1.1): a request for markers is rejected without asking the consumer.
#[test]
fn request_for_markers_is_rejected_without_the_consumer() {
    let mut bytes = frame(Kind::Request, WORDS);
    bytes[16] |= 0x80;
    let mut stream = responder();
    assert_eq!(stream.step(&bytes), (25, Step::Fault(Fault::Peer(PeerFault::MarkersDemanded))));
    assert_eq!(stream.state(), State::Rejecting);
    let reply = stream.rejection().unwrap();
    let (frame, _) = Frame::parse_reply(&reply).unwrap();
    assert_eq!((frame.kind, frame.markers), (Kind::Reply { rejected: true }, false));
    assert!(stream.state() == State::Closing && stream.rejection().is_none());
}

/// MPA-10 (RFC 6581 section 6): an answer that is too long changes nothing; a rejection brings its data over.
#[test]
fn answer_that_is_too_long_leaves_the_offer() {
    let mut stream = responder();
    assert!(matches!(stream.step(&frame(Kind::Request, WORDS)), (25, Step::Offer { .. })));
    assert_eq!(stream.accept(1, 1, &[0; 509]).err(), Some(StateError::PrivateData));
    assert_eq!(stream.reject(&[0; 509]).err(), Some(StateError::PrivateData));
    assert_eq!(stream.state(), State::Offered);
    let reply = stream.reject(b"no").unwrap();
    let mut peer = initiator();
    assert_eq!(peer.step(&reply), (26, Step::Answer { accepted: None, private: b"no" }));
    assert_eq!((stream.state(), peer.state()), (State::Closing, State::Closing));
    assert_eq!(peer.complete(), Err(StateError::State));
}

/// MPA-9, MPA-13 (RFC 5044 section 7.1.1): a peer of revision 1 is spoken to in revision 1; its first message is the first FPDU.
#[test]
fn peer_of_revision_one_owes_no_indication() {
    let plain =
        |kind| Frame { kind, markers: false, crc: true, form: Form::Plain(Revision::One), private: b"" };
    let mut stream = initiator();
    let reply = plain(Kind::Reply { rejected: false }).emit().unwrap();
    let agreed = Agreed { crc: true, ird: 4, ord: 4, rtr: None };
    assert_eq!(stream.step(&reply), (20, Step::Answer { accepted: Some(agreed), private: b"" }));
    stream.complete().unwrap();
    assert!(stream.has_crc() && stream.next_cut(usize::MAX).is_none());
    let mut stream = responder();
    let request = plain(Kind::Request).emit().unwrap();
    assert_eq!(stream.step(&request), (20, Step::Offer { private: b"", depths: None }));
    assert_eq!(stream.accept(1, 1, &[]).unwrap()[16..], [0x40, 1, 0, 0]);
}

/// MPA-6 (RFC 6581 section 9.2): a stream that offered both kinds takes the one that is picked.
#[test]
fn picked_indication_is_the_one_that_is_sent() {
    for (words, rtr) in [
        (WORDS, Some(Rtr::Write)),
        (Enhanced { rtr_write: false, rtr_read: true, ..WORDS }, Some(Rtr::Read)),
        (Enhanced { peer_to_peer: false, ..WORDS }, None),
    ] {
        let mut stream = completed(words);
        assert_eq!(stream.next_cut(usize::MAX).is_some(), rtr.is_some(), "{words:?}");
    }
}

/// LIM-2: before its consumer has answered, a stream wants one frame of the peer at most; its own size is fixed.
#[test]
fn stream_wants_one_frame_at_most() {
    let mut bytes = frame(Kind::Request, WORDS);
    (bytes[18], bytes[19]) = (2, 0);
    let mut stream = responder();
    assert_eq!(stream.step(&bytes), (0, Step::Need(532)));
    assert!(size_of::<Stream<16>>() < 4096, "{}", size_of::<Stream<16>>());
    assert!(size_of::<Stream<MOST_READS>>() < 16_384, "{}", size_of::<Stream<MOST_READS>>());
}

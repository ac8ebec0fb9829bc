//! The bodies of the fuzz targets. Each takes any bytes, and panics on what must not be.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a target says by a panic that it has found something"
)]

use alloc::vec::Vec;

use crate::fpdu::Mulpdu;
use crate::harness::{CONFIG, Event, Pair, REGION};
use crate::mpa::Frame;
use crate::rdmap::{SendKind, Terminate};
use crate::{State, Step, Stream};

/// The two startup frames. The first byte says whether the bytes begin with a right key, and which.
pub fn startup(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let key: &[u8] = match choice % 3 {
        0 => b"MPA ID Req Frame",
        1 => b"MPA ID Rep Frame",
        _ => b"",
    };
    let bytes = [key, rest].concat();
    if let Ok((frame, length)) = Frame::parse_request(&bytes) {
        let written = frame.emit().unwrap();
        assert_eq!(Frame::parse_request(&written), Ok((frame, length)), "what is written is read");
    }
    if let Ok((frame, length)) = Frame::parse_reply(&bytes) {
        let written = frame.emit().unwrap();
        assert_eq!(Frame::parse_reply(&written), Ok((frame, length)), "what is written is read");
    }
    let mulpdu = Mulpdu::of_segment(1460);
    let (initiator, _request) = Stream::<4>::connect(CONFIG, mulpdu, &[]).unwrap();
    for mut stream in [initiator, Stream::listen(CONFIG, mulpdu)] {
        let (consumed, step) = stream.step(&bytes);
        assert!(consumed <= bytes.len());
        match step {
            Step::Need(more) => assert!(more > bytes.len() && more <= crate::mpa::LONGEST_FRAME),
            Step::Offer { private, .. } | Step::Answer { private, .. } => assert!(private.len() <= 512),
            Step::Fault(_) => assert_ne!(stream.state(), State::Operating),
            other => panic!("{other:?}"),
        }
    }
}

/// The body of a Terminate.
pub fn terminate(bytes: &[u8]) {
    if let Some(terminate) = Terminate::parse(bytes) {
        assert_eq!(Terminate::parse(&terminate.emit()), Some(terminate), "what is written is read");
    }
}

/// A stream of a peer without sums, in one piece and cut as the first bytes say: it comes to the same, and touches
/// only the memory that it may.
pub fn fpdu_stream(bytes: &[u8]) {
    let cuts = bytes.first_chunk::<8>().copied().unwrap_or_default();
    let stream = bytes.get(8..).unwrap_or_default();
    let mut whole = Pair::established(false);
    whole.responder.inbox = stream.to_vec();
    whole.responder.input();
    let mut pieces = Pair::established(false);
    let (mut at, mut cut) = (0, cuts.iter().cycle());
    while at < stream.len() {
        let end = stream.len().min(at + 1 + usize::from(*cut.next().unwrap()));
        pieces.responder.inbox.extend_from_slice(&stream[at..end]);
        pieces.responder.input();
        at = end;
    }
    assert_eq!(whole.responder.events, pieces.responder.events, "the cuts of TCP mean nothing");
    assert_eq!(whole.states(), pieces.states());
    assert_eq!(whole.responder.region(), pieces.responder.region());
    assert!(whole.responder.is_intact() && pieces.responder.is_intact());
}

/// Two engines with sums, and bytes between them that are changed on their way, as pairs of place and mask say: a
/// change ends in a fault at the side that gets it, or in a wait, and never in a message that was not sent.
pub fn segments(bytes: &[u8]) {
    let mut pair = Pair::established(true);
    let payload: Vec<u8> = (0..200).collect();
    for length in [0, 3, 200] {
        pair.initiator.send(SendKind::PLAIN, &payload[..length]);
        pair.initiator.write(REGION, 100, &payload[..length]);
        pair.initiator.read(REGION, 0, 50);
    }
    pair.initiator.output();
    let right = pair.initiator.outbox.clone();
    let sent = &mut pair.initiator.outbox;
    for change in bytes.as_chunks::<3>().0 {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % sent.len();
        sent[place] ^= change[2];
    }
    let is_right = *sent == right;
    pair.settle();
    assert!(pair.initiator.is_intact() && pair.responder.is_intact());
    let mut next = [0_usize, 3, 200].into_iter();
    for event in &pair.responder.events {
        match event {
            Event::Received(_, message) => assert_eq!(*message, payload[..next.next().unwrap()]),
            Event::Fault(_) => assert!(!is_right, "{event:?}"),
            Event::Terminated(_) | Event::Offered(_) | Event::Answered(..) | Event::ReadDone(_) => {
                panic!("{event:?}")
            }
        }
    }
    let of_initiator = |event: &Event| matches!(event, Event::ReadDone(_) | Event::Terminated(_));
    assert!(pair.initiator.events.iter().all(of_initiator), "{:?}", pair.initiator.events);
    assert!(!is_right || next.next().is_none() && pair.initiator.events.len() == 3);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::startup(&bytes);
            super::terminate(&bytes);
            super::fpdu_stream(&bytes);
        }

        #[test]
        fn changed_bytes_end_in_a_fault_or_a_wait(bytes in proptest::collection::vec(any::<u8>(), 0..9)) {
            super::segments(&bytes);
        }
    }
}

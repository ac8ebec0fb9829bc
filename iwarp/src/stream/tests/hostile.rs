//! Peers that break the protocol: each is told so by the Terminate of the table, and nothing is touched.

use super::classes::{classes, first, fpdu, send, untagged, write};
use crate::ddp::Stag;
use crate::fault::{Fault, LocalFault, PeerFault};
use crate::harness::{Event, Pair, REGION, REGION_LENGTH, SINK};
use crate::rdmap::{Code, Copied, SendKind, Terminate};
use crate::stream::{State, Step};

/// A responder with one read of 8 bytes outstanding, to be attacked. What the initiator sent is lost.
fn victim(crc: bool) -> Pair {
    let mut pair = Pair::established(crc);
    pair.responder.read(REGION, 0, 8);
    pair.responder.output();
    pair.responder.outbox.clear();
    pair.responder.region().fill(0x11);
    pair
}

/// The Terminate that the attacked side sends, if it sends one.
fn terminate(pair: &mut Pair) -> Option<Terminate> {
    pair.responder.output();
    pair.initiator.inbox = core::mem::take(&mut pair.responder.outbox);
    pair.initiator.input();
    assert_eq!(pair.responder.stream.state(), State::Closing);
    pair.initiator.events.iter().find_map(|event| match event {
        Event::Terminated(terminate) => Some(*terminate),
        _ => None,
    })
}

/// DDP-1, DDP-2, DDP-3, RD-1, RD-3, RD-4, RD-8 (RFC 5041 section 7.2, RFC 5040 section 7.2): each class of hostile segments is told its code, with the header copied, and touches nothing.
#[test]
fn hostile_segment_is_told_its_code_and_touches_nothing() {
    for crc in [false, true] {
        for (class, segments, (layer, kind, code)) in classes() {
            let mut pair = victim(crc);
            for segment in &segments {
                pair.responder.inbox.extend(fpdu(segment, crc));
            }
            pair.responder.input();
            pair.responder.output();
            let faults =
                pair.responder.events.iter().filter(|event| matches!(event, Event::Fault(_))).count();
            assert_eq!(faults, 1, "{class}: {:?}", pair.responder.events);
            let told = terminate(&mut pair).unwrap_or_else(|| panic!("{class}: no Terminate"));
            assert_eq!(told.code, Code::new(layer, kind, code), "{class}");
            let fault = segments.last().unwrap();
            let copied = told.copied.unwrap_or_else(|| panic!("{class}: no header"));
            assert_eq!(usize::from(copied.length), fault.len(), "{class}");
            assert!(fault.starts_with(copied.header()), "{class}");
            // RFC 5040 section 4.8, figure 10: the body is copied where RDMAP protects memory, and nowhere else.
            let is_request = fault[1] == 0x41 && fault.len() == 46 && (layer, kind) == (0, 1);
            assert_eq!(copied.request.is_some(), is_request, "{class}");
            assert!(pair.responder.is_intact(), "{class}");
            let untouched = *pair.responder.region() == [0x11; REGION_LENGTH];
            assert!(untouched, "{class} touched the memory");
        }
    }
}

/// FP-3 (RFC 5044 section 8): a length that is too short for its header is told as one of framing, without a header.
#[test]
fn length_that_is_too_short_is_told_as_framing() {
    for crc in [false, true] {
        for length in [0, 1, 13, 14, 17] {
            let mut pair = victim(crc);
            // An untagged header needs 18 bytes.
            pair.responder.inbox = fpdu(&send(1, 0, 0)[..length], crc);
            pair.responder.input();
            let told = terminate(&mut pair).unwrap();
            assert_eq!((told.code, told.copied), (Code::new(2, 0, 3), None), "{length}");
        }
    }
}

/// FP-1 (RFC 5044 sections 4.4 and 8): a bit that flips in any field is told as a wrong sum, before any field is believed.
#[test]
fn flipped_bit_in_any_field_is_told_as_a_wrong_sum() {
    let right = fpdu(&write(REGION, 8, 5), true);
    for bit in 16..right.len() * 8 {
        let mut pair = victim(true);
        let mut wrong = right.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        pair.responder.inbox = wrong;
        pair.responder.input();
        assert_eq!(pair.responder.events, [Event::Fault(Fault::Peer(PeerFault::Crc))], "bit {bit}");
        let told = terminate(&mut pair).unwrap();
        assert_eq!((told.code, told.copied), (Code::new(2, 0, 2), None));
        assert!(*pair.responder.region() == [0x11; REGION_LENGTH] && pair.responder.is_intact());
    }
}

/// RD-2 (RFC 5040 sections 5.3 and 7.2): a Send that ends a token which it may not end is told so.
#[test]
fn token_that_cannot_be_invalidated_is_told() {
    let mut pair = Pair::established(true);
    pair.initiator.send(SendKind { solicited: false, invalidate: Some(Stag(9)) }, b"x");
    pair.settle();
    let fault = pair.responder.stream.give_up(LocalFault::NotInvalidatable);
    assert_eq!(fault, Fault::Local(LocalFault::NotInvalidatable));
    let told = terminate(&mut pair).unwrap();
    assert_eq!(told.code, Code::new(0, 1, 9));
    assert_eq!(told.copied.map(|copied| copied.length), Some(19));
}

/// TM-7 (RFC 5041 section 7.2): a Send for which no receive is posted in time is told that there is no buffer.
#[test]
fn send_without_a_receive_is_told_that_there_is_no_buffer() {
    let mut pair = Pair::established(false);
    let bytes = fpdu(&send(1, 0, 4), false);
    assert!(matches!(pair.responder.stream.step(&bytes), (20, Step::Segment(_))));
    let _fault = pair.responder.stream.give_up(LocalFault::NoReceive);
    let told = terminate(&mut pair).unwrap();
    assert_eq!((told.code, told.copied), (Code::new(1, 2, 2), Some(Copied::of(22, &bytes[2..], None))));
}

/// RD-7 (RFC 5040 section 4.8): a Terminate ends the stream, whatever its number is, and is never answered.
#[test]
fn terminate_is_never_answered() {
    for (msn, body) in [(1, &[0x11, 0, 0, 0][..]), (5, &[0x11, 0, 0xE0, 0, 0]), (1, &[0x11; 200])] {
        let mut pair = victim(true);
        pair.responder.inbox = fpdu(&untagged(0x47, 2, msn, 0, body), true);
        pair.responder.input();
        let [Event::Terminated(terminate)] = &pair.responder.events[..] else { panic!("terminated") };
        assert_eq!(terminate.code, Code::new(1, 1, body[1]));
        assert_eq!(pair.responder.stream.state(), State::Closing);
        pair.responder.output();
        assert!(pair.responder.outbox.is_empty());
    }
}

/// RD-7 (RFC 5040 section 5.4): also not one that is cut short before its reason.
#[test]
fn terminate_without_a_reason_is_not_answered() {
    for length in 0..4 {
        let mut pair = victim(true);
        pair.responder.inbox = fpdu(&untagged(0x47, 2, 1, 0, &[0x11; 4][..length]), true);
        pair.responder.input();
        assert_eq!(pair.responder.events, [Event::Fault(Fault::Peer(PeerFault::TerminateCutShort))]);
        pair.responder.output();
        assert!(pair.responder.outbox.is_empty());
    }
}

/// RD-7 (RFC 5040 section 5.4): a peer's Terminate that meets one's own leaves that as it is.
#[test]
fn terminates_that_meet_end_both_sides() {
    let mut pair = Pair::established(true);
    pair.responder.inbox = fpdu(&send(9, 0, 1), true);
    pair.initiator.inbox = fpdu(&send(9, 0, 1), true);
    pair.responder.input();
    pair.initiator.input();
    assert_eq!(pair.states(), (State::Terminating, State::Terminating));
    pair.settle();
    assert_eq!(pair.states(), (State::Closing, State::Closing));
    assert_eq!((pair.initiator.events.len(), pair.responder.events.len()), (1, 1));
    pair.initiator.stream.peer_finished().unwrap();
    assert_eq!(pair.initiator.stream.state(), State::Over);
}

/// RD-8 (RFC 5040 section 4.8): one Terminate, behind the FPDU that is on its way, and then nothing more.
#[test]
fn terminate_stands_behind_the_fpdu_that_is_on_its_way() {
    let mut pair = Pair::established(false);
    let message = crate::Message::Send { kind: SendKind::PLAIN, length: 9000 };
    pair.responder.stream.post(message).unwrap();
    let cut = pair.responder.stream.next_cut(usize::MAX).unwrap();
    assert!(!cut.last);
    pair.responder.inbox = fpdu(&send(9, 0, 1), false);
    pair.responder.input();
    assert!(pair.responder.stream.next_cut(20).is_none());
    let terminate = pair.responder.stream.next_cut(usize::MAX).unwrap();
    assert_eq!((terminate.header[3], terminate.payload), (0x47, 0..0));
    assert!(pair.responder.stream.next_cut(usize::MAX).is_none());
    assert_eq!(pair.responder.stream.post(message), Err(crate::PostError::State));
}

/// LIM-5: after a fault, and after a Terminate, nothing more of the stream is interpreted.
#[test]
fn bytes_behind_the_end_mean_nothing() {
    for hostile in [send(9, 0, 1), untagged(0x47, 2, 1, 0, &[0; 4])] {
        let mut pair = victim(false);
        pair.responder.inbox = [fpdu(&hostile, false), fpdu(&write(REGION, 0, 8), false)].concat();
        pair.responder.input();
        assert_eq!((pair.responder.events.len(), pair.responder.inbox.len()), (1, 0));
        assert_eq!(*pair.responder.region(), [0x11; REGION_LENGTH]);
        assert_eq!(pair.responder.stream.step(&[1, 2, 3]), (3, Step::Over));
    }
}

/// DDP-2 (RFC 5041 section 5.1.1, RFC 5040 section 5.1): a Write without payload touches nothing, so its tag is not looked at.
#[test]
fn write_without_payload_may_name_anything() {
    let mut pair = victim(true);
    for stag in [Stag(0), SINK, REGION, Stag(u32::MAX)] {
        pair.responder.inbox.extend(fpdu(&write(stag, u64::MAX, 0), true));
    }
    pair.responder.input();
    assert!(pair.responder.events.is_empty() && pair.responder.stream.state() == State::Operating);
}

/// LIM-3: a hundred thousand segments that mean nothing leave the stream as large and as ready as it was.
#[test]
fn segments_without_payload_do_not_pile_up() {
    let mut pair = victim(false);
    let empty =
        [fpdu(&first(write(SINK, 0, 0), 0x81), false), fpdu(&first(send(1, 0, 0), 0x01), false)].concat();
    for _ in 0..1000 {
        pair.responder.inbox = empty.repeat(50);
        pair.responder.input();
    }
    assert!(pair.responder.events.is_empty() && pair.responder.stream.state() == State::Operating);
}

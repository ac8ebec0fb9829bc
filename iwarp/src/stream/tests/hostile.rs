//! Peers that break the protocol: each is told so by the Terminate of the table, and nothing is touched.

use crate::crc::Digest;
use crate::ddp::{Header, Msn, Queue, Stag, Tagged, Untagged};
use crate::fault::{Fault, LocalFault, PeerFault};
use crate::fpdu::pad;
use crate::harness::{Event, Pair, REGION, REGION_LENGTH, SINK};
use crate::rdmap::{Code, Copied, ReadRequest, SendKind, Terminate};
use crate::stream::{State, Step};
use alloc::vec;
use alloc::vec::Vec;

/// An FPDU with these bytes.
fn fpdu(ulpdu: &[u8], crc: bool) -> Vec<u8> {
    let length = u16::try_from(ulpdu.len()).unwrap();
    let mut bytes = [&length.to_be_bytes()[..], ulpdu, &vec![0; usize::from(pad(length))]].concat();
    let mut digest = Digest::new();
    digest.update(&bytes);
    bytes.extend(if crc { digest.to_wire() } else { [0; 4] });
    bytes
}

fn tagged(control: u8, stag: Stag, offset: u64, payload: usize) -> Vec<u8> {
    let header = Header::Tagged(Tagged { last: true, control, stag, offset });
    [&*header.emit(), &vec![0xEE; payload]].concat()
}

fn write(stag: Stag, offset: u64, payload: usize) -> Vec<u8> {
    tagged(0x40, stag, offset, payload)
}

fn response(stag: Stag, offset: u64, payload: usize) -> Vec<u8> {
    tagged(0x42, stag, offset, payload)
}

fn untagged(control: u8, queue: u32, msn: u32, offset: u32, payload: &[u8]) -> Vec<u8> {
    let (queue, msn, invalidate) = (Queue(queue), Msn(msn), Stag(0));
    let header = Header::Untagged(Untagged { last: true, control, invalidate, queue, msn, offset });
    [&*header.emit(), payload].concat()
}

fn send(msn: u32, offset: u32, payload: usize) -> Vec<u8> {
    untagged(0x43, 0, msn, offset, &vec![0xEE; payload])
}

fn request(msn: u32, source: Stag, source_offset: u64, length: u32) -> Vec<u8> {
    let request = ReadRequest { sink: SINK, sink_offset: 0, length, source, source_offset };
    untagged(0x41, 1, msn, 0, &request.emit())
}

/// Bytes with the first of them changed.
fn first(mut ulpdu: Vec<u8>, control: u8) -> Vec<u8> {
    ulpdu[0] = control;
    ulpdu
}

/// A class of hostile peers: its segments, of which the last one is the fault, and the code that it is told.
type Class = (&'static str, Vec<Vec<u8>>, (u8, u8, u8));

const END: u64 = 40_000;

/// Segments of peers that break DDP or RDMAP. `reads` are outstanding at the peer that is attacked: one of 8 bytes.
fn classes() -> Vec<Class> {
    let many: Vec<_> = (1..=5).map(|msn| request(msn, REGION, 0, 4)).collect();
    let mut classes = vec![
        ("tagged version 0", vec![first(write(REGION, 0, 4), 0xC0)], (1, 1, 4)),
        ("tagged version 2", vec![first(write(REGION, 0, 4), 0xC2)], (1, 1, 4)),
        ("untagged version 0", vec![first(send(1, 0, 4), 0x40)], (1, 2, 6)),
        ("untagged version 3", vec![first(send(1, 0, 4), 0x43)], (1, 2, 6)),
        ("version of RDMAP, tagged", vec![tagged(0x00, REGION, 0, 4)], (0, 2, 5)),
        ("version of RDMAP, untagged", vec![untagged(0x83, 0, 1, 0, &[1])], (0, 2, 5)),
        ("queue 3", vec![untagged(0x43, 3, 1, 0, &[1])], (1, 2, 1)),
        ("queue of all bits", vec![untagged(0x43, u32::MAX, 1, 0, &[1])], (1, 2, 1)),
        ("tagged Send", vec![tagged(0x43, REGION, 0, 4)], (0, 2, 6)),
        ("untagged Write", vec![untagged(0x40, 0, 1, 0, &[1])], (0, 2, 6)),
        ("Send in the queue of reads", vec![untagged(0x43, 1, 1, 0, &[1; 28])], (0, 2, 6)),
        ("Terminate in the queue of Sends", vec![untagged(0x47, 0, 1, 0, &[0; 4])], (0, 2, 6)),
        ("token 0", vec![write(Stag(0), 0, 4)], (1, 1, 0)),
        ("token that was never given", vec![write(Stag(REGION.0 ^ 1), 0, 4)], (1, 1, 0)),
        ("Write to the sink of a read", vec![write(SINK, 0, 4)], (1, 1, 0)),
        ("one byte over the end", vec![write(REGION, END, 1)], (1, 1, 1)),
        ("across the end", vec![write(REGION, END - 3, 4)], (1, 1, 1)),
        ("one byte before the start", vec![write(REGION, u64::MAX, 1)], (1, 1, 1)),
        ("place that wraps", vec![write(REGION, u64::MAX, 2)], (1, 1, 3)),
        (
            "second segment of a Write",
            vec![first(write(REGION, 0, 0), 0x81), write(REGION, END, 1)],
            (1, 1, 1),
        ),
        ("response with another tag", vec![response(REGION, 0, 4)], (1, 1, 0)),
        ("response at another place", vec![response(SINK, 4, 4)], (1, 1, 1)),
        ("response longer than asked", vec![response(SINK, 0, 9)], (1, 1, 1)),
        ("response shorter than asked", vec![response(SINK, 0, 7)], (1, 1, 1)),
        ("response to no read", vec![response(SINK, 0, 8), response(SINK, 8, 1)], (1, 1, 0)),
        ("one read too many", many, (1, 2, 2)),
        ("Send skipped", vec![send(2, 0, 4)], (1, 2, 3)),
        ("Send repeated", vec![send(1, 0, 0), send(1, 0, 4)], (1, 2, 3)),
        ("Read Request skipped", vec![request(2, REGION, 0, 4)], (1, 2, 3)),
        ("gap in a Send", vec![send(1, 1, 4)], (1, 2, 4)),
        ("overlap in a Send", vec![first(send(1, 0, 2), 0x01), send(1, 1, 4)], (1, 2, 4)),
        ("Read Request at a place", vec![untagged(0x41, 1, 1, 4, &[0; 28])], (1, 2, 4)),
        ("Send over the receive", vec![send(1, 0, 30_001)], (1, 2, 5)),
        ("body of a read cut short", vec![untagged(0x41, 1, 1, 0, &[0; 27])], (0, 2, 6)),
        ("payload behind a read", vec![untagged(0x41, 1, 1, 0, &[0; 29])], (0, 2, 6)),
        ("Read Request that goes on", vec![first(request(1, REGION, 0, 4), 0x01)], (0, 2, 6)),
        ("read of no token", vec![request(1, Stag(9), 0, 4)], (0, 1, 0)),
        ("read over the end", vec![request(1, REGION, END - 3, 4)], (0, 1, 1)),
        ("Send of another kind", vec![first(send(1, 0, 2), 0x01), untagged(0x45, 0, 1, 2, &[1])], (0, 2, 6)),
    ];
    for opcode in 8..16_u8 {
        classes.push((
            "operation that is none, tagged",
            vec![tagged(0x40 | opcode, REGION, 0, 1)],
            (0, 2, 6),
        ));
        let untagged = untagged(0x40 | opcode, u32::from(opcode) % 3, 1, 0, &[1]);
        classes.push(("operation that is none, untagged", vec![untagged], (0, 2, 6)));
    }
    classes
}

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
            let is_request = fault[1] == 0x41 && fault.len() == 46;
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

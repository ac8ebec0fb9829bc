//! Peers that break the protocol, against a provider: each is told so, its connection ends, and nothing is touched.

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use test_kernel::network;

use super::peer::{fpdu, read, response, send, send_invalidate, write};
use super::rig::receive;
use super::run;
use super::victim::{LENGTH, UNTOUCHED, Victim, WINDOW};
use crate::number::u64_from;
use crate::tests::consumer::{Seen, call, request};

/// The class of an attack, the segments of it, and the reason that is told.
type Class = (&'static str, Vec<Vec<u8>>, (u8, u8, u8));

/// Attacks that know the memory of the victim.
fn classes(victim: &Victim) -> Vec<Class> {
    let (all, start) = (victim.all.token, victim.all.start());
    let (end, middle) = (start + u64_from(LENGTH), start + u64_from(LENGTH / 2));
    let window_end = start + WINDOW.0 + WINDOW.1;
    let [read_only, local, foreign] =
        [&victim.read_only, &victim.local, &victim.foreign].map(|memory| (memory.token, memory.start()));
    let one = |segment| vec![segment];
    let mut opcodes: Vec<Class> = (8..16)
        .map(|opcode| {
            let mut segment = write(all, start, true, b"x");
            segment[1] = 0x40 | opcode;
            ("operation that is none", vec![segment], (0, 2, 6))
        })
        .collect();
    let mut classes = vec![
        ("token 0", one(write(0, start, true, b"x")), (1, 1, 0)),
        ("token that was never given", one(write(0x7FFF_0003, start, true, b"x")), (1, 1, 0)),
        ("privileged token", one(write(1, start, true, b"x")), (1, 1, 0)),
        ("token of the sinks", one(write(2, 0, true, b"x")), (1, 1, 0)),
        ("another key", one(write(all ^ 1, start, true, b"x")), (1, 1, 0)),
        ("token of a region that is gone", one(write(victim.stale, start, true, b"x")), (1, 1, 0)),
        ("another domain", one(write(foreign.0, foreign.1, true, b"x")), (1, 1, 2)),
        ("Write to what may be read", one(write(read_only.0, read_only.1, true, b"x")), (0, 1, 2)),
        ("Write to local memory", one(write(local.0, local.1, true, b"x")), (0, 1, 2)),
        ("one byte over the end", one(write(all, end - 3, true, b"four")), (1, 1, 1)),
        ("behind the end", one(write(all, end, true, b"x")), (1, 1, 1)),
        ("one byte before the start", one(write(all, start - 1, true, b"x")), (1, 1, 1)),
        ("offset 0", one(write(all, 0, true, b"x")), (1, 1, 1)),
        ("place that wraps", one(write(all, u64::MAX, true, b"xy")), (1, 1, 3)),
        ("read of no token", one(read(1, 0, start, 8)), (0, 1, 0)),
        ("read with the privileged token", one(read(1, 1, start, 8)), (0, 1, 0)),
        ("read of a region that is gone", one(read(1, victim.stale, start, 8)), (0, 1, 0)),
        ("read over the end", one(read(1, all, end - 7, 8)), (0, 1, 1)),
        ("read whose source wraps", one(read(1, all, u64::MAX - 3, 8)), (0, 1, 4)),
        ("read of more than there is", one(read(1, all, start, u32::MAX)), (0, 1, 1)),
        ("read of local memory", one(read(1, local.0, local.1, 8)), (0, 1, 2)),
        ("read of another domain", one(read(1, foreign.0, foreign.1, 8)), (0, 1, 3)),
        ("more reads than are answered", (1..40).map(|msn| read(msn, all, start, 0)).collect(), (1, 2, 2)),
        ("Read Request skipped", one(read(2, all, start, 8)), (1, 2, 3)),
        ("window that was never bound", one(write(victim.unbound, start + 100, true, b"x")), (1, 1, 0)),
        ("window that is not bound any more", one(write(victim.ended, start + 100, true, b"x")), (1, 1, 0)),
        (
            "read of a window that is not bound any more",
            one(read(1, victim.ended, start + 100, 1)),
            (0, 1, 0),
        ),
        ("Write to a window for reads", one(write(victim.window, start + WINDOW.0, true, b"x")), (0, 1, 2)),
        (
            "read before the start of a window",
            one(read(1, victim.window, start + WINDOW.0 - 1, 2)),
            (0, 1, 1),
        ),
        ("read over the end of a window", one(read(1, victim.window, window_end - 1, 2)), (0, 1, 1)),
        (
            "overlapped memory by the token of less",
            one(write(victim.half, middle - 1, true, b"xy")),
            (1, 1, 1),
        ),
        ("overlapped memory by the token for reads", one(write(victim.shown, start, true, b"x")), (0, 1, 2)),
        ("response to no read", one(response(2, 0, b"x")), (1, 1, 0)),
        ("Send skipped", one(send(2, 0, true, b"x")), (1, 2, 3)),
        ("Send that begins in its middle", one(send(1, 4, true, b"x")), (1, 2, 4)),
        ("length of framing", one(vec![0x41]), (2, 0, 3)),
        ("no length at all", one(vec![]), (2, 0, 3)),
    ];
    classes.append(&mut opcodes);
    classes
}

/// DDP-2, RD-3: each attack is told its reason, the connection ends, and nothing is touched.
#[test]
fn hostile_peer_of_a_provider_is_told_its_reason_and_touches_nothing() {
    let victim = Victim::new(false);
    let count = classes(&victim).len();
    victim.end();
    for crc in [false, true] {
        for number in 0..count {
            let victim = Victim::new(crc);
            receive(&victim.pair.far, 1, &[]);
            let (class, segments, (layer, kind, code)) = classes(&victim).swap_remove(number);
            for segment in &segments {
                victim.peer.segment(segment);
            }
            let seen = run(&victim.pair);
            assert_eq!(seen, [Seen::Disconnected("far")], "{class}");
            let told = victim.peer.told().unwrap_or_else(|| panic!("{class}: no Terminate"));
            assert_eq!((told.layer, told.kind, told.code), (layer, kind, code), "{class}");
            assert_eq!(victim.pair.far.results(), [(STATUS_CANCELLED, 0, 1)], "{class}");
            assert!(victim.is_untouched(), "{class}");
            victim.end();
        }
    }
}

/// The page has a row for each class, with its reason.
#[test]
fn hostile_class_against_a_provider_has_a_row_with_its_reason() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/wire.md");
    let page = std::fs::read_to_string(page).unwrap();
    let below = page.split("### Against a provider\n").nth(1).unwrap();
    let rows = below.lines().skip_while(|line| !line.starts_with("| ")).skip(2);
    let listed: Vec<_> = rows.take_while(|line| line.starts_with("| ")).map(str::to_owned).collect();
    let victim = Victim::new(false);
    let row = |(class, _, (layer, kind, code)): Class| format!("| {class} | {layer}/{kind}/{code} |");
    let mut classes: Vec<_> = classes(&victim).into_iter().map(row).collect();
    classes.dedup();
    assert_eq!(listed, classes);
    victim.end();
}

/// DDP-2: every segment of a Write is checked; what was legal before it is placed.
#[test]
fn second_segment_of_a_write_is_checked_like_the_first() {
    for crc in [false, true] {
        let victim = Victim::new(crc);
        let (token, start) = (victim.all.token, victim.all.start());
        let other = victim.read_only.token;
        victim.peer.segment(&write(token, start, false, &[1; 100]));
        victim.peer.segment(&write(other, victim.read_only.start(), true, &[2; 100]));
        run(&victim.pair);
        let told = victim.peer.told().unwrap();
        assert_eq!((told.layer, told.kind, told.code), (0, 1, 2));
        assert_eq!(victim.all.buffer.bytes[..101], [vec![1; 100], vec![UNTOUCHED]].concat());
        assert!(victim.read_only.is_untouched());
        victim.end();
    }
}

/// DDP-2: a window that is invalidated in the middle of a Write refuses the rest of it: with sums nothing was placed, without
/// them what had come.
#[test]
fn window_that_goes_within_a_write_refuses_the_rest() {
    for (crc, whole) in [(false, false), (false, true), (true, false), (true, true)] {
        let victim = Victim::new(crc);
        let token = victim.bind(2, (0, 2000), NDK_OP_FLAG_ALLOW_REMOTE_WRITE);
        let start = victim.all.start();
        // Between two segments, or within one.
        let first = fpdu(&write(token, start, false, &[1; 1000]), crc);
        let second = fpdu(&write(token, start + 1000, true, &[2; 1000]), crc);
        let stream = [&first[..], &second[..]].concat();
        let cut = if whole { first.len() } else { first.len() + 500 };
        victim.peer.send(&stream[..cut]);
        run(&victim.pair);
        let placed = || victim.all.buffer.bytes.iter().filter(|byte| **byte != UNTOUCHED).count();
        // 16 bytes of the second segment are its header and length.
        let expected = 1000 + if whole || crc { 0 } else { 500 - 16 };
        assert_eq!(placed(), expected, "{crc} {whole}");
        victim.invalidate(2);
        victim.peer.send(&stream[cut..]);
        run(&victim.pair);
        let told = victim.peer.told().unwrap();
        assert_eq!((told.layer, told.kind, told.code), (1, 1, 0), "{crc} {whole}");
        assert_eq!(placed(), expected, "{crc} {whole}");
        victim.end();
    }
}

/// RD-4: a response that is longer than its read, in one segment or in its last one, is told, and nothing behind the sink is
/// touched.
#[test]
fn response_longer_than_its_read_is_told_and_touches_no_more() {
    for (crc, cut) in [(false, 0), (false, 8), (true, 0), (true, 8)] {
        let victim = Victim::new(crc);
        let sge = NDK_SGE { Length: 8, ..victim.local.buffer.sge(victim.local.token) };
        let (qp, at, token) = (victim.pair.far.qp, victim.all.start(), victim.all.token);
        let status = call!(qp, NdkRead, request(4), &sge, 1, at, token, 0);
        assert_eq!(status, STATUS_SUCCESS);
        run(&victim.pair);
        let request = victim.peer.segments().pop().unwrap();
        let sink = u32::from_be_bytes(request[18..22].try_into().unwrap());
        let place = u64::from_be_bytes(request[22..30].try_into().unwrap());
        if cut > 0 {
            let mut first = response(sink, place, &[1; 8]);
            first[0] &= !0x40;
            victim.peer.segment(&first);
        }
        victim.peer.segment(&response(sink, place + cut, &[2; 9]));
        run(&victim.pair);
        let told = victim.peer.told().unwrap();
        assert_eq!((told.layer, told.kind, told.code), (1, 1, 1), "{crc} {cut}");
        let results = victim.pair.far.results();
        assert_eq!((results.len(), results[0].2), (1, 4));
        assert_ne!(results[0].0, STATUS_SUCCESS);
        assert!(victim.local.buffer.bytes[8..].iter().all(|byte| *byte == UNTOUCHED), "{crc} {cut}");
        victim.end();
    }
}

/// DDP-2: a region that goes in the middle of a segment refuses the rest of it.
#[test]
fn region_that_goes_within_a_segment_refuses_the_rest() {
    let victim = Victim::new(false);
    let bytes = fpdu(&write(victim.all.token, victim.all.start(), true, &[1; 1000]), false);
    victim.peer.send(&bytes[..500]);
    run(&victim.pair);
    let placed = victim.all.buffer.bytes.iter().filter(|byte| **byte == 1).count();
    assert_eq!(placed, 500 - 16);
    victim.invalidate(0);
    assert_eq!(
        call!(victim.all.mr, NdkDeregisterMr, None, null_mut()),
        STATUS_SUCCESS,
        "it waits for no peer"
    );
    victim.peer.send(&bytes[500..]);
    run(&victim.pair);
    let told = victim.peer.told().unwrap();
    assert_eq!((told.layer, told.kind, told.code), (1, 1, 0));
    assert_eq!(victim.all.buffer.bytes.iter().filter(|byte| **byte == 1).count(), placed);
    victim.end();
}

/// RX-3, CRC: a bit that flips in any field is found before anything is placed.
#[test]
fn flipped_bit_is_found_before_anything_is_placed() {
    let place = |victim: &Victim| fpdu(&write(victim.all.token, victim.all.start(), true, b"payload"), true);
    let victim = Victim::new(true);
    let length = place(&victim).len();
    victim.end();
    for byte in 2..length {
        let victim = Victim::new(true);
        let mut bytes = place(&victim);
        bytes[byte] ^= 0x10;
        network::set_piece(if byte % 3 == 0 { 5 } else { 0 });
        victim.peer.send(&bytes);
        run(&victim.pair);
        assert!(victim.is_untouched(), "byte {byte} is placed");
        let told = victim.peer.told().unwrap();
        assert_eq!((told.layer, told.kind, told.code), (2, 0, 2), "byte {byte}");
        network::set_piece(0);
        victim.end();
    }
}

/// DDP-3, RD-2: a Send over its receive, and one that ends what it may not, each end the receive and the connection.
#[test]
fn send_that_cannot_be_received_is_told_why() {
    for (too_long, status, code) in
        [(true, STATUS_BUFFER_OVERFLOW, (1, 2, 5)), (false, STATUS_ACCESS_VIOLATION, (0, 1, 9))]
    {
        let victim = Victim::new(true);
        let sge = NDK_SGE { Length: 8, ..victim.local.buffer.sge(victim.local.token) };
        receive(&victim.pair.far, 5, &[sge]);
        victim.peer.segment(&if too_long {
            send(1, 0, true, b"too long for it")
        } else {
            send_invalidate(1, victim.all.token, b"short")
        });
        run(&victim.pair);
        let results = victim.pair.far.results();
        assert_eq!((results.len(), results[0].0, results[0].2), (1, status, 5));
        let told = victim.peer.told().unwrap();
        assert_eq!((told.layer, told.kind, told.code), code);
        assert_eq!(victim.local.buffer.bytes[8..].iter().filter(|byte| **byte != UNTOUCHED).count(), 0);
        victim.end();
    }
}

/// LIM-5: nothing behind a fault or a Terminate is interpreted.
#[test]
fn bytes_behind_the_end_touch_nothing() {
    for terminate in [true, false] {
        let victim = Victim::new(true);
        let legal = write(victim.all.token, victim.all.start(), true, b"x");
        let last = if terminate {
            let mut segment = send(1, 0, true, &[0x10, 0, 0, 0]);
            (segment[1], segment[9]) = (0x47, 2);
            segment
        } else {
            write(0, 0, true, b"x")
        };
        victim.peer.segment(&last);
        victim.peer.segment(&legal);
        run(&victim.pair);
        victim.peer.segment(&legal);
        run(&victim.pair);
        assert_eq!(victim.peer.told().is_some(), !terminate, "a Terminate is never answered");
        assert!(victim.is_untouched());
        victim.end();
    }
}

/// TD-5, TD-1: a peer that goes, by a reset or an end of its stream, at any byte, leaves nothing behind.
#[test]
fn peer_that_goes_at_any_byte_leaves_nothing_behind() {
    let stream = |victim: &Victim| {
        let (token, start) = (victim.all.token, victim.all.start());
        let segments = [
            send(1, 0, false, b"ab"),
            send(1, 2, true, b"cd"),
            write(token, start, true, b"ef"),
            read(1, token, start, 4),
        ];
        segments.iter().flat_map(|segment| fpdu(segment, victim.peer.crc)).collect::<Vec<u8>>()
    };
    let victim = Victim::new(true);
    let length = stream(&victim).len();
    victim.end();
    for end in (0..=length).step_by(3) {
        for (finish, crc) in [(true, true), (false, false)] {
            let victim = Victim::new(crc);
            receive(
                &victim.pair.far,
                5,
                &[victim.local.buffer.sge(victim.local.token)].map(|sge| NDK_SGE { Length: 8, ..sge }),
            );
            victim.peer.send(&stream(&victim)[..end]);
            run(&victim.pair);
            if finish {
                victim.peer.finish()
            } else {
                victim.peer.abort()
            }
            let seen = run(&victim.pair);
            assert_eq!(seen, [Seen::Disconnected("far")], "{end}");
            let written = &victim.all.buffer.bytes[..3];
            assert!(
                written == [UNTOUCHED; 3]
                    || written == [b'e', b'f', UNTOUCHED]
                    || written == [b'e', UNTOUCHED, UNTOUCHED]
            );
            victim.end();
        }
    }
}

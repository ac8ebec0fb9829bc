//! Peers that break the protocol, against a provider: each is told so, its connection ends, and nothing is touched.

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use test_kernel::network;

use super::peer::{Peer, fpdu, read, response, send, send_invalidate, write};
use super::rig::{ALL, receive};
use super::{SETTINGS, listening_of, run, tear_down};
use crate::number::u64_from;
use crate::rnic::WireSettings;
use crate::tests::consumer::{Buffer, Pair, Seen, call, close, virtual_address};

/// Registered bytes of a region; as many more behind it are not, and stay as they are.
const LENGTH: usize = 4096;
const UNTOUCHED: u8 = 0xA5;

/// Regions of the side that is attacked.
struct Memory {
    buffer: Buffer,
    mr: *mut NDK_MR,
    token: u32,
}

impl Memory {
    fn new(pd: *mut NDK_PD, rights: u32) -> Self {
        let mut buffer = Buffer::new(vec![UNTOUCHED; 2 * LENGTH]);
        let mut mr = null_mut();
        let none = null_mut();
        let create: unsafe extern "efiapi" fn(_, _, _) = never;
        assert_eq!(call!(pd, NdkCreateMr, 0, Some(create), none, &mut mr), STATUS_SUCCESS);
        let mdl = std::ptr::from_mut(&mut *buffer.mdl);
        assert_eq!(call!(mr, NdkRegisterMr, mdl, LENGTH, rights, None, null_mut()), STATUS_SUCCESS);
        let token = call!(mr, NdkGetLocalTokenFromMr);
        Self { buffer, mr, token }
    }

    fn start(&self) -> u64 {
        u64_from(self.buffer.address())
    }

    fn is_untouched(&self) -> bool {
        self.buffer.bytes.iter().all(|byte| *byte == UNTOUCHED)
    }

    fn end(self, pair: &Pair) {
        call!(self.mr, NdkDeregisterMr, None, null_mut());
        assert_eq!(close!(pair.log, self.mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    }
}

unsafe extern "efiapi" fn never(_: sys::wdm::PVOID, _: NTSTATUS, _: *mut NDK_OBJECT_HEADER) {
    panic!("no create of this provider pends");
}

/// A connection of a peer, and the memory that it may, and may not, use.
struct Victim {
    pair: Pair,
    peer: Peer,
    all: Memory,
    read_only: Memory,
    local: Memory,
    foreign: Memory,
    foreign_pd: *mut NDK_PD,
    stale: u32,
}

impl Victim {
    fn new(crc: bool) -> Self {
        network::set_piece(0);
        let mut pair = listening_of(WireSettings { crc: false, ..SETTINGS });
        let peer = Peer::connect(pair.far.address, crc);
        run(&pair);
        peer.request();
        let seen = run(&pair);
        let [Seen::Requested(_, connector)] = seen[..] else { panic!("no connect request: {seen:?}") };
        pair.far.connector = virtual_address(connector).cast();
        assert_eq!(pair.accept(b""), STATUS_PENDING);
        assert_eq!(run(&pair), []);
        assert!(peer.take().starts_with(b"MPA ID Rep Frame"));
        peer.segment(&write(9, 0, true, b""));
        assert_eq!(run(&pair), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
        let pd = pair.far.pd;
        let mut foreign_pd = null_mut();
        let create: unsafe extern "efiapi" fn(_, _, _) = never;
        let created = call!(pair.far.adapter, NdkCreatePd, Some(create), null_mut(), &mut foreign_pd);
        assert_eq!(created, STATUS_SUCCESS);
        let all = Memory::new(pd, ALL);
        let read_only = Memory::new(pd, NDK_MR_FLAG_ALLOW_REMOTE_READ);
        let local = Memory::new(pd, NDK_MR_FLAG_ALLOW_LOCAL_WRITE);
        let foreign = Memory::new(foreign_pd, ALL);
        let stale = {
            let memory = Memory::new(pd, ALL);
            let token = memory.token;
            memory.end(&pair);
            token
        };
        Self { pair, peer, all, read_only, local, foreign, foreign_pd, stale }
    }

    fn is_untouched(&self) -> bool {
        [&self.all, &self.read_only, &self.local, &self.foreign].into_iter().all(Memory::is_untouched)
    }

    /// Ends everything: it comes to an end, whatever the peer did.
    fn end(self) {
        for memory in [self.all, self.read_only, self.local, self.foreign] {
            memory.end(&self.pair);
        }
        assert_eq!(close!(self.pair.log, self.foreign_pd, NdkClosePd, "pd"), STATUS_SUCCESS);
        self.peer.abort();
        run(&self.pair);
        assert!(self.peer.is_closed());
        tear_down(self.pair);
    }
}

/// The class of an attack, the segments of it, and the reason that is told.
type Class = (&'static str, Vec<Vec<u8>>, (u8, u8, u8));

/// Attacks that know the memory of the victim.
fn classes(victim: &Victim) -> Vec<Class> {
    let (all, start) = (victim.all.token, victim.all.start());
    let end = start + u64_from(LENGTH);
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
        ("read of more than there is", one(read(1, all, start, u32::MAX)), (0, 1, 1)),
        ("read of local memory", one(read(1, local.0, local.1, 8)), (0, 1, 2)),
        ("read of another domain", one(read(1, foreign.0, foreign.1, 8)), (0, 1, 3)),
        ("more reads than are answered", (1..40).map(|msn| read(msn, all, start, 0)).collect(), (1, 2, 2)),
        ("Read Request skipped", one(read(2, all, start, 8)), (1, 2, 3)),
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

/// DDP-2: a region that goes in the middle of a segment refuses the rest of it.
#[test]
fn region_that_goes_within_a_segment_refuses_the_rest() {
    let victim = Victim::new(false);
    let bytes = fpdu(&write(victim.all.token, victim.all.start(), true, &[1; 1000]), false);
    victim.peer.send(&bytes[..500]);
    run(&victim.pair);
    let placed = victim.all.buffer.bytes.iter().filter(|byte| **byte == 1).count();
    assert_eq!(placed, 500 - 16);
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
        let told = victim.peer.told().unwrap();
        assert_eq!((told.layer, told.kind, told.code), (2, 0, 2), "byte {byte}");
        assert!(victim.is_untouched(), "byte {byte}");
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

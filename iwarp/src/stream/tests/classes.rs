//! The segments of hostile peers.

use crate::crc::Digest;
use crate::ddp::{Header, Msn, Queue, Stag, Tagged, Untagged};
use crate::fpdu::pad;
use crate::harness::{REGION, SINK};
use crate::rdmap::ReadRequest;
use alloc::vec;
use alloc::vec::Vec;

/// An FPDU with these bytes.
pub(super) fn fpdu(ulpdu: &[u8], crc: bool) -> Vec<u8> {
    let length = u16::try_from(ulpdu.len()).unwrap();
    let mut bytes = [&length.to_be_bytes()[..], ulpdu, &vec![0; usize::from(pad(length))]].concat();
    let mut digest = Digest::new();
    digest.update(&bytes);
    bytes.extend(if crc { digest.to_wire() } else { [0; 4] });
    bytes
}

pub(super) fn tagged(control: u8, stag: Stag, offset: u64, payload: usize) -> Vec<u8> {
    let header = Header::Tagged(Tagged { last: true, control, stag, offset });
    [&*header.emit(), &vec![0xEE; payload]].concat()
}

pub(super) fn write(stag: Stag, offset: u64, payload: usize) -> Vec<u8> {
    tagged(0x40, stag, offset, payload)
}

pub(super) fn response(stag: Stag, offset: u64, payload: usize) -> Vec<u8> {
    tagged(0x42, stag, offset, payload)
}

pub(super) fn untagged(control: u8, queue: u32, msn: u32, offset: u32, payload: &[u8]) -> Vec<u8> {
    let (queue, msn, invalidate) = (Queue(queue), Msn(msn), Stag(0));
    let header = Header::Untagged(Untagged { last: true, control, invalidate, queue, msn, offset });
    [&*header.emit(), payload].concat()
}

pub(super) fn send(msn: u32, offset: u32, payload: usize) -> Vec<u8> {
    untagged(0x43, 0, msn, offset, &vec![0xEE; payload])
}

pub(super) fn request(msn: u32, source: Stag, source_offset: u64, length: u32) -> Vec<u8> {
    let request = ReadRequest { sink: SINK, sink_offset: 0, length, source, source_offset };
    untagged(0x41, 1, msn, 0, &request.emit())
}

/// Bytes with the first of them changed.
pub(super) fn first(mut ulpdu: Vec<u8>, control: u8) -> Vec<u8> {
    ulpdu[0] = control;
    ulpdu
}

/// A class of hostile peers: its segments, of which the last one is the fault, and the code that it is told.
pub(super) type Class = (&'static str, Vec<Vec<u8>>, (u8, u8, u8));

pub(super) const END: u64 = 40_000;

/// Segments of peers that break DDP or RDMAP. `reads` are outstanding at the peer that is attacked: one of 8 bytes.
pub(super) fn classes() -> Vec<Class> {
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
        ("read whose source wraps", vec![request(1, REGION, u64::MAX - 2, 4)], (0, 1, 4)),
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

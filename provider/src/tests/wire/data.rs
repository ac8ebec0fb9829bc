//! Messages of every size and list between two QPs, over any cuts.

use sys::status::*;
use test_kernel::network;

use super::SETTINGS;
use super::rig::{ENTRIES, Rig, receive, send};
use crate::number::{u32_from, usize_from};
use crate::rnic::WireSettings;

/// Sizes around those of FPDUs, and the most.
const SIZES: [usize; 10] = [0, 1, 3, 64, 1023, 1425, 1426, 5000, 65_537, 1 << 20];

/// Bytes behind a message, which stay.
const MARGIN: usize = 64;

/// The most bytes of an indication: any number, and odd ones. A byte at a time for what is short.
const PIECES: [usize; 4] = [0, 1, 777, 1449];

fn settings() -> [WireSettings; 3] {
    let crc = |crc| WireSettings { crc, ..SETTINGS };
    [crc(false), crc(true), WireSettings { fpdu_size: Some(60_000), ..SETTINGS }]
}

/// Fills the start of the buffers: near so that every byte tells its place.
fn fill(rig: &mut Rig, length: usize, seed: usize) {
    for (at, chunk) in rig.near.bytes[..length].chunks_mut(251).enumerate() {
        let first = u8::try_from((at + seed) % 256).unwrap();
        for (place, byte) in (0..=255_u8).zip(chunk) {
            *byte = first.wrapping_add(place);
        }
    }
    rig.far.bytes[..length].fill(0xEE);
}

/// Plays `move_bytes` for each size, list, and cut; it has moved bytes from near to far, or so.
fn each(mut move_bytes: impl FnMut(&mut Rig, usize, usize)) {
    for settings in settings() {
        let mut rig = Rig::new(settings, (1 << 20) + MARGIN);
        for (turn, size) in SIZES.into_iter().enumerate() {
            for piece in PIECES {
                if (piece == 1 && size > 5000) || (piece > 0 && size == 1 << 20) {
                    continue;
                }
                network::set_piece(piece);
                let entries = 1 + (turn * 5 + piece) % usize_from(ENTRIES);
                fill(&mut rig, size + MARGIN, turn + piece);
                move_bytes(&mut rig, size, entries);
                assert!(rig.far.bytes[..size] == rig.near.bytes[..size], "{settings:?} {size} {piece}");
                assert_eq!(rig.far.bytes[size..][..MARGIN], [0xEE; MARGIN], "behind the message");
            }
        }
        network::set_piece(0);
        rig.tear_down();
    }
}

#[test]
fn send_over_network_of_any_size_fills_the_receive_over_any_cuts() {
    each(|rig, size, entries| {
        receive(&rig.pair.far, 1, &rig.far_list(size, 17 - entries));
        send(&rig.pair.near, 2, &rig.near_list(size, entries), 0);
        rig.run();
        let size = u32_from(size);
        assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, size, 1)]);
        assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, size, 2)]);
    });
}

#[test]
fn write_over_network_of_any_size_is_placed_over_any_cuts() {
    each(|rig, size, entries| {
        rig.write(2, &rig.near_list(size, entries), 0);
        rig.run();
        assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, u32_from(size), 2)]);
        assert_eq!(rig.pair.far.results(), []);
    });
}

#[test]
fn read_over_network_of_any_size_fills_its_sink_over_any_cuts() {
    each(|rig, size, entries| {
        // The other way: what is near comes from far.
        let expected = rig.near.bytes[..size].to_vec();
        rig.far.bytes[..size].copy_from_slice(&expected);
        rig.near.bytes[..size].fill(0);
        rig.read(2, &rig.near_list(size, entries), 0);
        rig.run();
        assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, u32_from(size), 2)]);
        assert!(rig.near.bytes[..size] == *expected);
    });
}

#[test]
fn list_of_any_number_of_entries_is_gathered_and_scattered() {
    let mut rig = Rig::new(SETTINGS, 20_000);
    for entries in 1..=usize_from(ENTRIES) {
        for others in [1, 2, 15, 16] {
            fill(&mut rig, 20_000, entries);
            receive(&rig.pair.far, 1, &rig.far_list(20_000, others));
            send(&rig.pair.near, 2, &rig.near_list(20_000, entries), 0);
            rig.run();
            assert_eq!(rig.pair.far.results(), [(STATUS_SUCCESS, 20_000, 1)]);
            assert_eq!(rig.pair.near.results(), [(STATUS_SUCCESS, 20_000, 2)]);
            assert!(*rig.far.bytes == *rig.near.bytes, "{entries} {others}");
        }
    }
    rig.tear_down();
}

#[test]
fn bytes_and_messages_over_network_are_counted_at_both_ends() {
    let rig = Rig::new(SETTINGS, 5000);
    receive(&rig.pair.far, 1, &rig.far_list(5000, 1));
    send(&rig.pair.near, 2, &rig.near_list(5000, 1), 0);
    rig.write(3, &rig.near_list(4000, 1), 0);
    rig.read(4, &rig.near_list(3000, 1), 0);
    rig.run();
    assert_eq!(rig.pair.near.results().len() + rig.pair.far.results().len(), 4);
    let [near, far] = [&rig.pair.near, &rig.pair.far].map(|side| side.rnic.statistics());
    assert_eq!((near.out_octets, near.in_octets), (9000, 3000));
    assert_eq!((far.out_octets, far.in_octets), (3000, 9000));
    // The first FPDU of the connection is a Write of no length.
    assert_eq!((near.out_frames, near.in_frames, far.out_frames, far.in_frames), (2, 1, 1, 3));
    rig.tear_down();
}

#[test]
fn both_directions_at_once_move_all_bytes() {
    let mut rig = Rig::new(SETTINGS, 200_000);
    network::set_piece(3001);
    fill(&mut rig, 200_000, 3);
    rig.far.bytes.fill(0x33);
    receive(&rig.pair.far, 1, &rig.far_list(100_000, 3));
    let behind = |buffer: &crate::tests::consumer::Buffer, token| {
        let mut sge = buffer.sge(token);
        sge.Address.VirtualAddress = crate::tests::consumer::virtual_address(buffer.address() + 100_000);
        sge.Length = 100_000;
        sge
    };
    receive(&rig.pair.near, 2, &[behind(&rig.near, rig.near_token)]);
    send(&rig.pair.near, 3, &rig.near_list(100_000, 5), 0);
    send(&rig.pair.far, 4, &[behind(&rig.far, rig.far_token)], 0);
    rig.run();
    let sorted = |mut results: Vec<_>| {
        results.sort_unstable_by_key(|(_, _, number)| *number);
        results
    };
    let ok = |number| (STATUS_SUCCESS, 100_000, number);
    assert_eq!(sorted(rig.pair.near.results()), [ok(2), ok(3)]);
    assert_eq!(sorted(rig.pair.far.results()), [ok(1), ok(4)]);
    assert!(rig.far.bytes[..100_000] == rig.near.bytes[..100_000]);
    assert!(rig.near.bytes[100_000..].iter().all(|byte| *byte == 0x33));
    rig.tear_down();
}

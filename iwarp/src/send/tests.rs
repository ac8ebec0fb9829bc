use super::*;
use crate::ddp::{Header, Packet};
use alloc::vec::Vec;
use proptest::prelude::*;

/// An EMSS of 536 has an FPDU of 536 bytes at most.
fn segmenter() -> Segmenter {
    Segmenter::new(Mulpdu::of_segment(536))
}

fn cuts(segmenter: &mut Segmenter) -> Vec<Cut> {
    core::iter::from_fn(|| segmenter.cut(usize::MAX)).collect()
}

fn message(cut: &Cut) -> Message {
    Message::parse(Header::parse(Packet::new(&cut.header[LENGTH..]).unwrap()).unwrap()).unwrap()
}

/// FP-1 (RFC 5044 section 4.5): every FPDU but the last of a message fills its segment of TCP.
#[test]
fn full_fpdu_fills_its_segment() {
    let mut segmenter = segmenter();
    segmenter.send(SendKind::PLAIN, 2000);
    let cuts = cuts(&mut segmenter);
    assert_eq!(cuts.iter().map(Cut::length).collect::<Vec<_>>(), [536, 536, 536, 488]);
    assert!(cuts.iter().all(|cut| cut.length() % 4 == 0));
}

/// DDP-4 (RFC 5041 sections 5.2 and 5.3): the segments of a message are contiguous and in order, and only the last one ends it.
#[test]
fn send_is_cut_in_order_and_ends_once() {
    let mut segmenter = segmenter();
    for msn in 1..=2 {
        segmenter.send(SendKind::PLAIN, 1100);
        assert!(!segmenter.is_idle());
        let mut next = 0;
        for cut in cuts(&mut segmenter) {
            assert_eq!(cut.payload.start, next);
            next = cut.payload.end;
            let place = Sequenced { msn: Msn(msn), offset: cut.payload.start, last: next == 1100 };
            assert_eq!(message(&cut), Message::Send(SendKind::PLAIN, place));
            assert_eq!(cut.last, place.last);
        }
        assert!(next == 1100 && segmenter.is_idle());
    }
}

/// DDP-1 (RFC 5041 section 4.1): a message of no length is one segment, which ends it.
#[test]
fn message_of_no_length_is_one_segment() {
    let mut segmenter = segmenter();
    segmenter.write(Stag(7), 40, 0);
    let cut = segmenter.cut(usize::MAX).unwrap();
    assert_eq!(message(&cut), Message::Write(Placed { stag: Stag(7), offset: 40, last: true }));
    assert!(cut.payload.is_empty() && segmenter.is_idle() && segmenter.cut(usize::MAX).is_none());
}

#[test]
fn fpdu_without_room_is_not_cut() {
    let mut segmenter = segmenter();
    segmenter.write(Stag(7), 0, 600);
    assert!(segmenter.cut(535).is_none());
    assert_eq!(segmenter.cut(536).unwrap().payload, 0..516);
    assert_eq!(segmenter.cut(536).unwrap().payload, 516..600);
}

/// RD-8 (RFC 5040 section 4.8): the longest Terminate, with a copied Read Request, fits into the header of an FPDU.
#[test]
fn longest_terminate_fits_into_a_header() {
    use crate::rdmap::{Code, Copied};
    let request = ReadRequest { sink: Stag(1), sink_offset: 2, length: 3, source: Stag(4), source_offset: 5 };
    let mut requesting = segmenter();
    requesting.request(request);
    let header = requesting.cut(usize::MAX).unwrap().header;
    let copied = Copied::of(46, &header[LENGTH..], Some(request));
    let cut = segmenter().terminate(Terminate { code: Code::new(0, 1, 0), copied: Some(copied) });
    assert_eq!((cut.header.len(), cut.length()), (HEADER, 76));
    assert_eq!(Terminate::parse(&cut.header[20..]).unwrap().copied, Some(copied));
}

/// MPA-4 (RFC 5044 section 4.4): the sum is over length, header, payload and padding; without CRCs it is zero.
#[test]
fn trailer_has_the_sum_of_all_before_it() {
    for crc in [false, true] {
        let mut segmenter = segmenter();
        segmenter.crc = crc;
        segmenter.send(SendKind::PLAIN, 3);
        let cut = segmenter.cut(usize::MAX).unwrap();
        let mut digest = cut.digest();
        if let Some(digest) = &mut digest {
            digest.update(b"abc");
        }
        let whole = [&*cut.header, b"abc", &*cut.trailer(digest)].concat();
        assert_eq!((whole.len(), whole.len() % 4), (cut.length(), 0));
        let mut expected = Digest::new();
        expected.update(&whole[..whole.len() - 4]);
        assert_eq!(whole[whole.len() - 4..], if crc { expected.to_wire() } else { [0; 4] });
    }
}

proptest! {
    /// DDP-4 (RFC 5041 section 5.2): the ranges of a message are all of it, once, whatever its length and the segment's.
    #[test]
    fn ranges_of_a_message_are_all_of_it(length in 0_u32..200_000, emss in 0_u32..70_000, offset: u32) {
        let mut segmenter = Segmenter::new(Mulpdu::of_segment(emss));
        segmenter.write(Stag(3), offset.into(), length);
        let mut next = 0;
        for cut in cuts(&mut segmenter) {
            prop_assert_eq!(cut.payload.start, next);
            next = cut.payload.end;
            let place = u64::from(offset) + u64::from(cut.payload.start);
            let placed = Placed { stag: Stag(3), offset: place, last: next == length };
            prop_assert_eq!(message(&cut), Message::Write(placed));
            prop_assert!(cut.length() <= usize::from(Mulpdu::of_segment(emss).get()) + 6);
        }
        prop_assert_eq!(next, length);
    }
}

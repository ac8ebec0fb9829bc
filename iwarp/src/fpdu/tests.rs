use super::*;
use crate::crc::Digest;
use alloc::vec::Vec;
use proptest::prelude::*;

/// An FPDU with these bytes.
fn fpdu(ulpdu: &[u8], crc: bool) -> Vec<u8> {
    let length = u16::try_from(ulpdu.len()).unwrap();
    let mut bytes = [&length.to_be_bytes()[..], ulpdu, &std::vec![0; usize::from(pad(length))]].concat();
    let mut digest = Digest::new();
    digest.update(&bytes);
    bytes.extend(if crc { digest.to_wire() } else { [0; 4] });
    bytes
}

/// The ULPDUs of a stream that comes in pieces, and the sums that were judged.
fn found(framer: &mut Framer, stream: &[u8], pieces: &[usize]) -> Result<Vec<Vec<u8>>, FramingError> {
    let (mut ulpdus, mut at, mut end) = (Vec::new(), 0, 0);
    for piece in pieces.iter().copied().chain([stream.len()]) {
        end = stream.len().min(end + piece);
        loop {
            let (consumed, found) = framer.step(&stream[at..end])?;
            at += consumed;
            match found {
                Found::Check(length) => {
                    let length = usize::try_from(length).unwrap();
                    let Some(field) = stream[at..end].get(length..).and_then(|rest| rest.first_chunk())
                    else {
                        break;
                    };
                    let mut digest = Digest::new();
                    digest.update(&stream[at..at + length]);
                    framer.verdict(digest.value(), *field).unwrap();
                }
                Found::Ulpdu(left) => {
                    if consumed == LENGTH {
                        ulpdus.push(Vec::new());
                    }
                    let taken = usize::from(left).min(end - at);
                    if taken == 0 {
                        break;
                    }
                    ulpdus.last_mut().unwrap().extend_from_slice(&stream[at..at + taken]);
                    at += taken;
                    framer.take(u16::try_from(taken).unwrap());
                }
                Found::Need(_) => break,
                Found::End => {}
            }
        }
    }
    Ok(ulpdus)
}

/// FP-1 (RFC 5044 section 4.1): an FPDU is a multiple of four bytes long, by zero bytes before its sum.
#[test]
fn padding_makes_a_multiple_of_four() {
    for ulpdu in 0..=u16::MAX {
        let whole = summed(ulpdu) + 4;
        assert!(whole.is_multiple_of(4) && pad(ulpdu) < 4, "{ulpdu}");
    }
}

/// FP-1 (RFC 5044 section 4.5): without markers, MULPDU is EMSS less 6 and less what is over a multiple of 4.
#[test]
fn longest_ulpdu_fills_the_segment() {
    for emss in [536_u32, 1448, 1460, 8948, 65_483] {
        let mulpdu = Mulpdu::of_segment(emss).get();
        assert_eq!(u32::from(mulpdu), emss - (6 + emss % 4));
        assert_eq!(summed(mulpdu) + 4, emss - emss % 4);
        assert_eq!(pad(mulpdu), 0);
    }
}

/// FP-2 (RFC 5044 section 4.5): the size follows from the interface, with room for the timestamps of TCP.
#[test]
fn size_follows_from_the_interface() {
    assert_eq!((emss(1500, false), emss(1500, true), emss(9000, false)), (1448, 1428, 8948));
    assert_eq!(Mulpdu::of_segment(emss(1500, false)).get(), 1442);
    assert_eq!(Mulpdu::of_segment(emss(0, true)).get(), Mulpdu::SHORTEST);
}

/// FP-2 (RFC 5044 section 4.5): a size that is set is taken, and kept to what an FPDU may have.
#[test]
fn size_that_is_set_is_kept_within_the_possible() {
    assert_eq!(Mulpdu::of_segment(0).get(), Mulpdu::SHORTEST);
    assert_eq!(Mulpdu::of_segment(u32::MAX).get(), Mulpdu::LONGEST);
    assert_eq!(Mulpdu::of_segment(16_384).get(), 16_378);
    assert!(summed(Mulpdu::LONGEST) + 4 <= 65_535);
}

/// FP-3 (RFC 5044 section 8): a ULPDU that is shorter than a header is none, whatever its sum; the longest is one.
#[test]
fn length_is_judged_before_anything_else() {
    for crc in [false, true] {
        for (length, legal) in [(0_u16, false), (1, false), (13, false), (14, true), (65_535, true)] {
            let mut framer = Framer::new(crc, 14);
            assert_eq!(framer.step(&length.to_be_bytes()).is_ok(), legal, "{length}");
        }
    }
}

/// FP-1 (RFC 5044 section 4.4): a sum that is wrong in any bit of the FPDU is found out before anything is shown.
#[test]
fn flipped_bit_is_found_before_anything_is_shown() {
    let right = fpdu(b"a segment of DDP", true);
    for bit in 16..right.len() * 8 {
        let mut wrong = right.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let mut framer = Framer::new(true, 14);
        let (consumed, Found::Check(length)) = framer.step(&wrong).unwrap() else { panic!("a sum") };
        let length = usize::try_from(length).unwrap();
        let mut digest = Digest::new();
        digest.update(&wrong[..length]);
        let field = *wrong[length..].first_chunk().unwrap();
        assert_eq!((consumed, framer.verdict(digest.value(), field)), (0, Err(CrcError)), "bit {bit}");
    }
}

/// MPA-4 (RFC 5044 section 4.1): without CRCs the field is there, is sent as zero, and is not looked at.
#[test]
fn sum_that_was_not_agreed_is_not_looked_at() {
    let mut stream = fpdu(b"a segment of DDP", false);
    assert_eq!(stream[stream.len() - 4..], [0; 4]);
    *stream.last_mut().unwrap() = 0xFF;
    let mut framer = Framer::new(false, 14);
    assert_eq!(found(&mut framer, &stream, &[]), Ok(std::vec![b"a segment of DDP".to_vec()]));
    assert!(framer.is_between());
}

proptest! {
    /// FP-1 (RFC 5044 section 5.2): the boundaries of TCP's segments mean nothing: any cut gives the same FPDUs.
    #[test]
    fn cuts_of_the_stream_do_not_change_what_is_found(
        crc: bool,
        ulpdus in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 14..90), 1..6),
        pieces in proptest::collection::vec(0_usize..40, 0..40),
    ) {
        let stream: Vec<u8> = ulpdus.iter().flat_map(|ulpdu| fpdu(ulpdu, crc)).collect();
        prop_assert_eq!(found(&mut Framer::new(crc, 14), &stream, &pieces), Ok(ulpdus));
    }
}

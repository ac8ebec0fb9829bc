use super::*;
use crate::mpa::Depth;
use alloc::vec::Vec;
use proptest::prelude::*;

const WORDS: Enhanced = Enhanced {
    peer_to_peer: true,
    rtr_empty: false,
    rtr_write: true,
    rtr_read: false,
    ird: Depth::UNNEGOTIATED,
    ord: Depth::UNNEGOTIATED,
};

fn bytes(key: &[u8; 16], flags: u8, revision: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    [&key[..], &[flags, revision], &length, data].concat()
}

fn request(flags: u8, revision: u8, data: &[u8]) -> Vec<u8> {
    bytes(REQUEST_KEY, flags, revision, data)
}

/// MPA-2 (RFC 5044 section 7.1.2, RFC 6581 section 6): revision 1 is plain, revision 2 is enhanced if it says so; no other one is spoken.
#[test]
fn revision_decides_the_form() {
    let parsed = |flags, revision| {
        let bytes = request(flags, revision, &[0x80, 1, 0x80, 2, 7]);
        Frame::parse_request(&bytes).map(|(frame, _)| (frame.revision(), frame.private.len()))
    };
    assert_eq!(parsed(CRC, 1), Ok((Revision::One, 5)));
    assert_eq!(parsed(CRC | ENHANCED, 1), Ok((Revision::One, 5)));
    assert_eq!(parsed(ENHANCED, 2), Ok((Revision::Two, 1)));
    assert_eq!(parsed(0, 2), Ok((Revision::Two, 5)));
    for revision in [0, 3, 255] {
        assert_eq!(parsed(ENHANCED, revision), Err(FrameError::Revision(revision)));
    }
}

/// MPA-2 (RFC 5044 section 7.1.1): a key that is wrong is refused at its first wrong byte, without waiting for the rest.
#[test]
fn wrong_key_is_refused_at_once() {
    for at in 0..16 {
        let mut wrong = request(0, 1, &[]);
        wrong[at] ^= 0x20;
        for end in 0..=wrong.len() {
            let expected = if end > at { FrameError::Key } else { FrameError::Short(HEAD) };
            assert_eq!(Frame::parse_request(&wrong[..end]), Err(expected), "{at}, {end}");
        }
    }
    let reply = bytes(REPLY_KEY, 0, 1, &[]);
    assert_eq!(Frame::parse_request(&reply), Err(FrameError::Key));
    assert_eq!(Frame::parse_reply(&request(0, 1, &[])), Err(FrameError::Key));
}

/// MPA-2 (RFC 5044 section 7.1.1): 512 bytes of private data are the most; the length alone refuses more.
#[test]
fn private_data_over_the_most_is_refused_by_its_length() {
    for (length, legal) in [(0, true), (1, true), (508, true), (512, true), (513, false)] {
        let whole = request(0, 1, &std::vec![9; length]);
        assert_eq!(Frame::parse_request(&whole).is_ok(), legal, "{length}");
    }
    let head = &request(0, 1, &[9; 513])[..HEAD];
    assert_eq!(Frame::parse_request(head), Err(FrameError::Length));
    assert_eq!(Frame::parse_request(&request(ENHANCED, 2, &[1, 2, 3])), Err(FrameError::Length));
}

/// MPA-5 (RFC 5044 section 7.1.1): reserved bits are sent as zero and not looked at.
#[test]
fn reserved_bits_are_ignored_and_not_sent() {
    let plain = request(CRC, 1, b"x");
    let marked = request(CRC | 0x0F, 1, b"x");
    let (frame, _) = Frame::parse_request(&marked).unwrap();
    assert_eq!(Ok((frame, plain.len())), Frame::parse_request(&plain));
    assert_eq!(*frame.emit().unwrap(), *plain);
}

/// MPA-11 (RFC 5044 section 7.1.2): the length of a frame is its own; bytes behind it are not a part of it.
#[test]
fn frame_that_is_cut_anywhere_waits_for_the_rest() {
    let whole = bytes(REPLY_KEY, REJECTED | ENHANCED, 2, b"\x00\x01\x00\x02no");
    for end in 0..whole.len() {
        let expected = if end < HEAD { HEAD } else { whole.len() };
        assert_eq!(Frame::parse_reply(&whole[..end]), Err(FrameError::Short(expected)), "{end}");
    }
    let longer = [&whole[..], b"next"].concat();
    let (frame, length) = Frame::parse_reply(&longer).unwrap();
    assert_eq!(
        (frame.kind, frame.private, length),
        (Kind::Reply { rejected: true }, &b"no"[..], whole.len())
    );
}

/// MPA-10 (RFC 6581 section 6): an enhanced frame has its words in the private data, which leaves 508 bytes.
#[test]
fn enhanced_words_take_four_bytes_of_the_private_data() {
    let data = [1; 513];
    let frame = |form, length| Frame {
        kind: Kind::Request,
        markers: false,
        crc: true,
        form,
        private: &data[..length],
    };
    assert!(frame(Form::Enhanced(WORDS), 508).emit().is_some());
    assert!(frame(Form::Enhanced(WORDS), 509).emit().is_none());
    assert_eq!(frame(Form::Plain(Revision::One), 512).emit().unwrap().len(), LONGEST_FRAME);
    assert!(frame(Form::Plain(Revision::One), 513).emit().is_none());
}

proptest! {
    #[test]
    fn frame_that_is_emitted_parses_to_itself(
        reply: bool, rejected: bool, markers: bool, crc: bool, enhanced: bool,
        words in proptest::array::uniform4(any::<u8>()),
        private in proptest::collection::vec(any::<u8>(), 0..508),
    ) {
        let kind = if reply { Kind::Reply { rejected } } else { Kind::Request };
        let form = if enhanced { Form::Enhanced(Enhanced::parse(words)) } else { Form::Plain(Revision::Two) };
        let frame = Frame { kind, markers, crc, form, private: &private };
        let bytes = frame.emit().unwrap();
        let parsed = if reply { Frame::parse_reply(&bytes) } else { Frame::parse_request(&bytes) };
        prop_assert_eq!(parsed, Ok((frame, bytes.len())));
    }
}

//! The self-relative form.

use crate::se::{Descriptor, wire};

const WHOLE: &str = "O:BAG:SYD:P(A;;GA;;;SY)(D;OIIO;0x120089;;;S-1-5-21-1-2-3-1001)";

fn bytes(text: &str) -> Vec<u8> {
    text.parse::<Descriptor>().unwrap().to_bytes()
}

#[test]
fn descriptor_is_written_as_it_is_read() {
    for text in [WHOLE, "", "O:SY", "G:BU", "D:", "D:NO_ACCESS_CONTROL", "D:(A;;FR;;;WD)"] {
        assert_eq!(wire::read(&bytes(text)), Ok(text.parse().unwrap()), "{text}");
    }
}

#[test]
fn bytes_are_those_of_windows() {
    // The head; S-1-5-32-544; a list with the entry (A;;FA;;;SY).
    let expected = [
        &[1, 0, 0x04, 0x80, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 36, 0, 0, 0][..],
        &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0],
        &[2, 0, 28, 0, 1, 0, 0, 0],
        &[0, 0, 20, 0, 0xFF, 1, 0x1F, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0],
    ];
    assert_eq!(bytes("O:BAD:(A;;FA;;;SY)"), expected.concat());
}

#[test]
fn descriptor_that_is_cut_short_anywhere_is_refused() {
    let whole = bytes(WHOLE);
    for length in 0..whole.len() {
        assert!(wire::read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn malformed_descriptor_is_refused_with_its_reason() {
    let whole = bytes("O:BAD:(A;;FA;;;SY)");
    for (at, value, wrong) in [
        (0, 2, "its revision is not 1"),
        (3, 0, "it is not self-relative"),
        (4, 19, "a part of it lies in its head"),
        (4, 65, "a part of it lies behind its end"),
        (20, 2, "the revision of an identifier is not 1"),
        (36, 1, "the revision of its list is neither 2 nor 4"),
        (38, 29, "its list is cut short"),
        (38, 7, "its list is shorter than the head of one"),
        (40, 2, "it is cut short"),
        (44, 5, "an entry neither allows nor denies"),
        (46, 21, "an entry goes beyond its list"),
        (46, 7, "it is cut short"),
    ] {
        let mut bytes = whole.clone();
        bytes[at] = value;
        assert_eq!(wire::read(&bytes).unwrap_err().to_string(), wrong, "{value} at {at}");
    }
    let mut bytes = whole;
    bytes[21] = 16;
    bytes.extend([0; 100]);
    assert_eq!(wire::read(&bytes).unwrap_err().to_string(), "an identifier has more than 15 subauthorities");
}

//! Distinguished encoding (X.690) of the ASN.1 types that signatures and catalogues are made of.

use ::der::oid::ObjectIdentifier;

/// Context-specific, constructed tag 0: explicit content, certificates, signed attributes.
pub(crate) const CONTEXT_0: u8 = 0xA0;
/// Context-specific, constructed tag 2.
pub(crate) const CONTEXT_2: u8 = 0xA2;
/// UTCTime.
pub(crate) const UTC_TIME: u8 = 0x17;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BMP_STRING: u8 = 0x1E;
const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Encodes tag, length and the concatenation of `parts`.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut encoded = vec![tag];
    match u8::try_from(length) {
        Ok(short @ ..=0x7F) => encoded.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            // A usize has at most eight bytes.
            encoded.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            encoded.extend(significant);
        }
    }
    for part in parts {
        encoded.extend_from_slice(part);
    }
    encoded
}

/// Encodes a SEQUENCE.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, parts)
}

/// Encodes a SET OF, whose members DER orders by their encodings.
pub(crate) fn set_of(members: &[Vec<u8>]) -> Vec<u8> {
    let mut ordered: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
    ordered.sort_unstable();
    tlv(SET, &ordered)
}

/// Encodes an OCTET STRING.
pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    tlv(OCTET_STRING, &[content])
}

/// Encodes NULL.
pub(crate) fn null() -> Vec<u8> {
    vec![0x05, 0x00]
}

/// Encodes an OBJECT IDENTIFIER.
pub(crate) fn oid(identifier: &ObjectIdentifier) -> Vec<u8> {
    tlv(OBJECT_IDENTIFIER, &[identifier.as_bytes()])
}

/// Encodes a non-negative INTEGER in as few bytes as it takes.
pub(crate) fn integer(value: u32) -> Vec<u8> {
    let mut bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    if bytes.first().is_none_or(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    tlv(INTEGER, &[&bytes])
}

/// Encodes a BMPString: UTF-16, big-endian.
pub(crate) fn bmp_string(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    tlv(BMP_STRING, &[&units])
}

/// The content of an encoded value, without tag and length; empty if it is none.
pub(crate) fn content(encoded: &[u8]) -> &[u8] {
    let header = match encoded.get(1) {
        Some(short @ ..0x80) if encoded.len() == 2 + usize::from(*short) => 2,
        Some(long @ 0x80..) => 2 + usize::from(long & 0x7F),
        _ => encoded.len(),
    };
    encoded.get(header..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_takes_short_and_long_form() {
        assert_eq!(tlv(4, &[&[0; 127]])[..2], [4, 127]);
        assert_eq!(tlv(4, &[&[0; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(4, &[&[0; 0x1234]])[..4], [4, 0x82, 0x12, 0x34]);
    }

    #[test]
    fn integer_stays_positive_and_minimal() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(0x7F), [2, 1, 0x7F]);
        assert_eq!(integer(0x80), [2, 2, 0, 0x80]);
        assert_eq!(integer(0x1001_0001), [2, 4, 0x10, 0x01, 0x00, 0x01]);
    }

    #[test]
    fn set_members_are_in_order_of_their_encoding() {
        assert_eq!(set_of(&[vec![5, 0], vec![2, 1, 0]]), [0x31, 5, 2, 1, 0, 5, 0]);
    }

    #[test]
    fn content_is_what_was_encoded() {
        for length in [0, 1, 127, 128, 70_000] {
            let inner = vec![7; length];
            assert_eq!(content(&octets(&inner)), inner);
        }
    }
}

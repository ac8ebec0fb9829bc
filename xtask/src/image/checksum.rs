//! The checksum that the loader verifies of every driver.

use object::{LittleEndian as LE, read::pe::PeFile64};

use super::Violation;

/// Offset of the checksum in the optional header.
pub(super) const FIELD: usize = 64;

pub(super) fn check(image: &PeFile64<'_>, faults: &mut Vec<Violation>) {
    let found = image.nt_headers().optional_header.check_sum.get(LE);
    let field = optional_header(image) + FIELD;
    let right = of(image.data(), field);
    if found != right {
        faults.push(Violation::Checksum { found, right });
    }
}

/// Offset of the optional header in the file: after the signature and the file header.
fn optional_header(image: &PeFile64<'_>) -> usize {
    image.dos_header().nt_headers_offset() as usize + 4 + 20
}

/// The sum of all 16-bit words with the carry added back, without the field itself, plus the length.
pub(crate) fn of(bytes: &[u8], field: usize) -> u32 {
    let sum = bytes
        .chunks(2)
        .enumerate()
        .filter(|(word, _)| !(field..field + 4).contains(&(word * 2)))
        .map(|(_, word)| u32::from(word[0]) | u32::from(*word.get(1).unwrap_or(&0)) << 8)
        .fold(0, |sum: u32, word| {
            let sum = sum + word;
            (sum & 0xffff) + (sum >> 16)
        });
    sum + bytes.len() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{faults, sample::Sample};

    #[test]
    fn one_changed_byte_is_noticed() {
        let mut sample = Sample::good();
        let last = sample.bytes.len() - 1;
        sample.bytes[last] ^= 1;
        let faults = faults(&sample.bytes, &Sample::exports());
        assert!(matches!(faults[..], [Violation::Checksum { .. }]), "{faults:?}");
    }

    #[test]
    fn field_itself_does_not_count() {
        assert_eq!(of(&[1, 0, 0xff, 0xff, 0xff, 0xff, 2, 0], 2), 1 + 2 + 8);
    }

    #[test]
    fn carry_is_added_back() {
        assert_eq!(of(&[0xff, 0xff, 2, 0, 0, 0, 0, 0], 4), 2 + 8);
    }
}

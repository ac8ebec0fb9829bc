//! CRC32C, the sum at the end of an FPDU (RFC 5044 section 4.4; its polynomial is that of iSCSI, RFC 3720).

#[cfg(target_arch = "x86_64")]
mod sse;

/// The polynomial, with the bit of the highest power lowest.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// The number of bytes that one step of the table consumes.
const SLICES: usize = 8;

/// `TABLE[n][b]`: the sum of byte `b` with `n` zero bytes behind it.
static TABLE: [[u32; 256]; SLICES] = table();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler: a wrong index does not build"
)]
const fn table() -> [[u32; 256]; SLICES] {
    let mut table = [[0; 256]; SLICES];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ POLYNOMIAL };
            bit += 1;
        }
        table[0][byte] = sum;
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICES {
        let mut byte = 0;
        while byte < 256 {
            let before = table[slice - 1][byte];
            table[slice][byte] = (before >> 8) ^ table[0][(before & 0xFF) as usize];
            byte += 1;
        }
        slice += 1;
    }
    table
}

/// A CRC32C over bytes that come in pieces.
#[derive(Clone, Copy, Debug)]
pub struct Digest(u32);

impl Digest {
    /// The digest of no bytes.
    pub const fn new() -> Self {
        Self(!0)
    }

    /// Adds bytes behind those before.
    pub fn update(&mut self, bytes: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(state) = sse::update(self.0, bytes) {
            self.0 = state;
            return;
        }
        self.0 = by_table(self.0, bytes);
    }

    /// The sum of the bytes so far.
    pub const fn value(self) -> u32 {
        !self.0
    }

    /// The sum as it stands on the wire: lowest byte first, as peers send it.
    pub const fn to_wire(self) -> [u8; 4] {
        self.value().to_le_bytes()
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

fn by_table(mut state: u32, bytes: &[u8]) -> u32 {
    let [zero, one, two, three, four, five, six, seven] = &TABLE;
    let (chunks, rest) = bytes.as_chunks::<SLICES>();
    for [a, b, c, d, e, f, g, h] in chunks {
        let [i, j, k, l] = (state ^ u32::from_le_bytes([*a, *b, *c, *d])).to_le_bytes();
        state = at(seven, i) ^ at(six, j) ^ at(five, k) ^ at(four, l);
        state ^= at(three, *e) ^ at(two, *f) ^ at(one, *g) ^ at(zero, *h);
    }
    for byte in rest {
        let [low, ..] = state.to_le_bytes();
        state = (state >> 8) ^ at(zero, low ^ byte);
    }
    state
}

fn at(slice: &[u32; 256], byte: u8) -> u32 {
    slice.get(usize::from(byte)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn sum(bytes: &[u8]) -> u32 {
        let mut digest = Digest::new();
        digest.update(bytes);
        digest.value()
    }

    fn vectors() -> Vec<(Vec<u8>, u32)> {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        std::vec![
            (std::vec![0; 32], 0x8A91_36AA),
            (std::vec![0xFF; 32], 0x62A8_AB43),
            (rising, 0x46DD_794E),
            (falling, 0x113F_DB5C),
            (b"123456789".to_vec(), 0xE306_9283),
            (Vec::new(), 0),
        ]
    }

    /// FP-1 (RFC 5044 section 4.4): the sum is the CRC32C of iSCSI; the vectors are those of RFC 3720 section B.4.
    #[test]
    fn sum_of_published_bytes_is_the_published_one() {
        for (bytes, expected) in vectors() {
            assert_eq!(sum(&bytes), expected, "{bytes:02x?}");
            assert_eq!(!by_table(!0, &bytes), expected, "by table, {bytes:02x?}");
        }
    }

    #[test]
    fn sum_on_the_wire_begins_with_its_lowest_byte() {
        let mut digest = Digest::default();
        digest.update(&[0; 32]);
        assert_eq!(digest.to_wire(), [0xAA, 0x36, 0x91, 0x8A]);
    }

    proptest::proptest! {
        #[test]
        fn sum_by_table_in_pieces_is_that_of_the_instruction(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
            cut in 0_usize..200,
        ) {
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let mut pieces = Digest::new();
            pieces.update(head);
            pieces.update(tail);
            proptest::prop_assert_eq!(pieces.value(), sum(&bytes));
            proptest::prop_assert_eq!(!by_table(by_table(!0, head), tail), sum(&bytes));
        }
    }
}

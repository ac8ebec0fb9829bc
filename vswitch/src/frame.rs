//! The format of frames, as far as the switch looks at it.

/// Length of destination, source and type, in bytes.
pub const HEADER: u32 = 14;

/// The most data that a frame carries, in bytes.
pub const MTU: u32 = 1500;

/// The longest frame, in bytes, without a check sequence: frames never leave the machine.
pub const LONGEST: u32 = HEADER + MTU;

/// Returns whether a frame may be this long, in bytes with the header. Short frames are not padded: no wire needs that.
pub const fn is_legal_length(length: u32) -> bool {
    HEADER <= length && length <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_has_a_header_and_no_more_data_than_the_mtu() {
        let legal = [0, 13, 14, 60, 1514, 1515, u32::MAX].map(is_legal_length);
        assert_eq!(legal, [false, false, true, true, true, false, false]);
    }
}

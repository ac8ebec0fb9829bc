//! Flag parameters: which of them a call admits.

#![forbid(unsafe_code)]

use sys::wdm::ULONG;

/// Returns true if `given` is an OR of values of `listed`, the flags on a function's page. A listed value may
/// have several bits, of which one alone may be no listed value: remote write contains local write (WR-4),
/// and the bit that it adds is not valid alone.
pub(crate) fn is_made_of(given: ULONG, listed: &[ULONG]) -> bool {
    let contained = listed.iter().filter(|value| given & **value == **value);
    contained.fold(0, |made, value| made | value) == given
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn value_of_several_bits_given_in_part_is_not_listed() {
        let made: Vec<_> = (0..16).filter(|given| is_made_of(*given, &[1, 2, 5])).collect();
        assert_eq!(made, [0, 1, 2, 3, 5, 7]);
        let made: Vec<_> = (0..16).filter(|given| is_made_of(*given, &[2, 5])).collect();
        assert_eq!(made, [0, 2, 5, 7]);
    }
}

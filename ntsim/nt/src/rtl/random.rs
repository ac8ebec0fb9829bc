//! Numbers that look random.

use ntsim_core::exports;
use sys::wdm::signature;

exports! {
    "ntoskrnl.exe", signature;

    /// A number below 2^31 - 1; the same seed yields the same numbers.
    #[irql(PASSIVE..=APC)]
    fn RtlRandomEx(seed: *mut u32) -> u32 {
        // SAFETY: the driver passes its seed.
        let seed = unsafe { &mut *seed };
        let mut generator = fastrand::Rng::with_seed(u64::from(*seed));
        *seed = generator.u32(..0x7FFF_FFFF);
        generator.u32(..0x7FFF_FFFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_yields_its_own_numbers_again() {
        let machine = crate::testing::builder().boot();
        let numbers = |mut seed| [(); 4].map(|()| unsafe { RtlRandomEx(&mut seed) });
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        assert!(machine.shutdown().is_clean());
    }
}

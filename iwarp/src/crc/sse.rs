//! CRC32C by the processor's instruction.
#![expect(
    unsafe_code,
    reason = "a function with a target feature may be called only where the processor has it"
)]

use core::arch::x86_64::{__cpuid, _mm_crc32_u8, _mm_crc32_u64};
use core::sync::atomic::{AtomicU8, Ordering};

/// The bit of SSE4.2 in ECX of leaf 1 (Intel SDM, volume 2, CPUID).
const SSE42: u32 = 1 << 20;

const UNKNOWN: u8 = 0;
const ABSENT: u8 = 1;
const PRESENT: u8 = 2;

/// The processor is asked once: CPUID is slow, and leaves a virtual machine.
static INSTRUCTION: AtomicU8 = AtomicU8::new(UNKNOWN);

/// The state after `bytes`; `None` on a processor without the instruction.
pub(super) fn update(state: u32, bytes: &[u8]) -> Option<u32> {
    if !is_present() {
        return None;
    }
    // SAFETY: the processor has SSE4.2.
    Some(unsafe { sum(state, bytes) })
}

fn is_present() -> bool {
    match INSTRUCTION.load(Ordering::Relaxed) {
        UNKNOWN => {
            let present = __cpuid(1).ecx & SSE42 != 0;
            INSTRUCTION.store(if present { PRESENT } else { ABSENT }, Ordering::Relaxed);
            present
        }
        known => known == PRESENT,
    }
}

#[target_feature(enable = "sse4.2")]
fn sum(state: u32, bytes: &[u8]) -> u32 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let wide =
        chunks.iter().fold(u64::from(state), |state, chunk| _mm_crc32_u64(state, u64::from_le_bytes(*chunk)));
    // The instruction leaves the upper half clear.
    let [a, b, c, d, ..] = wide.to_le_bytes();
    rest.iter().fold(u32::from_le_bytes([a, b, c, d]), |state, byte| _mm_crc32_u8(state, *byte))
}

//! Sequences of what clients do to files.
#![no_main]

libfuzzer_sys::fuzz_target!(|steps: &[u8]| {
    tdi::fuzz_requests(steps);
});

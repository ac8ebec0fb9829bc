//! A peer on the network that sends what the bytes say.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hostile::run_wire(bytes);
});

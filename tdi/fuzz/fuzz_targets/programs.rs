//! A program's device controls: four bytes of control code, and the input buffer.
#![no_main]

libfuzzer_sys::fuzz_target!(|request: &[u8]| tdi::user::fuzz(request));

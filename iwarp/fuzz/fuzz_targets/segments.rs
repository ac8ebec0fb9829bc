//! Two engines, and changed bytes between them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| iwarp::fuzz::segments(bytes));

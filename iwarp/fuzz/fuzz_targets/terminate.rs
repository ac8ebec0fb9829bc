//! The body of a Terminate.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| iwarp::fuzz::terminate(bytes));

//! The stream of a peer without sums, cut anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| iwarp::fuzz::fpdu_stream(bytes));

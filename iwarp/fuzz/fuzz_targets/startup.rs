//! The startup frames of a peer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| iwarp::fuzz::startup(bytes));

//! Lists of transport addresses.
#![no_main]

libfuzzer_sys::fuzz_target!(|list: &[u8]| tdi::address::fuzz(list));

//! The extended attributes of a create.
#![no_main]

libfuzzer_sys::fuzz_target!(|list: &[u8]| tdi::ea::fuzz(list));

//! Bytes that the loader reads as a driver image.
#![no_main]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a tool in user mode: a panic is what it looks for"
)]

use std::sync::OnceLock;
use std::sync::atomic::AtomicPtr;

use ntsim::Machine;

#[path = "../../src/tests/program.rs"]
#[allow(dead_code, reason = "the loader's own tests use the rest")]
mod program;

/// The machine that the images are for; it runs as long as the process.
fn boot() {
    static BOOTED: OnceLock<AtomicPtr<Machine>> = OnceLock::new();
    BOOTED.get_or_init(|| AtomicPtr::new(Box::into_raw(Box::new(Machine::builder().processors(1).boot()))));
}

/// A small image, changed as the bytes say.
fn changed(bytes: &[u8]) -> Vec<u8> {
    let imports = [("ntoskrnl.exe", "DbgPrint"), ("hal.dll", "KeQueryPerformanceCounter")];
    let mut image = program::image(&imports, &[0xC3; program::STRIDE as usize]);
    for change in bytes.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % image.len();
        image[at] = if change[2] & 1 == 0 { change[3] } else { image[at] ^ change[3] };
    }
    image
}

/// Takes the checksum out, so that the loader goes on: zero is not compared.
fn without_checksum(mut image: Vec<u8>) -> Vec<u8> {
    let headers = image.get(0x3C..0x40).map(|field| u32::from_le_bytes(field.try_into().unwrap()) as usize);
    let field = headers.and_then(|headers| image.get_mut(headers.checked_add(88)?..headers.checked_add(92)?));
    field.into_iter().for_each(|field| field.fill(0));
    image
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    boot();
    let image = if bytes.starts_with(b"MZ") { bytes.to_vec() } else { changed(bytes) };
    // Whether it is one does not matter.
    let _ = ntsim::loader::examine(&without_checksum(image));
});

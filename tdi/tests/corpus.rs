//! The bodies of the fuzz targets, over their corpora and what they become when a byte is damaged or missing.

#![allow(
    clippy::expect_used,
    clippy::std_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test ends when what it needs is not there"
)]

use std::fs;
use std::path::Path;

/// Runs the body of a target over its corpus; returns how many inputs that were.
fn play(target: &str, body: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let inputs = fs::read_dir(folder).expect("the target has a corpus");
    let mut played = 0;
    for input in inputs {
        let whole = fs::read(input.expect("it can be listed").path()).expect("it can be read");
        body(&whole);
        for place in 0..whole.len() {
            body(&whole[..place]);
            for byte in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut damaged = whole.clone();
                damaged[place] = byte;
                body(&damaged);
            }
        }
        played += 1;
    }
    played
}

#[test]
fn attributes_of_the_corpus_are_read_or_refused() {
    assert_eq!(play("attributes", tdi::ea::fuzz), 5);
}

#[test]
fn addresses_of_the_corpus_are_read_or_refused() {
    assert_eq!(play("addresses", tdi::address::fuzz), 6);
}

#[test]
fn programs_requests_of_the_corpus_are_read_or_refused() {
    assert_eq!(play("programs", tdi::user::fuzz), 7);
}

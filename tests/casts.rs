//! Counts numeric `as` casts of the simulator, against budgets that only fall.
//!
//! A cast says neither that it keeps the number nor that it drops a part of it. Addresses are
//! [`Va`](../ntsim/core/src/address.rs), lossless conversions are `From`, and the others have their names and their
//! reasons in [`number`](../ntsim/core/src/number.rs). What is left converts enumerations, and fields of the host's
//! and of Windows' interfaces. Crates of drivers have none: clippy denies it there.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

use core::fmt::Write;
use std::fs;
use std::path::Path;

/// The integers of the language.
const INTEGERS: [&str; 12] =
    ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize"];

/// Each folder with the casts that its sources have, those of its tests included. A budget above the count fails too,
/// so that it falls with it.
const BUDGETS: [(&str, usize); 7] = [
    // One a line, so that two changes seldom meet.
    ("ntsim/core", 11),
    ("ntsim/nt", 19),
    ("ntsim/ndk", 10),
    ("ntsim/net", 4),
    ("ntsim/src", 14),
    ("ntsim/tests", 0),
    ("ntsim/fuzz", 2),
];

/// The number of casts to an integer in a line, without its comment.
fn casts(line: &str) -> usize {
    let code = line.split("//").next().unwrap_or_default();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(" as ")
        .filter(|(at, found)| {
            let rest = &code[at.saturating_add(found.len())..];
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            INTEGERS.contains(&&rest[..end]) && !rest[end..].starts_with("::")
        })
        .count()
}

/// The lines with casts of the sources below a folder, once for each cast.
fn found(folder: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found(&path, lines);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("the file can be read");
            for (index, line) in text.lines().enumerate() {
                let at = format!("{}:{}: {}", path.display(), index.saturating_add(1), line.trim());
                lines.extend(core::iter::repeat_n(at, casts(line)));
            }
        }
    }
}

#[test]
fn casts_of_the_simulator_stay_within_their_budgets() {
    let mut wrong = String::new();
    for (folder, budget) in BUDGETS {
        let mut lines = vec![];
        found(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut lines);
        if lines.len() != budget {
            let list = lines.join("\n  ");
            writeln!(wrong, "{folder}: {} casts, the budget is {budget}:\n  {list}", lines.len())
                .expect("a string grows");
        }
    }
    assert!(wrong.is_empty(), "{wrong}the budgets are in tests/casts.rs");
}

#[test]
fn cast_to_an_integer_is_counted_outside_of_comments() {
    assert_eq!(casts("let (a, b) = (x as u32, y as usize as u64); // z as u8"), 3);
    assert_eq!(casts("let p = x as *const u8 as usize;"), 1);
    assert_eq!(casts("use a::b as u32x; let f = T as fn(); <X as u32::Y>::z"), 0);
}

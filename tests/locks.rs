//! The tables of locks at the heads of provider and tdi, held against the locks of their code.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The locks in the table below the heading "Locks": the name in the first cell of each row.
fn table(lib: &str) -> BTreeSet<String> {
    let doc = lib.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let rows = doc.skip_while(|line| *line != "# Locks").skip_while(|line| !line.starts_with('|'));
    rows.take_while(|line| line.starts_with('|'))
        .filter_map(|row| row.split('`').nth(1).map(str::to_owned))
        .collect()
}

/// The types of locks, as fields have them.
const KINDS: [&str; 3] = ["Lock<K,", "Lock<S,", "lock_api::Mutex<<"];

/// The locks that the types of a file own: `Type::field`, or `Type` where its field has no name.
fn owned(code: &str) -> BTreeSet<String> {
    let mut locks = BTreeSet::new();
    let mut owner = String::new();
    for line in code.lines().map(|line| line.split("//").next().unwrap_or_default()) {
        let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let item = words.iter().position(|word| matches!(*word, "struct" | "enum"));
        if let Some(name) = item.and_then(|at| words.get(at.wrapping_add(1))) {
            owner = (*name).to_owned();
        }
        let Some(before) = KINDS.iter().find_map(|kind| Some(line.split_once(kind)?.0)) else { continue };
        let field = match before.trim_end_matches("Option<").trim_end().strip_suffix(':') {
            Some(field) => field.split_whitespace().last(),
            None if item.is_some() && before.ends_with('(') => {
                locks.insert(owner.clone());
                continue;
            }
            None => before.strip_suffix('(').map(str::trim).filter(|variant| !variant.contains(' ')),
        };
        locks.extend(field.map(|field| format!("{owner}::{field}")));
    }
    locks
}

/// The locks of the code below a folder, tests left out.
fn locks(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "tests" | "loom_tests") {
                found.extend(locks(&path));
            }
        } else if !matches!(name.as_str(), "kernel.rs" | "tests.rs") {
            found.extend(owned(&fs::read_to_string(&path).expect("the file can be read")));
        }
    }
    found
}

#[test]
fn crate_lists_each_of_its_locks() {
    for name in ["provider", "tdi"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src");
        let lib = fs::read_to_string(source.join("lib.rs")).expect("the crate has a root");
        assert_eq!(table(&lib), locks(&source), "the table at the head of {name}, and its code");
    }
}

#[test]
fn lock_is_found_in_a_field_a_tuple_and_a_variant() {
    let code = "struct A<K> {\n    pub(crate) b: Lock<K, u8>,\n    c: Option<Lock<K, u8>>,\n}\n\
        struct D<K>(Lock<K, u8>);\nenum E<K> {\n    F(Lock<K, u8>),\n}\n// g: Lock<K, u8>,\n";
    let expected = ["A::b", "A::c", "D", "E::F"].map(str::to_owned);
    assert_eq!(owned(code), BTreeSet::from(expected));
}

//! Panics: a kernel catches none, so the driver is to have none that can be reached.
//!
//! The linker drops what nothing refers to, so whatever of the library's ways into a panic its map still lists
//! can be reached as far as it could tell.

use std::fs;
use std::path::Path;

use super::Violation;
use crate::failure::CommandError;

/// Parts of the mangled names of those symbols of the library that only panic: each path segment behind
/// its length. (All end in `core::panicking`; the others are found too, to name what called it.)
const ENTRIES: &[&str] = &[
    "4core9panicking",
    "4core6option13expect_failed",
    "4core6option13unwrap_failed",
    "4core6result13unwrap_failed",
    "4core5slice5index16slice_index_fail",
    "5alloc7raw_vec12handle_error",
    "5alloc7raw_vec17capacity_overflow",
    "5alloc5alloc18handle_alloc_error",
    "13assert_failed",
];

/// Names every way into a panic in the linker's map at `path`.
///
/// # Errors
///
/// The map can't be read.
pub(super) fn check(path: &Path, faults: &mut Vec<Violation>) -> Result<(), CommandError> {
    let map = fs::read_to_string(path).map_err(|error| CommandError::file(path, &error))?;
    faults.extend(entries(&map).map(|symbol| Violation::Panic(symbol.to_owned())));
    Ok(())
}

/// The symbols of a map that are ways into a panic. A line has section and offset, symbol, address and object.
fn entries(map: &str) -> impl Iterator<Item = &str> {
    let symbols = map.lines().filter_map(|line| line.split_whitespace().nth(1));
    symbols.filter(|symbol| ENTRIES.iter().any(|entry| symbol.contains(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_into_a_panic_are_found_in_a_map() {
        let map = " 0001:0003d18b       _RNvNtCs6D_5alloc7raw_vec12handle_error 000000018003e18b     a.o\n \
                   0001:0003d1e0       _RNvNtCs87_4core9panicking9panic_fmt 000000018003e1e0     a.o\n \
                   0001:0003d390       _RNvNtCsl3_7softndk3tdi4load 000000018003e390     a.o\n";
        let found: Vec<_> = entries(map).collect();
        assert_eq!(
            found,
            ["_RNvNtCs6D_5alloc7raw_vec12handle_error", "_RNvNtCs87_4core9panicking9panic_fmt"]
        );
    }
}

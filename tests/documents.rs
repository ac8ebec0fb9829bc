//! Checks of the documents: the files, tests and supported systems that they name.

#![cfg(not(windows))]
#![allow(clippy::expect_used, reason = "a test ends when what it needs is not there")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).expect("the file is there")
}

/// The cells of a row of a table.
fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn assumptions_row_has_text_in_each_cell() {
    let page = text("docs/assumptions.md");
    let mut width = None;
    let mut rows = 0;
    for line in page.lines() {
        if !line.starts_with('|') {
            width = None;
            continue;
        }
        let row = cells(line);
        assert!(row.iter().all(|cell| !cell.is_empty()) && line.ends_with('|'), "an empty cell: {line}");
        assert_eq!(*width.get_or_insert(row.len()), row.len(), "the columns of: {line}");
        rows += 1;
    }
    assert!(rows > 20, "{rows} rows are not the page's");
}

/// The file of Rust, or the function `test::name`, that a word names.
fn named(word: &str) -> Option<(PathBuf, Option<&str>)> {
    if word.ends_with(".rs") && word.contains('/') && !word.contains(' ') {
        return Some((root().join(word), None));
    }
    let (file, function) = word.split_once("::")?;
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let test = root().join("tests").join(file).with_extension("rs");
    (plain(file) && plain(function)).then_some((test, Some(function)))
}

#[test]
fn assumptions_row_names_existing_files_and_tests() {
    let page = text("docs/assumptions.md");
    let names: Vec<_> = page.split('`').skip(1).step_by(2).filter_map(named).collect();
    assert!(!names.is_empty(), "the page names files and tests");
    for (file, function) in names {
        let source = fs::read_to_string(&file).unwrap_or_default();
        assert!(!source.is_empty(), "there is no {}", file.display());
        if let Some(function) = function {
            assert!(source.contains(&format!("fn {function}(")), "no {function} in {}", file.display());
        }
    }
}

/// Terms that a reader from the field searches for.
const SEARCHED: [&str; 6] = [
    "receiver-not-ready (RNR)",
    "credit, flow control",
    "fast-register key",
    "completion coalescing",
    "close completion",
    "surprise removal",
];

#[test]
fn glossary_row_has_a_source_and_code_that_exists() {
    let page = text("docs/glossary.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).map(cells).collect();
    for row in rows.iter().filter(|row| row[0] != "term" && row[0] != "---") {
        let [term, meaning, source, code] = row[..] else { panic!("four columns: {row:?}") };
        assert!(!term.is_empty() && !meaning.is_empty() && source.contains("](https://"), "{row:?}");
        let files: Vec<_> = code.split("](../").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(!files.is_empty(), "no code of {term}");
        for file in files {
            assert!(root().join(file).exists(), "{term}: there is no {file}");
        }
    }
    for term in SEARCHED {
        assert!(rows.iter().any(|row| row[0].starts_with(term)), "no row of {term}");
    }
}

#[test]
fn glossary_is_linked_from_the_entry_pages() {
    for file in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        assert!(text(file).contains("](docs/glossary.md)"), "{file} links the glossary");
    }
}

/// The texts that say which systems are supported.
const SUPPORT: [&str; 5] =
    ["README.md", "Cargo.toml", "inf/softndk.inx", "docs/windows.md", "tests/hlk/README.md"];

/// The text that follows each occurrence of `before`, up to the end of its word.
fn after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        rest[..end].trim_end_matches('.')
    })
}

#[test]
fn supported_systems_match_in_every_text() {
    for file in SUPPORT {
        let text = text(file);
        assert!(text.contains("Windows Server 2022 and later"), "{file} names the system");
        assert!(text.contains("KMDF 1.33"), "{file} names the framework");
        for year in after(&text, "Windows Server ") {
            assert_eq!(year, "2022", "a system in {file}");
        }
        for version in
            after(&text, "KMDF ").filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        {
            assert_eq!(version, "1.33", "a framework in {file}");
        }
    }
    let manifest = text("Cargo.toml");
    for line in ["kmdf-version-major = 1", "target-kmdf-version-minor = 33"] {
        assert!(manifest.contains(line), "wdk-build reads {line}");
    }
    assert!(text("inf/softndk.inx").contains(".20348"), "the INF asks for the build of Windows Server 2022");
}

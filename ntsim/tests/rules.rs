//! The pages in `docs/` that list rules, compared with the sources: every rule that is reported has a row,
//! and every row names tests that exist and deal with the rule.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_alloc,
    reason = "a test says by panicking what does not agree"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The sources of the simulator below `folder`.
fn sources(folder: &Path, all: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, all);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).unwrap();
            all.push((entry, text));
        }
    }
}

/// Returns the texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The rows of the tables of a page, as cells.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    page.lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|---"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

/// A row's test, by the path of its module and its name. `…` stands for the path of the row before.
fn tests(page: &str) -> Vec<(Vec<&str>, String, String)> {
    let mut before = String::new();
    let mut tests = Vec::new();
    for row in rows(page).filter(|row| row.last().is_some_and(|cell| cell.starts_with('`'))) {
        let cell = quoted(row[row.len() - 1]).next().unwrap();
        let (module, name) = cell.rsplit_once("::").unwrap_or_else(|| panic!("{cell} is no path"));
        let module = if module == "…" { before.clone() } else { module.to_owned() };
        before.clone_from(&module);
        tests.push((row, module, name.to_owned()));
    }
    tests
}

/// The folders of the simulator's crates.
const CRATES: [&str; 5] = ["ntsim/src", "ntsim/core/src", "ntsim/nt/src", "ntsim/ndk/src", "ntsim/net/src"];

/// The text of a module of one of the crates: of its file, or of the file in which it is written inline.
fn module(path: &str) -> String {
    let path = path.replace("::", "/");
    let outer = path.rsplit_once('/').map_or("", |(outer, _)| outer);
    let files = [path.clone(), format!("{path}/mod"), outer.to_owned(), format!("{outer}/mod")];
    let places = files.iter().flat_map(|file| CRATES.map(|folder| format!("{folder}/{file}.rs")));
    let mut texts = places.filter_map(|file| fs::read_to_string(root().join(file)).ok());
    texts.next().unwrap_or_else(|| panic!("there is no module {path}"))
}

/// The test `name` in the text of its module.
fn body<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("fn {name}()")).unwrap_or_else(|| panic!("there is no test {name}"));
    let rest = &text[start..];
    rest.find("#[test]").map_or(rest, |end| &rest[..end])
}

/// The rules that a page of drivers' or of the NDK layer's rules lists.
fn listed() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for name in ["driver-rules.md", "ndk-rules.md"] {
        let page = page(name);
        names.extend(rows(&page).flat_map(|row| quoted(row[0]).map(str::to_owned).collect::<Vec<_>>()));
    }
    names
}

#[test]
fn every_rule_that_is_reported_has_a_row() {
    let mut all = Vec::new();
    CRATES.iter().for_each(|folder| sources(&root().join(folder), &mut all));
    let listed = listed();
    let mut missing = BTreeSet::new();
    for (path, text) in &all {
        let text = text.split("mod tests {").next().unwrap();
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        for call in ["Finding::new(", "found(", "violation(", "compliance(", "misuse("] {
            for rest in text.split(call).skip(1) {
                let rule = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                let is_name = |rule: &&str| rule.len() > 3 && rule.chars().all(|c| c.is_ascii_alphanumeric());
                missing.extend(rule.filter(is_name).filter(|rule| !listed.contains(*rule)));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/driver-rules.md: {missing:?}");
}

#[test]
fn every_row_names_a_test_that_deals_with_its_rules() {
    let page = page("driver-rules.md");
    let tests = tests(&page);
    assert!(tests.len() > 100, "{} rows", tests.len());
    for (row, path, name) in tests {
        let text = module(&path);
        let body = body(&text, &name).to_lowercase();
        let code = |word: &str| word.starts_with("0x").then(|| word.trim_matches([',', ';']).to_lowercase());
        let codes: Vec<_> = row[1].split(' ').filter_map(code).collect();
        for rule in quoted(row[0]) {
            let named = text.contains(&format!("\"{rule}\""));
            assert!(named || codes.iter().any(|code| body.contains(code)), "{path}::{name} sees no {rule}");
        }
    }
}

#[test]
fn check_named_on_the_driver_verifier_page_exists() {
    let page = page("driver-verifier.md");
    let listed = listed();
    let mut checked = 0;
    for row in rows(&page) {
        for name in row.iter().skip(1).flat_map(|cell| quoted(cell)) {
            match name.rsplit_once("::") {
                Some((path, name)) => _ = body(&module(path), name),
                None if name.ends_with(".rs") => assert!(root().join(name).exists(), "there is no {name}"),
                None => assert!(listed.contains(name), "{name} is on no page of rules"),
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} references");
}

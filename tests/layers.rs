//! The table of layers at the head of a crate's lib.rs, held against the imports of its modules.
//!
//! A table stands below a heading that contains "Layers". The first cell of a row names modules in backticks; the
//! modules of a row may use those of the rows below it. Those of one row do not use each other, unless `⇄` stands
//! between them: their types contain each other, and none can be taken without the others.
//!
//! Imports in tests, and in comments, do not count. A macro (`crate::name!`) is no import either: it is expanded at
//! its caller.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A row: its modules, and whether they may use each other.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    modules: Vec<String>,
    circular: bool,
}

/// The rows of the table below the heading "Layers" of a crate's documentation, the highest layer first.
fn table(lib: &str) -> Vec<Row> {
    let doc = lib.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let rows = doc
        .skip_while(|line| !(line.starts_with('#') && line.contains("Layers")))
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    rows.map(|row| {
        let cell = row.trim_matches('|').split('|').next().unwrap_or_default();
        let modules = cell.split('`').skip(1).step_by(2).map(String::from).collect();
        Row { modules, circular: cell.contains('⇄') }
    })
    .collect()
}

/// The text without comments and without items that are compiled for tests only.
fn production(text: &str) -> String {
    let mut kept = String::new();
    let mut item: Option<usize> = None;
    let mut attribute = false;
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default().trim_end();
        let indent = code.len() - code.trim_start().len();
        if let Some(at) = item {
            let ends = indent == at && !code.trim_start().starts_with("#[");
            if !code.is_empty() && ends && code.ends_with([';', '}', ',']) {
                item = None;
            }
            continue;
        }
        attribute |= code.trim_start().starts_with("#[cfg(");
        if attribute {
            let test = code.contains("(test") || code.contains("any(test");
            if test && !code.contains("not(any(test") {
                item = Some(indent);
            }
            attribute = false;
            continue;
        }
        kept.push_str(code);
        kept.push('\n');
    }
    kept
}

/// The modules that a file declares for more than tests.
fn declared(text: &str) -> BTreeSet<String> {
    let declaration = |line: &str| {
        let item =
            line.strip_prefix("pub").map_or(line, |rest| rest.split_once(' ').map_or(rest, |(_, item)| item));
        item.strip_prefix("mod ")?.strip_suffix(';').map(String::from)
    };
    production(text).lines().filter_map(declaration).collect()
}

/// The module that each name which the crate's root re-exports comes from.
fn exported(lib: &str) -> BTreeMap<String, String> {
    let lib = production(lib).replace('\n', " ");
    let uses = lib
        .split(';')
        .filter_map(|item| item.split("pub use ").nth(1).or_else(|| item.split("pub(crate) use ").nth(1)));
    let mut names = BTreeMap::new();
    for path in uses {
        let Some((module, rest)) = path.split_once("::") else { continue };
        let words = rest.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        names.extend(words.filter(|word| !word.is_empty()).map(|word| (word.to_owned(), module.to_owned())));
    }
    names
}

/// The first names of what follows a prefix of a path: one, or those of a group in braces.
fn heads(rest: &str) -> Vec<&str> {
    let word = |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let Some(group) = rest.strip_prefix('{') else {
        let end = word(rest);
        return if end == 0 || rest[end..].starts_with('!') { vec![] } else { vec![&rest[..end]] };
    };
    let (mut depth, mut found, mut start) = (0_usize, vec![], true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && (c.is_alphabetic() || c == '_') => {
                found.push(&group[at..at + word(&group[at..])]);
                start = false;
            }
            _ => {}
        }
    }
    found
}

/// The names at the crate's root that a file uses whose module is `module`, a path from the root.
fn used(text: &str, module: &[String]) -> Vec<String> {
    let code = production(text);
    let mut names = vec![];
    let boundary = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    for (at, prefix) in code.match_indices("crate::") {
        if boundary(at) {
            names.extend(heads(&code[at + prefix.len()..]));
        }
    }
    for (at, prefix) in code.match_indices("super::") {
        if !boundary(at) || code[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut depth = module.len();
        while let Some(next) = rest.strip_prefix(prefix) {
            rest = next;
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            names.extend(heads(rest));
        }
    }
    names.into_iter().map(String::from).collect()
}

/// The violations of a crate against its table, and the number of imports judged.
fn judge(lib: &str, files: &[(Vec<String>, String)]) -> (Vec<String>, usize) {
    let rows = table(lib);
    let exported = exported(lib);
    let place = |name: &str| rows.iter().position(|row| row.modules.iter().any(|module| module == name));
    let mut faults = vec![];
    for module in declared(lib) {
        if rows.iter().flat_map(|row| &row.modules).filter(|name| **name == module).count() != 1 {
            faults.push(format!("{module} does not stand in the table once"));
        }
    }
    let mut judged = 0;
    for (module, text) in files {
        // The root itself may name all of its modules.
        let Some(own) = module.first().and_then(|module| place(module)) else { continue };
        for name in used(text, module) {
            let target = exported.get(&name).unwrap_or(&name);
            if *target == module[0] {
                continue;
            }
            judged += 1;
            let admitted = match place(target) {
                Some(row) => row > own || (row == own && rows[row].circular),
                None => false,
            };
            if !admitted {
                faults.push(format!("{} uses {target}", module.join("::")));
            }
        }
    }
    faults.sort();
    faults.dedup();
    (faults, judged)
}

/// The files of a crate that are compiled for more than tests, with the module that each is.
fn sources(folder: &Path) -> Vec<(Vec<String>, String)> {
    let mut found = vec![];
    files(folder, &[], &mut found);
    let modules: BTreeMap<Vec<String>, BTreeSet<String>> =
        found.iter().map(|(module, text)| (module.clone(), declared(text))).collect();
    let compiled = |module: &[String]| {
        (0..module.len())
            .all(|depth| modules.get(&module[..depth]).is_some_and(|inner| inner.contains(&module[depth])))
    };
    found.retain(|(module, _)| compiled(module));
    found
}

/// All files of Rust below a folder, with the module that each is.
fn files(folder: &Path, module: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    for path in paths {
        let stem = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let own = matches!(stem.as_str(), "mod" | "lib" | "main");
        let inner: Vec<_> = module.iter().cloned().chain((!own).then_some(stem)).collect();
        if path.is_dir() {
            files(&path, &inner, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((inner, fs::read_to_string(&path).expect("the file can be read")));
        }
    }
}

/// The folder of a crate's root module: `src`, or the crate's own as the drivers have it.
fn source(folder: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let source = folder.join("src");
    if source.is_dir() { source } else { folder }
}

/// Holds the modules of the crate in `folder` to the table in its `lib.rs`.
fn hold(folder: &str) {
    let source = source(folder);
    let lib = fs::read_to_string(source.join("lib.rs")).expect("the crate has a root");
    let (faults, judged) = judge(&lib, &sources(&source));
    assert!(faults.is_empty(), "{folder} does not keep to its table of layers:\n{}", faults.join("\n"));
    assert!(judged > 0, "no import of {folder} was found");
}

/// The crates with a table: the root package's, then those of the workspace's members in their order.
const LAYERED: [&str; 11] = [
    "driver",
    "provider",
    "tdi",
    "vswitch",
    "iwarp",
    "ntsim",
    "ntsim/core",
    "ntsim/nt",
    "ntsim/ndk",
    "ntsim/net",
    "tests/hlk/driver",
];

#[test]
fn crates_keep_to_their_tables_of_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the workspace has a manifest");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("it has members");
    let has_table = |member: &&str| {
        let lib = fs::read_to_string(source(member).join("lib.rs")).unwrap_or_default();
        !table(&lib).is_empty()
    };
    let members = members.split('"').skip(1).step_by(2);
    let layered: Vec<&str> = ["driver"].into_iter().chain(members).filter(has_table).collect();
    assert_eq!(layered, LAYERED, "crates with a table");
    layered.into_iter().for_each(hold);
}

/// The modules of the provider that name a kind of remote: the doors, with the modules behind them and those that
/// declare them.
const KNOW_LOOPBACK: [&str; 7] = [
    "connection",
    "connection::established",
    "connection::link",
    "connection::route",
    "queue_pair",
    "queue_pair::loopback",
    "queue_pair::remote",
];

#[test]
fn kind_of_remote_is_known_behind_the_doors_only() {
    let files = sources(&source("provider"));
    let layers = ["connection", "queue_pair", "memory", "rnic", "adapter", "completion"];
    let mut know: Vec<String> = files
        .into_iter()
        .filter(|(module, _)| module.first().is_some_and(|layer| layers.contains(&layer.as_str())))
        .filter(|(_, text)| production(text).to_lowercase().contains("loopback"))
        .map(|(module, _)| module.join("::"))
        .collect();
    know.sort();
    assert_eq!(know, KNOW_LOOPBACK);
}

const LIB: &str = "//! # Layers\n//!\n//! | module | knows |\n//! |---|---|\n//! | [`top`] | |\n\
    //! | `left` ⇄ `right` | |\n//! | `one`, `two` | |\n\nmod top;\npub mod left;\nmod right;\nmod one;\nmod two;\n\
    #[cfg(test)]\nmod tests;\n\npub use one::{Thing, Other};\n";

fn faults(module: &str, text: &str) -> Vec<String> {
    let module = module.split("::").map(String::from).collect();
    judge(LIB, &[(module, text.to_owned())]).0
}

#[test]
fn import_from_a_lower_row_or_a_circle_is_admitted() {
    assert!(faults("top", "use crate::left::A;\nuse crate::{one, right::{self, B}};").is_empty());
    assert!(faults("right", "use crate::left::A;").is_empty());
    assert!(faults("top::inner", "use super::A;\nuse super::super::two::B;").is_empty());
}

#[test]
fn import_from_a_higher_row_or_the_own_is_a_fault() {
    assert_eq!(faults("one", "use crate::two::A;"), ["one uses two"]);
    assert_eq!(faults("one", "use crate::{two::{A, top}, left};"), ["one uses left", "one uses two"]);
    assert_eq!(faults("left::a::b", "fn f() { super::super::super::top::g() }"), ["left::a::b uses top"]);
    assert_eq!(faults("two", "fn f() -> crate::Thing {}"), ["two uses one"]);
    assert_eq!(faults("two", "use crate::unknown::A;"), ["two uses unknown"]);
}

#[test]
fn import_in_a_comment_or_a_test_is_none() {
    let text = "//! [`x`](crate::top::X)\n#[cfg(test)]\nmod tests {\n    use crate::top::A;\n}\n\
        #[cfg(all(test, not(loom)))]\npub(crate) use crate::top::{\n    A,\n};\nuse crate::two::B;\n";
    assert_eq!(faults("one", text), ["one uses two"]);
    assert!(faults("one", "fn f() { crate::made!() }").is_empty());
}

#[test]
fn module_without_a_row_is_a_fault() {
    assert_eq!(
        judge(&LIB.replace("mod top;", "mod top;\nmod new;"), &[]).0,
        ["new does not stand in the table once"]
    );
}

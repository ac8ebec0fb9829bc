//! The table of layers at the head of each crate's root, held against the imports of its modules.
//!
//! A table stands below a heading that contains "Layers". The first cell of a row names modules in backticks; the
//! modules of a row may use those of the rows below it. Those of one row do not use each other, unless `⇄` stands
//! between them: their types contain each other, and none can be taken without the others.
//!
//! A crate of one file needs no table, and stands in `WITHOUT_TABLE`. What a module needs of its crate stands in a module
//! itself, not in the root: the root is above all of them.
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

#[path = "layers/imports.rs"]
mod imports;
#[path = "layers/sources.rs"]
mod sources;
#[path = "layers/table.rs"]
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use imports::{declared, production};
use sources::sources;
use table::{judge, table};

/// The folder of a crate's root module, and that module's text: `lib.rs` or `main.rs` in `src`, or `lib.rs` in the
/// crate's own folder as the drivers have it. `None` of a crate that has no such module: its targets are files of their own.
fn crate_root(folder: &str) -> Option<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let roots = ["src/lib.rs", "src/main.rs", "lib.rs"].map(|file| folder.join(file));
    roots.into_iter().find_map(|root| Some((root.parent()?.to_owned(), fs::read_to_string(root).ok()?)))
}

/// Holds the modules of the crate in `folder` to the table at its head; returns what is wrong.
fn hold(folder: &str) -> Result<(), String> {
    let (source, root) = crate_root(folder).ok_or_else(|| format!("{folder} has no root module\n"))?;
    if table(&root).is_empty() {
        return Err(format!("{folder} has no table of layers\n"));
    }
    let (faults, judged) = judge(&root, &sources(&source));
    if judged == 0 && table(&root).len() > 1 {
        return Err(format!("no import of {folder} was found\n"));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("{folder} does not keep to its table of layers:\n  {}\n", faults.join("\n  ")))
}

/// The members of the workspace whose manifest is at `manifest`.
fn members(manifest: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest);
    let manifest = fs::read_to_string(path).expect("the workspace has a manifest");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("it has members");
    members.split('"').skip(1).step_by(2).map(String::from).collect()
}

/// Crates of one file for each of their targets.
const WITHOUT_TABLE: [&str; 6] =
    ["iwarp/fuzz", "ntsim/fuzz", "tdi/fuzz", "tests/hostile/fuzz", "xtask/forked", "xtask/launch"];

/// Packages of the kit that build the sources of crates elsewhere.
const ELSEWHERE: [&str; 2] = ["kit/ndkhlk", "kit/softndk"];

#[test]
fn every_crate_keeps_to_its_table_of_layers() {
    let kit = members("kit/Cargo.toml").into_iter().map(|member| format!("kit/{member}"));
    let all = core::iter::once("driver".to_owned()).chain(members("Cargo.toml")).chain(kit);
    let excepted = |member: &String| WITHOUT_TABLE.iter().chain(&ELSEWHERE).any(|name| name == member);
    let faults: String =
        all.filter(|member| !excepted(member)).filter_map(|member| hold(&member).err()).collect();
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn crate_without_a_table_has_no_modules() {
    for folder in WITHOUT_TABLE {
        let modules = crate_root(folder).map(|(_, root)| declared(&root)).unwrap_or_default();
        assert!(modules.is_empty(), "{folder}: {modules:?}");
    }
    assert!(hold("xtask/launch").is_err(), "any other crate needs one");
}

/// The modules of the provider that name a kind of remote: the doors, with the modules behind them, those that
/// declare them, and what a debugger is told of them.
const KNOW_LOOPBACK: [&str; 8] = [
    "connection",
    "connection::established",
    "connection::layout",
    "connection::link",
    "connection::route",
    "queue_pair",
    "queue_pair::loopback",
    "queue_pair::remote",
];

#[test]
fn kind_of_remote_is_known_behind_the_doors_only() {
    let (folder, _) = crate_root("provider").expect("the provider has a root");
    let files = sources(&folder);
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

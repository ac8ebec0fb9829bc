//! The files of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::imports::declared;

/// The files of a crate that are compiled for more than tests, with the module that each is.
pub(crate) fn sources(folder: &Path) -> Vec<(Vec<String>, String)> {
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

//! The exports of the kernel's modules: the kit's definition files, each entry checked against mingw-w64's
//! import library of the same module or accompanied by the page that documents it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use object::read::archive::ArchiveFile;

use crate::failure::CommandError;

/// The folder of the import libraries of Debian's mingw-w64-x86-64-dev.
const MINGW: &str = "/usr/x86_64-w64-mingw32/lib";

/// The functions and variables that each module exports. A module's name is written in lower case.
#[derive(Default)]
pub(crate) struct Exports(BTreeMap<String, BTreeSet<String>>);

impl Exports {
    /// Reads every definition file in `folder`.
    ///
    /// # Errors
    ///
    /// An entry has neither an import library that knows it nor a page.
    pub(crate) fn read(folder: &Path) -> Result<Self, CommandError> {
        let mut exports = Self::default();
        let entries = fs::read_dir(folder).map_err(|error| CommandError::file(folder, &error))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let text = fs::read_to_string(&path).map_err(|error| CommandError::file(&path, &error))?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let known = library(&Path::new(MINGW).join(format!("lib{stem}.a")))?;
            exports
                .add(&text, &known)
                .map_err(|reason| CommandError::work(format!("{}: {reason}", path.display())))?;
        }
        Ok(exports)
    }

    /// Returns whether `module` exports `function`.
    pub(super) fn has(&self, module: &str, function: &str) -> bool {
        self.0.get(&module.to_lowercase()).is_some_and(|functions| functions.contains(function))
    }

    /// The entries of one definition file whose every entry cites a page.
    #[cfg(test)]
    pub(super) fn of(definitions: &str) -> Self {
        let mut exports = Self::default();
        exports.add(definitions, &BTreeSet::new()).unwrap();
        exports
    }

    /// Adds the entries of one definition file. `known` is what an import library has of the same module.
    fn add(&mut self, definitions: &str, known: &BTreeSet<String>) -> Result<(), String> {
        let mut lines = definitions.lines().map(str::trim);
        let module = lines
            .next()
            .and_then(|line| line.strip_prefix("LIBRARY "))
            .ok_or("the first line must name the module")?;
        let functions = self.0.entry(module.to_lowercase()).or_default();
        let mut documented = false;
        for line in lines.filter(|line| !line.is_empty() && *line != "EXPORTS") {
            if let Some(comment) = line.strip_prefix(';') {
                documented = comment.trim_start().starts_with("https://");
                continue;
            }
            // A variable has no stub to call, so that a library has only the name of its place in the import table.
            let (name, symbol) = match line.strip_suffix("DATA") {
                Some(name) => (name.trim_end(), format!("__imp_{}", name.trim_end())),
                None => (line, line.to_owned()),
            };
            if !documented && !known.contains(&symbol) {
                return Err(format!("{name} is in no import library and cites no page"));
            }
            functions.insert(name.to_owned());
            documented = false;
        }
        Ok(())
    }
}

/// The symbols of an import library; none where there is no such library.
fn library(path: &Path) -> Result<BTreeSet<String>, CommandError> {
    let Ok(bytes) = fs::read(path) else { return Ok(BTreeSet::new()) };
    let broken = |error| CommandError::work(format!("{}: {error}", path.display()));
    let archive = ArchiveFile::parse(&*bytes).map_err(broken)?;
    let symbols = archive.symbols().map_err(broken)?;
    Ok(symbols
        .into_iter()
        .flatten()
        .flatten()
        .map(|symbol| String::from_utf8_lossy(symbol.name()).into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> BTreeSet<String> {
        BTreeSet::from(["DbgPrint".to_owned()])
    }

    #[test]
    fn entry_that_the_import_library_knows_needs_no_page() {
        let mut exports = Exports::default();
        exports.add("LIBRARY ntoskrnl.exe\nEXPORTS\n    DbgPrint\n", &known()).unwrap();
        assert!(exports.has("NTOSKRNL.EXE", "DbgPrint"));
    }

    #[test]
    fn variable_is_known_by_its_place_in_the_import_table() {
        let mut exports = Exports::default();
        let variable = "LIBRARY ntoskrnl.exe\nEXPORTS\n    IoFileObjectType DATA\n";
        assert!(exports.add(variable, &known()).is_err());
        exports.add(variable, &BTreeSet::from(["__imp_IoFileObjectType".to_owned()])).unwrap();
        assert!(exports.has("ntoskrnl.exe", "IoFileObjectType"));
    }

    #[test]
    fn entry_that_no_library_knows_needs_a_page() {
        let mut exports = Exports::default();
        assert!(exports.add("LIBRARY a.sys\nEXPORTS\n    Invented\n", &known()).is_err());
        let cited = "LIBRARY a.sys\nEXPORTS\n    ; https://learn.microsoft.com/x\n    Invented\n";
        exports.add(cited, &known()).unwrap();
        assert!(exports.has("a.sys", "Invented"));
    }

    #[test]
    fn page_vouches_for_one_entry_only() {
        let mut exports = Exports::default();
        let two = "LIBRARY a.sys\nEXPORTS\n    ; https://learn.microsoft.com/x\n    Real\n    Invented\n";
        assert!(exports.add(two, &known()).is_err());
    }

    #[test]
    fn export_of_one_module_is_not_found_in_another() {
        let mut exports = Exports::default();
        exports.add("LIBRARY ntoskrnl.exe\nEXPORTS\n    DbgPrint\n", &known()).unwrap();
        assert!(!exports.has("hal.dll", "DbgPrint"));
    }
}

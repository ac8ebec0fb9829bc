//! WPP tracing, whose preprocessor is Microsoft's: the header that it generates for each source, of which every trace function
//! compiles to nothing (<https://learn.microsoft.com/windows-hardware/drivers/devtest/wpp-software-tracing>).

use alloc::collections::BTreeSet;
use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{ConfigError, IoError, host::write as put};

/// The macros that each generated header has, beside the trace functions.
const ALWAYS: &[&str] = &["WPP_INIT_TRACING", "WPP_CLEANUP", "DoTraceMessage"];

/// Writes the headers that the sources include, into `folder`. `functions` are trace functions that the project names; the
/// sources and the headers beside them name theirs in a configuration block.
pub(crate) fn write(folder: &Path, sources: &[PathBuf], functions: &[&str]) -> Result<(), ConfigError> {
    fs::create_dir_all(folder).map_err(|source| IoError::with_path(folder, source))?;
    let mut names: BTreeSet<String> = ALWAYS.iter().chain(functions).map(|name| (*name).to_owned()).collect();
    let folders: BTreeSet<&Path> = sources.iter().filter_map(|source| source.parent()).collect();
    for beside in folders {
        let files = fs::read_dir(beside).map_err(|source| IoError::with_path(beside, source))?;
        for file in files.flatten().map(|entry| entry.path()) {
            if file.extension().is_some_and(|kind| kind == "h" || kind == "c") {
                names.extend(configured(&text(&file)));
            }
        }
    }
    let header = header(&names);
    for included in sources.iter().flat_map(|source| included(&text(source))) {
        put(&folder.join(included), &header)?;
    }
    Ok(())
}

/// The text of a source, which may be in the code page of its author.
fn text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The generated headers that a source includes.
fn included(source: &str) -> Vec<String> {
    let names = source.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("include")?.trim_start();
        rest.strip_prefix('"')?.split('"').next()
    });
    names.filter(|name| name.ends_with(".tmh") && !name.contains(['/', '\\'])).map(str::to_owned).collect()
}

/// The trace functions that the configuration blocks of a source name: `FUNC Name(…)` or `FUNC Name{…}(…)`.
fn configured(source: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in source.lines() {
        inside = (inside || line.contains("begin_wpp config")) && !line.contains("end_wpp");
        let rest = line.trim_start_matches(['/', '*', ' ', '\t']).strip_prefix("FUNC ");
        let name = rest.and_then(|rest| rest.trim_start().split(['(', '{', ' ']).next());
        names.extend(name.filter(|name| inside && !name.is_empty()).map(str::to_owned));
    }
    names
}

fn header(names: &BTreeSet<String>) -> String {
    let mut text = String::from("#pragma once\n");
    for name in names {
        text.push_str(&format!("#undef {name}\n#define {name}(...) ((void)0)\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_a_source_includes_are_those_of_the_preprocessor() {
        let source = "#include \"a.h\"\r\n#  include \"b.tmh\"\n// #include \"c.tmh\"\n#include <d.tmh>\n";
        assert_eq!(included(source), ["b.tmh"]);
    }

    #[test]
    fn trace_functions_are_those_of_a_configuration_block() {
        let source = "// FUNC Before(MSG, ...);\n// begin_wpp config\n// FUNC Trace{LEVEL=1}(MSG, ...);\n// FUNC Events(LEVEL, \
                      MSG, ...);\n// end_wpp\n// FUNC After(MSG, ...);\n";
        assert_eq!(configured(source), ["Trace", "Events"]);
        let names = configured(source).into_iter().collect();
        assert!(header(&names).contains("#define Trace(...) ((void)0)\n"));
    }
}

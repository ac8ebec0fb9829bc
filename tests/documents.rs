//! Checks of the documents: the files, tests and supported systems that they name.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

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

/// The rows of a page's tables; each has to have text in every cell, and those of one table as many cells.
fn full_rows(page: &str) -> usize {
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
        rows = usize::saturating_add(rows, 1);
    }
    rows
}

#[test]
fn assumptions_row_has_text_in_each_cell() {
    let rows = full_rows(&text("docs/assumptions.md"));
    assert!(rows > 20, "{rows} rows are not the page's");
}

#[test]
fn windows_page_has_text_in_each_cell_and_says_that_it_is_untried() {
    let page = text("docs/windows.md");
    let rows = full_rows(&page);
    assert!(rows > 80, "{rows} rows are not the page's");
    assert!(page.contains("**Nothing on this page has been tried on a Windows machine yet.**"));
    // A page for people names the scripts and workflows by their places.
    for word in page.split('`').skip(1).step_by(2) {
        let file = word.split_whitespace().next().unwrap_or_default();
        let is_file = [".github/", ".cargo/", "xtask/"].iter().any(|folder| file.starts_with(folder));
        assert!(!is_file || root().join(file).exists(), "there is no {file}");
    }
}

/// The names of the program's commands, from the variants of its command line.
fn commands_of_program() -> BTreeSet<String> {
    let options = text("tests/hlk/exe/src/options.rs");
    let body = options.split("enum Command {").nth(1).and_then(|rest| rest.split("\n}").next());
    let lines = body.expect("the command line is there").lines();
    // A variant stands at the first level of the enum.
    let variants = lines
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(char::is_uppercase));
    variants.map(|line| line.chars().take_while(|c| is_part(*c)).collect::<String>().to_lowercase()).collect()
}

#[test]
fn commands_of_program_in_texts_exist() {
    let commands = commands_of_program();
    assert!(commands.len() > 5 && commands.contains("install"), "{commands:?}");
    for file in [
        "docs/windows.md",
        "xtask/src/package/readme.rs",
        ".github/workflows/windows.yml",
        "tests/hlk/README.md",
    ] {
        let page = text(file);
        for rest in page.split("ndkhlk.exe ").skip(1) {
            let name: String = rest.chars().take_while(|c| is_part(*c)).collect();
            // In prose another word may follow.
            let is_command = commands.contains(&name) || name.is_empty();
            let is_prose = ["creates", "and", "is"].contains(&name.as_str());
            assert!(is_command || is_prose, "{file}: ndkhlk.exe {name}");
        }
    }
    for command in &commands {
        assert!(
            text("docs/windows.md").contains(&format!("ndkhlk.exe {command}")),
            "no {command} on the page"
        );
    }
}

/// PowerShell runs no program of the current folder by its bare name.
#[test]
fn command_of_program_to_type_has_its_folder() {
    let commands = commands_of_program();
    for (file, before) in [("docs/windows.md", "`"), ("xtask/src/package/readme.rs", "\\x20   ")] {
        for rest in text(file).split(&format!("{before}ndkhlk.exe ")).skip(1) {
            let name: String = rest.chars().take_while(|c| is_part(*c)).collect();
            assert!(!commands.contains(&name), "{file}: ndkhlk.exe {name} without .\\");
        }
    }
}

/// A semicolon ends a debugger's command, so that a comment behind it is executed unless it is a command itself: `$$`.
#[test]
fn comment_behind_debugger_command_is_one() {
    let mut comments = 0_usize;
    for file in ["docs/windows.md", "docs/debugging.md"] {
        let page = text(file);
        let is_command = |line: &&str| line.starts_with("    ") && line.trim().starts_with(['!', '.']);
        for line in page.lines().filter(is_command) {
            if let Some((_, behind)) = line.split_once(';') {
                assert!(behind.starts_with(" $$ ") && !behind.contains(';'), "{file}: {line}");
                comments = comments.saturating_add(1);
            }
        }
    }
    assert!(comments > 4, "{comments} comments are not the pages'");
}

/// The texts in quotes of the lists of files that the package is made of.
fn files_of_package() -> Vec<String> {
    let source = text("xtask/src/package.rs");
    let mut files = Vec::new();
    for list in ["const SCRIPTS", "const DEBUGGER", "const PAGE", "const CERTIFICATE"] {
        let value = source.split(list).nth(1).and_then(|rest| rest.split(';').next());
        files.extend(value.expect("the list is there").split('"').skip(1).step_by(2).map(str::to_owned));
    }
    files
}

#[test]
fn readme_of_package_names_each_file() {
    let files = files_of_package();
    assert!(files.len() > 7, "{files:?}");
    let readme = text("xtask/src/package/readme.rs");
    for file in files {
        assert!(readme.contains(&file), "README.txt does not name {file}");
    }
}

/// A link in a page to one of its own headings.
#[test]
fn link_within_windows_page_has_its_heading() {
    let page = text("docs/windows.md");
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-');
    let anchor = |heading: &str| -> String {
        heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let headings: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("##")?.trim_start_matches('#').strip_prefix(' '))
        .map(anchor)
        .collect();
    let links: Vec<&str> = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        assert!(headings.iter().any(|heading| heading == link), "no heading of {link}: {headings:?}");
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
    ["README.md", "Cargo.toml", "softndk.inx", "docs/windows.md", "tests/hlk/README.md"];

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
    assert!(text("softndk.inx").contains(".20348"), "the INF asks for the build of Windows Server 2022");
}

/// The files that git tracks.
fn tracked() -> Vec<String> {
    let output = Command::new("git").arg("ls-files").current_dir(root()).output().expect("git can be run");
    let files: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert!(files.len() > 100, "git lists {} files", files.len());
    files
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The identifiers in the code of the sources, comments left out. This file, which has names of others, does not count.
fn identifiers(files: &[String]) -> BTreeSet<String> {
    let code = |file: &&String| {
        let end = Path::new(file).extension().and_then(|end| end.to_str());
        matches!(end, Some("rs" | "c" | "h" | "toml" | "inx")) && *file != "tests/documents.rs"
    };
    let mut names = BTreeSet::new();
    for file in files.iter().filter(code) {
        names.extend(Path::new(file).iter().filter_map(|part| part.to_str()).flat_map(words));
        // A file that is deleted and not committed yet is listed too.
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        for line in text.lines() {
            names.extend(words(line.split("//").next().unwrap_or_default()));
        }
    }
    names
}

fn words(text: &str) -> Vec<String> {
    text.split(|c| !is_part(c)).map(str::to_owned).collect()
}

/// Names in the documents that are not of this repository.
const FOREIGN: [&str; 6] =
    ["NdkCloseObject", "LOOM_MAX_PREEMPTIONS", "_In_opt_", "rdma_rxe", "siw", "sysenter"];

/// The pages whose names are those of Windows and its tools.
const OF_WINDOWS: [&str; 1] = ["docs/windows.md"];

/// Returns why a word between backticks names nothing that exists; `None` if it does, or is no name.
fn fault(word: &str, files: &[String], identifiers: &BTreeSet<String>) -> Option<String> {
    let first = word.split('/').next().unwrap_or_default();
    let is_path = word.contains('/') && word.chars().all(|c| is_part(c) || matches!(c, '/' | '.' | '-'));
    if is_path && (word.ends_with(".rs") || files.iter().any(|file| file.starts_with(&format!("{first}/")))) {
        let inner = format!("/{}/", word.trim_matches('/'));
        let exists = files.iter().any(|file| format!("/{file}/").contains(&inner));
        return (!exists).then(|| format!("no file {word}"));
    }
    let segments: Vec<&str> = word.trim_end_matches("()").split("::").collect();
    let is_name = |segment: &&str| {
        segment.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && segment.chars().all(is_part)
    };
    if !segments.iter().all(is_name) || word.ends_with('_') || FOREIGN.contains(&word) {
        return None;
    }
    if let Some(unknown) = segments.iter().find(|segment| !identifiers.contains(**segment)) {
        return Some(format!("no {unknown} in the code"));
    }
    // `file::test`, as the tables of tests have it.
    let [file, test] = segments[..] else { return None };
    if file.starts_with(char::is_uppercase) || test.matches('_').count() < 2 {
        return None;
    }
    let of_module = |path: &&String| {
        path.ends_with(".rs") && Path::new(path).with_extension("").iter().any(|part| part == file)
    };
    let defines = |path: &String| {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        words(&text).iter().any(|name| name == test)
    };
    let mut modules = files.iter().filter(of_module).peekable();
    // Where there is no such file, the first name is a scenario with its variants, or a crate.
    modules.peek()?;
    (!modules.any(defines)).then(|| format!("no {test} in {file}"))
}

#[test]
fn document_names_existing_files_tests_and_identifiers() {
    let files = tracked();
    let identifiers = identifiers(&files);
    let mut faults = Vec::new();
    let mut named = 0;
    for page in files.iter().filter(|file| file.ends_with(".md") && !OF_WINDOWS.contains(&file.as_str())) {
        let prose: String = text(page).split("```").step_by(2).collect();
        for word in prose.split('`').skip(1).step_by(2) {
            named += 1;
            faults.extend(fault(word, &files, &identifiers).map(|why| format!("{page}: `{word}`: {why}")));
        }
    }
    assert!(named > 1000, "{named} names are not those of all pages");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn name_of_no_file_test_or_identifier_is_a_fault() {
    let files = tracked();
    let identifiers = identifiers(&files);
    let is_fault = |word| fault(word, &files, &identifiers).is_some();
    for word in ["tests/no_such_file.rs", "provider/src/nowhere", "NoSuchType", "ObjectRef::no_such_function"]
    {
        assert!(is_fault(word), "{word}");
    }
    assert!(is_fault("close::cleanup_waits_for_no_such_thing"));
    for word in ["tests/words.rs", "connection/state.rs", "ObjectRef", "any text", "NdkCloseObject", "a/b"] {
        assert!(!is_fault(word), "{word}");
    }
}

#[test]
fn planted_mistakes_have_a_row_each() {
    let page = text("docs/close.md") + &text("docs/wire.md");
    let is_name = |word: &&str| {
        word.len() > 3 && word[..2].bytes().all(|c| c.is_ascii_digit()) && word.as_bytes()[2] == b'-'
    };
    let rows: BTreeSet<&str> = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|row| row.split('`'))
        .filter(is_name)
        .collect();
    let files = tracked();
    let patches: BTreeSet<&str> =
        files.iter().filter_map(|file| file.strip_prefix("tests/mutants/")?.strip_suffix(".patch")).collect();
    assert_eq!(rows, patches);
}

#[test]
fn mutated_paths_exist() {
    let settings = text(".cargo/mutants.toml");
    let globs: Vec<_> = settings.split('"').filter(|text| text.contains("/src/")).collect();
    assert!(globs.len() > 5, "{globs:?}");
    for glob in globs {
        assert!(root().join(glob.trim_end_matches("/**")).exists(), "there is no {glob}");
    }
}

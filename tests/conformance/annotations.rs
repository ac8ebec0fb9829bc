//! Annotations of tests: `/// Shows NDIS-2 and NDIS-3 at PASSIVE_LEVEL.`

use std::fs;
use std::path::Path;

use protocol::Level;

/// The rules that a test shows, and the IRQL at which it does.
pub(crate) struct Annotation {
    /// The file, from the root of the repository on.
    pub(crate) file: String,
    /// The test's name.
    pub(crate) test: String,
    /// Rules.
    pub(crate) subjects: Vec<String>,
    pub(crate) level: Level,
}

/// The folders of tests that boot the drivers or call the provider's tables.
const FOLDERS: [&str; 2] = ["tests", "provider/src/tests"];

/// All that is said in the repository at `root`, in a fixed order.
pub(crate) fn collect(root: &Path) -> Vec<Annotation> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        visit(root, &root.join(folder), &mut found);
    }
    found
}

fn visit(root: &Path, folder: &Path, found: &mut Vec<Annotation>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            visit(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source is text");
            let file = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            read(&file, &text, found);
        }
    }
}

fn read(file: &str, text: &str, found: &mut Vec<Annotation>) {
    let mut pending: Vec<(Vec<String>, Level)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("/// Shows ") {
            pending.extend(parse(said));
        } else if let Some(name) = line.strip_prefix("fn ") {
            let test = name.split(['(', '<']).next().unwrap_or(name).to_owned();
            found.extend(pending.drain(..).map(|(subjects, level)| Annotation {
                file: file.to_owned(),
                test: test.clone(),
                subjects,
                level,
            }));
        }
    }
}

/// The subjects and the levels of `A, B and C at PASSIVE_LEVEL and DISPATCH_LEVEL.`
fn parse(said: &str) -> Vec<(Vec<String>, Level)> {
    let Some((subjects, levels)) = said.trim_end_matches('.').split_once(" at ") else { return Vec::new() };
    let subjects: Vec<String> = subjects
        .split([',', ' '])
        .filter(|word| !word.is_empty() && *word != "and")
        .map(str::to_owned)
        .collect();
    [("PASSIVE_LEVEL", Level::Passive), ("DISPATCH_LEVEL", Level::Dispatch)]
        .into_iter()
        .filter(|(name, _)| levels.contains(name))
        .map(|(_, level)| (subjects.clone(), level))
        .collect()
}

#[test]
fn annotation_of_a_test_is_read() {
    let mut found = Vec::new();
    read(
        "a.rs",
        "/// Shows A-1, B-2 and C-3 at PASSIVE_LEVEL and DISPATCH_LEVEL.\n#[test]\nfn one() {}\nfn two() {}",
        &mut found,
    );
    let seen: Vec<_> =
        found.iter().map(|one| (one.test.as_str(), one.subjects.join(" "), one.level)).collect();
    let subjects = || "A-1 B-2 C-3".to_owned();
    assert_eq!(seen, [("one", subjects(), Level::Passive), ("one", subjects(), Level::Dispatch)]);
}

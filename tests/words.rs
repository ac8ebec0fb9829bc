//! Counts words that a reader from the field can't search for, against budgets that only fall.
//!
//! Three kinds: pronouns for people as the subject of a sentence about code, documentation comments that begin with a
//! question word, and names of tests that begin with an article or a pronoun.
//! [CONTRIBUTING.md](../CONTRIBUTING.md) says how to write instead.

#![cfg(not(windows))]
#![allow(clippy::expect_used, reason = "a test ends when what it needs is not there")]

use core::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const PRONOUNS: [&str; 9] =
    ["nobody", "somebody", "whoever", "anybody", "everybody", "no one", "someone", "anyone", "everyone"];

const QUESTIONS: [&str; 9] = ["What", "Who", "How", "Whether", "Which", "Where", "Why", "Whom", "Whose"];

/// The words that no name of a test begins with: a name is the object, the condition, the outcome.
const NOT_AN_OBJECT: [&str; 29] = [
    "a", "an", "the", "it", "its", "this", "that", "these", "those", "what", "who", "whose", "whom", "which",
    "no", "nothing", "there", "where", "when", "why", "how", "of", "as", "another", "other", "only", "more",
    "once", "without",
];

/// The texts that are looked at, by the ends of their names.
const TEXTS: [&str; 14] =
    ["rs", "md", "toml", "patch", "c", "h", "js", "py", "inx", "txt", "json", "yml", "ps1", "natvis"];

/// This file, whose lists have the words.
const ITSELF: &str = "tests/words.rs";

/// Each folder at the root with the pronouns and the question words that it has. A folder without an entry, and the
/// files at the root, have none. A budget above the count fails too, so that it falls with it.
const BUDGETS: &[(&str, usize, usize)] = &[
    // One a line, so that two changes seldom meet.
    ("ntsim", 13, 0),
];

/// The number of times that a line has one of the pronouns, as words of their own.
fn pronouns(line: &str) -> usize {
    let line = line.to_ascii_lowercase();
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let alone = |at: usize, word: &str| {
        !line[..at].ends_with(part) && !line[at.saturating_add(word.len())..].starts_with(part)
    };
    PRONOUNS.iter().map(|word| line.match_indices(word).filter(|(at, _)| alone(*at, word)).count()).sum()
}

/// The text of a line that is a documentation comment.
fn documentation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
}

/// Returns whether a line begins a paragraph of documentation with a question word.
fn asks(before: &str, line: &str) -> bool {
    let continued = documentation(before).is_some_and(|text| !text.trim().is_empty());
    let first = documentation(line).and_then(|text| text.split(|c: char| !c.is_ascii_alphabetic()).nth(1));
    !continued && first.is_some_and(|word| QUESTIONS.contains(&word))
}

/// The occurrences in a text: lines with pronouns, as often as they have some, and lines that ask.
fn occurrences(text: &str) -> [Vec<(usize, &str)>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        let number = index.saturating_add(1);
        found[0].extend(core::iter::repeat_n((number, line.trim()), pronouns(line)));
        found[1].extend(asks(before, line).then_some((number, line.trim())));
        before = line;
    }
    found
}

/// The names of the tests in a source: functions with the attribute, and rows of a macro that makes tests of its
/// rows, `name: Scenario;`.
fn test_names(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ") {
            names.extend(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|_| is_test));
            is_test = false;
        } else if let Some((name, scenario)) = line.strip_suffix(';').and_then(|line| line.split_once(": ")) {
            let is_row = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            names.extend((is_row && scenario.chars().all(char::is_alphanumeric)).then_some(name));
        }
    }
    names
}

fn tracked(root: &Path) -> Vec<String> {
    let output = Command::new("git").arg("ls-files").current_dir(root).output().expect("git can be run");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let files: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert!(files.len() > 100, "git lists {} files", files.len());
    files
}

#[test]
fn pronouns_and_questions_stay_within_their_budgets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut counts: Vec<(String, [Vec<String>; 2])> = Vec::new();
    for file in tracked(root) {
        let is_text = TEXTS.iter().any(|end| file.rsplit('.').next() == Some(end));
        // A file that is deleted and not committed yet is listed too.
        let Ok(text) = fs::read_to_string(root.join(&file)) else { continue };
        if !is_text || file == ITSELF {
            continue;
        }
        let folder = file.split_once('/').map_or("", |(folder, _)| folder);
        let at = counts.iter().position(|(name, _)| name == folder).unwrap_or_else(|| {
            counts.push((folder.into(), Default::default()));
            counts.len() - 1
        });
        for (list, found) in counts[at].1.iter_mut().zip(occurrences(&text)) {
            list.extend(found.into_iter().map(|(number, line)| format!("{file}:{number}: {line}")));
        }
    }
    let mut wrong = String::new();
    for (folder, found) in &counts {
        let budget = BUDGETS.iter().find(|(name, ..)| name == folder);
        let allowed = budget.map_or([0, 0], |(_, pronouns, questions)| [*pronouns, *questions]);
        for ((what, found), allowed) in ["pronouns", "question words"].iter().zip(found).zip(allowed) {
            if found.len() != allowed {
                let lines = found.join("\n  ");
                writeln!(wrong, "{folder}: {} {what}, the budget is {allowed}:\n  {lines}", found.len())
                    .expect("a string grows");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}the budgets are in {ITSELF}");
}

#[test]
fn test_names_begin_with_their_object() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut count, mut wrong) = (0, String::new());
    for file in tracked(root).iter().filter(|file| file.ends_with(".rs")) {
        let Ok(source) = fs::read_to_string(root.join(file)) else { continue };
        for name in test_names(&source) {
            count += 1;
            if name.split('_').next().is_some_and(|word| NOT_AN_OBJECT.contains(&word)) {
                writeln!(wrong, "{file}: {name}").expect("a string grows");
            }
        }
    }
    assert!(count > 1400, "{count} tests were found");
    assert!(wrong.is_empty(), "names of tests that begin with an article or a pronoun:\n{wrong}");
}

#[test]
fn test_name_is_read_from_a_function_and_from_a_row_of_scenarios() {
    let source =
        "#[test]\nfn an_end() {\n    let a: u8;\n}\nfn helper() {}\nmacro! {\n    the_row: Flush;\n}";
    assert_eq!(test_names(source), ["an_end", "the_row"]);
}

#[test]
fn pronoun_is_counted_as_a_word_of_its_own() {
    assert_eq!(pronouns("Nobody asks no one, and a nobody_else is not counted"), 2);
}

#[test]
fn question_word_is_counted_at_the_start_of_a_paragraph() {
    assert!(asks("", "/// What it is."));
    assert!(asks("///", "    //! How it works."));
    assert!(!asks("/// Says", "/// What it is."));
    assert!(!asks("", "/// Whatever it is."));
    assert!(!asks("", "// What it is."));
}

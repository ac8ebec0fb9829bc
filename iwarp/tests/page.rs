//! Holds the tables of docs/wire.md to the tests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rules, by the letters before their numbers, and how many of each there are.
const RULES: [(&str, u32); 6] = [("MPA", 14), ("FP", 3), ("DDP", 4), ("RD", 10), ("LIM", 6), ("TM", 8)];

/// The rules that the engine does not keep, because they are of what is above or below it.
const OF_OTHERS: [&str; 4] = ["LIM-1", "LIM-6", "RD-10", "TM-1"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("../docs/wire.md")).expect("the page is there")
}

/// The cells of the rows of the table below a heading.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let below = page.split(&format!("## {heading}\n")).nth(1).expect("the heading is there");
    let rows =
        below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.skip(2).map(cells).collect()
}

/// The tests and sections that cite a rule.
#[derive(Default)]
struct Citations {
    tests: BTreeSet<String>,
    sections: BTreeSet<Section>,
}

/// The RFC and the number of a section.
type Section = (String, String);

/// The rules before the colon of a documentation comment, and the sections in brackets behind them.
fn citation(line: &str) -> Option<(Vec<&str>, Vec<Section>)> {
    let text = line.trim_start().strip_prefix("/// ")?;
    let (head, _) = text.split_once(": ")?;
    let (rules, sections) = head.split_once(" (").unwrap_or((head, ""));
    let rules: Vec<&str> = rules.split(", ").collect();
    let is_rule = |rule: &&str| {
        let (letters, number) = rule.split_once('-').unwrap_or_default();
        letters.chars().all(|c| c.is_ascii_uppercase()) && number.parse::<u32>().is_ok()
    };
    if !rules.iter().all(is_rule) {
        return None;
    }
    let of_rfc = |part: &str| -> Vec<Section> {
        let mut words = part.split([' ', ',', ')']).filter(|word| !word.is_empty());
        let rfc = words.next().unwrap_or_default().to_owned();
        let numbers = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        numbers.map(|section| (rfc.clone(), section.to_owned())).collect()
    };
    Some((rules, sections.split("RFC ").skip(1).flat_map(of_rfc).collect()))
}

/// Adds the citations of the sources below a folder.
fn collect(folder: &Path, found: &mut BTreeMap<String, Citations>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            collect(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("the file can be read");
        let stem = |path: &Path| path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let module = match stem(&path).as_str() {
            "mod" | "tests" => stem(folder),
            module => module.to_owned(),
        };
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some((rules, sections)) = citation(line) else { continue };
            let name = lines[index..].iter().find_map(|line| line.trim_start().strip_prefix("fn "));
            let name = name.and_then(|name| name.split('(').next()).expect("a test follows");
            for rule in rules {
                let citations = found.entry(rule.to_owned()).or_default();
                citations.tests.insert(format!("{module}::{name}"));
                citations.sections.extend(sections.clone());
            }
        }
    }
}

#[test]
fn rule_has_a_row_with_the_tests_and_sections_that_cite_it() {
    let mut found = BTreeMap::new();
    collect(&root().join("src"), &mut found);
    let rows = table(&page(), "Rules");
    let others = text(&root().join("../provider/src/tests/wire")) + &text(&root().join("tests"));
    for row in &rows {
        let [rule, sections, kept, tests] = &row[..] else { panic!("four columns: {row:?}") };
        assert!(!kept.is_empty(), "{rule}");
        let named: BTreeSet<String> = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let Some(citations) = found.remove(rule) else {
            assert!(OF_OTHERS.contains(&rule.as_str()) && !named.is_empty(), "no test cites {rule}");
            for test in named {
                assert!(others.contains(&format!("fn {test}()")), "{rule} names {test}");
            }
            continue;
        };
        assert_eq!(named, citations.tests, "the tests of {rule}");
        let cited: BTreeSet<Section> = sections
            .split("RFC ")
            .skip(1)
            .filter_map(|part| part.split_once(": "))
            .flat_map(|(rfc, numbers)| {
                let numbers = numbers.split([',', ';', ' ']).filter(|number| !number.is_empty());
                numbers.map(move |number| (rfc.to_owned(), number.to_owned()))
            })
            .collect();
        assert_eq!(cited, citations.sections, "the sections of {rule}");
    }
    assert!(found.is_empty(), "no row of {:?}", found.keys());
    for (letters, count) in RULES {
        for number in 1..=count {
            let rule = format!("{letters}-{number}");
            assert_eq!(rows.iter().filter(|row| row[0] == rule).count(), 1, "the rows of {rule}");
        }
    }
}

/// The text of the files in a folder.
fn text(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths.map(|path| fs::read_to_string(path).expect("the file can be read")).collect()
}

/// LIM-6: it is said where users of the engine look first.
#[test]
fn head_of_the_crate_says_that_tokens_can_be_guessed() {
    let source = fs::read_to_string(root().join("src/lib.rs")).expect("it is there");
    let head: String = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    assert!(head.contains("can guess a token") && head.contains("has to be trusted"));
}

/// The last reason in a text: three digits in brackets.
fn reason(text: &str) -> Option<String> {
    let digits = |group: &str| -> Option<String> {
        let group = group.split(')').next()?;
        let numbers: Vec<&str> = group.split(',').map(str::trim).collect();
        let is_reason = numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u8>().is_ok());
        is_reason.then(|| numbers.join("/"))
    };
    text.split('(').filter_map(digits).next_back()
}

#[test]
fn hostile_class_has_a_row_with_its_reason() {
    let source = fs::read_to_string(root().join("src/stream/tests/classes.rs")).expect("it is there");
    let list = source.split("fn classes()").nth(1).expect("the list is there");
    let parts: Vec<&str> = list.split('"').collect();
    let classes: Vec<_> = parts[1..]
        .chunks_exact(2)
        .map(|pair| vec![pair[0].to_owned(), reason(pair[1]).expect("a class has a reason")])
        .collect();
    assert!(classes.len() > 35, "{} classes are not all", classes.len());
    assert_eq!(table(&page(), "Hostile peers"), classes);
}

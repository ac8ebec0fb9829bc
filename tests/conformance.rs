//! The conformance table `docs/conformance.md`, made from the annotations of scenarios and tests.
//!
//! A scenario of the harness lists its rules and functions (`tests/hlk/protocol/src/scenario.rs`), and
//! `tests/scenarios.rs` sees to it that it calls these functions at the level in question. Any other test
//! says what it shows in a line of its documentation: `/// Shows NDIS-2 and NDIS-3 at PASSIVE_LEVEL.`
//!
//! `cargo xtask conformance` writes the table anew; without that, the test here fails when it is not as the
//! tests say.

#![cfg(not(windows))]
#![allow(clippy::expect_used, reason = "a test ends when what it needs is not there")]

#[path = "conformance/annotations.rs"]
mod annotations;
#[path = "conformance/cases.rs"]
mod cases;
#[path = "common/coverage.rs"]
mod coverage;
#[path = "conformance/functions.rs"]
mod functions;
#[path = "conformance/rules.rs"]
mod rules;

use core::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use annotations::Annotation;
use cases::CASES;
use coverage::COVERAGE;
use functions::{TABLES, is_passive};
use protocol::Level;
use rules::{PAGES, PASSIVE_ONLY, RULES};

const HEAD: &str = "\
# Conformance: functions and rules, with their tests

One row for each function of the interface, one for each rule of the project's catalogue with a link to its page, and
one for each case of Microsoft's tests of the user-mode interface, with the tests that show it. This page is made by
`cargo xtask conformance`; `tests/conformance.rs` fails when it is out of date.

A scenario (`tests/scenarios.rs`) drives the built image from a kernel-mode consumer, once from PASSIVE_LEVEL and
once from DISPATCH_LEVEL, with ntsim's NDK layer between the two; the test fails if one of the functions in its row
was not called at that level. ✓ stands before the tests of a row; a row without one is not shown at that level.

";

const CASES_HEAD: &str = "
## Cases of [microsoft/NetworkDirect](https://github.com/microsoft/NetworkDirect)

Those of its unit tests and examples that have a meaning in the kernel-mode interface. ndmrlat and ndmrrate measure,
as `cargo xtask bench` does.

| case | | at PASSIVE_LEVEL | at DISPATCH_LEVEL |
|---|---|---|---|
";

/// A cell: the tests, if there are any.
fn cell(tests: &[String], applies: bool) -> String {
    match tests {
        [] if applies => "**no test**".into(),
        [] => "does not apply".into(),
        tests => format!("✓ {}", tests.join(", ")),
    }
}

/// The tests of the scenarios that name `subject`, at one level, and the other tests that do.
fn tests_of(
    subject: &str,
    level: Level,
    lists: fn(protocol::Scenario) -> &'static str,
    others: &[Annotation],
) -> Vec<String> {
    let suffix = match level {
        Level::Passive => "at_passive_level",
        Level::Dispatch => "at_dispatch_level",
    };
    let scenarios = COVERAGE
        .iter()
        .filter(|(_, scenario)| lists(*scenario).split_whitespace().any(|listed| listed == subject))
        .map(|(name, _)| format!("`{name}::{suffix}`"));
    let others = others
        .iter()
        .filter(|other| other.level == level && other.subjects.iter().any(|listed| listed == subject))
        .map(|other| format!("`{}` ({})", other.test, other.file));
    scenarios.chain(others).collect()
}

fn table(others: &[Annotation]) -> String {
    let mut page = String::from(HEAD);
    page +=
        "## Functions\n\n| table | function | at PASSIVE_LEVEL | at DISPATCH_LEVEL |\n|---|---|---|---|\n";
    for (owner, functions) in TABLES {
        for function in *functions {
            let subject = format!("{}.{function}", owner.replace(' ', "-"));
            let [passive, dispatch] = [Level::Passive, Level::Dispatch]
                .map(|level| tests_of(&subject, level, protocol::Scenario::functions, others));
            let (passive, dispatch) = match is_passive(function) {
                true => (cell(&passive, true), cell(&[], false)),
                false => (cell(&passive, true), cell(&dispatch, true)),
            };
            writeln!(page, "| {owner} | `{function}` | {passive} | {dispatch} |").expect("a string grows");
        }
    }
    page += "\n## Rules\n\n| rule | | at PASSIVE_LEVEL | at DISPATCH_LEVEL |\n|---|---|---|---|\n";
    for (number, statement, source) in RULES {
        let applies = !PASSIVE_ONLY.contains(number);
        let [passive, dispatch] = [Level::Passive, Level::Dispatch]
            .map(|level| tests_of(number, level, protocol::Scenario::rules, others));
        let dispatch = if applies { dispatch } else { Vec::new() };
        let (passive, dispatch) = (cell(&passive, true), cell(&dispatch, applies));
        writeln!(page, "| [{number}]({PAGES}{source}) | {statement} | {passive} | {dispatch} |")
            .expect("a string grows");
    }
    page += CASES_HEAD;
    for (names, expected, scenarios) in CASES {
        let [passive, dispatch] = ["at_passive_level", "at_dispatch_level"].map(|suffix| {
            let tests = COVERAGE.iter().filter(|(_, scenario)| scenarios.contains(scenario));
            cell(&tests.map(|(name, _)| format!("`{name}::{suffix}`")).collect::<Vec<_>>(), true)
        });
        writeln!(page, "| {names} | {expected} | {passive} | {dispatch} |").expect("a string grows");
    }
    page
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> PathBuf {
    root().join("docs/conformance.md")
}

#[test]
fn table_matches_annotations() {
    let made = table(&annotations::collect(root()));
    if env::var_os("UPDATE_CONFORMANCE").is_some() {
        fs::write(page(), &made).expect("the table can be written");
    }
    let kept = fs::read_to_string(page()).expect("the table is there");
    assert!(made == kept, "docs/conformance.md is out of date; `cargo xtask conformance` makes it anew");
}

#[test]
fn rule_has_one_entry_with_its_page() {
    for (index, (number, statement, source)) in RULES.iter().enumerate() {
        assert!(!RULES[..index].iter().any(|(other, ..)| other == number), "{number} is there twice");
        assert!(statement.ends_with('.'), "{number} is a sentence");
        let page = source.strip_prefix("network/").or_else(|| source.strip_prefix("ddi/"));
        assert!(page.is_some_and(|page| !page.is_empty() && !page.ends_with(".md")), "{number}: {source}");
    }
}

#[test]
fn annotation_names_known_rule_or_function() {
    let rules = RULES.iter().map(|(number, ..)| (*number).to_owned());
    let functions = TABLES
        .iter()
        .flat_map(|(owner, list)| list.iter().map(move |one| format!("{}.{one}", owner.replace(' ', "-"))));
    let known: Vec<String> = rules.chain(functions).collect();
    let of_scenarios = COVERAGE
        .iter()
        .flat_map(|(_, scenario)| [scenario.rules(), scenario.functions()])
        .flat_map(str::split_whitespace)
        .map(str::to_owned);
    let of_others = annotations::collect(root()).into_iter().flat_map(|other| other.subjects);
    let passive_only = PASSIVE_ONLY.iter().map(|number| (*number).to_owned());
    for subject in of_scenarios.chain(of_others).chain(passive_only) {
        assert!(known.contains(&subject), "{subject}: there is no such rule or function");
    }
}

#[test]
fn case_names_played_scenarios() {
    for (names, _, scenarios) in CASES {
        assert!(!scenarios.is_empty(), "{names}");
        for scenario in *scenarios {
            assert!(
                COVERAGE.iter().any(|(_, played)| played == scenario),
                "{names}: {scenario:?} is not played"
            );
        }
    }
}

#[test]
fn function_has_scenario_at_passive_level() {
    for (owner, functions) in TABLES {
        for function in *functions {
            let subject = format!("{}.{function}", owner.replace(' ', "-"));
            let shown = tests_of(&subject, Level::Passive, protocol::Scenario::functions, &[]);
            assert!(!shown.is_empty(), "{subject} is not shown");
        }
    }
}

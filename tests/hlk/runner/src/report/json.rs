//! The report as JSON.

use serde::Serialize;

use crate::selection::level_name;
use crate::suite::Run;

#[derive(Serialize)]
struct Report<'a> {
    passed: usize,
    failed: usize,
    seconds: f64,
    cases: Vec<CaseReport<'a>>,
}

#[derive(Serialize)]
struct CaseReport<'a> {
    name: &'a str,
    level: &'static str,
    rules: Vec<&'static str>,
    passed: bool,
    seconds: f64,
    findings: &'a [String],
}

/// The JSON document of a run that came to its end.
///
/// # Panics
/// Never: the report has keys of text only.
#[must_use]
pub fn json(run: &Run) -> String {
    let cases = run.cases.iter().map(|case| CaseReport {
        name: &case.name,
        level: level_name(case.level),
        rules: case.rules.split(' ').collect(),
        passed: case.passed(),
        seconds: case.time.as_secs_f64(),
        findings: &case.findings,
    });
    let failed = run.failed();
    let report = Report {
        passed: run.cases.len() - failed,
        failed,
        seconds: run.time().as_secs_f64(),
        cases: cases.collect(),
    };
    serde_json::to_value(report).map_or_else(|error| error.to_string(), |value| format!("{value:#}\n"))
}

//! The results of fuzzing, for people and for machines.

use std::{fmt::Write, path::PathBuf, time::Duration};

use serde::Serialize;

use super::{target::Target, target_run::Outcome};
use crate::failure::CommandError;

/// Everything that the runs have to tell.
#[derive(Serialize)]
pub(super) struct Report {
    seconds_each: u32,
    address_sanitizer: bool,
    targets: Vec<Row>,
    clean: bool,
}

/// The result of one target's run.
#[derive(Serialize)]
struct Row {
    target: String,
    seconds: f64,
    executions: u64,
    executions_per_second: f64,
    edges: u64,
    new_inputs: usize,
    peak_mib: u64,
    finding: Option<Found>,
}

/// A finding.
#[derive(Serialize)]
struct Found {
    what: String,
    input: Option<PathBuf>,
    #[serde(skip)]
    line: String,
}

impl Report {
    pub(super) fn new(seconds_each: u32, address_sanitizer: bool) -> Self {
        Self { seconds_each, address_sanitizer, targets: Vec::new(), clean: true }
    }

    /// Adds the run of a target.
    pub(super) fn add(&mut self, target: &Target, outcome: Outcome, took: Duration) {
        let Outcome { statistics, new_inputs, finding } = outcome;
        let rate = statistics.executions as f64 / took.as_secs_f64();
        self.clean &= finding.is_none();
        self.targets.push(Row {
            target: target.name.clone(),
            seconds: took.as_secs_f64(),
            executions: statistics.executions,
            executions_per_second: if rate.is_finite() { rate } else { 0.0 },
            edges: statistics.edges,
            new_inputs,
            peak_mib: statistics.peak_mib,
            finding: finding.map(|finding| Found {
                line: finding.line(&target.name),
                what: finding.what,
                input: finding.file,
            }),
        });
    }

    /// Prints the whole. Anything that was found is a failure.
    pub(super) fn print(&self, json: bool) -> Result<(), CommandError> {
        if json {
            let text = serde_json::to_string_pretty(self);
            println!("{}", text.map_err(|error| CommandError::work(error.to_string()))?);
        } else {
            print!("{}", self.table());
        }
        if self.clean { Ok(()) } else { Err(CommandError::work("fuzzing found something")) }
    }

    fn table(&self) -> String {
        let sanitizer = if self.address_sanitizer {
            "under the address sanitizer"
        } else {
            "without the address sanitizer, which the active compiler lacks"
        };
        let mut text = format!("{} s each, {sanitizer}\n\n", self.seconds_each);
        text += "  target         executions   execs/s     edges  new inputs   findings\n";
        for row in &self.targets {
            let findings = usize::from(row.finding.is_some());
            let Row { target, executions, executions_per_second: rate, edges, new_inputs, .. } = row;
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "  {target:<12} {executions:>12} {rate:>9.0} {edges:>9} {new_inputs:>11} {findings:>10}"
            );
        }
        let found: Vec<_> = self.targets.iter().filter_map(|row| row.finding.as_ref()).collect();
        if !found.is_empty() {
            text.push('\n');
        }
        for Found { line, .. } in found {
            text += line;
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::statistics::{Finding, Statistics};
    use super::*;

    fn report(finding: Option<Finding>) -> Report {
        let target = Target { name: "requests".to_owned(), corpus: None };
        let statistics = Statistics { executions: 5000, edges: 123, peak_mib: 40 };
        let mut report = Report::new(10, true);
        report.add(&target, Outcome { statistics, new_inputs: 7, finding }, Duration::from_secs(10));
        report
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let table = report(None).table();
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(lines[0].len(), lines[1].len(), "{table}");
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            ["requests", "5000", "500", "123", "7", "0"]
        );
    }

    #[test]
    fn finding_is_a_line_and_a_failure() {
        let finding = Finding { what: "a leak".to_owned(), file: Some("/x/leak-1".into()) };
        let report = report(Some(finding));
        let table = report.table();
        assert_eq!(
            table.lines().last(),
            Some("requests: a leak: cargo xtask fuzz requests --replay /x/leak-1")
        );
        assert!(matches!(report.print(true), Err(CommandError::Work(_))));
    }

    #[test]
    fn report_without_findings_succeeds() {
        assert!(report(None).print(true).is_ok());
    }
}

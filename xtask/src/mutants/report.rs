//! The outcomes of the mutants, for people and for machines.

use std::time::Duration;

use serde::Serialize;

use super::{check::Verdict, patch::Mutant};
use crate::failure::CommandError;

/// The outcome of one mutant.
pub(super) enum MutantResult {
    /// It was built, and its checks said this.
    Checked(Vec<(String, Verdict)>),
    /// It could not be tried.
    Error(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// Each of its checks found what it had to find.
    Caught,
    /// Some check did not.
    Survived,
    /// It could not be tried.
    Error,
}

/// One mutant's line.
#[derive(Serialize)]
pub(super) struct Row {
    name: String,
    behaviour: u8,
    rules: Vec<String>,
    outcome: Outcome,
    checks: Vec<Said>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Said {
    check: String,
    caught: bool,
    said: String,
}

impl Row {
    pub(super) fn new(mutant: &Mutant, result: MutantResult) -> Self {
        let (outcome, checks, error) = match result {
            MutantResult::Error(error) => (Outcome::Error, Vec::new(), Some(error)),
            MutantResult::Checked(checks) => {
                let checks: Vec<Said> = checks.into_iter().map(Said::new).collect();
                let caught = !checks.is_empty() && checks.iter().all(|said| said.caught);
                (if caught { Outcome::Caught } else { Outcome::Survived }, checks, None)
            }
        };
        let Mutant { name, behaviour, rules, .. } = mutant;
        Self { name: name.clone(), behaviour: *behaviour, rules: rules.clone(), outcome, checks, error }
    }
}

impl Said {
    fn new((check, verdict): (String, Verdict)) -> Self {
        let said = match &verdict {
            Verdict::Failed(other) => format!("another failure than the one named: {other}"),
            Verdict::Passed | Verdict::Found(_) => verdict.text().to_owned(),
        };
        Self { check, caught: matches!(verdict, Verdict::Found(_)), said }
    }
}

/// All lines.
#[derive(Default, Serialize)]
pub(super) struct Report {
    mutants: Vec<Row>,
    seconds: f64,
}

impl Report {
    pub(super) fn add(&mut self, row: Row) {
        self.mutants.push(row);
    }

    /// Prints the report. An error if a mutant was not caught.
    pub(super) fn print(mut self, took: Duration, json: bool) -> Result<(), CommandError> {
        self.seconds = took.as_secs_f64();
        if json {
            let text = serde_json::to_string_pretty(&self);
            println!("{}", text.map_err(|error| CommandError::work(error.to_string()))?);
        } else {
            print!("{}", self.table());
        }
        let (all, caught) = self.count();
        if caught == all {
            Ok(())
        } else {
            Err(CommandError::work(format!("{} of {all} mutants were not caught", all - caught)))
        }
    }

    fn count(&self) -> (usize, usize) {
        let caught = self.mutants.iter().filter(|row| row.outcome == Outcome::Caught).count();
        (self.mutants.len(), caught)
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for row in &self.mutants {
            let outcome = match row.outcome {
                Outcome::Caught => "caught",
                Outcome::Survived => "SURVIVED",
                Outcome::Error => "ERROR",
            };
            text.push_str(&format!("{:<9} {} ({})\n", outcome, row.name, row.rules.join(" ")));
            for said in &row.checks {
                let mark = if said.caught { "by" } else { "NOT by" };
                text.push_str(&format!("          {mark} {}\n             {}\n", said.check, said.said));
            }
            if let Some(error) = &row.error {
                text.push_str(&format!("          {error}\n"));
            }
        }
        let (all, caught) = self.count();
        text.push_str(&format!("{caught} of {all} caught in {:.0} s\n", self.seconds));
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn row(result: MutantResult) -> Row {
        let mutant = Mutant {
            name: "01-x".to_owned(),
            path: PathBuf::new(),
            behaviour: 1,
            rules: vec!["CL-1".to_owned()],
            checks: Vec::new(),
        };
        Row::new(&mutant, result)
    }

    fn checked(verdicts: impl IntoIterator<Item = Verdict>) -> Row {
        row(MutantResult::Checked(
            verdicts.into_iter().map(|verdict| ("unit p t".to_owned(), verdict)).collect(),
        ))
    }

    #[test]
    fn mutant_is_caught_only_if_every_check_found_what_it_had_to() {
        let found = || Verdict::Found("NdkX: y".to_owned());
        assert_eq!(checked([found(), found()]).outcome, Outcome::Caught);
        assert_eq!(checked([found(), Verdict::Passed]).outcome, Outcome::Survived);
        assert_eq!(checked([Verdict::Failed("other".to_owned())]).outcome, Outcome::Survived);
        assert_eq!(checked([]).outcome, Outcome::Survived);
        assert_eq!(row(MutantResult::Error("e".to_owned())).outcome, Outcome::Error);
    }

    #[test]
    fn report_with_a_mutant_that_survived_fails() {
        let caught = || checked([Verdict::Found("NdkX: y".to_owned())]);
        let report = |mutants| Report { mutants, seconds: 0.0 };
        assert!(report(vec![caught()]).print(Duration::ZERO, true).is_ok());
        assert!(
            report(vec![caught(), row(MutantResult::Error("e".to_owned()))])
                .print(Duration::ZERO, false)
                .is_err()
        );
    }

    #[test]
    fn table_names_the_check_and_what_it_said() {
        let report = Report { mutants: vec![checked([Verdict::Found("NdkX: y".to_owned())])], seconds: 2.0 };
        let table = report.table();
        assert!(table.contains("caught    01-x (CL-1)") && table.contains("by unit p t"), "{table}");
        assert!(table.contains("NdkX: y") && table.ends_with("1 of 1 caught in 2 s\n"), "{table}");
    }
}

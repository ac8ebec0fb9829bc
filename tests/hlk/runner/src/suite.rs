//! The run of a selection, case by case.

use core::time::Duration;
use std::time::Instant;

use protocol::{Endpoint, Level, Outcome};

use crate::selection::{level_name, name};
use crate::status::REVISION_MISMATCH;
use crate::{Client, Error, Exit, Selection};

/// A case that was run.
#[derive(Clone, Debug)]
pub struct Case {
    /// The scenario, or what else was done.
    pub name: String,
    /// The level that the consumer called from.
    pub level: Level,
    /// The rules that it puts to the test.
    pub rules: &'static str,
    /// The time that it took.
    pub time: Duration,
    /// The consumer's findings, a line each; none if it passed.
    pub findings: Vec<String>,
}

impl Case {
    /// Returns whether nothing was found.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    /// The name and the level.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} at {}", self.name, level_name(self.level))
    }
}

/// The cases of a run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The cases, in the order in which they were run.
    pub cases: Vec<Case>,
}

impl Run {
    /// The number of cases with findings.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed()).count()
    }

    /// The time of all cases.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.cases.iter().map(|case| case.time).sum()
    }

    /// The exit code. A run without a case has shown nothing.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (self.cases.len(), self.failed()) {
            (0, _) => Exit::NotRun,
            (_, 0) => Exit::Passed,
            _ => Exit::Failed,
        }
    }
}

/// Runs the cases of `selection` between two ends, adds them to `run` and tells `ended` of each.
///
/// # Errors
/// If the driver is of another version than the runner. Whatever else goes wrong is a finding of its case.
pub fn run(
    client: &Client,
    [near, far]: [Endpoint; 2],
    selection: &Selection,
    run: &mut Run,
    mut ended: impl FnMut(&Case),
) -> Result<(), Error> {
    for (scenario, level) in selection.cases() {
        let began = Instant::now();
        let findings = match client.run_scenario(scenario, level, selection.link(), near, far) {
            Ok(report) => findings(report.status, &report.outcome),
            Err(Error::Status { status: REVISION_MISMATCH, .. }) => {
                return Err(Error::Host {
                    what: "run a scenario",
                    why: "ndkhlk.sys and the runner are of different versions".to_owned(),
                });
            }
            Err(error) => vec![error.to_string()],
        };
        let case =
            Case { name: name(scenario), level, rules: scenario.rules(), time: began.elapsed(), findings };
        ended(&case);
        run.cases.push(case);
    }
    Ok(())
}

/// The findings of a scenario that ended with `status`, a line each.
#[must_use]
pub fn findings(status: i32, outcome: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    if status != 0 {
        found.push(format!("the scenario ended with status {status:#010x}"));
    }
    found.extend(outcome.listed().map(|finding| format!("the consumer: {finding}")));
    let unlisted = (outcome.found as usize).saturating_sub(outcome.listed().count());
    if unlisted > 0 {
        found.push(format!("the consumer: {unlisted} more"));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::{Finding, Scenario, ScenarioReport, Text, Violation};
    use zerocopy::{FromZeros, IntoBytes};

    use super::*;
    use crate::{Completion, Device};

    /// A driver that answers each scenario alike.
    #[derive(Debug)]
    struct Scripted {
        completion: Completion,
        report: ScenarioReport,
    }

    impl Device for Scripted {
        fn control(&self, _code: u32, _input: &[u8], output: &mut [u8]) -> Completion {
            output.copy_from_slice(self.report.as_bytes());
            self.completion
        }

        fn raw(&self) -> usize {
            0
        }
    }

    fn play(completion: Completion, report: ScenarioReport) -> Result<Run, Error> {
        let client = Client::on(Arc::new(Scripted { completion, report }));
        let end = Endpoint::new(1, [10, 0, 0, 1].into(), 0);
        let selection = Selection::new(&["Flush"], Some(Level::Passive)).unwrap();
        let mut run = Run::default();
        super::run(&client, [end, end], &selection, &mut run, |_| ()).map(|()| run)
    }

    const DONE: Completion = Completion { status: 0, information: size_of::<ScenarioReport>() };

    #[test]
    fn case_without_a_finding_passes() {
        let run = play(DONE, ScenarioReport::new_zeroed()).unwrap();
        assert_eq!((run.cases.len(), run.failed(), run.exit()), (1, 0, Exit::Passed));
        assert_eq!(run.cases[0].rules, Scenario::Flush.rules());
    }

    #[test]
    fn case_fails_by_its_status_its_findings_and_its_request() {
        let mut report = ScenarioReport::new_zeroed();
        report.status = 0xC000_009A_u32.cast_signed();
        for _ in 0..14 {
            let step = Text::new("close the CQ");
            report.outcome.push(Finding { violation: Violation::CloseFailed as u32, step, ..Finding::NONE });
        }
        let run = play(DONE, report).unwrap();
        let findings = &run.cases[0].findings;
        assert_eq!((findings.len(), run.exit()), (14, Exit::Failed));
        assert_eq!(findings[0], "the scenario ended with status 0xc000009a");
        assert!(findings[1].starts_with("the consumer: close the CQ"));
        assert_eq!(findings[13], "the consumer: 2 more");
        let short = play(Completion { information: 4, ..DONE }, ScenarioReport::new_zeroed()).unwrap();
        assert_eq!(short.exit(), Exit::Failed);
        let refused = play(Completion { status: -1, information: 0 }, ScenarioReport::new_zeroed()).unwrap();
        assert_eq!(refused.cases[0].findings, ["run a scenario: status 0xffffffff"]);
    }

    #[test]
    fn driver_of_another_version_is_not_run() {
        let other = Completion { status: REVISION_MISMATCH, information: 0 };
        assert!(matches!(play(other, ScenarioReport::new_zeroed()), Err(Error::Host { .. })));
    }

    #[test]
    fn run_without_a_case_has_shown_nothing() {
        assert_eq!(Run::default().exit(), Exit::NotRun);
    }
}

//! The report for people.

use core::fmt::Write as _;

use super::Live;
use crate::selection::level_name;
use crate::suite::{Case, Run};

/// A line for each case, and below it what was found.
#[derive(Debug, Default)]
pub struct Text;

impl Live for Text {
    fn ended(&mut self, case: &Case) -> String {
        let Case { name, level, time, findings, .. } = case;
        let verdict = if case.passed() { "ok" } else { "FAILED" };
        let level = level_name(*level);
        let mut text = format!("  {verdict:<7}{name:<32}{level:<16}{:>9.3} s\n", time.as_secs_f64());
        for finding in findings {
            let _ = writeln!(text, "         {finding}");
        }
        text
    }

    fn over(&mut self, run: &Run) -> String {
        let failed = run.failed();
        let passed = run.cases.len() - failed;
        format!("{passed} passed, {failed} failed in {:.1} s\n", run.time().as_secs_f64())
    }

    fn bails_out(&mut self, why: &str) -> String {
        format!("not run: {why}\n")
    }
}

//! The report as the Test Anything Protocol, version 13 (testanything.org/tap-version-13-specification.html).

use core::fmt::Write as _;

use super::Live;
use crate::suite::{Case, Run};

/// A test line for each case with a YAML block of its own, and the plan at the end: how many there are is known then.
#[derive(Debug, Default)]
pub struct Tap {
    ended: usize,
    begun: bool,
}

impl Tap {
    fn version(&mut self) -> &'static str {
        if core::mem::replace(&mut self.begun, true) { "" } else { "TAP version 13\n" }
    }
}

impl Live for Tap {
    fn ended(&mut self, case: &Case) -> String {
        self.ended += 1;
        let verdict = if case.passed() { "ok" } else { "not ok" };
        let (version, number, title) = (self.version(), self.ended, case.title());
        let mut text = format!("{version}{verdict} {number} - {title}\n  ---\n");
        let _ = writeln!(text, "  duration_ms: {:.3}", case.time.as_secs_f64() * 1000.0);
        let _ = writeln!(text, "  rules: {}", quoted(case.rules));
        if !case.passed() {
            text.push_str("  findings:\n");
        }
        for finding in &case.findings {
            let _ = writeln!(text, "    - {}", quoted(finding));
        }
        text.push_str("  ...\n");
        text
    }

    fn over(&mut self, run: &Run) -> String {
        let (version, cases, failed) = (self.version(), run.cases.len(), run.failed());
        format!("{version}1..{cases}\n# {} passed, {failed} failed\n", cases - failed)
    }

    fn bails_out(&mut self, why: &str) -> String {
        let why: Vec<&str> = why.split_whitespace().collect();
        format!("{}Bail out! {}\n", self.version(), why.join(" "))
    }
}

/// A YAML scalar in double quotes, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

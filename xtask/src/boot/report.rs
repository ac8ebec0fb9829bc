//! The report of `boot`.

use serde::Serialize;

use super::adapters::Use;
use super::play::{Device, Loaded, Outcome, Variant};
use crate::failure::CommandError;

/// The plays so far.
pub(super) struct Report {
    json: bool,
    plays: Vec<Play>,
}

/// One play.
#[derive(Serialize)]
struct Play {
    variant: Variant,
    #[serde(flatten)]
    outcome: Outcome,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, plays: Vec::new() }
    }

    /// A play is over.
    pub(super) fn played(&mut self, variant: Variant, outcome: Outcome) {
        self.plays.push(Play { variant, outcome });
    }

    /// Prints all that is to be said.
    ///
    /// # Errors
    ///
    /// Something was found.
    pub(super) fn print(&self) -> Result<(), CommandError> {
        if self.json {
            let text = serde_json::to_string_pretty(&self.plays)
                .map_err(|error| CommandError::work(format!("the report as JSON: {error}")))?;
            println!("{text}");
        } else {
            self.print_text();
        }
        self.verdict()
    }

    /// # Errors
    ///
    /// Something was found.
    fn verdict(&self) -> Result<(), CommandError> {
        let found = self.plays.iter().filter(|play| !play.outcome.is_clean()).count();
        match (found, self.plays.len()) {
            (0, _) => Ok(()),
            (_, 1) => Err(CommandError::work("the driver broke rules, see above")),
            (found, plays) => {
                Err(CommandError::work(format!("in {found} of {plays} plays the driver broke rules")))
            }
        }
    }

    fn print_text(&self) {
        if let Some(first) = self.plays.first() {
            first.outcome.drivers.iter().for_each(describe);
        }
        for play in self.plays.iter().filter(|play| !play.outcome.is_clean()) {
            if self.plays.len() > 1 {
                println!("\n{}:", play.variant);
                play.outcome.failed_allocation.iter().for_each(|frame| println!("    {frame}"));
            }
            play.outcome.findings.iter().for_each(|finding| println!("{finding}"));
            play.outcome.pool_left.iter().for_each(|leak| println!("left in pool: {leak}"));
        }
        let found = self.plays.iter().filter(|play| !play.outcome.is_clean()).count();
        let findings = if found == 0 { "nothing found".into() } else { format!("{found} with findings") };
        line("plays", &format!("{}, {findings}", self.plays.len()));
    }
}

/// Prints what one driver did.
fn describe(driver: &Loaded) {
    println!("{} ({})", driver.image, driver.kind);
    if !driver.missing_imports.is_empty() {
        line("missing imports", &driver.missing_imports.join(", "));
    }
    line("DriverEntry", &status(driver.entry));
    if let Some(adapters) = &driver.adapters {
        line("adapters", &format!("start: {}, halt: {}", status(adapters.start), status(adapters.halt)));
        if let Some(Use { queries, sends, received }) = &adapters.used {
            let (queries, sends) =
                (format!("{} of {}", queries.1, queries.0), format!("{} of {}", sends.1, sends.0));
            line("", &format!("queries answered: {queries}, sends: {sends}, frames received: {received}"));
        }
    }
    if let Some(life) = &driver.device {
        let told = |what: &str, code: Option<u32>| code.map(|code| format!(", {what}: {}", status(code)));
        let rest = [told("start", life.start), told("remove", life.remove)];
        let rest: String = rest.into_iter().flatten().collect();
        line("added device", &format!("AddDevice: {}{rest}", status(life.add)));
    }
    for Device { name, open, controls, transfers } in &driver.devices {
        line("device", &format!("{name}, open: {}", status(*open)));
        if let Some((read, write)) = transfers {
            line("", &format!("read: {}, write: {}", status(*read), status(*write)));
        }
        for control in controls {
            let outcome = format!("{}, {} bytes", status(control.status), control.information);
            line("", &format!("control {:#x}: {outcome}", control.code));
        }
    }
}

fn line(name: &str, text: &str) {
    println!("  {name:<17}{text}");
}

/// A status in words where it is one that needs none further.
fn status(status: u32) -> String {
    match status {
        0 => "STATUS_SUCCESS".into(),
        status => format!("status {status:#010x}"),
    }
}

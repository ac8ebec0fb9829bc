//! The plays and findings, for people and for machines.

use std::ops::Range;
use std::time::Duration;

use ntsim::sched::Atomics;
use runner::explore::Play;
use runner::over_wire::Route;
use serde::Serialize;

use super::digests::Digests;
use super::options::Options;
use super::selection::Scenario;
use super::worker::{Asked, Image};
use super::workers::Answer;
use crate::failure::CommandError;

/// Events of a trace that are shown before its end.
const SHOWN: usize = 400;

/// The plays and findings.
#[derive(Serialize)]
pub(super) struct Report {
    #[serde(skip)]
    json: bool,
    #[serde(skip)]
    explain: bool,
    /// Set if one seed was asked for, whose trace is shown in any case.
    #[serde(skip)]
    single: bool,
    first_seed: u64,
    seeds: u64,
    /// The number of plays before there was enough to tell.
    played: u64,
    scenarios: Vec<String>,
    points: u64,
    choices: u64,
    switches: u64,
    points_in_code: u64,
    choices_in_code: u64,
    /// The images with points in their code.
    images: Vec<Image>,
    /// The requests of TDI clients.
    asked: Asked,
    seconds: f64,
    seeds_per_minute: f64,
    /// The plays' digests, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    digests: Option<Digests>,
    findings: Vec<Found>,
    /// Of the plays without a finding: what is still pending, and the trace.
    #[serde(skip)]
    told: Vec<Found>,
}

/// A play that is told of.
#[derive(Clone, Serialize)]
struct Found {
    #[serde(skip)]
    play: Play<Scenario>,
    scenario: String,
    seed: u64,
    strategy: String,
    /// The command that plays it again.
    command: String,
    findings: Vec<String>,
    pending_closes: Vec<String>,
    trace: Vec<String>,
}

impl Found {
    fn new(answer: &Answer) -> Self {
        let Answer { play, outcome } = answer;
        Self {
            play: *play,
            scenario: play.scenario.name(),
            seed: play.seed,
            strategy: play.strategy.to_string(),
            command: command(*play),
            findings: outcome.findings.clone(),
            pending_closes: outcome.pending.clone(),
            trace: outcome.trace.lines().map(str::to_owned).collect(),
        }
    }
}

/// The command that plays it again.
fn command(play: Play<Scenario>) -> String {
    let Play { scenario, seed, strategy, atomics, route } = play;
    let scenario = scenario.name();
    let atomics = if atomics == Atomics::All { String::new() } else { format!(" --atomics {atomics}") };
    let route = match route {
        Route::Loopback => "",
        Route::Wire => " --wire",
        Route::FaultyWire => " --wire --faults",
    };
    format!("cargo xtask explore{route} --scenario {scenario} --strategy {strategy}{atomics} --seed {seed}")
}

/// A finding in one line.
pub(super) fn headline(answer: &Answer) -> String {
    let first = answer.outcome.findings.first().and_then(|finding| finding.lines().next());
    format!("  {} seed {}: {}", answer.play.scenario.name(), answer.play.seed, first.unwrap_or_default())
}

impl Report {
    pub(super) fn new(options: &Options, seeds: &Range<u64>, scenarios: &[Scenario]) -> Self {
        Self {
            json: options.json,
            explain: options.explain,
            single: options.seed.is_some(),
            first_seed: seeds.start,
            seeds: seeds.end - seeds.start,
            played: 0,
            scenarios: scenarios.iter().map(|scenario| scenario.name()).collect(),
            points: 0,
            choices: 0,
            switches: 0,
            points_in_code: 0,
            choices_in_code: 0,
            images: Vec::new(),
            asked: Asked::default(),
            seconds: 0.0,
            seeds_per_minute: 0.0,
            digests: options.digest.then(Digests::default),
            findings: Vec::new(),
            told: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, answer: Answer) {
        self.played += 1;
        self.points += answer.outcome.points;
        self.choices += answer.outcome.choices;
        self.switches += answer.outcome.switches;
        self.points_in_code += answer.outcome.points_in_code;
        self.choices_in_code += answer.outcome.choices_in_code;
        for image in &answer.outcome.images {
            if !self.images.contains(image) {
                self.images.push(image.clone());
            }
        }
        self.asked.add(answer.outcome.asked);
        if let Some(digests) = &mut self.digests {
            digests.add(&answer);
        }
        if answer.failed() {
            self.findings.push(Found::new(&answer));
        } else if self.single {
            self.told.push(Found::new(&answer));
        }
    }

    pub(super) fn took(&mut self, time: Duration) {
        self.seconds = time.as_secs_f64();
        self.seeds_per_minute = (self.played as f64 / self.seconds * 60.0).round();
    }

    /// The first play with findings that has no trace yet.
    pub(super) fn untraced(&self) -> Option<Play<Scenario>> {
        let first = self.findings.first()?;
        (!self.single).then_some(first.play)
    }

    /// The first play with findings, played again with a trace.
    pub(super) fn replayed(&mut self, answers: Vec<Answer>) {
        if let (Some(first), Some(again)) = (self.findings.first_mut(), answers.first()) {
            if again.failed() {
                *first = Found::new(again);
            } else {
                first.findings.push("played again, it was not found: please report this".into());
            }
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Prints the report on standard output.
    pub(super) fn print(&self) -> Result<(), CommandError> {
        if self.json {
            let text =
                serde_json::to_string_pretty(self).map_err(|error| CommandError::work(error.to_string()))?;
            println!("{text}");
            return Ok(());
        }
        if let Some(digests) = &self.digests {
            print!("{digests}");
        }
        for found in self.told.iter().chain(&self.findings) {
            self.print_play(found);
        }
        self.print_sum();
        Ok(())
    }

    fn print_play(&self, found: &Found) {
        let Found { scenario, seed, strategy, .. } = found;
        println!("{scenario}, seed {seed}, strategy {strategy}");
        let left_out = found.trace.len().saturating_sub(SHOWN + 1);
        if let Some(head) = found.trace.first() {
            println!("{head}");
        }
        if left_out > 0 {
            println!("  ({left_out} events before these; all with --json)");
        }
        found.trace.iter().skip(1 + left_out).for_each(|line| println!("{line}"));
        found.findings.iter().for_each(|finding| println!("{finding}"));
        if self.explain {
            found.pending_closes.iter().for_each(|close| println!("at the end {close}"));
        }
        println!("again: {}\n", found.command);
    }

    fn print_sum(&self) {
        let Self { first_seed, seeds, played, points, choices, switches, seconds, seeds_per_minute, .. } =
            self;
        let scenarios = match &*self.scenarios {
            [one] => one.clone(),
            many => format!("{} scenarios", many.len()),
        };
        println!("  seeds           {seeds} from {first_seed}, {scenarios}");
        println!("  played          {played} in {seconds:.1} s, {seeds_per_minute} per minute");
        println!("  points          {points}, {choices} of them choices, {switches} switches of threads");
        if !self.images.is_empty() {
            let Self { points_in_code, choices_in_code, .. } = self;
            println!("  in code         {points_in_code}, {choices_in_code} of them choices");
        }
        for Image { name, atomics, accesses, pauses, breakpoints } in &self.images {
            print!("  {name:<15} {atomics} locked and exchanging instructions are points, ");
            println!("{accesses} other accesses, {pauses} pauses; {breakpoints} by breakpoint");
        }
        let Asked { connections, requests, cancelled } = self.asked;
        if requests > 0 {
            println!(
                "  TDI clients     {connections} connections, {requests} requests, {cancelled} cancelled"
            );
        }
        println!(
            "  found           {}",
            if self.is_clean() { "nothing".into() } else { format!("{} plays", self.findings.len()) }
        );
    }
}

#[cfg(test)]
mod tests {
    use ntsim::sched::Strategy;

    use super::*;

    #[test]
    fn command_that_plays_again_tells_the_route_and_the_points() {
        let scenario = Scenario::named("flush").unwrap();
        let (strategy, atomics) = (Strategy::Pct, Atomics::All);
        let play = Play { scenario, seed: 7, strategy, atomics, route: Route::Loopback };
        let rest = "--scenario flush --strategy pct --seed 7";
        assert_eq!(command(play), format!("cargo xtask explore {rest}"));
        assert_eq!(
            command(Play { route: Route::Wire, ..play }),
            format!("cargo xtask explore --wire {rest}")
        );
        assert_eq!(
            command(Play { route: Route::FaultyWire, atomics: Atomics::Off, ..play }),
            "cargo xtask explore --wire --faults --scenario flush --strategy pct --atomics off --seed 7"
        );
    }
}

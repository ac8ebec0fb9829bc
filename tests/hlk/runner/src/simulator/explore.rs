//! One scenario under one schedule: what [`ntsim::sched::Schedule`] makes of the harness.
//!
//! All of a run follows from its [`Play`]: besides the schedule, the seed decides on the level that the
//! consumer calls from and on the number of processors; and, where these are left to it, on the strategy and
//! the scenario. A play of other scenarios than the harness's is one of another type, which knows how it runs.

use std::net::{IpAddr, Ipv4Addr};

use ntsim::machine::Builder;
use ntsim::sched::{Atomics, Schedule, Strategy};
use ntsim::{Machine, Report};
use protocol::{Endpoint, Level, Scenario, ScenarioReport};

use super::over_wire::Route;
use super::{Fixture, Images, Place};
use crate::suite::findings;
use crate::{Client, Error};

/// Interface index and address of the adapter that connects, and of the one that listens.
const ADAPTERS: [(u32, IpAddr); 2] =
    [(12, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))), (15, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)))];

/// SMB Direct's port, on which the far adapter listens.
const PORT: u16 = 5445;

/// The numbers of processors that a machine may have.
const PROCESSORS: [u32; 4] = [2, 3, 1, 4];

/// One play: a scenario under one schedule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Play<S = Scenario> {
    /// The consumer's scenario.
    pub scenario: S,
    /// The seed that the rest follows from.
    pub seed: u64,
    /// The strategy that makes the schedule from the seed.
    pub strategy: Strategy,
    /// The instructions of the drivers that are points of the schedule.
    pub atomics: Atomics,
    /// The way of the connections.
    pub route: Route,
}

/// The outcome of a play.
#[derive(Debug)]
pub struct Outcome {
    /// The consumer's findings, a paragraph each.
    pub consumer: Vec<String>,
    /// The simulator's findings, with the schedule's trace.
    pub report: Report,
}

impl<S: Copy> Play<S> {
    /// The play of `seed` among `scenarios`, which are not empty. Neighbouring seeds take turns with the scenarios,
    /// and the seeds of one scenario with the strategies, so that each pair of both has its equal share of a run,
    /// however short that is.
    #[must_use]
    pub fn of_seed(seed: u64, scenarios: &[S]) -> Self {
        let number = scenarios.len() as u64;
        let (scenario, round) = (seed % number, seed / number);
        let strategy = Strategy::of_seed(scenario.wrapping_add(round));
        Self {
            scenario: scenarios[scenario as usize],
            seed,
            strategy,
            atomics: Atomics::Off,
            route: Route::Loopback,
        }
    }

    /// The same play of another scenario.
    #[must_use]
    pub fn of<T>(self, scenario: T) -> Play<T> {
        let Self { seed, strategy, atomics, route, .. } = self;
        Play { scenario, seed, strategy, atomics, route }
    }

    /// The level from which the consumer calls.
    #[must_use]
    pub fn level(self) -> Level {
        if mixed(self.seed).is_multiple_of(2) { Level::Passive } else { Level::Dispatch }
    }

    /// The number of the machine's processors.
    #[must_use]
    pub fn processors(self) -> u32 {
        PROCESSORS[(mixed(self.seed) / 2 % PROCESSORS.len() as u64) as usize]
    }

    /// The machine of the play.
    #[must_use]
    pub fn machine(self, schedule: Schedule) -> Builder {
        Machine::builder().processors(self.processors()).schedule(schedule).socket_faults(self.route.faults())
    }

    /// The schedule of the play, with the last `traced` events kept.
    #[must_use]
    pub fn schedule(self, traced: usize) -> Schedule {
        Schedule::seeded(self.seed, self.strategy).atomics(self.atomics).traced(traced)
    }
}

impl Play {
    /// Boots the images, plays the scenario and shuts down, with the last `traced` events kept.
    ///
    /// A crash, or threads that wait for each other, end the process with a report on standard error.
    ///
    /// # Errors
    /// If an image can't be loaded or an adapter can't be started.
    pub fn run(self, images: &Images, traced: usize) -> Result<Outcome, Error> {
        let machine = self.machine(self.schedule(traced)).boot();
        let places = ADAPTERS.map(|(index, address)| self.route.place(Place::new(index, address)));
        let fixture = Fixture::on(machine, images, &places).map_err(|(error, _)| error)?;
        let [near, far] = ADAPTERS;
        let near = Endpoint::new(near.0, near.1, 0);
        let far = Endpoint::new(far.0, far.1, PORT);
        let consumer = Client::open(&fixture).and_then(|client| {
            client.run_scenario(self.scenario, self.level(), self.route.link(), near, far)
        });
        Ok(Outcome { consumer: said(consumer), report: fixture.shut_down() })
    }
}

/// Mixes the bits of a seed (the finaliser of SplitMix64), so that what follows from them does not depend on which
/// scenario and strategy have their turn.
fn mixed(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    seed ^ (seed >> 31)
}

/// The harness's findings in words.
fn said(consumer: Result<ScenarioReport, Error>) -> Vec<String> {
    let consumer = match consumer {
        Ok(consumer) => consumer,
        Err(error) => return vec![error.to_string()],
    };
    findings(consumer.status, &consumer.outcome)
}

impl Outcome {
    /// The findings, a paragraph each; nothing if all is well.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut found = self.consumer.clone();
        found.extend(self.report.findings.iter().map(ToString::to_string));
        found.extend(self.report.pool.iter().map(|leak| format!("left in pool: {leak}")));
        found
    }
}

#[cfg(test)]
mod tests {
    use core::ops::Range;

    use super::*;

    /// The number of times that a run of `seeds` plays each of `kinds`, which `kind` tells from a play.
    fn shares<T: PartialEq>(
        seeds: Range<u64>,
        scenarios: usize,
        kinds: &[T],
        kind: fn(Play<usize>) -> T,
    ) -> Vec<usize> {
        let scenarios: Vec<usize> = (0..scenarios).collect();
        let played: Vec<T> = seeds.map(|seed| kind(Play::of_seed(seed, &scenarios))).collect();
        kinds.iter().map(|wanted| played.iter().filter(|kind| *kind == wanted).count()).collect()
    }

    #[test]
    fn run_of_any_length_gives_each_scenario_and_strategy_its_equal_share() {
        for (scenarios, from) in
            [1, 3, 4, 5, 8, 39, 40, 64, 101].into_iter().flat_map(|all| [(all, 0), (all, 987_654)])
        {
            let all: Vec<usize> = (0..scenarios).collect();
            let played = shares(from..from + 1000, scenarios, &all, |play| play.scenario);
            assert!(played.iter().max().unwrap() - played.iter().min().unwrap() <= 1, "{played:?}");
            let pairs: Vec<_> =
                all.iter().flat_map(|&scenario| Strategy::ALL.map(|strategy| (scenario, strategy))).collect();
            let played = shares(from..from + 1000, scenarios, &pairs, |play| (play.scenario, play.strategy));
            assert!(
                played.iter().max().unwrap() - played.iter().min().unwrap() <= 2,
                "{scenarios}: {played:?}"
            );
        }
    }

    #[test]
    fn run_has_every_level_and_number_of_processors_with_every_scenario() {
        let scenarios: Vec<usize> = (0..40).collect();
        let levels = [Level::Passive, Level::Dispatch];
        let kinds: Vec<_> = scenarios
            .iter()
            .flat_map(|&scenario| levels.map(|level| (scenario, level)))
            .flat_map(|(scenario, level)| PROCESSORS.map(|processors| (scenario, level, processors)))
            .collect();
        let played =
            shares(1..8001, scenarios.len(), &kinds, |play| (play.scenario, play.level(), play.processors()));
        assert!(played.iter().all(|&played| (5..60).contains(&played)), "{played:?}");
    }

    #[test]
    fn play_of_one_scenario_and_strategy_is_that_of_the_run() {
        let scenarios = [Scenario::Flush, Scenario::Reject, Scenario::Limits];
        for seed in 0..100 {
            let run = Play::of_seed(seed, &scenarios);
            let again = Play { strategy: run.strategy, ..Play::of_seed(seed, &[run.scenario]) };
            assert_eq!((again, again.level(), again.processors()), (run, run.level(), run.processors()));
        }
    }
}

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

use crate::{Bench, Client, Error, Images, Place};

/// Interface index and address of the adapter that connects, and of the one that listens.
const ADAPTERS: [(u32, IpAddr); 2] =
    [(12, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))), (15, IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)))];

/// SMB Direct's port, on which the far adapter listens.
const PORT: u16 = 5445;

/// The numbers of processors that seeds take turns with.
const PROCESSORS: [u32; 4] = [2, 3, 1, 4];

/// What is played.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Play<S = Scenario> {
    /// What the consumer does.
    pub scenario: S,
    /// What the rest follows from.
    pub seed: u64,
    /// How the schedule follows from the seed.
    pub strategy: Strategy,
    /// Which instructions of the drivers are points of the schedule.
    pub atomics: Atomics,
}

/// How it went.
#[derive(Debug)]
pub struct Outcome {
    /// What the consumer found, a paragraph each.
    pub consumer: Vec<String>,
    /// What the simulator found, with the schedule's trace.
    pub report: Report,
}

impl<S: Copy> Play<S> {
    /// What `seed` stands for among `scenarios`, which are not empty: neighbouring seeds take turns with
    /// strategies, levels and numbers of processors, and every 40 of them with the scenarios.
    #[must_use]
    pub fn of_seed(seed: u64, scenarios: &[S]) -> Self {
        let turn = seed / (Strategy::ALL.len() * 2 * PROCESSORS.len()) as u64 % scenarios.len() as u64;
        let scenario = scenarios[turn as usize];
        Self { scenario, seed, strategy: Strategy::of_seed(seed), atomics: Atomics::Off }
    }

    /// The same play of another scenario.
    #[must_use]
    pub fn of<T>(self, scenario: T) -> Play<T> {
        Play { scenario, seed: self.seed, strategy: self.strategy, atomics: self.atomics }
    }

    /// The level from which the consumer calls.
    #[must_use]
    pub fn level(self) -> Level {
        if self.share(2) == 0 { Level::Passive } else { Level::Dispatch }
    }

    /// How many processors the machine has.
    #[must_use]
    pub fn processors(self) -> u32 {
        PROCESSORS[self.share(8) as usize / 2]
    }

    /// The seed's part that does not choose the strategy where that is left to it.
    fn share(self, parts: u64) -> u64 {
        self.seed / Strategy::ALL.len() as u64 % parts
    }

    /// The machine of the play.
    #[must_use]
    pub fn machine(self, schedule: Schedule) -> Builder {
        Machine::builder().processors(self.processors()).schedule(schedule)
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
        let places = ADAPTERS.map(|(index, address)| Place::new(index, address));
        let bench = Bench::on(machine, images, &places).map_err(|(error, _)| error)?;
        let [near, far] = ADAPTERS;
        let near = Endpoint::new(near.0, near.1, 0);
        let far = Endpoint::new(far.0, far.1, PORT);
        let consumer = Client::open(bench.machine())
            .and_then(|client| client.run_scenario(self.scenario, self.level(), near, far));
        Ok(Outcome { consumer: said(consumer), report: bench.shut_down() })
    }
}

/// What the harness says that it found.
fn said(consumer: Result<ScenarioReport, Error>) -> Vec<String> {
    let consumer = match consumer {
        Ok(consumer) => consumer,
        Err(error) => return vec![error.to_string()],
    };
    let mut found = Vec::new();
    if consumer.status != 0 {
        found.push(format!("the scenario ended with status {:#010x}", consumer.status));
    }
    found.extend(consumer.outcome.listed().map(|finding| format!("the consumer: {finding}")));
    let listed = consumer.outcome.listed().count();
    let unlisted = (consumer.outcome.found as usize).saturating_sub(listed);
    if unlisted > 0 {
        found.push(format!("the consumer: {unlisted} more"));
    }
    found
}

impl Outcome {
    /// What was found, a paragraph each; nothing if all is well.
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
    use super::*;

    #[test]
    fn seeds_take_turns_with_the_scenarios() {
        let scenarios = [Scenario::Flush, Scenario::Reject, Scenario::Limits];
        let played = |seed| Play::of_seed(seed, &scenarios).scenario;
        assert_eq!([0, 39, 40, 80, 120].map(played), [0, 0, 1, 2, 0].map(|turn| scenarios[turn]));
    }

    #[test]
    fn seeds_in_a_row_have_every_level_and_number_of_processors_with_every_strategy() {
        let plays: Vec<_> = (0..40).map(|seed| Play::of_seed(seed, &[Scenario::Flush])).collect();
        for strategy in Strategy::ALL {
            for level in [Level::Passive, Level::Dispatch] {
                for processors in PROCESSORS {
                    let wanted = |play: &&Play| {
                        (play.strategy, play.level(), play.processors()) == (strategy, level, processors)
                    };
                    assert_eq!(plays.iter().filter(wanted).count(), 1);
                }
            }
        }
    }
}

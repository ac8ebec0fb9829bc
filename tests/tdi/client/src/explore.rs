//! One scenario under one schedule.

use ntsim::sched::Irql;
use protocol::Level;
use runner::explore::{Outcome, Play};
use runner::{Error, Images};

use crate::Fixture;
use crate::scenario::{FAR, NEAR, Scenario, ScenarioContext};

/// Points after which a play with a thousand connections is taken for one that never ends.
const LONG: u64 = 20_000_000;

/// Boots the image, plays the scenario and shuts down, with the last `traced` events kept.
///
/// A crash, or threads that wait for each other, end the process with a report on standard error.
///
/// # Errors
///
/// If the image can't be loaded or an adapter can't be started.
pub fn run(play: Play<Scenario>, images: &Images, traced: usize) -> Result<Outcome, Error> {
    let mut schedule = play.schedule(traced);
    if play.scenario == Scenario::Thousand {
        schedule = schedule.at_most(LONG);
    }
    let fixture = Fixture::boot(play.machine(schedule), images, [NEAR.ip(), FAR.ip()])?;
    let level = match play.level() {
        Level::Passive => Irql::PASSIVE,
        Level::Dispatch => Irql::DISPATCH,
    };
    let played = play.scenario.play(&ScenarioContext { fixture: &fixture, level, seed: play.seed });
    let consumer = played.err().map(|wrong| wrong.to_string()).into_iter().collect();
    Ok(Outcome { consumer, report: fixture.end() })
}

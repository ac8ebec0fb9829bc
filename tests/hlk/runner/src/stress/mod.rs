//! Many connections with traffic, closed in the middle of it.
//!
//! A [round] opens both adapters, connects them many times, and drives either side of each group by a
//! thread of its own until enough requests have gone through. Then the consumer closes everything, at once or
//! because the far adapter goes away; whether every rule was kept is said by the [`Round`] and, when the
//! machine is shut down, by the simulator.

mod client;
mod ending;

use core::time::Duration;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use protocol::{Endpoint, Level, Outcome, Side, SideReport};

use self::client::Stress;
pub use self::ending::Ending;
use crate::status::SUCCESS;
use crate::{Client, Error, Host, Shortage, suite};

/// The time limit of any step.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// The parameters of a round.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of groups: listeners, CQs of either side, and pairs of threads.
    pub groups: u32,
    /// The number of connections in each group.
    pub connections: u32,
    /// The number of results to wait for, of each connection on average, before the sides are stopped.
    pub results: u64,
    /// The ending.
    pub ending: Ending,
    /// The level that posts, polls, arms and closes come from.
    pub level: Level,
    /// The fraction of the provider's allocations that fail, from 0 to 1.
    pub shortage: f64,
    /// Determines what is posted and which allocations fail.
    pub seed: u32,
}

/// The result of a round.
#[derive(Clone, Debug)]
pub struct Round {
    /// Connections that there were.
    pub connected: u32,
    /// Objects that were closed in the middle of the traffic.
    pub closed: u64,
    /// From the first of these closes to the last completion.
    pub closing: Duration,
    /// Work requests that were accepted.
    pub accepted: u64,
    /// Results that were polled for them.
    pub results: u64,
    /// Accepted requests that have no result that could have been polled.
    pub unseen: u64,
    /// Allocations that were made to fail.
    pub failed_allocations: u64,
    /// The consumer's findings and counters.
    pub outcome: Outcome,
}

impl Plan {
    /// This plan with every ending from either level, in turn.
    pub fn every_ending(self) -> impl Iterator<Item = Self> + Clone {
        Ending::ALL.into_iter().flat_map(move |ending| {
            [Level::Passive, Level::Dispatch].map(|level| Self { ending, level, ..self })
        })
    }
}

impl Round {
    fn empty(outcome: Outcome) -> Self {
        Self {
            connected: 0,
            closed: 0,
            closing: Duration::ZERO,
            accepted: 0,
            results: 0,
            unseen: 0,
            failed_allocations: 0,
            outcome,
        }
    }

    fn add(&mut self, side: &SideReport) {
        self.closed += side.closed;
        self.accepted += side.accepted;
        self.results += side.results;
        self.unseen += side.unseen;
    }

    /// The findings, a line each.
    #[must_use]
    pub fn findings(&self) -> Vec<String> {
        let mut found = suite::findings(SUCCESS, &self.outcome);
        let (accepted, results, unseen) = (self.accepted, self.results, self.unseen);
        if accepted != results + unseen {
            found.push(format!(
                "{accepted} requests were accepted, {results} have results, {unseen} can have none"
            ));
        }
        found
    }

    /// Returns whether nothing is wrong: no finding of the consumer, and no request lost.
    pub fn is_clean(&self) -> bool {
        self.findings().is_empty()
    }
}

/// Plays a round between two ends of `host`, whose adapters run before and after.
///
/// # Errors
/// If something fails that may not; where memory is made short, failures are part of the round.
pub fn round(host: &mut impl Host, [near, far]: [Endpoint; 2], plan: &Plan) -> Result<Round, Error> {
    let short = plan.shortage > 0.0;
    if short {
        host.shorten(Some(Shortage { fraction: plan.shortage, seed: plan.seed }))?;
    }
    let played = play(host, [near, far], plan, short);
    let failed_allocations = if short { host.shorten(None)? } else { 0 };
    plan.ending.undo(host, far)?;
    played.map(|round| Round { failed_allocations, ..round })
}

fn play(host: &impl Host, [near, far]: [Endpoint; 2], plan: &Plan, short: bool) -> Result<Round, Error> {
    let client = Client::open(host)?;
    let stress = match Stress::open(client, near, far, plan.connections, short) {
        Ok(stress) => stress,
        Err(Error::Status { outcome: Some(outcome), .. }) if short => return Ok(Round::empty(*outcome)),
        Err(error) => return Err(error),
    };
    let groups = connect(&stress, plan, short)?;
    let mut round = Round::empty(Outcome::NONE);
    round.connected = groups.iter().map(|(_, connected)| connected).sum();
    thread::scope(|scope| {
        let [near_threads, far_threads] = [Side::Near, Side::Far].map(|side| {
            let stress = &stress;
            let drive = move |group| scope.spawn(move || stress.drive(group, side, plan.level, plan.seed));
            groups.iter().map(|(group, _)| drive(*group)).collect::<Vec<_>>()
        });
        let traffic = await_traffic(&stress, u64::from(round.connected) * plan.results);
        // However the traffic went, its threads must end.
        let stopped = Instant::now();
        let gone = plan.ending.run(host, far, || {
            stress.stop_side(Side::Far)?;
            if !plan.ending.takes_adapter() {
                stress.stop_side(Side::Near)?;
            }
            join(far_threads, &mut round)?;
            stress.close_adapter(Side::Far)
        });
        stress.stop_side(Side::Near)?;
        join(near_threads, &mut round)?;
        round.closing = stopped.elapsed();
        traffic.and(gone)
    })?;
    round.outcome = stress.close()?;
    Ok(round)
}

/// Connects the groups at the same time; says which there are, and how many connections each has.
fn connect(stress: &Stress, plan: &Plan, short: bool) -> Result<Vec<(u32, u32)>, Error> {
    thread::scope(|scope| {
        let groups: Vec<_> =
            (0..plan.groups).map(|group| (group, scope.spawn(move || stress.connect(group)))).collect();
        let connected = groups.into_iter().map(|(group, thread)| (group, result_of(thread)));
        let made = connected.filter_map(|(group, report)| match report {
            Ok(report) if short || report.status == 0 => Some(Ok((group, report.connected))),
            Ok(report) => Some(Err(Error::Status { what: "connect", status: report.status, outcome: None })),
            Err(_) if short => None,
            Err(error) => Some(Err(error)),
        });
        made.collect()
    })
}

fn await_traffic(stress: &Stress, results: u64) -> Result<(), Error> {
    let began = Instant::now();
    while stress.counters()?.results < results {
        if began.elapsed() > STEP_TIMEOUT {
            return Err(Error::Late("the traffic before the sides are stopped"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn join(
    threads: Vec<ScopedJoinHandle<'_, Result<SideReport, Error>>>,
    round: &mut Round,
) -> Result<(), Error> {
    let reports: Vec<_> = threads.into_iter().map(result_of).collect();
    reports.into_iter().try_for_each(|report| report.map(|report| round.add(&report)))
}

fn result_of<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

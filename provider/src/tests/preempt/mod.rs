//! Preemption at every lock, systematically.
//!
//! An operation runs, and just before it takes its k-th lock, or a DPC starts, or inside a callback, another
//! processor does another operation to its end: for all pairs of operations that a legal consumer may have under way
//! at once ([`op::Op::may_meet`]), all k, all stages of a connection ([`stage::Stage`]). Then everything is brought to
//! its end, and judged ([`judge`]). All of it is done a second time with the connections over a network. Triples and longer are drawn at random from a seed. A case that does not come to
//! its end within a minute, or ends the process, is named ([`crash`]).
//!
//! | variable | effect |
//! |---|---|
//! | `SOFTNDK_PREEMPT_SECONDS` | random cases for so long, and every pair in every stage in every way |
//! | `SOFTNDK_PREEMPT_SEED` | draws from this seed |
//! | `SOFTNDK_PREEMPT_CASE` | `preempt_case` runs the case of this name |

mod case;
mod connect;
mod crash;
mod expected;
mod judge;
mod op;
mod pairs;
mod perform;
mod posts;
mod random;
mod run;
mod stage;
mod thing;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use case::Case;
use pairs::Share;
use random::{Random, shorten};
use run::Outcome;

/// Failures after which no more cases are run: where a mistake fails in every case, each case leaves objects behind.
const ENOUGH: usize = 500;

/// The failures of many runs: of each kind a case, and how often it came.
#[derive(Default)]
struct Failures(BTreeMap<String, (usize, String)>);

impl Failures {
    fn add(&mut self, case: &Case, outcome: &Outcome) {
        // What follows an expected failure is not judged.
        let is_expected = |failure: &String| expected::is_expected(failure);
        let Some(failure) = outcome.failures.first() else { return };
        if outcome.failures.iter().any(is_expected) {
            return;
        }
        let report = || {
            let case = shorten(case.clone(), failure);
            case.run().report(&case)
        };
        self.0.entry(failure.clone()).or_insert_with(|| (0, report())).0 += 1;
    }

    /// There are so many that more would say nothing new.
    fn are_enough(&self) -> bool {
        self.0.values().map(|(count, _)| count).sum::<usize>() >= ENOUGH
    }

    fn judge(self) {
        if self.are_enough() {
            println!("no more cases after {ENOUGH} failures");
        }
        for (count, report) in self.0.values() {
            println!("{count} times: {report}\n");
        }
        for (kind, (count, _)) in &self.0 {
            println!("{count:6} times {kind}");
        }
        assert!(self.0.is_empty(), "{} kinds of failure", self.0.len());
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn seed() -> u64 {
    variable("SOFTNDK_PREEMPT_SEED").unwrap_or(1)
}

fn seconds() -> Option<Duration> {
    variable("SOFTNDK_PREEMPT_SECONDS").map(Duration::from_secs)
}

/// Runs pairs, or the share of them that is for a run without a time.
fn pairs(share: Share, atomics: bool, wire: bool) {
    let (begin, mut failures) = (Instant::now(), Failures::default());
    let share = seconds().map_or(share, |_| Share::Everything);
    let (pairs, runs) = pairs::all(seed(), share, (atomics, wire), &mut failures);
    println!("{pairs} pairs in {runs} runs, seed {}, {:?}", seed(), begin.elapsed());
    failures.judge();
}

/// Runs cases of a seed.
fn at_random(wire: bool, count: usize) {
    let (begin, mut random, mut failures) = (Instant::now(), Random(seed()), Failures::default());
    let mut runs = 0;
    let goes_on = |runs| seconds().map_or(runs < count, |seconds| begin.elapsed() < seconds);
    while goes_on(runs) && !failures.are_enough() {
        let case = random.case(wire);
        failures.add(&case, &case.run());
        runs += 1;
    }
    println!("{runs} random runs, seed {}, {:?}", seed(), begin.elapsed());
    failures.judge();
}

/// Runs what makes results, preempted at every atomic.
fn results(wire: bool) {
    let (begin, mut failures) = (Instant::now(), Failures::default());
    let runs = pairs::all_results(wire, &mut failures);
    println!("{runs} runs of what makes results, {:?}", begin.elapsed());
    failures.judge();
}

#[test]
fn preempt_every_pair() {
    pairs(Share::Each(9), false, false);
}

#[test]
fn preempt_pairs_at_atomics() {
    pairs(Share::Some(800), true, false);
}

#[test]
fn preempt_results_at_every_atomic() {
    results(false);
}

#[test]
fn preempt_at_random() {
    at_random(false, 4000);
}

#[test]
fn preempt_every_pair_over_network() {
    pairs(Share::Some(150), false, true);
}

#[test]
fn preempt_pairs_over_network_at_atomics() {
    pairs(Share::Some(6000), true, true);
}

#[test]
fn preempt_results_over_network_at_every_atomic() {
    results(true);
}

#[test]
fn preempt_over_network_at_random() {
    at_random(true, 2000);
}

/// Runs the case that the environment names.
#[test]
fn preempt_case() {
    let Ok(name) = std::env::var("SOFTNDK_PREEMPT_CASE") else { return };
    let case = Case::named(&name);
    let outcome = case.run();
    assert!(outcome.failures.is_empty(), "{}", outcome.report(&case));
}

//! Preemption at every lock, systematically: an operation runs, and just before one of its lock acquisitions
//! another one runs, to its end or until it has to wait, as on another processor.
//!
//! All ordered pairs of operations, at all stages of an endpoint, and at random also a third operation, which
//! preempts either of them. In a short time not every acquisition of every pair is visited: each pass takes another
//! one, chosen from the seed. After each run everything is cancelled, the endpoints are tried, all is closed, and:
//!
//! | rule | checked by |
//! |---|---|
//! | a request completes once, with no cancel routine set, with a status that is tabled for it | the records of `host`, [`Clients::end`] |
//! | in the end no endpoint has anything left to do, and nothing waits at an address whose adapter is gone | `Clients::is_at_rest` |
//! | a request completes when it is cancelled, whatever it waits for | `Clients::cancel_all` |
//! | it is complete when the cleanup of its file returns | `Clients::clean_up` |
//! | no handler runs after the cleanup of its address, or of the endpoint that it concerns, has returned | [`handler`] |
//! | an endpoint that was aborted is idle, connects anew and carries data | `Clients::probe` |
//! | no file, no port in use, no access list and nothing under way is left | [`Clients::end`] |
//! | no processor waits for ever, and none takes a lock that it holds | `host` |
//!
//! Each run is on a machine without TCP, with one for whose ports listens and their closes pend, with one that opens
//! and closes them inside the call, or with one that all connections go over.
//!
//! `SOFTNDK_PREEMPT_SECONDS` runs longer, `SOFTNDK_PREEMPT_PASSES` runs every pair so often at least,
//! `SOFTNDK_PREEMPT_SEED` chooses, and `SOFTNDK_PREEMPT_RUN` repeats the run
//! that a failure prints.

mod client;
mod handler;
mod operation;
mod stage;

use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use provider::number::u64_from;

use super::client::Tcp;
use client::Clients;
use operation::Operation;
use stage::Stage;

use test_kernel::{Strike, preempted};

/// The seconds for which pairs and triples run together, unless the environment says otherwise.
const SECONDS: u64 = 6;

/// One run: an operation, and those that preempt it, or each other.
#[derive(Clone, Debug)]
struct Run {
    tcp: Tcp,
    stage: Stage,
    first: Operation,
    strikes: Vec<(usize, usize, Operation)>,
}

impl core::fmt::Display for Run {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?},{:?},{:?}", self.tcp, self.stage, self.first)?;
        self.strikes
            .iter()
            .try_for_each(|(processor, point, operation)| write!(f, ",{processor},{point},{operation:?}"))
    }
}

impl Run {
    /// The text that [`Run`]'s display has printed.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(',');
        let operation =
            |word: &str| Operation::ALL.iter().copied().find(|operation| format!("{operation:?}") == word);
        let named = words.next()?;
        let tcp = Tcp::ALL.into_iter().find(|tcp| format!("{tcp:?}") == named)?;
        let named = words.next()?;
        let stage = Stage::ALL.iter().copied().find(|stage| format!("{stage:?}") == named)?;
        let first = operation(words.next()?)?;
        let mut strikes = Vec::new();
        while let Some(processor) = words.next() {
            let point = words.next()?.parse().ok()?;
            strikes.push((processor.parse().ok()?, point, operation(words.next()?)?));
        }
        Some(Self { tcp, stage, first, strikes })
    }

    /// Runs it; returns how many points the first operation had.
    fn play(&self) -> usize {
        test_kernel::forget();
        let clients = Rc::new(Clients::new(self.tcp));
        self.stage.reach(&clients);
        let strikes = self.strikes.iter().map(|(processor, point, operation)| {
            let (clients, operation) = (Rc::clone(&clients), *operation);
            let work = Box::new(move || operation.perform(&clients));
            Strike { processor: *processor, point: *point, work }
        });
        let points = preempted(strikes.collect(), || self.first.perform(&clients));
        clients.end();
        points
    }

    /// Runs it; if a rule is broken, the panic says how to repeat it.
    fn check(&self) -> usize {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
        self.play()
    }
}

/// The run that a panic tells of: one in a callback of the network ends the process.
static RUNNING: Mutex<Option<Run>> = Mutex::new(None);

fn tell_run_of_panics() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        if let Some(run) = &*RUNNING.lock().unwrap_or_else(PoisonError::into_inner) {
            eprintln!("repeat it with SOFTNDK_PREEMPT_RUN={run}");
        }
    }));
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// A generator of numbers from a seed: SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64_from(limit)).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

#[test]
fn preempted_operations_keep_rules() {
    if let Ok(run) = std::env::var("SOFTNDK_PREEMPT_RUN") {
        Run::parse(&run).expect("a run as a failure prints it").play();
        return;
    }
    let time = Duration::from_secs(variable("SOFTNDK_PREEMPT_SECONDS").unwrap_or(SECONDS));
    let seed = variable("SOFTNDK_PREEMPT_SEED").unwrap_or_else(|| {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        u64::from(now.subsec_nanos())
    });
    println!("seed {seed}");
    tell_run_of_panics();
    let mut random = Random(seed);
    let begin = Instant::now();
    let least = variable("SOFTNDK_PREEMPT_PASSES").unwrap_or(0);
    let pairs = play_pairs(&mut random, begin + time * 3 / 4, least.try_into().unwrap());
    let triples = play_triples(&mut random, begin + time);
    println!("{pairs}, and {triples} triples, in {:?}; SOFTNDK_PREEMPT_SEED={seed}", begin.elapsed());
}

/// The pairs of all stages, in an order that follows from the seed; each pass visits another point of each, and the
/// first `least` ones take the time that they need.
fn play_pairs(random: &mut Random, until: Instant, least: usize) -> String {
    let mut all = Vec::new();
    for stage in Stage::ALL {
        for first in Operation::ALL {
            // Each with one of the machines, which all of its pairs have, as the number of points differs.
            let tcp = random.of(&Tcp::ALL);
            let points = Run { tcp, stage: *stage, first: *first, strikes: Vec::new() }.check();
            all.extend(Operation::ALL.iter().map(|second| (tcp, *stage, *first, *second, points)));
        }
    }
    for place in (1..all.len()).rev() {
        all.swap(place, random.below(place + 1));
    }
    let (mut runs, mut pass) = (0, 0);
    while all.iter().any(|(.., points)| pass < *points) {
        for (visited, (tcp, stage, first, second, points)) in all.iter().enumerate() {
            if pass >= least && Instant::now() > until {
                return format!("{runs} pairs, {pass} passes and {visited} of {} more", all.len());
            }
            if pass < *points {
                // The seed shifts the points, so that a short time sees others each time.
                let point = (pass + visited) % points;
                let strikes = vec![(0, point, *second)];
                Run { tcp: *tcp, stage: *stage, first: *first, strikes }.check();
                runs += 1;
            }
        }
        pass += 1;
    }
    format!("{runs} pairs, which are all at every point")
}

/// Two operations that preempt a third one, or each other.
fn play_triples(random: &mut Random, until: Instant) -> usize {
    let mut runs = 0;
    while Instant::now() < until {
        let strikes = (0..2).map(|_| (random.below(2), random.below(12), random.of(Operation::ALL)));
        let strikes = strikes.collect();
        let (tcp, stage) = (random.of(&Tcp::ALL), random.of(Stage::ALL));
        Run { tcp, stage, first: random.of(Operation::ALL), strikes }.check();
        runs += 1;
    }
    runs
}

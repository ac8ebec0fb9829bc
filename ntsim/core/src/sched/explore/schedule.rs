//! The parameters of a schedule.

#![forbid(unsafe_code)]

use core::fmt;
use core::str::FromStr;

use crate::number::{ToU64, ToUsize};

/// The strategy that chooses the next thread to run from a seed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strategy {
    /// A random walk: at each point another thread goes on with a probability that is drawn once per run,
    /// so that some runs switch all the time and others rarely.
    Random,
    /// Few preemptions, at random points; else a thread runs until it waits. Most races need one or two
    /// (Musuvathi and Qadeer, "Iterative Context Bounding", PLDI 2007).
    Bounded,
    /// Random priorities, which change at a few random points; the highest one that may run does
    /// (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
    /// ASPLOS 2010).
    Pct,
    /// As bounded, but the preemptions are at calls that acquire a lock, before it is acquired.
    Locks,
    /// As bounded, but the preemptions are at the instructions that [`Atomics`] makes points.
    Atomics,
}

/// The instructions of images that are points, besides calls.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Atomics {
    /// None: images run as they are.
    #[default]
    Off,
    /// Locked and exchanging instructions, and PAUSE.
    Locked,
    /// All those that access memory which other threads may access, too: an atomic load or store is a plain MOV.
    All,
}

impl Atomics {
    /// Its name, as [`Display`](fmt::Display) writes it and [`FromStr`] reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Locked => "locked",
            Self::All => "all",
        }
    }
}

impl fmt::Display for Atomics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Atomics {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = [Self::Off, Self::Locked, Self::All].into_iter().find(|atomics| atomics.name() == name);
        known.ok_or_else(|| format!("{name}: not one of off, locked, all"))
    }
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Random, Self::Bounded, Self::Pct, Self::Locks, Self::Atomics];

    /// The one that a seed stands for where none is named: neighbouring seeds take turns.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self::ALL[(seed % Self::ALL.len().to_u64()).to_usize()]
    }

    /// Its name, as [`Display`](fmt::Display) writes it and [`FromStr`] reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Bounded => "bounded",
            Self::Pct => "pct",
            Self::Locks => "locks",
            Self::Atomics => "atomics",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|strategy| strategy.name() == name);
        known.ok_or_else(|| format!("{name}: not one of random, bounded, pct, locks, atomics"))
    }
}

/// The order in which a machine's threads run: all of it follows from a seed.
///
/// Given to [`Builder::schedule`](crate::boot::Builder::schedule). One thread of the machine then runs
/// at a time, and the next one is chosen at every entry into the kernel and every return from it, at every
/// call into a driver, and wherever a thread waits, for a spin lock or a processor too. Time stands still
/// while a thread can run, and else jumps to the next deadline. The same seed therefore leads to the same
/// run, if what the test does follows from the seed too:
///
/// - its threads are started by [`spawn`](crate::sched::spawn), and wait by [`block`](crate::sched::block)
///   or in calls into the kernel, never by the host's means;
/// - it takes no decision by an address, the host's time or the order within a hash table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Schedule {
    /// The seed that all choices follow from.
    pub seed: u64,
    /// The strategy of the choices.
    pub strategy: Strategy,
    /// The instructions of images that are points.
    pub atomics: Atomics,
    pub(super) kept: usize,
    pub(super) most: u64,
}

/// Points after which a run is taken for one that never ends: fifty times what a long one has.
const ENDLESS: u64 = 1_000_000;

impl Schedule {
    /// The schedule that `strategy` makes of `seed`.
    #[must_use]
    pub fn seeded(seed: u64, strategy: Strategy) -> Self {
        Self { seed, strategy, atomics: Atomics::Off, kept: 0, most: ENDLESS }
    }

    /// With the last so many events kept, to be told where something is found.
    #[must_use]
    pub fn traced(mut self, events: usize) -> Self {
        self.kept = events;
        self
    }

    /// With these instructions of images as points.
    #[must_use]
    pub fn atomics(mut self, atomics: Atomics) -> Self {
        self.atomics = atomics;
        self
    }

    /// With so many points after which the run is taken for one that never ends, for a run that is longer
    /// than others.
    #[must_use]
    pub fn at_most(mut self, points: u64) -> Self {
        self.most = points;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategy_is_read_as_it_is_written() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        assert!("fair".parse::<Strategy>().is_err());
    }

    #[test]
    fn seeds_in_a_row_stand_for_every_strategy() {
        let strategies: Vec<_> = (7..12).map(Strategy::of_seed).collect();
        assert!(Strategy::ALL.iter().all(|strategy| strategies.contains(strategy)));
    }
}

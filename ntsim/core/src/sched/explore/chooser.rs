//! Choosing the thread that goes on.

#![forbid(unsafe_code)]

use super::{Schedule, Strategy};

/// A thread's number within its machine.
pub(super) type Number = usize;

/// The place of a thread that could go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// Calls the kernel, returns from it, or is called.
    Call,
    /// Calls the kernel to acquire a lock.
    Lock,
    /// At a locked or exchanging instruction, or just behind one.
    Atomic,
    /// At another access to memory.
    Access,
    /// At an instruction by which it says that it spins.
    Pause,
}

/// Chooses from a seed.
pub(super) struct Chooser {
    random: fastrand::Rng,
    /// Points in calls and waits at which another thread than the running one could be chosen.
    pub(super) choices: u64,
    /// The same, in code.
    pub(super) choices_in_code: u64,
    /// The number of times at a place of the kind that the strategy preempts at.
    steps: u64,
    strategy: Chosen,
}

/// A strategy with its parameters, which are drawn once per run.
enum Chosen {
    Random {
        /// One in so many points switches.
        odds: u64,
        /// One in so many of those in code does.
        odds_in_code: u64,
    },
    Preempting {
        at: Preempted,
        preemptions: Vec<u64>,
    },
    Pct {
        /// By thread; the highest goes on.
        priorities: Vec<u64>,
        changes: Vec<u64>,
        changes_in_code: Vec<u64>,
        /// The priority that the next change lowers a thread to; below all that were drawn.
        lowest: u64,
    },
}

/// The places of a run's preemptions.
#[derive(Clone, Copy)]
enum Preempted {
    Calls,
    Locks,
    Atomics,
    /// Any access to memory with no spin lock held: that of a field which only a lock protects is none.
    UnlockedAccesses,
    Accesses,
}

impl Preempted {
    fn is_at(self, place: Place, holds_lock: bool) -> bool {
        match (self, place) {
            (Self::Calls, Place::Call | Place::Lock) | (Self::Locks, Place::Lock) => true,
            (Self::Atomics | Self::Accesses, Place::Atomic) | (Self::Accesses, Place::Access) => true,
            (Self::UnlockedAccesses, Place::Atomic | Place::Access) => !holds_lock,
            _ => false,
        }
    }
}

/// Priorities are drawn from here upwards.
const DRAWN: u64 = 1 << 32;

impl Chooser {
    pub(super) fn new(schedule: &Schedule) -> Self {
        // The strategies' streams differ, or seed 7 would draw the same numbers for each.
        let mut random = fastrand::Rng::with_seed(schedule.seed.wrapping_mul(5) + schedule.strategy as u64);
        let strategy = match schedule.strategy {
            Strategy::Random => {
                Chosen::Random { odds: 1 << random.u32(1..=6), odds_in_code: 1 << random.u32(5..=14) }
            }
            Strategy::Bounded => {
                Chosen::Preempting { at: Preempted::Calls, preemptions: choices(&mut random, 4, 10) }
            }
            Strategy::Locks => {
                Chosen::Preempting { at: Preempted::Locks, preemptions: choices(&mut random, 4, 8) }
            }
            Strategy::Atomics => {
                let (at, longest) = match random.u32(..4) {
                    0 | 1 => (Preempted::Atomics, 10),
                    2 => (Preempted::UnlockedAccesses, 12),
                    _ => (Preempted::Accesses, 13),
                };
                Chosen::Preempting { at, preemptions: close_choices(&mut random, 4, longest) }
            }
            Strategy::Pct => Chosen::Pct {
                priorities: Vec::new(),
                changes: choices(&mut random, 4, 10),
                changes_in_code: choices(&mut random, 2, 12),
                lowest: DRAWN,
            },
        };
        Self { random, choices: 0, choices_in_code: 0, steps: 0, strategy }
    }

    /// Takes note of thread `number`, the next in a row.
    pub(super) fn begin(&mut self, number: Number) {
        if let Chosen::Pct { priorities, .. } = &mut self.strategy {
            debug_assert_eq!(priorities.len(), number);
            priorities.push(self.random.u64(DRAWN..));
        }
    }

    /// The thread that goes on, of those that are `ready`, when another one cannot. `None` if none is.
    pub(super) fn choose(&mut self, ready: &[Number]) -> Option<Number> {
        if ready.is_empty() {
            return None;
        }
        self.choices += 1;
        match &self.strategy {
            Chosen::Random { .. } | Chosen::Preempting { .. } => self.random.choice(ready).copied(),
            Chosen::Pct { priorities, .. } => ready.iter().copied().max_by_key(|&number| priorities[number]),
        }
    }

    /// Returns whether it is one of those that are `ready` instead of `running`, which has come to `place`.
    pub(super) fn preempts(
        &mut self,
        running: Number,
        place: Place,
        holds_lock: bool,
        ready: &[Number],
    ) -> Option<Number> {
        if ready.is_empty() {
            return None;
        }
        let in_code = matches!(place, Place::Atomic | Place::Access | Place::Pause);
        let count = if in_code { &mut self.choices_in_code } else { &mut self.choices };
        let choice = *count;
        *count += 1;
        let random = &mut self.random;
        match &mut self.strategy {
            Chosen::Random { .. } | Chosen::Preempting { .. } if place == Place::Pause => {
                random.choice(ready).copied()
            }
            Chosen::Random { odds, odds_in_code } => {
                let odds = if in_code { *odds_in_code } else { *odds };
                if random.u64(..odds) == 0 { random.choice(ready).copied() } else { None }
            }
            Chosen::Preempting { at, preemptions } => {
                if !at.is_at(place, holds_lock) {
                    return None;
                }
                let step = self.steps;
                self.steps += 1;
                if preemptions.contains(&step) { random.choice(ready).copied() } else { None }
            }
            Chosen::Pct { priorities, changes, changes_in_code, lowest } => {
                let changes = if in_code { changes_in_code } else { changes };
                if place == Place::Pause || changes.contains(&choice) {
                    *lowest -= 1;
                    priorities[running] = *lowest;
                }
                let next = ready.iter().copied().max_by_key(|&number| priorities[number])?;
                (priorities[next] > priorities[running]).then_some(next)
            }
        }
    }
}

/// Up to `most` choices of a run. How many there are is not known, so that is guessed, too: up to two to the
/// power of `longest`.
fn choices(random: &mut fastrand::Rng, most: usize, longest: u32) -> Vec<u64> {
    let length = 1 << random.u32(3..=longest);
    (0..random.usize(1..=most)).map(|_| random.u64(..length)).collect()
}

/// As [`choices`], of which some are close to each other: a race in code often takes two preemptions, of one
/// thread and soon after of the other.
fn close_choices(random: &mut fastrand::Rng, most: usize, longest: u32) -> Vec<u64> {
    let mut choices = choices(random, most, longest);
    for later in 1..choices.len() {
        if random.bool() {
            let distance = 1 << random.u32(0..=7);
            choices[later] = choices[later - 1] + 1 + random.u64(..distance);
        }
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a thousand choices while threads 0 to 2 can run all the time.
    fn chosen(seed: u64, strategy: Strategy) -> Vec<Number> {
        let place = match strategy {
            Strategy::Locks => Place::Lock,
            Strategy::Atomics => Place::Atomic,
            _ => Place::Call,
        };
        let mut chooser = Chooser::new(&Schedule::seeded(seed, strategy));
        (0..3).for_each(|number| chooser.begin(number));
        let mut running = 0;
        let next = |_| {
            let ready: Vec<_> = (0..3).filter(|&number| number != running).collect();
            running = chooser.preempts(running, place, false, &ready).unwrap_or(running);
            running
        };
        (0..1000).map(next).collect()
    }

    fn switches(choices: &[Number]) -> usize {
        choices.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn seed_makes_the_same_choices_again_and_others_make_others() {
        for strategy in Strategy::ALL {
            assert_eq!(chosen(1, strategy), chosen(1, strategy));
            let different: std::collections::HashSet<_> =
                (0..50).map(|seed| chosen(seed, strategy)).collect();
            assert!(different.len() > 10, "{strategy}: {}", different.len());
        }
    }

    #[test]
    fn random_walk_switches_more_often_than_the_others() {
        let most = |strategy| (0..50).map(|seed| switches(&chosen(seed, strategy))).max().unwrap();
        assert!(most(Strategy::Random) > 300);
        assert!((1..=4).contains(&most(Strategy::Bounded)));
        assert!((1..=4).contains(&most(Strategy::Pct)));
        assert!((1..=4).contains(&most(Strategy::Locks)));
        assert!((1..=4).contains(&most(Strategy::Atomics)));
    }

    #[test]
    fn waiting_thread_is_not_chosen_and_none_is_if_all_wait() {
        for strategy in Strategy::ALL {
            let mut chooser = Chooser::new(&Schedule::seeded(5, strategy));
            (0..3).for_each(|number| chooser.begin(number));
            assert!((0..100).all(|_| chooser.choose(&[2]) == Some(2)));
            assert_eq!(chooser.preempts(1, Place::Call, false, &[]), None);
            assert_eq!(chooser.choose(&[]), None);
        }
    }

    /// The places at which a strategy preempts within a thousand of each kind.
    fn preempts_at(seed: u64, strategy: Strategy, places: &[Place], holds_lock: bool) -> Vec<Place> {
        let mut chooser = Chooser::new(&Schedule::seeded(seed, strategy));
        (0..2).for_each(|number| chooser.begin(number));
        let all = (0..1000).flat_map(|_| places);
        all.filter(|&&place| chooser.preempts(0, place, holds_lock, &[1]).is_some()).copied().collect()
    }

    #[test]
    fn locks_preempts_at_locks_only_and_atomics_in_code_only() {
        let places = [Place::Call, Place::Lock, Place::Atomic, Place::Access];
        let mut accesses = 0;
        for seed in 0..100 {
            let locks = preempts_at(seed, Strategy::Locks, &places, false);
            assert!(locks.iter().all(|&place| place == Place::Lock));
            let atomics = preempts_at(seed, Strategy::Atomics, &places, false);
            assert!(atomics.iter().all(|&place| matches!(place, Place::Atomic | Place::Access)));
            accesses += atomics.iter().filter(|&&place| place == Place::Access).count();
            let bounded = preempts_at(seed, Strategy::Bounded, &places, false);
            assert!(bounded.iter().all(|&place| matches!(place, Place::Call | Place::Lock)));
        }
        assert!(accesses > 10, "{accesses}");
    }

    #[test]
    fn thread_that_pauses_lets_another_run_with_every_strategy() {
        for strategy in Strategy::ALL {
            for seed in 0..20 {
                assert_eq!(preempts_at(seed, strategy, &[Place::Pause], true).len(), 1000);
            }
        }
    }
}

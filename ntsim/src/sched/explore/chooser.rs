//! Choosing the thread that goes on.

use super::{Schedule, Strategy};

/// A thread's number within its machine.
pub(super) type Number = usize;

/// Chooses from a seed.
pub(super) struct Chooser {
    random: fastrand::Rng,
    /// How often there was somebody to choose besides the running thread: the points that count.
    pub(super) choices: u64,
    strategy: Chosen,
}

/// A strategy with its parameters, which are drawn once per run.
enum Chosen {
    Random {
        /// One in so many points switches.
        odds: u64,
    },
    Bounded {
        preemptions: Vec<u64>,
    },
    Pct {
        /// By thread; the highest goes on.
        priorities: Vec<u64>,
        changes: Vec<u64>,
        /// What the next change lowers a priority to; below all that were drawn.
        lowest: u64,
    },
}

/// Priorities are drawn from here upwards.
const DRAWN: u64 = 1 << 32;

impl Chooser {
    pub(super) fn new(schedule: &Schedule) -> Self {
        // The strategies' streams differ, or seed 7 would draw the same numbers for each.
        let mut random = fastrand::Rng::with_seed(schedule.seed.wrapping_mul(3) + schedule.strategy as u64);
        let strategy = match schedule.strategy {
            Strategy::Random => Chosen::Random { odds: 1 << random.u32(1..=6) },
            Strategy::Bounded => Chosen::Bounded { preemptions: choices(&mut random, 4) },
            Strategy::Pct => {
                Chosen::Pct { priorities: Vec::new(), changes: choices(&mut random, 4), lowest: DRAWN }
            }
        };
        Self { random, choices: 0, strategy }
    }

    /// Takes note of thread `number`, the next in a row.
    pub(super) fn begin(&mut self, number: Number) {
        if let Chosen::Pct { priorities, .. } = &mut self.strategy {
            debug_assert_eq!(priorities.len(), number);
            priorities.push(self.random.u64(DRAWN..));
        }
    }

    /// The thread that goes on, of those that are `ready`. `running`, where that one may go on as well, is
    /// not among them.
    pub(super) fn choose(&mut self, running: Option<Number>, ready: &[Number]) -> Option<Number> {
        if ready.is_empty() {
            return running;
        }
        let (step, random) = (self.choices, &mut self.random);
        self.choices += 1;
        match (&mut self.strategy, running) {
            (Chosen::Random { odds }, Some(running)) if random.u64(..*odds) != 0 => Some(running),
            (Chosen::Bounded { preemptions }, Some(running)) if !preemptions.contains(&step) => Some(running),
            (Chosen::Random { .. } | Chosen::Bounded { .. }, _) => random.choice(ready).copied(),
            (Chosen::Pct { priorities, changes, lowest }, _) => {
                if let Some(running) = running.filter(|_| changes.contains(&step)) {
                    *lowest -= 1;
                    priorities[running] = *lowest;
                }
                ready.iter().copied().chain(running).max_by_key(|&number| priorities[number])
            }
        }
    }
}

/// Up to `most` choices of a run. How many there are is not known, so that is guessed, too.
fn choices(random: &mut fastrand::Rng, most: usize) -> Vec<u64> {
    let length = 1 << random.u32(3..=10);
    (0..random.usize(1..=most)).map(|_| random.u64(..length)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a thousand choices come to while threads 0 to 2 can run all the time.
    fn chosen(seed: u64, strategy: Strategy) -> Vec<Number> {
        let mut chooser = Chooser::new(&Schedule::seeded(seed, strategy));
        (0..3).for_each(|number| chooser.begin(number));
        let mut running = 0;
        let next = |_| {
            let ready: Vec<_> = (0..3).filter(|&number| number != running).collect();
            running = chooser.choose(Some(running), &ready).unwrap();
            running
        };
        (0..1000).map(next).collect()
    }

    fn switches(choices: &[Number]) -> usize {
        choices.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn a_seed_makes_the_same_choices_again_and_others_make_others() {
        for strategy in Strategy::ALL {
            assert_eq!(chosen(1, strategy), chosen(1, strategy));
            let different: std::collections::HashSet<_> =
                (0..50).map(|seed| chosen(seed, strategy)).collect();
            assert!(different.len() > 10, "{strategy}: {}", different.len());
        }
    }

    #[test]
    fn only_the_random_walk_switches_often() {
        let most = |strategy| (0..50).map(|seed| switches(&chosen(seed, strategy))).max().unwrap();
        assert!(most(Strategy::Random) > 300);
        assert!((1..=4).contains(&most(Strategy::Bounded)));
        assert!((1..=4).contains(&most(Strategy::Pct)));
    }

    #[test]
    fn who_waits_is_not_chosen_and_nobody_is_if_all_wait() {
        for strategy in Strategy::ALL {
            let mut chooser = Chooser::new(&Schedule::seeded(5, strategy));
            (0..3).for_each(|number| chooser.begin(number));
            assert!((0..100).all(|_| chooser.choose(None, &[2]) == Some(2)));
            assert_eq!(chooser.choose(Some(1), &[]), Some(1));
            assert_eq!(chooser.choose(None, &[]), None);
        }
    }
}

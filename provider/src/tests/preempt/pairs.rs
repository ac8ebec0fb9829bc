//! All pairs: every operation, preempted by every other one, at every point, in every stage.

use super::Failures;
use super::case::{Case, Ending};
use super::op::Op;
use super::random::Random;
use super::stage::Stage;
use super::world::Interruption;

/// One of so many pairs of a stage is run, if not all are.
const ONE_OF: usize = 7;

/// The ways in which a pair may go on: deferred calls at once or later, and the endings.
const WAYS: usize = 8;

/// The number of points that an operation reaches in a stage by itself, if a legal consumer can do it there.
fn points(stage: Stage, op: Op) -> usize {
    let interruption = Interruption { after: usize::MAX, op: Op::Deferred, deferred: false };
    let (ops, interruptions) = (vec![op], vec![interruption]);
    let outcome = Case { stage, ops, interruptions, ending: Ending::numbered(0) }.run();
    if outcome.legal { outcome.points } else { 0 }
}

/// Preempts `first` by `second` at each of its points; returns how many runs these were, and whether a legal consumer
/// can do that there.
fn preempt(
    (stage, first, second): (Stage, Op, Op),
    points: usize,
    mut ways: impl FnMut() -> std::ops::Range<usize>,
    failures: &mut Failures,
) -> (usize, bool) {
    let mut runs = 0;
    for after in 1..=points {
        for way in ways() {
            let interruptions = vec![Interruption { after, op: second, deferred: way & 4 != 0 }];
            let case = Case { stage, ops: vec![first], interruptions, ending: Ending::numbered(way) };
            let outcome = case.run();
            failures.add(&case, &outcome);
            runs += 1;
            if !outcome.legal {
                return (runs, after > 1);
            }
        }
    }
    (runs, true)
}

/// Runs pairs: all of them in every stage and way if `everything`, or else each in at least one stage, and in others
/// as the seed has it. Returns how many pairs there are, and runs.
pub(super) fn all(seed: u64, everything: bool, failures: &mut Failures) -> (usize, usize) {
    let (all, mut random, mut runs) = (Op::all(), Random(seed), 0);
    let mut covered = vec![false; all.len() * all.len()];
    let points = Stage::ALL.map(|stage| all.iter().map(|op| points(stage, *op)).collect::<Vec<_>>());
    for all_that_are_left in [false, true] {
        for (stage, points) in Stage::ALL.into_iter().zip(&points) {
            for (pair, covered) in covered.iter_mut().enumerate() {
                let (first, second) = (pair / all.len(), pair % all.len());
                let meets = points[first] != 0 && all[second].may_meet(all[first]);
                let chosen = match all_that_are_left {
                    true => !*covered,
                    false => everything || random.below(ONE_OF) == 0,
                };
                if !meets || !chosen {
                    continue;
                }
                let ways = || {
                    let way = random.below(WAYS);
                    if everything { 0..WAYS } else { way..way + 1 }
                };
                let (done, legal) = preempt((stage, all[first], all[second]), points[first], ways, failures);
                runs += done;
                *covered |= legal;
            }
        }
    }
    (covered.into_iter().filter(|covered| *covered).count(), runs)
}

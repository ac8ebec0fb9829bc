//! All pairs: every operation, preempted by every other one, at every point, in every stage.

use super::Failures;
use super::case::{Case, Ending};
use super::op::Op;
use super::random::Random;
use super::stage::Stage;
use super::world::Interruption;

/// The ways in which a pair may go on: DPCs at once or later, and the endings.
const WAYS: usize = 8;

/// The number of points that an operation reaches in a stage by itself, if a legal consumer can do it there.
fn points(stage: Stage, op: Op, atomics: bool, wire: bool) -> usize {
    let interruption = Interruption { after: usize::MAX, op: Op::Dpc, deferred: false };
    let (ops, interruptions) = (vec![op], vec![interruption]);
    let outcome = Case { stage, ops, interruptions, ending: Ending::numbered(0), atomics, wire }.run();
    if outcome.legal { outcome.points } else { 0 }
}

/// Preempts `first` by `second` at each of its points; returns how many runs these were, and whether a legal consumer
/// can do that there.
fn preempt(
    (stage, first, second): (Stage, Op, Op),
    (points, atomics, wire): (usize, bool, bool),
    mut ways: impl FnMut() -> std::ops::Range<usize>,
    failures: &mut Failures,
) -> (usize, bool) {
    let mut runs = 0;
    for after in 1..=points {
        for way in ways() {
            let interruptions = vec![Interruption { after, op: second, deferred: way & 4 != 0 }];
            let case =
                Case { stage, ops: vec![first], interruptions, ending: Ending::numbered(way), atomics, wire };
            let outcome = case.run();
            failures.add(&case, &outcome);
            runs += 1;
            if !outcome.legal || failures.are_enough() {
                return (runs, after > 1);
            }
        }
    }
    (runs, true)
}

/// Share of the pairs that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// In every stage and way.
    Everything,
    /// Each in at least one stage, and in one of so many others, as the seed has it.
    Each(usize),
    /// One of so many, as the seed has it.
    Some(usize),
}

/// Runs pairs, at accesses to atomics too if `atomics`, over a network if `wire`. Returns how many pairs these were, and runs.
pub(super) fn all(
    seed: u64,
    share: Share,
    (atomics, wire): (bool, bool),
    failures: &mut Failures,
) -> (usize, usize) {
    let (all, mut random, mut runs) = (Op::all(), Random(seed), 0);
    let mut covered = vec![false; all.len() * all.len()];
    let points =
        Stage::ALL.map(|stage| all.iter().map(|op| points(stage, *op, atomics, wire)).collect::<Vec<_>>());
    for all_that_are_left in [false, true] {
        for (stage, points) in Stage::ALL.into_iter().zip(&points) {
            for (pair, covered) in covered.iter_mut().enumerate() {
                let (first, second) = (pair / all.len(), pair % all.len());
                let meets = points[first] != 0 && all[second].may_meet(all[first]);
                let chosen = match all_that_are_left {
                    true => matches!(share, Share::Each(_)) && !*covered,
                    false => match share {
                        Share::Everything => true,
                        Share::Each(one_of) | Share::Some(one_of) => random.below(one_of) == 0,
                    },
                };
                if !meets || !chosen || failures.are_enough() {
                    continue;
                }
                let ways = || {
                    let way = random.below(WAYS);
                    if share == Share::Everything && !atomics { 0..WAYS } else { way..way + 1 }
                };
                let (done, legal) =
                    preempt((stage, all[first], all[second]), (points[first], atomics, wire), ways, failures);
                runs += done;
                *covered |= legal;
            }
        }
    }
    (covered.into_iter().filter(|covered| *covered).count(), runs)
}

/// Pairs whose faults lie between atomics, or that few runs of [`all`] reach: each is preempted at every atomic.
fn results() -> Vec<(Stage, Vec<Op>, Op)> {
    use super::op::{FAR, NEAR};
    use super::thing::Role;
    let message = vec![Op::Receive(FAR)];
    vec![
        (Stage::Waiting, message.clone(), Op::PollAndSend(NEAR)),
        (Stage::Waiting, message.clone(), Op::Arm(NEAR)),
        (Stage::Waiting, vec![Op::Disconnect(FAR)], Op::PollAndSend(NEAR)),
        (Stage::Established, vec![Op::Receive(FAR), Op::Flush(FAR)], Op::ArmSolicited(FAR)),
        (Stage::Established, vec![Op::Receive(FAR), Op::Flush(FAR)], Op::Arm(FAR)),
        (Stage::Established, vec![Op::Arm(FAR)], Op::Flush(FAR)),
        (Stage::Armed, vec![Op::Send(NEAR)], Op::Arm(FAR)),
        (Stage::Armed, vec![Op::Send(NEAR)], Op::Flush(FAR)),
        (Stage::Moderated, vec![Op::Send(NEAR)], Op::Unmoderate(FAR)),
        (Stage::Moderated, vec![Op::Send(NEAR)], Op::Timers),
        (Stage::WaitingShared, vec![Op::ReceiveShared], Op::PollAndSend(NEAR)),
        // A connector has one attempt at a time, and a listener is bound once, by one of two calls.
        (Stage::Arriving, vec![Op::Arrive(FAR), Op::Arrive(NEAR)], Op::Connect(Role::Spare)),
        (Stage::ArrivingShared, vec![Op::Arrive(FAR), Op::Arrive(NEAR)], Op::Connect(Role::Spare)),
        (Stage::Arriving, vec![Op::Arrive(FAR)], Op::Listen),
        (Stage::ArrivingShared, vec![Op::Arrive(FAR)], Op::Listen),
        // A shared endpoint whose create pended is closed inside its create's completion, or meanwhile.
        (Stage::Arriving, vec![Op::CreateShared, Op::Arrive(NEAR)], Op::Close(NEAR, Role::Created)),
        // A connect that is refused before its call has returned has ended the attempt before it.
        (Stage::Completing, vec![Op::Close(FAR, Role::Qp), Op::Connect(Role::Spare)], Op::Pause),
    ]
}

/// Preempts what makes results at every atomic; returns how many runs these were.
pub(super) fn all_results(wire: bool, failures: &mut Failures) -> usize {
    let mut runs = 0;
    for (stage, ops, op) in results() {
        for way in 0..WAYS {
            for after in 1.. {
                let interruptions = vec![Interruption { after, op, deferred: way & 4 != 0 }];
                let ending = Ending::numbered(way);
                let case = Case { stage, ops: ops.clone(), interruptions, ending, atomics: true, wire };
                let outcome = case.run();
                failures.add(&case, &outcome);
                runs += 1;
                if outcome.points < after || failures.are_enough() {
                    break;
                }
            }
        }
    }
    runs
}

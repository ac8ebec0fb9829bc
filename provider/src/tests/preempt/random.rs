//! Cases drawn from a seed: several operations, preempted several times, also within each other.

use super::case::{Case, Ending};
use super::op::Op;
use super::stage::Stage;
use super::world::Interruption;
use crate::number::u64_from;

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64_from(limit)).unwrap()
    }

    fn op(&mut self, all: &[Op]) -> Op {
        all[self.below(all.len())]
    }

    /// A case of up to four operations with up to four interruptions.
    pub(super) fn case(&mut self, wire: bool) -> Case {
        let all = Op::all();
        let stage = Stage::ALL[self.below(Stage::ALL.len())];
        let ops = (0..=self.below(4)).map(|_| self.op(&all)).collect();
        let atomics = self.below(2) == 0;
        let interruptions = (0..=self.below(4)).map(|_| {
            let after = 1 + self.below(if atomics { 50 } else { 5 });
            Interruption { after, op: self.op(&all), deferred: self.below(2) == 0 }
        });
        let interruptions = interruptions.collect();
        Case { stage, ops, interruptions, ending: Ending::numbered(self.below(4)), atomics, wire }
    }
}

/// A shorter case that fails in the same way, if there is one by leaving something out.
pub(super) fn shorten(case: Case, failure: &str) -> Case {
    let fails = |case: &Case| case.run().failures.first().is_some_and(|first| first == failure);
    let without = |place: usize, case: &Case| {
        let mut shorter = case.clone();
        if place < case.ops.len() {
            shorter.ops.remove(place);
        } else {
            shorter.interruptions.remove(place - case.ops.len());
        }
        shorter
    };
    let mut shortest = case;
    loop {
        let parts = shortest.ops.len() + shortest.interruptions.len();
        let shorter = (0..parts).map(|place| without(place, &shortest)).find(&fails);
        match shorter {
            Some(shorter) => shortest = shorter,
            None => return shortest,
        }
    }
}

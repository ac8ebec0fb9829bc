//! One run: a stage, what is done in it, and what other processors do meanwhile. A case has a short name, by which
//! it is run again.

use std::fmt;

use super::op::Op;
use super::stage::Stage;
use super::world::Interruption;

/// Teardown after the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// The consumer goes on to connect, before the DPCs are made.
    pub(super) goes_on: bool,
    /// Antecedents are closed first.
    pub(super) antecedents_first: bool,
}

impl Ending {
    pub(super) fn numbered(number: usize) -> Self {
        Self { goes_on: number & 1 != 0, antecedents_first: number & 2 != 0 }
    }

    fn number(self) -> usize {
        usize::from(self.goes_on) | usize::from(self.antecedents_first) << 1
    }
}

/// See the module's head.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) stage: Stage,
    pub(super) ops: Vec<Op>,
    pub(super) interruptions: Vec<Interruption>,
    pub(super) ending: Ending,
    /// Accesses to atomics are points too.
    pub(super) atomics: bool,
    /// The connections go over a network, whose events are DPCs here.
    pub(super) wire: bool,
}

fn number_of(op: Op) -> usize {
    Op::all().iter().position(|other| *other == op).expect("every operation is listed")
}

/// The numbers of stage and ending, of the operations, and of the interruptions.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.stage.number(),
            self.ending.number() | usize::from(self.atomics) << 2 | usize::from(self.wire) << 3
        )?;
        for op in &self.ops {
            write!(f, ":{}", number_of(*op))?;
        }
        for Interruption { after, op, deferred } in &self.interruptions {
            write!(f, ":{after}.{}.{}", number_of(*op), u8::from(*deferred))?;
        }
        Ok(())
    }
}

impl Case {
    /// The case of a name.
    pub(super) fn named(name: &str) -> Self {
        let number = |text: &str| text.parse::<usize>().expect("a name is made of numbers");
        let all = Op::all();
        let mut parts = name.trim().split(':');
        let mut next = || number(parts.next().expect("a name has a stage and an ending"));
        let (stage, way) = (Stage::ALL[next()], next());
        let (ending, atomics, wire) = (Ending::numbered(way), way & 4 != 0, way & 8 != 0);
        let mut case = Self { stage, ops: Vec::new(), interruptions: Vec::new(), ending, atomics, wire };
        for part in parts {
            match part.split('.').collect::<Vec<_>>()[..] {
                [op] => case.ops.push(all[number(op)]),
                [after, op, deferred] => case.interruptions.push(Interruption {
                    after: number(after),
                    op: all[number(op)],
                    deferred: number(deferred) != 0,
                }),
                _ => panic!("{part} is no part of a name"),
            }
        }
        case
    }
}

//! Findings: what the driver did wrong.
//!
//! A check calls [`report`] and goes on; findings are collected and stand in the machine's
//! [`Report`](crate::Report). Where Windows has a bug check for the mistake, the finding carries its code
//! and parameters, so that it reads the same on both sides.

mod bugcheck;
mod finding;

use std::sync::{Mutex, PoisonError};

pub use bugcheck::Bugcheck;
pub use finding::Finding;

use crate::machine;

/// Findings kept in full; beyond that they are only counted.
const KEPT: usize = 1000;

/// The findings of one machine.
#[derive(Default)]
pub(crate) struct Findings {
    kept: Mutex<Vec<Finding>>,
}

impl Findings {
    /// The findings so far.
    pub(crate) fn all(&self) -> Vec<Finding> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Adds a finding, with the calling thread's driver stack, level and processor.
///
/// The same rule broken again from the same place counts up the finding that is there.
#[cold]
pub fn report(finding: Finding) {
    let finding = finding.located();
    let mut kept = machine::current().findings.kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.iter_mut().find(|known| known.is_same(&finding)) {
        known.times += 1;
    } else if kept.len() < KEPT {
        kept.push(finding);
    }
}

/// The findings of the running machine so far.
pub fn findings() -> Vec<Finding> {
    machine::current().findings.all()
}

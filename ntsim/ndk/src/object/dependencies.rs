//! The dependencies between objects: antecedents and successors.
//!
//! From creation: adapter → CQ, PD, connector, listener, shared endpoint; PD → MR, MW, SRQ, QP; CQ → QP;
//! SRQ → QP; listener → the connector of a connect event. From a later call: QP → connector (connect or
//! accept), shared endpoint → connector (connect), MR → MW (bind).

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{Stage, TrackedObject};
use crate::rules::{self, found};

/// One object's dependencies, both ways.
#[derive(Default)]
pub(crate) struct Dependencies {
    antecedents: Mutex<Vec<Arc<TrackedObject>>>,
    successors: Mutex<HashMap<u32, Weak<TrackedObject>>>,
    /// Antecedents whose close completed while this one's close function had not yet returned. That is
    /// right if it then returns STATUS_SUCCESS, for there is no completion to wait for, else wrong.
    overtaken_by: Mutex<Vec<String>>,
}

impl Dependencies {
    /// From now on `antecedent` must outlive `successor`.
    pub(crate) fn add(antecedent: &Arc<TrackedObject>, successor: &Arc<TrackedObject>) {
        successor.dependencies.antecedents.lock().push(Arc::clone(antecedent));
        antecedent.dependencies.successors.lock().insert(successor.serial, Arc::downgrade(successor));
    }

    /// `antecedent` need no longer outlive `successor`.
    pub(crate) fn remove(antecedent: &Arc<TrackedObject>, successor: &Arc<TrackedObject>) {
        let mut antecedents = successor.dependencies.antecedents.lock();
        if let Some(at) = antecedents.iter().position(|one| Arc::ptr_eq(one, antecedent)) {
            antecedents.swap_remove(at);
        }
        if !antecedents.iter().any(|one| Arc::ptr_eq(one, antecedent)) {
            antecedent.dependencies.successors.lock().remove(&successor.serial);
        }
    }

    /// The successors that are not closed.
    pub(crate) fn live_successors(&self) -> Vec<Arc<TrackedObject>> {
        self.successors
            .lock()
            .values()
            .filter_map(Weak::upgrade)
            .filter(|one| one.stage() != Stage::Closed)
            .collect()
    }

    /// Checks, as `antecedent`'s close completes, that no successor is left.
    pub(crate) fn check_no_successor(antecedent: &TrackedObject) {
        for successor in antecedent.dependencies.live_successors() {
            let text = format!("the close of {antecedent} completed before that of {successor} had");
            let mut overtaken = successor.dependencies.overtaken_by.lock();
            if successor.stage() == Stage::CloseCalled {
                overtaken.push(text);
            } else {
                drop(overtaken);
                found(rules::CLOSE_BEFORE_SUCCESSOR, text);
            }
        }
    }

    /// Reports the antecedents that should have waited for this object, as its close turns out pending.
    pub(crate) fn report_overtaken(&self) {
        let overtaken = core::mem::take(&mut *self.overtaken_by.lock());
        for text in overtaken {
            found(rules::CLOSE_BEFORE_SUCCESSOR, text);
        }
    }

    /// Releases the antecedents of an object that is closed.
    pub(crate) fn release(successor: &TrackedObject) {
        let antecedents = core::mem::take(&mut *successor.dependencies.antecedents.lock());
        for antecedent in antecedents {
            antecedent.dependencies.successors.lock().remove(&successor.serial);
        }
    }
}

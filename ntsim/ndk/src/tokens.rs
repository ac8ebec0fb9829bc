//! The model of memory tokens: which of them can no longer be good.
//!
//! A token is an adapter's; the same number may mean something else on another. What the layer knows is
//! what consumers were told: a token that was handed out and whose memory is deregistered, invalidated or
//! closed, and that was not handed out again, must not admit anything.
//!
//! A remote token names no adapter. It is taken as refused only if no adapter of the machine has it live. Where peers
//! may be outside the machine, which is so over the host's sockets, it may be a number of theirs, and is not judged.

#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use ntsim_core::Settings;
use ntsim_core::sched::Transport;
use parking_lot::RwLock;

use crate::object::TrackedObject;
use crate::rules;

/// The number of invalid tokens that are remembered.
const REMEMBERED: usize = 1 << 16;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Live,
    Stale,
    /// Good for local requests, never for a peer.
    Privileged,
}

struct Issue {
    adapter: u32,
    owner: Weak<TrackedObject>,
    serial: u32,
    state: State,
}

#[derive(Default)]
struct Table {
    issues: HashMap<u32, Vec<Issue>>,
    /// Stale ones, by token and owner, oldest first.
    stale: VecDeque<(u32, u32)>,
}

/// Returns whether all peers are in this machine, so that what they are told of is in the table.
fn peers_are_here() -> bool {
    Settings::current().sockets.transport != Transport::Host
}

/// Every token that was handed out.
#[derive(Default)]
pub(crate) struct Tokens(RwLock<Table>);

impl Tokens {
    /// `owner`, a region or window, has `token`; the other that has it, if one does.
    pub(crate) fn issued(&self, owner: &Arc<TrackedObject>, token: u32) -> Option<Arc<TrackedObject>> {
        let adapter = owner.adapter().serial;
        let mut table = self.0.write();
        let issues = table.issues.entry(token).or_default();
        let other = issues
            .iter()
            .filter(|one| one.adapter == adapter && one.state == State::Live && one.serial != owner.serial)
            .filter_map(|one| one.owner.upgrade())
            // The provider may give a token to the next before it says that the last has let go of it.
            .find(|other| other.is_usable());
        issues
            .retain(|one| one.adapter != adapter || (one.state == State::Live && one.serial != owner.serial));
        issues.push(Issue {
            adapter,
            owner: Arc::downgrade(owner),
            serial: owner.serial,
            state: State::Live,
        });
        other
    }

    /// `pd`'s privileged token is `token`.
    pub(crate) fn privileged(&self, pd: &Arc<TrackedObject>, token: u32) {
        let adapter = pd.adapter().serial;
        let mut table = self.0.write();
        let issues = table.issues.entry(token).or_default();
        if !issues.iter().any(|one| one.adapter == adapter && one.state != State::Stale) {
            issues.push(Issue { adapter, owner: Weak::new(), serial: 0, state: State::Privileged });
        }
    }

    /// `owner`'s `tokens` are no longer good.
    pub(crate) fn expired(&self, owner: u32, tokens: &[u32]) {
        self.set(owner, tokens, State::Live, State::Stale);
        let table = &mut *self.0.write();
        table.stale.extend(tokens.iter().map(|&token| (token, owner)));
        while table.stale.len() > REMEMBERED {
            let Some((token, owner)) = table.stale.pop_front() else { return };
            if let Some(issues) = table.issues.get_mut(&token) {
                issues.retain(|one| one.serial != owner || one.state != State::Stale);
            }
        }
    }

    /// `owner`'s `tokens` may be good again.
    pub(crate) fn revived(&self, owner: u32, tokens: &[u32]) {
        self.set(owner, tokens, State::Stale, State::Live);
    }

    /// Nothing is known about `owner`'s `tokens` any more.
    pub(crate) fn forgotten(&self, owner: u32, tokens: &[u32]) {
        let mut table = self.0.write();
        for token in tokens {
            if let Some(issues) = table.issues.get_mut(token) {
                issues.retain(|one| one.serial != owner);
            }
        }
    }

    fn set(&self, owner: u32, tokens: &[u32], from: State, to: State) {
        let mut table = self.0.write();
        for token in tokens {
            for issue in table.issues.get_mut(token).into_iter().flatten() {
                if issue.serial == owner && issue.state == from {
                    issue.state = to;
                }
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.0.write() = Table::default();
    }

    /// Returns whether a local request on `adapter` can't be admitted by `token`.
    pub(crate) fn is_stale(&self, adapter: u32, token: u32) -> bool {
        let table = self.0.read();
        let mut issues =
            table.issues.get(&token).into_iter().flatten().filter(|one| one.adapter == adapter).peekable();
        issues.peek().is_some() && issues.all(|one| one.state == State::Stale)
    }

    /// The rule that a peer breaks which admits `token` from afar.
    pub(crate) fn must_refuse(&self, token: u32) -> Option<&'static str> {
        if !peers_are_here() {
            return None;
        }
        let table = self.0.read();
        let issues = table.issues.get(&token)?;
        if issues.is_empty() || issues.iter().any(|one| one.state == State::Live) {
            return None;
        }
        let privileged = issues.iter().any(|one| one.state == State::Privileged);
        Some(if privileged { rules::TOKEN_PRIVILEGED_REMOTE } else { rules::TOKEN_STALE })
    }

    /// Those that have `token`, which a peer is told of, as far as they are in this machine.
    pub(crate) fn owners_at_peers(&self, token: u32) -> Vec<Arc<TrackedObject>> {
        if peers_are_here() { self.owners(None, token) } else { Vec::new() }
    }

    /// Those that have `token`, on one adapter or on all.
    pub(crate) fn owners(&self, adapter: Option<u32>, token: u32) -> Vec<Arc<TrackedObject>> {
        let table = self.0.read();
        let issues = table.issues.get(&token).into_iter().flatten();
        issues
            .filter(|one| one.state == State::Live && adapter.is_none_or(|adapter| adapter == one.adapter))
            .filter_map(|one| one.owner.upgrade())
            .collect()
    }
}

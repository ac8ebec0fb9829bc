//! Time limits: each is a part of the request that it limits, or of the state that it ends.
//!
//! | limit of | lives in |
//! |---|---|
//! | a connect | [`Endpoint::control`], with the request |
//! | a connect request that the client does not answer | `State::Requested` |
//! | a release | [`Endpoint::release`], with the request |
//! | a disconnect that waits for the peer's | [`Endpoint::watches`], with each request |
//!
//! So a limit goes with its request, however that completes, and none can strike what comes later. That one
//! has passed is not noted anywhere: the clock makes the drive loop look, and the drive loop compares.

#![forbid(unsafe_code)]

use sys::status::{STATUS_CONNECTION_ABORTED, STATUS_IO_TIMEOUT};
use sys::tdi::TDI_DISCONNECT_ABORT;

use super::begin::complete;
use super::{Action, Endpoint, State, Why};
use crate::system::System;

/// The time limit of a request or a state, in units of 100 ns of [`System::now`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline(Option<u64>);

impl Deadline {
    /// Never.
    pub(super) const NONE: Self = Self(None);

    /// After a limit, if there is one.
    pub(super) fn after(now: u64, limit: Option<u64>) -> Self {
        Self(limit.map(|limit| now.saturating_add(limit)))
    }

    /// Returns whether it has passed.
    pub(super) fn is_past(self, now: u64) -> bool {
        self.0.is_some_and(|deadline| deadline <= now)
    }
}

impl<S: System> Endpoint<S> {
    /// Returns whether a limit has passed on which the drive loop has to act.
    pub(crate) fn is_late(&self, now: u64) -> bool {
        match &self.state {
            State::Requested { until, .. } => until.is_past(now),
            State::Connecting { .. } | State::Linking { .. } => self.connect_is_late(now),
            State::Connected(_) => self.release_is_late(now) || self.watches.any(|watch| watch.is_past(now)),
            State::Ending(_) => self.is_disconnecting() && self.release_is_late(now),
            State::Idle | State::Listening { .. } | State::Accepting { .. } => false,
        }
    }

    /// Returns whether the connect, if it is one that waits, has taken too long.
    pub(super) fn connect_is_late(&self, now: u64) -> bool {
        self.control.as_ref().is_some_and(|control| control.what.is_past(now))
    }

    /// Returns whether a release that waits has taken too long.
    fn release_is_late(&self, now: u64) -> bool {
        self.release.as_ref().is_some_and(|release| release.what.is_past(now))
    }

    /// Takes a release that has taken too long from its cancel routine; true if there is one. One whose cancel routine is
    /// on its way is left to that.
    pub(super) fn claim_late_release(&mut self, now: u64) -> bool {
        self.release
            .as_mut()
            .filter(|release| release.what.is_past(now))
            .is_some_and(|release| release.claim())
    }

    /// Acts on limits of disconnects: a release that is late aborts the connection, and one that waits for
    /// the peer's changes nothing. A request whose cancel routine is on its way is left to that, and so is
    /// the connection.
    pub(super) fn end_late_disconnect(&mut self, now: u64) -> Option<Action<S>> {
        if let Some(watch) = self.watches.claim_first(|watch| watch.is_past(now)) {
            return Some(complete(watch.request, STATUS_IO_TIMEOUT));
        }
        if self.claim_late_release(now) {
            self.end(Why {
                release: STATUS_IO_TIMEOUT,
                indicate: Some(TDI_DISCONNECT_ABORT),
                ..Why::all(STATUS_CONNECTION_ABORTED)
            });
        }
        None
    }
}

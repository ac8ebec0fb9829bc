//! Closing a session.

#![expect(unsafe_code, reason = "the state of a session is borrowed from an address")]

use alloc::boxed::Box;
use core::sync::atomic::Ordering;

use protocol::{Level, Outcome};
use sys::status::NTSTATUS;

use super::{Route, Session};
use crate::call_log::{Reaction, StartedCall};
use crate::ndk::Inside;
use crate::slot::Content;
use crate::test_context::TestState;

/// The time, in milliseconds, that a peer has to end its connections before they are cut off: it does so when it has what
/// was sent last.
const PEER_ENDS: u32 = 5_000;

impl Session {
    /// Closes everything in the hardest order: antecedents first, connectors from inside the disconnect
    /// completion and the disconnect event, with receives outstanding, from `level`.
    pub(crate) fn close(self: Box<Self>, level: Level) -> Result<Box<Outcome>, NTSTATUS> {
        let test_state: *const TestState = self.test_state;
        self.test_state.call_log.call_from(level);
        let alive = !self.given_up.load(Ordering::Acquire);
        self.lanes.connectors(false).for_each(|connector| connector.object().react(Reaction::Close));
        if alive && self.lanes.is_here() {
            self.ends.server.expect_refusal();
        }
        // What is still posted is cancelled by the closes; whether it can be posted does not matter here.
        let _ = self.ends.far.expect_control();
        let ends = &self.ends;
        for object in [
            ends.near.cq.object(),
            ends.far.cq.object(),
            ends.client.end.cq.object(),
            ends.server.end.cq.object(),
            ends.server.end.inbox.srq.object(),
            ends.near.pd.object(),
            ends.far.pd.object(),
            ends.client.end.pd.object(),
            ends.server.end.pd.object(),
        ] {
            object.close();
        }
        if let Some(listener) = self.lanes.listener() {
            listener.object().close();
        }
        if alive {
            self.disconnect();
        }
        drop(self);
        // SAFETY: the box was leaked by the attempt that made the session, and the session that borrowed from it is
        // dropped.
        unsafe { Box::from_raw(test_state.cast_mut()) }.take_down()
    }

    /// Disconnects what this side has connected, and closes the connectors inside the completions; the peer does that with
    /// those that it has connected.
    fn disconnect(&self) {
        for connector in self.lanes.connectors(true) {
            // However it ends, the closes of the take-down end what is left.
            let _ = connector.disconnect(Inside::Close).map(StartedCall::status);
        }
        if let Route::FromPeer(_) = self.lanes.route {
            for connector in self.lanes.connectors(false) {
                let object = connector.object();
                // An event that has come has left its signal, and has closed the connector.
                let _it_is_cut_off_otherwise = !object.is_open() || object.event_within(PEER_ENDS);
            }
        }
    }
}

impl Content for Session {
    /// Drops the outcome of the closes: no request asks for it.
    fn abandon(self: Box<Self>) {
        let _ = self.close(Level::Passive);
    }
}

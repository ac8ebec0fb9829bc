//! The next action in each state.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use sys::status::{
    NTSTATUS, STATUS_ADDRESS_CLOSED, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_INVALID_CONNECTION,
    STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};

use super::begin::complete;
use super::deadline::Deadline;
use super::{Action, Endpoint, LinkOf, LinkTeardown, State, Step, Stream, Untaken, View, Why};
use crate::event::Indication;
use crate::link_events::LinkEvents;
use crate::network::{Link, Network, RnicId};
use crate::queue::{self, Waiting};
use crate::request::Request as _;
use crate::system::System;

/// The time in which a client has to accept what completed its listen: 1 s in units of 100 ns, as the text
/// has "under a second".
const ACCEPT_LIMIT: u64 = 10_000_000;

impl<S: System> Endpoint<S> {
    pub(super) fn advance(&mut self, now: u64, view: Option<&View>) -> Step<S> {
        if !self.wants_connect_request()
            && let Some(connect_request) = self.connect_request.take()
        {
            return Step::Do(Action::PassOn(connect_request));
        }
        match &self.state {
            State::Idle => Step::Idle,
            State::Connecting { to } => {
                let to = *to;
                match view {
                    Some(view) => Step::Do(Action::Connect { from: view.local, to }),
                    None => self.failed(STATUS_INVALID_CONNECTION),
                }
            }
            State::Listening { query } => {
                let query = *query;
                self.listening(query, now, view)
            }
            State::Requested { until, .. } => {
                let late = until.is_past(now);
                if self.link_events.take(LinkEvents::FORCED) {
                    return self.failed(STATUS_CONNECTION_ABORTED);
                }
                if late { self.failed(STATUS_IO_TIMEOUT) } else { Step::Idle }
            }
            State::Accepting { .. } => match core::mem::replace(&mut self.state, State::Idle) {
                State::Accepting { connect_request } => Step::Do(Action::Accept(connect_request)),
                other => {
                    self.state = other;
                    Step::Again
                }
            },
            State::Linking { .. } => self.linking(now),
            State::Connected(_) => self.transfer(now, view),
            State::Ending(_) => self.ending(now, view),
        }
    }

    /// Ends the establishment of a connection with `status`.
    fn failed(&mut self, status: NTSTATUS) -> Step<S> {
        self.end(Why::all(status));
        Step::Again
    }

    fn listening(&mut self, query: bool, now: u64, view: Option<&View>) -> Step<S> {
        let Some(view) = view.filter(|view| view.live) else {
            return self.failed(STATUS_ADDRESS_CLOSED);
        };
        let Some(connect_request) = self.connect_request.take() else { return Step::Idle };
        if !view.takes_connect_request {
            // It came in over an adapter that is gone; the listen goes on over the others.
            self.refuse = Some(connect_request);
            return Step::Again;
        }
        if !query {
            self.state = State::Accepting { connect_request };
            return Step::Again;
        }
        match queue::claim(&mut self.control) {
            None => {
                // Its cancel routine is on its way, and nothing else is to be offered to it.
                self.connect_request = Some(connect_request);
                self.failed(STATUS_CANCELLED)
            }
            Some(Waiting { mut request, .. }) => {
                request.return_peer(<S::Network as Network<S>>::peer(&connect_request));
                self.state =
                    State::Requested { connect_request, until: Deadline::after(now, Some(ACCEPT_LIMIT)) };
                Step::Do(complete(request, STATUS_SUCCESS))
            }
        }
    }

    fn linking(&mut self, now: u64) -> Step<S> {
        let State::Linking { link } = &self.state else { return Step::Idle };
        if self.link_events.take(LinkEvents::LOST) {
            return self.failed(self.lost);
        }
        if self.link_events.take(LinkEvents::FORCED) {
            return self.failed(STATUS_CONNECTION_ABORTED);
        }
        if self.link_events.take(LinkEvents::CONNECTED) {
            return Step::Do(Action::Open(link.clone()));
        }
        if self.connect_is_late(now) {
            return self.failed(STATUS_IO_TIMEOUT);
        }
        Step::Idle
    }

    /// [`Action::Connect`] or [`Action::Accept`] was done.
    pub(crate) fn linked(&mut self, link: Result<LinkOf<S>, NTSTATUS>) {
        match link {
            Ok(link) => self.state = State::Linking { link },
            Err(status) => {
                // The state that the accept left behind has nothing to end; what waits for it has.
                self.state = State::Ending(super::Ending { link: LinkTeardown::Gone, why: Why::all(status) });
            }
        }
    }

    /// [`Action::Open`] was done: data flows, and the request that made the connection completes.
    pub(crate) fn opened(
        &mut self,
        link: LinkOf<S>,
        queues: Result<Untaken<LinkOf<S>>, NTSTATUS>,
    ) -> Option<Action<S>> {
        let queues = match queues {
            Ok(queues) => queues,
            Err(status) => {
                self.end(Why::all(status));
                return None;
            }
        };
        let Some(Waiting { mut request, .. }) = queue::claim_uncancelled(&mut self.control) else {
            // Its cancel routine is on its way, or has come.
            self.end(Why::all(STATUS_CONNECTION_ABORTED));
            return None;
        };
        request.return_peer(link.peer());
        self.state = State::Connected(Stream::new(link, queues));
        self.link_events.add(LinkEvents::COMPLETED);
        Some(complete(request, STATUS_SUCCESS))
    }

    /// Returns the status for the release if a link that ends in order can't wait for the peer: the client aborts, the file
    /// is cleaned up, the adapter goes, the release has taken too long.
    fn cut_off(&mut self, now: u64) -> Option<NTSTATUS> {
        if self.closing {
            return Some(STATUS_CANCELLED);
        }
        if self.abort.is_some() || self.link_events.take(LinkEvents::FORCED) {
            return Some(STATUS_CONNECTION_ABORTED);
        }
        self.claim_late_release(now).then_some(STATUS_IO_TIMEOUT)
    }

    /// The way out, see the head of [`endpoint`](super).
    fn ending(&mut self, now: u64, view: Option<&View>) -> Step<S> {
        let cut_off = if self.is_disconnecting() { self.cut_off(now) } else { None };
        let State::Ending(ending) = &mut self.state else { return Step::Idle };
        ending.why.release = cut_off.unwrap_or(ending.why.release);
        match core::mem::replace(&mut ending.link, LinkTeardown::Gone) {
            LinkTeardown::ToDisconnect(link) | LinkTeardown::Disconnecting(link) if cut_off.is_some() => {
                ending.link = LinkTeardown::ToClose(link, Untaken::<LinkOf<S>>::default());
                return Step::Again;
            }
            LinkTeardown::ToDisconnect(link) => {
                ending.link = LinkTeardown::Disconnecting(link.clone());
                return Step::Do(Action::Disconnect(link));
            }
            LinkTeardown::Disconnecting(link) if self.link_events.take(LinkEvents::DISCONNECTED) => {
                ending.link = LinkTeardown::ToClose(link, Untaken::<LinkOf<S>>::default());
                return Step::Again;
            }
            LinkTeardown::Disconnecting(link) => {
                ending.link = LinkTeardown::Disconnecting(link);
                return Step::Idle;
            }
            LinkTeardown::ToClose(link, untaken) => {
                ending.link = LinkTeardown::Closing;
                return Step::Do(Action::Close { link, untaken });
            }
            LinkTeardown::Closing if !self.link_events.take(LinkEvents::GONE) => {
                ending.link = LinkTeardown::Closing;
                return Step::Idle;
            }
            LinkTeardown::Closing | LinkTeardown::Gone => {}
        }
        let why = ending.why;
        let ended = self.end_waiting(why);
        if self.control.is_some() || self.has_waiting() {
            // If none was ended, those are left to their cancel routines.
            return ended.map_or(Step::Idle, Step::Do);
        }
        if let Some(action) = ended {
            if self.abort.is_none() && why.indicate.is_none() {
                self.become_idle();
            }
            return Step::Do(action);
        }
        self.become_idle();
        if let Some(request) = self.abort.take() {
            return Step::Do(complete(request, STATUS_SUCCESS));
        }
        let told = view.and_then(|view| Some((view, view.handlers.disconnect()?, why.indicate?)));
        match told.filter(|_| !self.closing) {
            Some((view, handler, flags)) => {
                let indication = Indication::Disconnect(handler, flags);
                Step::Do(Action::Indicate { address: view.id, indication })
            }
            None => Step::Again,
        }
    }

    /// The connection has come to its end. A client may use the endpoint again in the completion routine of
    /// the last request, so this comes before that completes.
    pub(super) fn become_idle(&mut self) {
        self.state = State::Idle;
        // The link is gone, so what events there are belong to the past.
        self.link_events = LinkEvents::default();
    }

    /// Ends the next of the requests that wait, in their order.
    fn end_waiting(&mut self, why: Why) -> Option<Action<S>> {
        if let Some(waiting) = queue::claim(&mut self.control) {
            return Some(ended(waiting, why.control));
        }
        let mut sends = self.sends.all_mut().into_iter();
        if let Some(waiting) = sends.find_map(|sends| sends.claim_first(|_| true)) {
            return Some(ended(waiting, why.transfers));
        }
        if let Some(waiting) = self.receives.claim_first(|_| true) {
            return Some(ended(waiting, why.transfers));
        }
        if let Some(waiting) = queue::claim(&mut self.release) {
            return Some(ended(waiting, why.release));
        }
        self.watches.claim_first(|_| true).map(|waiting| ended(waiting, why.release))
    }

    /// The address at which a connect request came in that is indicated to the listen.
    pub(crate) fn requested_at(&self) -> Option<SocketAddr> {
        self.connect_request.as_ref().map(<S::Network as Network<S>>::local)
    }

    /// Over which RNIC and from where the connection is, or would be if the client accepted it.
    pub(crate) fn place(&self) -> Option<(RnicId, SocketAddr)> {
        match &self.state {
            State::Requested { connect_request, .. } => {
                let local = <S::Network as Network<S>>::local(connect_request);
                Some((<S::Network as Network<S>>::requested_over(connect_request), local))
            }
            _ => self.link().map(|link| (link.rnic(), link.local())),
        }
    }
}

fn ended<S: System, T>(waiting: Waiting<S::Request, T>, status: NTSTATUS) -> Action<S> {
    complete(waiting.request, if waiting.cancelled { STATUS_CANCELLED } else { status })
}

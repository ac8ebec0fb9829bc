//! A listening side, until it has its session.

#![expect(unsafe_code, reason = "the state of an attempt is borrowed from an address")]

use alloc::boxed::Box;

use protocol::{Endpoint, Greeting, ListenPeerReport, ListenPeerRequest, Outcome, PeerReport, Refusal};
use sys::ndk::{NDK_ADAPTER_INFO, NDK_CONNECTOR, NDK_LISTENER};
use sys::status::{NTSTATUS, STATUS_IO_TIMEOUT, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS};
use zerocopy::IntoBytes;

use super::ends::{self, Ends};
use super::opening::attempt;
use super::peer::{NOWHERE, accepting_qp, pairs, private_data, without_session};
use super::{Route, Session, SessionLanes};
use crate::call_log::WAIT_TIMEOUT;
use crate::heap::try_box;
use crate::kernel::Deadline;
use crate::ndk::{Handle, Inside, limits};
use crate::pair::{self, READS};
use crate::slot::{Content, Passed};
use crate::test_context::{TestContext, TestState};

/// The session, if there is one, and the report of how it went.
type Opened = (Option<Box<Session>>, Box<PeerReport>);

/// A session that is listened for.
pub(crate) struct Listening {
    /// The state that the handles below borrow from. Taken back and freed by [`Listening::stop`], or by the session.
    test_state: &'static TestState,
    ends: Box<Ends<'static>>,
    listener: Handle<'static, NDK_LISTENER>,
    info: NDK_ADAPTER_INFO,
    chunk_length: u32,
}

/// The outcome of waiting for one connection.
enum Offered {
    /// The one that was expected.
    Accepted(Handle<'static, NDK_CONNECTOR>, Greeting),
    /// Another one, of the peer at this address, which was refused.
    Refused(Endpoint, Refusal),
    /// None came in time.
    Nothing,
}

impl Listening {
    /// Opens an adapter and listens. The report says how it went.
    pub(crate) fn open(
        request: &ListenPeerRequest,
    ) -> Result<(Option<Box<Self>>, Box<ListenPeerReport>), NTSTATUS> {
        let mut report =
            try_box(ListenPeerReport { status: STATUS_SUCCESS, local: NOWHERE, outcome: Outcome::NONE })?;
        Ok(match attempt(|test_state| Self::listen(test_state, request))? {
            Ok((listening, local)) => {
                report.local = local;
                (Some(listening), report)
            }
            Err((status, outcome)) => {
                *report = ListenPeerReport { status, local: NOWHERE, outcome: *outcome };
                (None, report)
            }
        })
    }

    fn listen(
        test_state: &'static TestState,
        request: &ListenPeerRequest,
    ) -> Result<(Box<Self>, Endpoint), NTSTATUS> {
        let test = TestContext::alone(test_state, request.own)?;
        let info = test.far.info()?;
        let ends = Ends::open(&test, &info)?;
        let listener = pair::listen(&test)?;
        let (status, local) = listener.local_address();
        if status != STATUS_SUCCESS {
            return Err(status);
        }
        let chunk_length = ends::chunk_length(request.chunk_length, &[info]);
        Ok((try_box(Self { test_state, ends, listener, info, chunk_length })?, local))
    }

    /// Accepts a peer whose first connection comes within so many milliseconds. Without one, and if that is refused, this
    /// side goes on listening; if a later one fails, everything is closed.
    pub(crate) fn accept(self: Box<Self>, milliseconds: u32) -> Passed<Self, Opened> {
        let mut report = match without_session(STATUS_IO_TIMEOUT) {
            Ok(report) => report,
            Err(status) => return (Some(self), Err(status)),
        };
        report.listening = 1;
        match self.take((0, None), milliseconds) {
            Ok(Offered::Accepted(first, greeting)) => {
                report.listening = 0;
                (None, (*self).accept_rest(first, greeting, report))
            }
            Ok(Offered::Nothing) => (Some(self), Ok((None, report))),
            Ok(Offered::Refused(peer, refusal)) => {
                report.session.status = STATUS_REQUEST_NOT_ACCEPTED;
                (report.peer, report.refusal) = (peer, refusal.code());
                (Some(self), Ok((None, report)))
            }
            Err(status) => {
                let Self { test_state, .. } = *self;
                (None, fail(test_state, status, report))
            }
        }
    }

    /// Accepts the other connections of a session.
    fn accept_rest(
        self,
        first: Handle<'static, NDK_CONNECTOR>,
        greeting: Greeting,
        mut report: Box<PeerReport>,
    ) -> Result<Opened, NTSTATUS> {
        report.peer = first.peer_address().1;
        let session = greeting.session.get();
        let connected = self.take_lane(1, session).and_then(|second| {
            Ok(pairs([first, second, self.take_lane(2, session)?, self.take_lane(3, session)?]))
        });
        let Self { test_state, ends, listener, info, chunk_length } = self;
        let opened = connected.and_then(|[far, near]| {
            // A peer that comes now finds no listener.
            listener.control_connect_events(true);
            let lanes = SessionLanes { near, far, route: Route::FromPeer(listener) };
            let chunk_length = chunk_length.min(greeting.chunk_length.get());
            Session::over(test_state, ends, lanes, chunk_length, (limits(&info), limits(&info)))
        });
        match opened {
            Ok(session) => {
                session.report(&mut report.session);
                Ok((Some(session), report))
            }
            Err(status) => fail(test_state, status, report),
        }
    }

    /// Takes one connection of a session, and refuses all others meanwhile.
    fn take_lane(&self, lane: u32, session: u64) -> Result<Handle<'static, NDK_CONNECTOR>, NTSTATUS> {
        let deadline = Deadline::after(WAIT_TIMEOUT);
        loop {
            match self.take((lane, Some(session)), deadline.left())? {
                Offered::Accepted(connector, _) => return Ok(connector),
                Offered::Refused(..) if deadline.left() > 0 => {}
                Offered::Refused(..) | Offered::Nothing => return Err(STATUS_IO_TIMEOUT),
            }
        }
    }

    /// Takes the next connection that is offered, which has to be this one.
    fn take(&self, (lane, session): (u32, Option<u64>), milliseconds: u32) -> Result<Offered, NTSTATUS> {
        let call_log = &self.test_state.call_log;
        let Some(offer) = call_log.take_offer_within(self.listener.object(), milliseconds) else {
            return Ok(Offered::Nothing);
        };
        let connector = Handle::new(call_log, offer);
        let answer = |session| Greeting::new(lane, session, self.chunk_length);
        match Greeting::judge(&private_data(connector), lane, session) {
            Ok(greeting) => {
                let mut answer = answer(greeting.session.get());
                answer.chunk_length = self.chunk_length.min(greeting.chunk_length.get()).into();
                let qp = accepting_qp(&self.ends, lane);
                connector.accept(qp, READS, answer.as_bytes(), Inside::Nothing)?.wait()?;
                Ok(Offered::Accepted(connector, greeting))
            }
            Err(refusal) => {
                let peer = connector.peer_address().1;
                // However that ends, the connection is of no use.
                let _ = connector.reject(answer(0).refusing(refusal).as_bytes());
                connector.object().close();
                Ok(Offered::Refused(peer, refusal))
            }
        }
    }

    /// Listens no more.
    pub(crate) fn stop(self) -> Result<Box<Outcome>, NTSTATUS> {
        take_down(self.test_state)
    }
}

impl Content for Listening {
    /// Drops the outcome of the closes: no request asks for it.
    fn abandon(self: Box<Self>) {
        let _ = self.stop();
    }
}

/// Takes down the state of an attempt, from which nothing borrows any more.
fn take_down(test_state: &'static TestState) -> Result<Box<Outcome>, NTSTATUS> {
    let test_state: *const TestState = test_state;
    // SAFETY: the box was leaked by the attempt that made the listening side, and what borrowed from it is gone.
    unsafe { Box::from_raw(test_state.cast_mut()) }.take_down()
}

/// Takes down the state of an attempt that has failed, and tells that.
fn fail(
    test_state: &'static TestState,
    status: NTSTATUS,
    mut report: Box<PeerReport>,
) -> Result<Opened, NTSTATUS> {
    let outcome = take_down(test_state)?;
    report.session.outcome = *outcome;
    (report.session.status, report.listening) = (status, 0);
    Ok((None, report))
}

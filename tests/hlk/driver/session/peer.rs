//! Sessions whose other side is in another machine.
//!
//! The side that connects makes four connections, one after the other, each with a [`Greeting`] that is answered by
//! another one: the first two for the chunks that it transmits, the last two for those that it collects. A listening side
//! takes the greetings of one session at a time, and refuses all else by NdkReject.

use alloc::boxed::Box;

use protocol::{ConnectPeerRequest, Endpoint, Greeting, PeerReport};
use sys::ndk::{NDK_CONNECTOR, NDK_QP};
use sys::status::{NTSTATUS, STATUS_CONNECTION_REFUSED, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS};
use zerocopy::IntoBytes;

use super::ends::{self, Ends, Lanes};
use super::opening::attempt;
use super::{Route, Session, SessionLanes, failure};
use crate::heap::try_box;
use crate::ndk::{Address, Handle, Inside, ReadLimits, limits};
use crate::pair::READS;
use crate::test_context::{TestContext, TestState};

/// No end.
pub(super) const NOWHERE: Endpoint = Endpoint { if_index: 0, address_length: 0, address: [0; 28] };

/// A report without a session. Not inlined: the stack on which the provider connects has no room for it.
///
/// # Errors
/// `STATUS_INSUFFICIENT_RESOURCES`.
#[inline(never)]
pub(super) fn without_session(status: NTSTATUS) -> Result<Box<PeerReport>, NTSTATUS> {
    try_box(PeerReport { session: failure(status), peer: NOWHERE, refusal: 0, listening: 0, reserved: 0 })
}

/// The private data that the peer of a connector has sent.
pub(super) fn private_data(connector: Handle<'_, NDK_CONNECTOR>) -> [u8; size_of::<Greeting>()] {
    let mut buffer = [0; size_of::<Greeting>()];
    let mut limits = ReadLimits { inbound: 0, outbound: 0 };
    // A buffer that is too short gets what fits; one without data stays empty.
    let (_status, _length) = connector.connection_data(&mut buffer, &mut limits);
    buffer
}

/// The QP of a connection, as the side that connects numbers them, on that side.
fn connecting_qp<'l>(ends: &Ends<'l>, lane: u32) -> Handle<'l, NDK_QP> {
    match lane {
        0 => ends.near.qp,
        1 => ends.client.end.qp,
        2 => ends.far.qp,
        _ => ends.server.end.qp,
    }
}

/// The same on the side that accepts.
pub(super) fn accepting_qp<'l>(ends: &Ends<'l>, lane: u32) -> Handle<'l, NDK_QP> {
    connecting_qp(ends, lane ^ 2)
}

/// The connectors of a session, in the order of their connections on the side that connects, as pairs.
pub(super) fn pairs(
    [first, second, third, fourth]: [Handle<'static, NDK_CONNECTOR>; 4],
) -> [Lanes<'static>; 2] {
    [Lanes { chunks: first, direct: second }, Lanes { chunks: third, direct: fourth }]
}

impl Session {
    /// Connects to a peer. The report says how it went; there is a session only after success.
    pub(crate) fn connect_peer(
        request: &ConnectPeerRequest,
    ) -> Result<(Option<Box<Self>>, Box<PeerReport>), NTSTATUS> {
        let mut report = without_session(STATUS_SUCCESS)?;
        let mut refusal = 0;
        Ok(match attempt(|test_state| Self::to_peer(test_state, request, &mut refusal))? {
            Ok(session) => {
                session.report(&mut report.session);
                report.peer = request.peer;
                (Some(session), report)
            }
            Err((status, outcome)) => {
                (report.session.status, report.session.outcome) = (status, *outcome);
                report.refusal = refusal;
                (None, report)
            }
        })
    }

    fn to_peer(
        test_state: &'static TestState,
        request: &ConnectPeerRequest,
        refusal: &mut u32,
    ) -> Result<Box<Self>, NTSTATUS> {
        let test = TestContext::alone(test_state, request.own)?;
        let info = test.near.info()?;
        let ends = Ends::open(&test, &info)?;
        let mut chunk_length = ends::chunk_length(request.chunk_length, &[info]);
        let mut connect = |lane| {
            let greeting = Greeting::new(lane, request.session, chunk_length);
            let (connector, answer) =
                connect_lane(&test, &request.peer, connecting_qp(&ends, lane), greeting, refusal)?;
            chunk_length = chunk_length.min(answer.chunk_length.get());
            Ok::<_, NTSTATUS>(connector)
        };
        let connectors: [_; 4] = [connect(0)?, connect(1)?, connect(2)?, connect(3)?];
        let [near, far] = pairs(connectors);
        let lanes = SessionLanes { near, far, route: Route::ToPeer };
        Self::over(test_state, ends, lanes, chunk_length, (limits(&info), limits(&info)))
    }
}

/// Makes a connection to a peer; the peer's answer comes with it, or, if it refuses, its [`Refusal`].
fn connect_lane(
    test: &TestContext<'static>,
    peer: &Endpoint,
    qp: Handle<'static, NDK_QP>,
    greeting: Greeting,
    refusal: &mut u32,
) -> Result<(Handle<'static, NDK_CONNECTOR>, Greeting), NTSTATUS> {
    let connector = test.near.create_connector()?;
    let (from, to) = (Address::of(&test.near_end), Address::of(peer));
    let connecting = connector.connect(qp, &from, &to, READS, greeting.as_bytes(), Inside::Nothing)?;
    let connected = connecting.wait();
    let data = private_data(connector);
    if connected == Err(STATUS_CONNECTION_REFUSED) {
        *refusal = Greeting::of(&data).map_or(0, |answer| answer.refusal.get());
    }
    connected?;
    let (lane, session) = (greeting.lane.get(), greeting.session.get());
    let answer = Greeting::judge(&data, lane, Some(session)).map_err(|reason| {
        *refusal = reason.code();
        STATUS_REQUEST_NOT_ACCEPTED
    })?;
    connector.complete_connect(Inside::Nothing)?.wait()?;
    Ok((connector, answer))
}

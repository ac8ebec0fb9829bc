//! The transfer session: a connection between two adapters, and the chunks that cross it.
//!
//! For each chunk the far side asks and the near side answers, by small control messages over the same
//! connection:
//!
//! ```text
//!          near (TRANSMIT)                           far (COLLECT)
//!              │ ◀───────── request: how, how long, where ──── │  after posting its receive
//!   Send       │ ───────── Send of the chunk ────────────────▶ │
//!   Write      │ ───────── RDMA Write, then Send: done ──────▶ │
//!   Read       │ ───────── Send: where ──────────────────────▶ │
//!              │ ◀──────── RDMA Read, then Send: done ──────── │
//! ```
//!
//! The near side always has one receive posted for a control message, and posts the next one before it
//! answers; the far side posts what it expects before it asks. So no send ever meets an empty queue.
//!
//! A second connection moves chunks as SMB Direct does, where the near side is the client that asks, and the
//! far side the server, with its receives in an SRQ:
//!
//! ```text
//!          near (TRANSMIT)                           far (COLLECT)
//!              │   fast registration, then
//!              │ ───────── Send: where ──────────────────────▶ │  into a receive of the SRQ
//!              │ ◀──────── RDMA Read, then Send and Invalidate │
//!              │   the token is invalid
//! ```

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

mod chunk;
mod control_message;
mod direct;
mod end;
mod lists;
mod rendezvous;
mod shared;

use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::{
    AdapterLimits, Level, Operation, Outcome, SessionCounters, SessionReport, SessionRequest,
    TransferCounters,
};
use sys::ndk::NDK_LISTENER;
use sys::status::{NTSTATUS, STATUS_SUCCESS};

pub(crate) use self::chunk::Chunk;
use self::direct::{Client, Server};
use self::end::End;
use self::rendezvous::Rendezvous;
use crate::heap::try_box;
use crate::kernel;
use crate::ndk::{Handle, QpDepths, limits};
use crate::pair::{self, Connection, QpSet};
use crate::slot::Content;
use crate::test_context::{TestContext, TestState};
use crate::work::Poll;

/// The private data that the near side sends when it connects, and that the far side answers with.
const NEAR_DATA: &[u8] = b"ndkhlk: near";
const FAR_DATA: &[u8] = b"ndkhlk: far, nice to meet you";

/// An open session.
pub(crate) struct Session {
    /// The state that the handles below borrow from. Taken back and freed by [`Session::close`].
    test_state: &'static TestState,
    near: End<'static>,
    far: End<'static>,
    connection: Connection<'static>,
    client: Client<'static>,
    server: Server<'static>,
    direct: Connection<'static>,
    listener: Handle<'static, NDK_LISTENER>,
    chunk_length: u32,
    limits: (AdapterLimits, AdapterLimits),
    rendezvous: Rendezvous,
    /// One chunk at a time on either side.
    near_busy: AtomicBool,
    far_busy: AtomicBool,
    /// A chunk could not be moved, and the connections were ended.
    given_up: AtomicBool,
    tallies: [Count; 5],
}

#[derive(Default)]
struct Count {
    chunks: AtomicU64,
    bytes: AtomicU64,
    ticks: AtomicU64,
}

impl Count {
    fn counters(&self) -> TransferCounters {
        TransferCounters {
            chunks: self.chunks.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            ticks: self.ticks.load(Ordering::Relaxed),
        }
    }
}

impl Session {
    /// Opens both adapters and connects them. The report says how it went; there is a session only after
    /// success.
    pub(crate) fn open(
        request: &SessionRequest,
    ) -> Result<(Option<Box<Self>>, Box<SessionReport>), NTSTATUS> {
        let mut report = try_box(failure(STATUS_SUCCESS, &Outcome::NONE))?;
        let test_state: *mut TestState = Box::into_raw(TestState::set_up(Level::Passive)?);
        // SAFETY: the box was just leaked, and is only taken back when nothing borrows from it any more.
        let test: &'static TestState = unsafe { &*test_state };
        match Self::connect(test, request) {
            Ok(session) => {
                *report = session.report();
                Ok((Some(session), report))
            }
            Err(status) => {
                // SAFETY: the box was leaked above, and the failed attempt has dropped its handles.
                let outcome = unsafe { Box::from_raw(test_state) }.take_down()?;
                *report = failure(status, &outcome);
                Ok((None, report))
            }
        }
    }

    fn connect(test_state: &'static TestState, request: &SessionRequest) -> Result<Box<Self>, NTSTATUS> {
        let test = TestContext::open(test_state, request.near, request.far)?;
        let (near_info, far_info) = (test.near.info()?, test.far.info()?);
        let near = End::open(&test, QpSet::on(test.near, QpDepths::SMALL)?, Poll::Plain)?;
        let far = End::open(&test, QpSet::on(test.far, QpDepths::SMALL)?, Poll::Plain)?;
        near.expect_control()?;
        let client = Client::open(&test, &near_info)?;
        let server = Server::open(&test)?;
        let listener = pair::listen(&test)?;
        let connect = |near, far| pair::connect_to(&test, listener, (near, NEAR_DATA), (far, FAR_DATA));
        let connection = connect(near.qp, far.qp)?;
        let direct = connect(client.end.qp, server.end.qp)?;
        let chunk_length = [near_info, far_info]
            .iter()
            .map(|info| {
                info.MaxTransferLength.min(u32::try_from(info.MaxRegistrationSize).unwrap_or(u32::MAX))
            })
            .fold(request.chunk_length.min(direct::longest(&near_info)), u32::min);
        let session = try_box(Self {
            test_state,
            near,
            far,
            connection,
            client,
            server,
            direct,
            listener,
            chunk_length,
            limits: (limits(&near_info), limits(&far_info)),
            rendezvous: Rendezvous::unplaced(),
            near_busy: AtomicBool::new(false),
            far_busy: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            tallies: Default::default(),
        })?;
        session.rendezvous.place();
        Ok(session)
    }

    fn report(&self) -> SessionReport {
        SessionReport {
            status: STATUS_SUCCESS,
            chunk_length: self.chunk_length,
            near: self.limits.0,
            far: self.limits.1,
            outcome: Outcome::NONE,
        }
    }

    /// The counters up to now.
    pub(crate) fn counters(&self) -> SessionCounters {
        let counters = |operation| self.count(operation).map(Count::counters).unwrap_or_default();
        let (fast_registrations, invalidations) = self.client.counts();
        SessionCounters {
            frequency: kernel::frequency(),
            fast_registrations,
            invalidations,
            refills: u64::from(self.server.end.inbox.refills()),
            send: counters(Operation::Send),
            write: counters(Operation::Write),
            read: counters(Operation::Read),
            copy: counters(Operation::Copy),
            smb_direct: counters(Operation::SmbDirect),
        }
    }

    fn count(&self, operation: Operation) -> Option<&Count> {
        let index = match operation {
            Operation::Send => 0,
            Operation::Write => 1,
            Operation::Read => 2,
            Operation::Copy => 3,
            Operation::SmbDirect => 4,
        };
        self.tallies.get(index)
    }

    /// Closes everything in the hardest order: antecedents first, connectors from inside the disconnect
    /// completion and the disconnect event, with receives outstanding, from `level`.
    pub(crate) fn close(self: Box<Self>, level: Level) -> Result<Box<Outcome>, NTSTATUS> {
        let test_state: *const TestState = self.test_state;
        self.test_state.call_log.call_from(level);
        let alive = !self.given_up.load(Ordering::Acquire);
        let connections = [self.connection, self.direct];
        connections.iter().for_each(|connection| connection.close_far_inside());
        if alive {
            self.server.expect_refusal();
        }
        // What is still posted is cancelled by the closes; whether it can be posted does not matter here.
        let _ = self.far.expect_control();
        for object in [
            self.near.cq.object(),
            self.far.cq.object(),
            self.client.end.cq.object(),
            self.server.end.cq.object(),
            self.server.end.inbox.srq.object(),
            self.near.pd.object(),
            self.far.pd.object(),
            self.client.end.pd.object(),
            self.server.end.pd.object(),
            self.listener.object(),
        ] {
            object.close();
        }
        if alive {
            connections.iter().for_each(|connection| connection.close_near_inside());
        }
        drop(self);
        // SAFETY: the box was leaked by `open`, and the session that borrowed from it is dropped.
        unsafe { Box::from_raw(test_state.cast_mut()) }.take_down()
    }
}

impl Content for Session {
    /// Drops the outcome of the closes: no request asks for it.
    fn abandon(self: Box<Self>) {
        let _ = self.close(Level::Passive);
    }
}

fn failure(status: NTSTATUS, outcome: &Outcome) -> SessionReport {
    const NONE: AdapterLimits = AdapterLimits {
        version: 0,
        max_transfer_length: 0,
        max_registration_size: 0,
        max_caller_data: 0,
        max_callee_data: 0,
        max_initiator_queue_depth: 0,
        max_receive_queue_depth: 0,
    };
    SessionReport { status, chunk_length: 0, near: NONE, far: NONE, outcome: *outcome }
}

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
//! Both sides are here, or one of them is in another machine ([`Listening`], [`Session::connect_peer`]): then this one
//! transmits over one pair of connections, and collects over another one.
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

mod chunk;
mod closing;
mod control_message;
mod direct;
mod end;
mod ends;
mod listening;
mod lists;
mod opening;
mod peer;
mod rendezvous;
mod shared;

use alloc::boxed::Box;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::{AdapterLimits, Operation, Outcome, SessionCounters, SessionReport, TransferCounters};
use sys::ndk::{NDK_CONNECTOR, NDK_LISTENER};
use sys::status::{NTSTATUS, STATUS_SUCCESS};

pub(crate) use self::chunk::Chunk;
use self::ends::{Ends, Lanes};
pub(crate) use self::listening::Listening;
use self::rendezvous::Rendezvous;
use crate::kernel;
use crate::ndk::Handle;
use crate::test_context::TestState;

/// An open session.
pub(crate) struct Session {
    /// The state that the handles below borrow from. Taken back and freed when the session is closed.
    test_state: &'static TestState,
    ends: Box<Ends<'static>>,
    lanes: SessionLanes,
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

/// The connections of a session: those over which chunks leave from here, and those over which they come.
#[derive(Clone, Copy)]
struct SessionLanes {
    near: Lanes<'static>,
    far: Lanes<'static>,
    route: Route,
}

/// The way in which the connections came about.
#[derive(Clone, Copy)]
enum Route {
    /// The near side has connected to the far one, which is here, too.
    Here(Handle<'static, NDK_LISTENER>),
    /// This side has connected to a peer in another machine.
    ToPeer,
    /// A peer in another machine has connected to this side.
    FromPeer(Handle<'static, NDK_LISTENER>),
}

impl SessionLanes {
    /// Both pairs of connectors, each with whether this side has connected it.
    fn pairs(&self) -> [(Lanes<'static>, bool); 2] {
        let (near, far) = match self.route {
            Route::Here(_) => (true, false),
            Route::ToPeer => (true, true),
            Route::FromPeer(_) => (false, false),
        };
        [(self.near, near), (self.far, far)]
    }

    /// Those that this side has connected, or those that it has accepted.
    fn connectors(&self, connected: bool) -> impl Iterator<Item = Handle<'static, NDK_CONNECTOR>> {
        self.pairs()
            .into_iter()
            .filter(move |(_, by_us)| *by_us == connected)
            .flat_map(|(lanes, _)| [lanes.chunks, lanes.direct])
    }

    /// The listener that the accepted ones came from.
    const fn listener(&self) -> Option<Handle<'static, NDK_LISTENER>> {
        match self.route {
            Route::Here(listener) | Route::FromPeer(listener) => Some(listener),
            Route::ToPeer => None,
        }
    }

    /// Returns whether both sides are here.
    const fn is_here(&self) -> bool {
        matches!(self.route, Route::Here(_))
    }
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
    /// Fills in the report of a session that is open.
    fn report(&self, report: &mut SessionReport) {
        (report.status, report.chunk_length) = (STATUS_SUCCESS, self.chunk_length);
        (report.near, report.far) = self.limits;
    }

    /// The counters up to now.
    pub(crate) fn counters(&self) -> SessionCounters {
        let counters = |operation| self.count(operation).map(Count::counters).unwrap_or_default();
        let (fast_registrations, invalidations) = self.ends.client.counts();
        SessionCounters {
            frequency: kernel::frequency(),
            fast_registrations,
            invalidations,
            refills: u64::from(self.ends.server.end.inbox.refills()),
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
}

/// The report of an attempt that failed.
fn failure(status: NTSTATUS) -> SessionReport {
    const NONE: AdapterLimits = AdapterLimits {
        version: 0,
        max_transfer_length: 0,
        max_registration_size: 0,
        max_caller_data: 0,
        max_callee_data: 0,
        max_initiator_queue_depth: 0,
        max_receive_queue_depth: 0,
    };
    SessionReport { status, chunk_length: 0, near: NONE, far: NONE, outcome: Outcome::NONE }
}

//! Opening a session with both sides here.

#![expect(unsafe_code, reason = "the state of an attempt is borrowed from an address")]

use alloc::boxed::Box;
use core::sync::atomic::AtomicBool;

use protocol::{AdapterLimits, Level, Outcome, SessionReport, SessionRequest};
use sys::status::{NTSTATUS, STATUS_SUCCESS};

use super::ends::{self, Ends, Lanes};
use super::rendezvous::Rendezvous;
use super::{Route, Session, SessionLanes, failure};
use crate::heap::try_box;
use crate::ndk::limits;
use crate::pair::{self, Connection};
use crate::test_context::{TestContext, TestState};

/// The private data that the near side sends when it connects, and that the far side answers with.
const NEAR_DATA: &[u8] = b"ndkhlk: near";
const FAR_DATA: &[u8] = b"ndkhlk: far, nice to meet you";

/// An attempt that failed: its status, and what was seen until everything was closed again.
pub(super) type Failure = (NTSTATUS, Box<Outcome>);

/// Makes something that borrows from a new state; if that fails, takes down what is there.
///
/// # Errors
/// `STATUS_INSUFFICIENT_RESOURCES` if not even the outcome of an attempt can be told.
pub(super) fn attempt<T>(
    make: impl FnOnce(&'static TestState) -> Result<T, NTSTATUS>,
) -> Result<Result<T, Failure>, NTSTATUS> {
    let test_state: *mut TestState = Box::into_raw(TestState::set_up(Level::Passive)?);
    // SAFETY: the box was just leaked, and is only taken back when nothing borrows from it any more.
    let lent: &'static TestState = unsafe { &*test_state };
    match make(lent) {
        Ok(made) => Ok(Ok(made)),
        Err(status) => {
            // SAFETY: the box was leaked above, and the failed attempt has dropped its handles.
            let outcome = unsafe { Box::from_raw(test_state) }.take_down()?;
            Ok(Err((status, outcome)))
        }
    }
}

/// A report without a session. Not inlined: the stack on which the provider connects has no room for it.
///
/// # Errors
/// `STATUS_INSUFFICIENT_RESOURCES`.
#[inline(never)]
fn report_on_failure() -> Result<Box<SessionReport>, NTSTATUS> {
    try_box(failure(STATUS_SUCCESS))
}

impl Session {
    /// Opens both adapters and connects them. The report says how it went; there is a session only after
    /// success.
    pub(crate) fn open(
        request: &SessionRequest,
    ) -> Result<(Option<Box<Self>>, Box<SessionReport>), NTSTATUS> {
        let mut report = report_on_failure()?;
        Ok(match attempt(|test_state| Self::connect(test_state, request))? {
            Ok(session) => {
                session.report(&mut report);
                (Some(session), report)
            }
            Err((status, outcome)) => {
                (report.status, report.outcome) = (status, *outcome);
                (None, report)
            }
        })
    }

    fn connect(test_state: &'static TestState, request: &SessionRequest) -> Result<Box<Self>, NTSTATUS> {
        let test = TestContext::open(test_state, request.near, request.far)?;
        let infos = [test.near.info()?, test.far.info()?];
        let [near_info, far_info] = &infos;
        let ends = Ends::open(&test, near_info)?;
        let listener = pair::listen(&test)?;
        let connect = |near, far| pair::connect_to(&test, listener, (near, NEAR_DATA), (far, FAR_DATA));
        let Connection { near: near_chunks, far: far_chunks } = connect(ends.near.qp, ends.far.qp)?;
        let Connection { near: near_direct, far: far_direct } =
            connect(ends.client.end.qp, ends.server.end.qp)?;
        let lanes = SessionLanes {
            near: Lanes { chunks: near_chunks, direct: near_direct },
            far: Lanes { chunks: far_chunks, direct: far_direct },
            route: Route::Here(listener),
        };
        let chunk_length = ends::chunk_length(request.chunk_length, &infos);
        Self::over(test_state, ends, lanes, chunk_length, (limits(near_info), limits(far_info)))
    }

    /// A session over connections that have come about. Not inlined, as [`Ends::open`].
    #[inline(never)]
    pub(super) fn over(
        test_state: &'static TestState,
        ends: Box<Ends<'static>>,
        lanes: SessionLanes,
        chunk_length: u32,
        limits: (AdapterLimits, AdapterLimits),
    ) -> Result<Box<Self>, NTSTATUS> {
        if !lanes.is_here() {
            ends.watch(&lanes);
        }
        let session = try_box(Self {
            test_state,
            ends,
            lanes,
            chunk_length,
            limits,
            rendezvous: Rendezvous::unplaced(),
            near_busy: AtomicBool::new(false),
            far_busy: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            tallies: Default::default(),
        })?;
        session.rendezvous.place();
        Ok(session)
    }
}

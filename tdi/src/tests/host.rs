//! The system below the transport: the test kernel in manual mode, and requests that the tests look into.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::rc::Rc;
use std::time::Duration;

use sys::status::NTSTATUS;
use sys::wdm::IRP;
use test_kernel::{Manual, Point, enqueue, held, reach};

use crate::ndk::Ndk;
use crate::{HandlerIrp, Id, Request, RequestId, System, Transport};

type Call = Box<dyn FnOnce()>;

/// An action of a client at which its processor can be preempted: with no lock held.
pub(crate) fn point() {
    assert_eq!(held(), 0, "a client is called with a lock held");
    reach(Point::Callback);
}

/// Does something; returns how many locks were taken under the transport's own one. What is called out under
/// that lock, a refused connect request too, takes locks of its own.
#[cfg(test)]
pub(crate) fn locks_under_lock_of(transport: &Transport<Host>, does: impl FnOnce()) -> usize {
    let locked = transport.lock();
    // SAFETY: the lock is looked at, and not used.
    let outer: *const test_kernel::ManualLock = unsafe { lock_api::MutexGuard::mutex(&locked).raw() };
    drop(locked);
    test_kernel::taken_under(outer, does)
}

/// Units of 100 ns in a second.
const SECOND: u64 = 10_000_000;

/// Lets so much time pass, in units of 100 ns.
pub(crate) fn pass(time: u64) {
    test_kernel::pass(Duration::from_nanos(time * (1_000_000_000 / SECOND)));
}

pub(crate) struct Host;

impl System for Host {
    type Kernel = Manual;
    type Request = Record;
    type Network = Ndk<Self>;
    type Opener = super::access::TestOpener;
    type Client = Transport<Self>;

    fn now() -> u64 {
        let now = test_kernel::now();
        now.as_secs() * SECOND + u64::from(now.subsec_nanos()) / (1_000_000_000 / SECOND)
    }

    unsafe fn accept_irp(irp: NonNull<IRP>) -> Option<HandlerIrp<Record>> {
        // SAFETY: the handlers of the tests return what `give` made.
        Some(*unsafe { Box::from_raw(irp.as_ptr().cast::<HandlerIrp<Record>>()) })
    }
}

/// Makes the pointer that a handler returns as a request that it gives away.
pub(crate) fn give(handler_irp: HandlerIrp<Record>) -> *mut IRP {
    Box::into_raw(Box::new(handler_irp)).cast()
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: NTSTATUS,
    pub(crate) information: usize,
}

#[derive(Default)]
struct State {
    armed: Option<RequestId>,
    cancelled: bool,
    outcome: Option<Outcome>,
    peer: Option<SocketAddr>,
    data: Vec<u8>,
    /// Bytes that are contiguous.
    run: usize,
    /// The client's completion routine.
    then: Option<Call>,
}

/// The test's side of a request.
#[derive(Clone)]
pub(crate) struct Pending {
    state: Rc<RefCell<State>>,
    log: Rc<RefCell<Vec<u32>>>,
    pub(crate) serial: u32,
}

/// The transport's side of it.
pub(crate) struct Record(Pending);

// SAFETY: all of a test runs in one thread.
unsafe impl Send for Record {}

/// The order in which requests completed.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<u32>>>);

impl Log {
    /// Makes a request whose buffer is contiguous for `run` bytes at a time.
    pub(crate) fn request(&self, serial: u32, data: Vec<u8>, run: usize) -> (Record, Pending) {
        let state = State { data, run, ..State::default() };
        let pending = Pending { state: Rc::new(RefCell::new(state)), log: Rc::clone(&self.0), serial };
        (Record(pending.clone()), pending)
    }

    /// The serial numbers of the requests that completed since the last look, in their order.
    pub(crate) fn take(&self) -> Vec<u32> {
        self.0.take()
    }
}

impl Pending {
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.state.borrow().outcome
    }

    /// Sets the completion routine.
    #[cfg_attr(not(test), allow(dead_code, reason = "the fuzz target needs none"))]
    pub(crate) fn when_complete(&self, routine: impl FnOnce() + 'static) {
        self.state.borrow_mut().then = Some(Box::new(routine));
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.state.borrow().peer
    }

    pub(crate) fn data(&self) -> Vec<u8> {
        self.state.borrow().data.clone()
    }

    /// Cancels the request: its cancel routine, if it has one, is on its way until
    /// [`pump`](test_kernel::pump).
    pub(crate) fn cancel(&self, transport: &Transport<Host>) {
        let mut state = self.state.borrow_mut();
        state.cancelled = true;
        if let Some(request_id) = state.armed.take() {
            let transport = transport.clone();
            enqueue(move || transport.cancel(request_id));
        }
    }
}

// SAFETY: the cancel routine is called once per `arm`, unless `disarm` took the request ID back first; the
// buffer is neither moved nor changed but by `fill`.
unsafe impl Request for Record {
    fn arm(&mut self, request_id: RequestId) -> bool {
        let mut state = self.0.state.borrow_mut();
        assert!(state.armed.is_none(), "armed twice");
        if !state.cancelled {
            state.armed = Some(request_id);
        }
        !state.cancelled
    }

    fn disarm(&mut self) -> bool {
        self.0.state.borrow_mut().armed.take().is_some()
    }

    fn length(&self) -> usize {
        self.0.state.borrow().data.len()
    }

    fn run(&self, offset: usize) -> Option<(NonNull<u8>, usize)> {
        let state = self.0.state.borrow();
        let rest = state.data.get(offset..).filter(|rest| !rest.is_empty())?;
        let run = state.run - offset % state.run;
        Some((NonNull::from(rest).cast(), run.min(rest.len())))
    }

    fn fill(&mut self, offset: usize, bytes: &[u8]) -> usize {
        let mut state = self.0.state.borrow_mut();
        let Some(room) = state.data.get_mut(offset..) else { return 0 };
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        count
    }

    fn return_peer(&mut self, peer: SocketAddr) {
        self.0.state.borrow_mut().peer = Some(peer);
    }

    fn complete(self, status: NTSTATUS, information: usize) {
        point();
        let then = {
            let mut state = self.0.state.borrow_mut();
            assert!(state.armed.is_none(), "completed with a cancel routine set");
            assert!(state.outcome.is_none(), "completed twice");
            state.outcome = Some(Outcome { status, information });
            self.0.log.borrow_mut().push(self.0.serial);
            state.then.take()
        };
        if let Some(then) = then {
            then();
        }
        point();
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.outcome().is_some(), "request {} was dropped and not completed", self.0.serial);
        }
    }
}

/// A file that is closed whole.
pub(crate) fn close(transport: &Transport<Host>, file: Id) {
    transport.cleanup(file, test_kernel::passive());
    transport.close(file);
}

//! A kernel for tests: DPCs, and cancel routines on their way, wait until [`pump`].

mod lock;
#[cfg_attr(not(test), allow(dead_code, reason = "the fuzz target has one processor"))]
mod processor;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Mutex;

use provider::kernel::{Dpc, Event, Kernel, Mapping, Routine, Timer, Unmapped};
use provider::number::usize_from;
use sys::irql::PassiveLevel;
use sys::status::NTSTATUS;
use sys::wdm::{IRP, MDL};

pub(crate) use lock::HookedLock;
use processor::Processors;
#[cfg(test)]
pub(crate) use processor::{Strike, preempted};

use crate::ndk::Ndk;
use crate::{HandlerIrp, Id, Request, RequestId, System, Transport};

type Call = Box<dyn FnOnce()>;

/// The state that the threads of a test share, of which one runs at a time.
#[derive(Default)]
pub(crate) struct Context {
    queue: RefCell<VecDeque<Call>>,
    now: Cell<u64>,
    late: RefCell<Option<Call>>,
    traced: RefCell<Vec<String>>,
    processors: RefCell<Option<Rc<Processors>>>,
    /// A lock under which no other one is to be taken, whether it is held, and how many were.
    outer: Cell<Option<*const HookedLock>>,
    outer_held: Cell<bool>,
    inner: Cell<usize>,
    /// Access lists that are there now, and how many were made.
    pub(crate) lists: Cell<(usize, usize)>,
}

impl Context {
    fn processors(&self) -> Option<Rc<Processors>> {
        self.processors.borrow().clone()
    }

    fn taken(&self, lock: &HookedLock) {
        if self.outer_held.get() {
            self.inner.set(self.inner.get() + 1);
        }
        if self.outer.get().is_some_and(|outer| std::ptr::eq(outer, lock)) {
            self.outer_held.set(true);
        }
    }

    fn given_back(&self, lock: &HookedLock) {
        if self.outer.get().is_some_and(|outer| std::ptr::eq(outer, lock)) {
            self.outer_held.set(false);
        }
    }

    fn set_processors(&self, processors: Option<Rc<Processors>>) {
        self.processors.replace(processors);
    }
}

thread_local! {
    static CONTEXT: RefCell<Rc<Context>> = RefCell::default();
}

/// The state that the threads of the running test share.
pub(crate) fn context() -> Rc<Context> {
    CONTEXT.with_borrow(Rc::clone)
}

/// Makes the calling thread one of a test.
fn install(context: Rc<Context>) {
    CONTEXT.with(|place| place.replace(context));
}

/// Something that one thread of a test gives to another, of which one runs at a time.
struct Movable<T>(T);

// SAFETY: the threads of a test run in turn.
unsafe impl<T> Send for Movable<T> {}

fn queue(call: Call) {
    context().queue.borrow_mut().push_back(call);
}

/// Something that a client does, at which its processor can be preempted: with no lock held.
pub(crate) fn point() {
    if let Some(processors) = context().processors() {
        processors.point_of_client();
    }
}

/// Does something; returns how many locks were taken under the transport's own one. What is called out under that
/// lock, a refused offer too, takes locks of its own.
#[cfg(test)]
pub(crate) fn locks_under_lock_of(transport: &Transport<Host>, does: impl FnOnce()) -> usize {
    let context = context();
    let locked = transport.lock();
    // SAFETY: the lock is looked at, and not used.
    let outer: *const HookedLock = unsafe { lock_api::MutexGuard::mutex(&locked).raw() };
    drop(locked);
    context.outer.set(Some(outer));
    does();
    context.outer.set(None);
    context.inner.take()
}

/// Makes one of the calls that wait, if there is one.
pub(crate) fn pump_once() -> bool {
    let call = context().queue.borrow_mut().pop_front();
    call.map(|call| call()).is_some()
}

/// Makes the calls that wait, and those that they queue.
pub(crate) fn pump() {
    while pump_once() {}
}

/// Makes a call when a wait's time is over.
pub(crate) fn when_late(call: impl FnOnce() + 'static) {
    context().late.replace(Some(Box::new(call)));
}

/// The lines that were traced since the last look.
pub(crate) fn traced() -> Vec<String> {
    context().traced.take()
}

/// Forgets the calls that wait: those that a test left which has failed.
pub(crate) fn forget() {
    context().queue.take().into_iter().for_each(core::mem::forget);
}

/// Lets so much time pass, in units of 100 ns.
pub(crate) fn pass(time: u64) {
    let context = context();
    context.now.set(context.now.get() + time);
}

pub(crate) struct Host;

pub(crate) struct HostDeferred(Mutex<Option<(Routine, usize)>>);

// SAFETY: each queueing leads to one call in `drive`, which does not touch the object.
unsafe impl Dpc for HostDeferred {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    unsafe fn initialise(this: NonNull<Self>, routine: Routine, context: *mut c_void) {
        // SAFETY: the caller passes a live object.
        *unsafe { this.as_ref() }.0.lock().unwrap() = Some((routine, context.expose_provenance()));
    }

    unsafe fn queue(this: NonNull<Self>) {
        // SAFETY: the caller passes a live object.
        let (routine, context) = unsafe { this.as_ref() }.0.lock().unwrap().expect("initialised");
        // SAFETY: queued with this context by the caller, who keeps the object.
        queue(Box::new(move || unsafe { routine(std::ptr::with_exposed_provenance_mut(context)) }));
    }
}

/// A timer of the provider's, for which no time passes: what is set goes by being cancelled.
pub(crate) struct HostTimer(Cell<bool>);

// SAFETY: a test has one thread, and all objects are its own.
unsafe impl Send for HostTimer {}
// SAFETY: as above.
unsafe impl Sync for HostTimer {}

// SAFETY: no call is ever made, so a set ends with its cancel.
unsafe impl Timer for HostTimer {
    fn new() -> Self {
        Self(Cell::new(false))
    }

    unsafe fn initialise(_: NonNull<Self>, _: Routine, _: *mut c_void) {}

    unsafe fn set(this: NonNull<Self>, _: core::time::Duration) {
        // SAFETY: the caller passes a live object.
        assert!(!unsafe { this.as_ref() }.0.replace(true), "a timer is set twice");
    }

    unsafe fn cancel(this: NonNull<Self>) -> bool {
        // SAFETY: the caller passes a live object.
        unsafe { this.as_ref() }.0.take()
    }

    fn lateness() -> core::time::Duration {
        core::time::Duration::ZERO
    }
}

pub(crate) struct HostEvent(Mutex<bool>);

impl HostEvent {
    fn is_signalled(&self) -> bool {
        *self.0.lock().unwrap()
    }
}

impl Event for HostEvent {
    fn new() -> Self {
        Self(Mutex::new(false))
    }

    fn initialise(&self) {}

    fn signal(&self) {
        *self.0.lock().unwrap() = true;
    }

    /// The calls that will signal wait in this very thread, or another one of the test does it.
    fn wait(&self, _: PassiveLevel) {
        if let Some(processors) = context().processors() {
            return processors.wait(self);
        }
        pump();
        assert!(*self.0.lock().unwrap(), "this would wait for ever");
    }

    /// The time is over when everything has been done, which no test waits for unless it says so.
    fn wait_for(&self, _: core::time::Duration, _: PassiveLevel) -> bool {
        if let Some(processors) = context().processors() {
            processors.wait(self);
            return true;
        }
        pump();
        let signalled = self.is_signalled();
        if !signalled {
            let late = context().late.take();
            late.expect("this would wait for ever")();
        }
        signalled
    }
}

/// A mapping of memory at the address that its lists have already.
pub(crate) struct Pinned(NonNull<u8>);

// SAFETY: the pointer is to memory that every thread may access as raw bytes.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// Maps the first `length` bytes of a chain, whose lists must be contiguous by their system addresses, too.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::map`].
    unsafe fn new(mdl: NonNull<MDL>, length: usize) -> Result<Self, Unmapped> {
        // SAFETY: the caller passes a live list.
        let first: *mut u8 = unsafe { mdl.as_ref() }.MappedSystemVa.cast();
        let (mut next, mut offset) = (Some(mdl), 0);
        while offset < length {
            // SAFETY: the caller passes a chain of so many bytes.
            let list = unsafe { next.ok_or(Unmapped::Scattered)?.as_ref() };
            if list.ByteCount != 0 && list.MappedSystemVa.cast() != first.wrapping_add(offset) {
                return Err(Unmapped::Scattered);
            }
            (next, offset) = (NonNull::new(list.Next), offset + usize_from(list.ByteCount));
        }
        NonNull::new(first).map(Self).ok_or(Unmapped::Resources)
    }
}

// SAFETY: the memory is the caller's, which keeps it for as long as the mapping.
unsafe impl Mapping for Pinned {
    fn start(&self) -> NonNull<u8> {
        self.0
    }
}

// SAFETY: the locks exclude; a mapping is what `MappedSystemVa` says.
unsafe impl Kernel for Host {
    type Lock = HookedLock;
    type Dpc = HostDeferred;
    type Timer = HostTimer;
    type Event = HostEvent;
    type Mapping = Pinned;

    unsafe fn map(mdl: NonNull<MDL>, length: usize) -> Result<Self::Mapping, Unmapped> {
        // SAFETY: the caller passes a live chain.
        unsafe { Pinned::new(mdl, length) }
    }

    fn trace(line: core::fmt::Arguments<'_>) {
        context().traced.borrow_mut().push(line.to_string());
    }
}

impl System for Host {
    type Kernel = Self;
    type Request = Record;
    type Network = Ndk<Self>;
    type Opener = super::access::TestOpener;
    type Client = Transport<Self>;

    fn now() -> u64 {
        context().now.get()
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

    /// Cancels the request: its cancel routine, if it has one, is on its way until [`pump`].
    pub(crate) fn cancel(&self, transport: &Transport<Host>) {
        let mut state = self.state.borrow_mut();
        state.cancelled = true;
        if let Some(request_id) = state.armed.take() {
            let transport = transport.clone();
            queue(Box::new(move || transport.cancel(request_id)));
        }
    }
}

// SAFETY: the cancel routine is called once per `arm`, unless `disarm` took the request ID back first; the buffer
// is neither moved nor changed but by `fill`.
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
    transport.cleanup(file, crate::tests::passive());
    transport.close(file);
}

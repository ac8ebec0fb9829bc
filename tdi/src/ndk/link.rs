//! A link: a connector, a queue pair and its completion queue, and the buffers that are posted on it.
//!
//! Its calls are made by its endpoint's pumper alone, one at a time, and none after [`Link::close`]; so no
//! NDK object is used after its close. Callbacks only leave news.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::net::SocketAddr;
use core::ops::Deref;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use provider::{NoMemory, Shared};
use sys::ndk::{NDK_CONNECTOR, NDK_CQ, NDK_QP, NDK_RESULT, NDK_SGE, NDK_SGE_ADDRESS};
use sys::status::{
    NT_SUCCESS, NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_NOT_SUPPORTED, STATUS_SUCCESS,
};

use super::call::{call, close, create, slot, ulong};
use super::connect_status;
use super::passive::Offer;
use super::port::Use;
use super::sockaddr::{HELLO, Raw, hello};
use crate::endpoint::News;
use crate::network::{Broken, Kind, Link, Passed, System};
use crate::slab::Id;
use crate::transport::Transport;

/// Requests of one queue: messages, and the end of the stream.
const DEPTH: u32 = 5;
/// Messages under way in one direction, besides the end of the stream.
pub(crate) const WINDOW: usize = DEPTH as usize - 1;
/// The most bytes of a message.
pub(crate) const PIECE: usize = 16 << 10;
/// A buffer has room for a message and its kind.
const BUFFER: usize = PIECE + 1;

/// The kind bytes, at addresses that the queue pair can send from.
static DATA: u8 = 0;
static END: u8 = 1;

/// Marks the context of a receive; the rest is the buffer's index. Sends have their number.
const RECEIVE: usize = 1 << (usize::BITS - 1);

/// What a link is; each of its NDK objects owns it as the context of its callbacks.
struct State<S: System> {
    transport: Transport<S>,
    endpoint: Id,
    port: Shared<Use<S>>,
    local: SocketAddr,
    peer: SocketAddr,
    /// This side connected.
    active: bool,
    connector: AtomicPtr<NDK_CONNECTOR>,
    qp: AtomicPtr<NDK_QP>,
    cq: AtomicPtr<NDK_CQ>,
    /// NDK objects that are not closed.
    objects: AtomicU32,
    /// The endpoint does not know the link, and gets no news of it.
    silent: AtomicBool,
    buffers: UnsafeCell<Vec<u8>>,
}

// SAFETY: NDK objects may be used on any thread. Of the buffers, each belongs either to the queue pair, while
// it is posted, or to the one `Data` that was made when its message came.
unsafe impl<S: System> Send for State<S> {}
// SAFETY: as above.
unsafe impl<S: System> Sync for State<S> {}

/// See the module's head.
pub struct NdkLink<S: System>(Shared<State<S>>);

impl<S: System> Clone for NdkLink<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A message that has come.
pub struct Data<S: System> {
    link: NdkLink<S>,
    index: usize,
    length: usize,
}

impl<S: System> core::fmt::Debug for Data<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Data")
            .field("index", &self.index)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl<S: System> Deref for Data<S> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let start = self.link.buffer(self.index).wrapping_add(1);
        // SAFETY: the buffer has room for `length` bytes behind its kind, all initialised; its receive has
        // completed, so it is this value's alone until it is given back.
        unsafe { core::slice::from_raw_parts(start, self.length) }
    }
}

/// Room for `WINDOW` messages and the end.
fn buffers() -> Result<Vec<u8>, NoMemory> {
    let length = const { (WINDOW + 1) * BUFFER };
    let mut buffers = Vec::new();
    buffers.try_reserve_exact(length).map_err(|_| NoMemory)?;
    buffers.resize(length, 0);
    Ok(buffers)
}

impl<S: System> NdkLink<S> {
    /// A link with a queue pair, and no connector yet.
    fn new(
        transport: Transport<S>,
        endpoint: Id,
        port: Shared<Use<S>>,
        active: bool,
        (local, peer): (SocketAddr, SocketAddr),
    ) -> Result<Self, NTSTATUS> {
        let no_memory = |NoMemory| STATUS_INSUFFICIENT_RESOURCES;
        let state = State {
            transport,
            endpoint,
            port,
            local,
            peer,
            active,
            connector: AtomicPtr::new(null_mut()),
            qp: AtomicPtr::new(null_mut()),
            cq: AtomicPtr::new(null_mut()),
            objects: AtomicU32::new(0),
            silent: AtomicBool::new(false),
            buffers: UnsafeCell::new(buffers().map_err(no_memory)?),
        };
        let link = Self(Shared::new(state).map_err(no_memory)?);
        link.make_queues().inspect_err(|_| link.discard())?;
        Ok(link)
    }

    fn make_queues(&self) -> Result<(), NTSTATUS> {
        let (adapter, pd) = (self.0.port.adapter.as_ptr(), self.0.port.pd.as_ptr());
        let context = self.borrowed();
        // Each queue and the buffers' end, twice: so the queue can't overflow.
        let depth = const { 2 * DEPTH };
        let cq = create(|out| {
            // SAFETY: the adapter is open; the context lives until the queue's close has completed.
            unsafe {
                call!(
                    adapter,
                    NdkCreateCq,
                    depth,
                    Some(passed::<S>),
                    context,
                    null_mut(),
                    None,
                    null_mut(),
                    out
                )
            }
        })?;
        self.own(&self.0.cq, cq);
        let qp = create(|out| {
            let cq = cq.as_ptr();
            // SAFETY: domain and queue are not closed.
            unsafe {
                call!(pd, NdkCreateQp, cq, cq, null_mut(), DEPTH, DEPTH, 1, 2, 0, None, null_mut(), out)
            }
        })?;
        self.own(&self.0.qp, qp);
        Ok(())
    }

    /// An NDK object is the link's from now on; its close gives back what it owns of the link.
    fn own<T>(&self, place: &AtomicPtr<T>, object: NonNull<T>) {
        place.store(object.as_ptr(), Ordering::Release);
        self.0.objects.fetch_add(1, Ordering::Relaxed);
        // Taken back by `closed`.
        let _owned = self.0.clone().into_raw();
    }

    /// The link as the context of callbacks, which its NDK objects keep alive.
    fn borrowed(&self) -> *mut c_void {
        let raw = self.0.clone().into_raw();
        // SAFETY: it was made just now.
        drop(unsafe { Shared::<State<S>>::from_raw(raw) });
        raw.as_ptr()
    }

    /// Connects; `CONNECTED` or `LOST` follows.
    ///
    /// # Errors
    ///
    /// The provider's, and nothing is left.
    pub(super) fn connect(
        transport: Transport<S>,
        endpoint: Id,
        port: Shared<Use<S>>,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<Self, NTSTATUS> {
        let link = Self::new(transport, endpoint, port, true, (from, to))?;
        link.start_connect(from, to).inspect_err(|_| link.discard())?;
        Ok(link)
    }

    fn start_connect(&self, from: SocketAddr, to: SocketAddr) -> Result<(), NTSTATUS> {
        let adapter = self.0.port.adapter.as_ptr();
        // SAFETY: the adapter is open.
        let connector = create(|out| unsafe { call!(adapter, NdkCreateConnector, None, null_mut(), out) })?;
        self.own(&self.0.connector, connector);
        // The address object's listener has the port itself; see the head of `ndk`.
        let (source, destination) = (Raw::new(SocketAddr::new(from.ip(), 0)), Raw::new(to));
        let ((source, source_length), (destination, destination_length)) =
            (source.parts(), destination.parts());
        let hello = hello(from.port());
        // SAFETY: connector and queue pair are not closed; addresses and data are locals of their lengths;
        // the context lives until the connector's close has completed.
        let status = unsafe {
            call!(
                connector.as_ptr(),
                NdkConnect,
                self.0.qp.load(Ordering::Acquire),
                source,
                source_length,
                destination,
                destination_length,
                0,
                0,
                hello.as_ptr().cast(),
                ulong(HELLO),
                Some(connected::<S>),
                self.borrowed()
            )
        };
        started(status)
    }

    /// Accepts an offer; `CONNECTED` or `LOST` follows.
    ///
    /// # Errors
    ///
    /// The provider's; the offer is refused.
    pub(super) fn accept(transport: Transport<S>, endpoint: Id, offer: Offer<S>) -> Result<Self, NTSTATUS> {
        let (port, ends) = (offer.port(), (offer.local(), offer.peer()));
        let link = Self::new(transport, endpoint, port, false, ends)?;
        let connector = offer.into_connector();
        link.own(&link.0.connector, connector);
        // SAFETY: connector and queue pair are not closed; the contexts live until the connector's close
        // has completed.
        let status = unsafe {
            call!(
                connector.as_ptr(),
                NdkAccept,
                link.0.qp.load(Ordering::Acquire),
                0,
                0,
                core::ptr::null(),
                0,
                Some(disconnected::<S>),
                link.borrowed(),
                Some(connected::<S>),
                link.borrowed()
            )
        };
        started(status).inspect_err(|_| link.discard())?;
        Ok(link)
    }

    /// Closes what there is of a link that its endpoint never knew.
    fn discard(&self) {
        self.0.silent.store(true, Ordering::Release);
        self.close();
    }

    fn buffer(&self, index: usize) -> *mut u8 {
        // SAFETY: the vector is never changed as such; only its bytes are, through such pointers.
        let start = unsafe { (*self.0.buffers.get()).as_ptr() };
        start.cast_mut().wrapping_add(index.saturating_mul(BUFFER))
    }

    fn sge(&self, address: *const u8, length: usize) -> NDK_SGE {
        NDK_SGE {
            Address: NDK_SGE_ADDRESS { VirtualAddress: address.cast_mut().cast() },
            Length: ulong(length),
            MemoryRegionToken: self.0.port.token,
        }
    }

    fn post(&self, index: usize) -> Result<(), Broken> {
        let sge = self.sge(self.buffer(index), BUFFER);
        let context = core::ptr::without_provenance_mut(RECEIVE | index);
        let qp = self.0.qp.load(Ordering::Acquire);
        // SAFETY: the queue pair is not closed; the buffer is nobody's until its receive completes.
        let status = unsafe { call!(qp, NdkReceive, context, &raw const sge, 1) };
        posted(status)
    }

    fn complete_connect(&self) -> Result<(), Broken> {
        let connector = self.0.connector.load(Ordering::Acquire);
        // SAFETY: the connector is not closed; the context lives until its close has completed.
        let status = unsafe {
            call!(connector, NdkCompleteConnect, Some(disconnected::<S>), self.borrowed(), None, null_mut())
        };
        posted(status)
    }

    fn understand(&self, result: &NDK_RESULT) -> Passed<Data<S>> {
        let context = result.RequestContext.addr();
        let arrived = result.Status == STATUS_SUCCESS;
        if context & RECEIVE == 0 {
            return Passed::Sent { number: context as u64, arrived };
        }
        let index = context & !RECEIVE;
        let length = (result.BytesTransferred as usize).min(BUFFER);
        let Some(length) = length.checked_sub(1).filter(|_| arrived) else { return Passed::Nonsense };
        // SAFETY: the receive has completed with at least one byte, so the buffer is ours.
        let kind = unsafe { self.buffer(index).read() };
        let data = Data { link: self.clone(), index, length };
        match kind {
            kind if kind == DATA => Passed::Came(Kind::Data, data),
            kind if kind == END => Passed::Came(Kind::End, data),
            _ => Passed::Nonsense,
        }
    }

    fn poll(&self) -> Option<NDK_RESULT> {
        let mut result =
            NDK_RESULT { Status: 0, BytesTransferred: 0, QPContext: null_mut(), RequestContext: null_mut() };
        let cq = self.0.cq.load(Ordering::Acquire);
        // SAFETY: the queue is not closed, and one thread at a time asks.
        let count = unsafe { call!(cq, NdkGetCqResults, &raw mut result, 1) };
        (count == Some(1)).then_some(result)
    }
}

impl<S: System> Link for NdkLink<S> {
    type Data = Data<S>;

    const DEPTH: usize = WINDOW;
    const WINDOW: usize = WINDOW + 1;
    const PIECE: usize = PIECE;

    fn open(&self) -> Result<(), Broken> {
        (0..=WINDOW).try_for_each(|index| self.post(index))?;
        if self.0.active { self.complete_connect() } else { Ok(()) }
    }

    unsafe fn send(&self, number: u64, kind: Kind, place: *const u8, length: usize) -> Result<(), Broken> {
        let kind = match kind {
            Kind::Data => &raw const DATA,
            Kind::End => &raw const END,
        };
        let list = [self.sge(kind, 1), self.sge(place, length)];
        let count = if length == 0 { 1 } else { 2 };
        let context = core::ptr::without_provenance_mut(usize::try_from(number).unwrap_or(0) & !RECEIVE);
        let qp = self.0.qp.load(Ordering::Acquire);
        // SAFETY: the queue pair is not closed; the memory stays until the message has passed, as the
        // caller promises.
        let status = unsafe { call!(qp, NdkSend, context, list.as_ptr(), count, 0) };
        posted(status)
    }

    fn next(&self) -> Option<Passed<Data<S>>> {
        let result = self.poll().or_else(|| {
            let cq = self.0.cq.load(Ordering::Acquire);
            // SAFETY: the queue is not closed.
            unsafe { call!(cq, NdkArmCq, sys::ndk::NDK_CQ_NOTIFY_ANY) };
            // What came between the look and the arm may have raised no notification.
            self.poll()
        });
        result.map(|result| self.understand(&result))
    }

    fn give_back(&self, data: Data<S>) -> Result<(), Broken> {
        self.post(data.index)
    }

    fn close(&self) {
        let connector = self.0.connector.swap(null_mut(), Ordering::AcqRel);
        let qp = self.0.qp.swap(null_mut(), Ordering::AcqRel);
        let cq = self.0.cq.swap(null_mut(), Ordering::AcqRel);
        let context = self.borrowed();
        if !connector.is_null() {
            // SAFETY: not null means not closed, and nobody finds the object any more.
            let function = unsafe { slot!(connector, NdkCloseConnector) };
            // SAFETY: as above; the context owns the link for this object, which `closed` takes back.
            unsafe { close(connector, function, closed::<S>, context) };
        }
        if !qp.is_null() {
            // SAFETY: as above.
            let function = unsafe { slot!(qp, NdkCloseQp) };
            // SAFETY: as above.
            unsafe { close(qp, function, closed::<S>, context) };
        }
        if !cq.is_null() {
            // SAFETY: as above.
            let function = unsafe { slot!(cq, NdkCloseCq) };
            // SAFETY: as above.
            unsafe { close(cq, function, closed::<S>, context) };
        }
    }

    fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    fn local(&self) -> SocketAddr {
        self.0.local
    }
}

fn started(status: Option<NTSTATUS>) -> Result<(), NTSTATUS> {
    let status = status.unwrap_or(STATUS_NOT_SUPPORTED);
    if NT_SUCCESS(status) { Ok(()) } else { Err(status) }
}

fn posted(status: Option<NTSTATUS>) -> Result<(), Broken> {
    started(status).map_err(|_| Broken)
}

/// Runs `news` with the link of a callback.
///
/// # Safety
///
/// `context` is the link of an NDK object that is not closed, or whose close has not completed.
unsafe fn with<S: System>(context: *mut c_void, news: impl FnOnce(&State<S>)) {
    let Some(raw) = NonNull::new(context) else { return };
    // SAFETY: as the caller promises, the object owns the link.
    let state = unsafe { Shared::<State<S>>::from_borrowed(raw) };
    if !state.silent.load(Ordering::Acquire) {
        news(&state);
    }
}

/// The connect has been accepted, or an accept completed.
unsafe extern "win64" fn connected<S: System>(context: *mut c_void, status: NTSTATUS) {
    let news = |state: &State<S>| match status {
        STATUS_SUCCESS => state.transport.note(state.endpoint, News::CONNECTED),
        failed if state.active => state.transport.lost(state.endpoint, connect_status(failed)),
        _ => state.transport.lost(state.endpoint, STATUS_CONNECTION_ABORTED),
    };
    // SAFETY: the connector whose request this is has not completed its close.
    unsafe { with(context, news) }
}

/// The peer has gone, or the connection has broken.
unsafe extern "win64" fn disconnected<S: System>(context: *mut c_void) {
    // SAFETY: the connector whose event this is has not completed its close.
    unsafe { with(context, |state: &State<S>| state.transport.lost(state.endpoint, STATUS_CONNECTION_RESET)) }
}

/// The completion queue has results.
unsafe extern "win64" fn passed<S: System>(context: *mut c_void, _status: NTSTATUS) {
    // SAFETY: the queue whose notification this is has not completed its close.
    unsafe { with(context, |state: &State<S>| state.transport.note(state.endpoint, News::PASSED)) }
}

/// One of the link's NDK objects is closed.
unsafe extern "win64" fn closed<S: System>(context: *mut c_void) {
    let Some(raw) = NonNull::new(context) else { return };
    // SAFETY: this is what `own` gave to the object, which hands it back once.
    let state = unsafe { Shared::<State<S>>::from_raw(raw) };
    let last = state.objects.fetch_sub(1, Ordering::AcqRel) == 1;
    if last && !state.silent.load(Ordering::Acquire) {
        state.transport.note(state.endpoint, News::GONE);
    }
}

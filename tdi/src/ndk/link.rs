//! A link: a connector, a queue pair and its completion queue, and the buffers that are posted on it.
//!
//! Its calls are made by its endpoint's drive loop alone, one at a time, and none after [`Link::close`]; so no
//! NDK object is used after its close. Callbacks only leave events.

use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::net::SocketAddr;
use core::ops::Deref;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use provider::number::{u64_from, usize_from};
use provider::{NoMemory, Shared};
use sys::ndk::{NDK_CONNECTOR, NDK_CQ, NDK_QP, NDK_RESULT, NDK_SGE, NDK_SGE_ADDRESS};
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS};

use super::call::{call, close, slot, ulong};
use super::callback::{closed, ended};
use super::message::{self, BUFFER, BUFFERS, first_byte};
use super::port::Port;
use super::rnic::Use;
use crate::network::{Completion, Credits, Kind, Link, LinkBroken, RnicId};
use crate::slab::Id;
use crate::system::System;

/// Marks the context of a receive; the rest is the buffer's index. Sends have their number.
const RECEIVE: usize = 1 << (usize::BITS - 1);

/// The state of a link; each of its NDK objects owns it as the context of its callbacks.
pub(super) struct State<S: System> {
    pub(super) client: S::Client,
    pub(super) endpoint: Id,
    pub(super) rnic: Shared<Use<S>>,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    /// The port by which it came in, of which it is a connection until its close begins; none if this side connected.
    pub(super) port: Option<Shared<Port<S>>>,
    pub(super) connector: AtomicPtr<NDK_CONNECTOR>,
    pub(super) qp: AtomicPtr<NDK_QP>,
    pub(super) cq: AtomicPtr<NDK_CQ>,
    /// NDK objects that are not closed.
    pub(super) objects: AtomicU32,
    /// The endpoint does not know the link, and gets no events of it.
    pub(super) silent: AtomicBool,
    pub(super) buffers: UnsafeCell<Vec<u8>>,
}

// SAFETY: NDK objects may be used on any thread. Of the buffers, each belongs either to the queue pair, while
// it is posted, or to the one `Data` that was made when its message came.
unsafe impl<S: System> Send for State<S> {}
// SAFETY: as above.
unsafe impl<S: System> Sync for State<S> {}

/// See the module's head.
pub struct NdkLink<S: System>(pub(super) Shared<State<S>>);

impl<S: System> Clone for NdkLink<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A message of data that has come.
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

/// Flow-control credits for the messages that may come before one is given back.
pub(super) fn buffers() -> Result<Vec<u8>, NoMemory> {
    let length = const { BUFFERS * BUFFER };
    let mut buffers: Vec<u8> = Vec::new();
    buffers.try_reserve_exact(length).map_err(|_| NoMemory)?;
    if buffers.capacity() < length {
        return Err(NoMemory);
    }
    // At once: an unoptimised build would fill the buffers byte by byte.
    // SAFETY: there is room for so many bytes.
    unsafe { buffers.as_mut_ptr().write_bytes(0, length) };
    // SAFETY: they were written just now.
    unsafe { buffers.set_len(length) };
    Ok(buffers)
}

impl<S: System> NdkLink<S> {
    /// An NDK object is the link's from now on; its close gives back what it owns of the link.
    pub(super) fn own<T>(&self, place: &AtomicPtr<T>, object: NonNull<T>) {
        place.store(object.as_ptr(), Ordering::Release);
        self.0.objects.fetch_add(1, Ordering::Relaxed);
        // Taken back by `closed`.
        let _owned = self.0.clone().into_raw();
    }

    /// The link as the context of callbacks, which its NDK objects keep alive.
    pub(super) fn borrowed(&self) -> *mut c_void {
        let raw = self.0.clone().into_raw();
        // SAFETY: it was made just now.
        drop(unsafe { Shared::<State<S>>::from_raw(raw) });
        raw.as_ptr()
    }

    /// Closes what there is of a link that its endpoint never knew.
    pub(super) fn discard(&self) {
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
            MemoryRegionToken: self.0.rnic.token,
        }
    }

    fn post(&self, index: usize) -> Result<(), LinkBroken> {
        let sge = self.sge(self.buffer(index), BUFFER);
        let context = core::ptr::without_provenance_mut(RECEIVE | index);
        let qp = self.0.qp.load(Ordering::Acquire);
        // SAFETY: the queue pair is not closed; the buffer belongs to the queue pair until its receive completes.
        let status = unsafe { call!(qp, NdkReceive, context, &raw const sge, 1) };
        posted(status)
    }

    fn understand(&self, result: &NDK_RESULT) -> Completion<Data<S>> {
        let context = result.RequestContext.addr();
        let arrived = result.Status == STATUS_SUCCESS;
        if context & RECEIVE == 0 {
            return Completion::Sent { number: u64_from(context), arrived };
        }
        let index = context & !RECEIVE;
        let length = usize_from(result.BytesTransferred).min(BUFFER);
        let Some(length) = length.checked_sub(1).filter(|_| arrived) else { return Completion::Nonsense };
        // SAFETY: the receive has completed with at least one byte, so the buffer is ours.
        let first = unsafe { self.buffer(index).read() };
        let completion = match message::kind(first, length) {
            Some(Kind::Data(urgency)) => {
                return Completion::Data(urgency, Data { link: self.clone(), index, length });
            }
            Some(Kind::End) => Completion::End,
            Some(Kind::Credits(credits)) => Completion::Credits(credits),
            None => return Completion::Nonsense,
        };
        // If the link is broken, so will its events say.
        let _broken = self.post(index);
        completion
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

    const DEPTH: usize = message::DATA;
    const CREDITS: Credits = message::CREDITS;
    const PIECE: usize = message::PIECE;

    fn open(&self) -> Result<(), LinkBroken> {
        (0..BUFFERS).try_for_each(|index| self.post(index))?;
        if self.0.port.is_none() { self.complete_connect() } else { Ok(()) }
    }

    unsafe fn send(
        &self,
        number: u64,
        kind: Kind,
        place: *const u8,
        length: usize,
    ) -> Result<(), LinkBroken> {
        let list = [self.sge(first_byte(kind), 1), self.sge(place, length)];
        let count = if length == 0 { 1 } else { 2 };
        let context = core::ptr::without_provenance_mut(usize::try_from(number).unwrap_or(0) & !RECEIVE);
        let qp = self.0.qp.load(Ordering::Acquire);
        // SAFETY: the queue pair is not closed; the memory stays until the message has passed, as the
        // caller promises.
        let status = unsafe { call!(qp, NdkSend, context, list.as_ptr(), count, 0) };
        posted(status)
    }

    fn next(&self) -> Option<Completion<Data<S>>> {
        let result = self.poll().or_else(|| {
            let cq = self.0.cq.load(Ordering::Acquire);
            // SAFETY: the queue is not closed.
            unsafe { call!(cq, NdkArmCq, sys::ndk::NDK_CQ_NOTIFY_ANY) };
            // What came between the look and the arm may have raised no notification.
            self.poll()
        });
        result.map(|result| self.understand(&result))
    }

    fn give_back(&self, data: Data<S>) -> Result<(), LinkBroken> {
        self.post(data.index)
    }

    fn disconnect(&self) -> bool {
        let connector = self.0.connector.load(Ordering::Acquire);
        // SAFETY: the connector is not closed; the context lives until its close has completed.
        let status = unsafe { call!(connector, NdkDisconnect, Some(ended::<S>), self.borrowed()) };
        status == Some(STATUS_PENDING)
    }

    fn close(&self) {
        let connector = self.0.connector.swap(null_mut(), Ordering::AcqRel);
        let qp = self.0.qp.swap(null_mut(), Ordering::AcqRel);
        let cq = self.0.cq.swap(null_mut(), Ordering::AcqRel);
        let context = self.borrowed();
        if !connector.is_null() {
            if let Some(port) = &self.0.port {
                port.connection_ends();
            }
            // SAFETY: not null means not closed, and the object can't be found any more.
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

    fn rnic(&self) -> RnicId {
        self.0.rnic.id
    }
}

pub(super) fn started(status: Option<NTSTATUS>) -> Result<(), NTSTATUS> {
    let status = status.unwrap_or(STATUS_NOT_SUPPORTED);
    if NT_SUCCESS(status) { Ok(()) } else { Err(status) }
}

pub(super) fn posted(status: Option<NTSTATUS>) -> Result<(), LinkBroken> {
    started(status).map_err(|_| LinkBroken)
}

//! A small provider that keeps the rules, with tables that a test may change before it opens the adapter.
//!
//! It moves no data: a send, read or write succeeds at once, a receive waits until the test completes it.
//! What a real provider does on another thread is deferred until the test calls [`Provider::run`].
//! Objects are never freed, so that a test may misuse them.

use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::collections::VecDeque;

use parking_lot::Mutex;
use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::*;

use super::super::kind::Object;

type Deferred = Box<dyn FnOnce() + Send>;

/// The provider: its tables, and what it has yet to do.
pub(crate) struct Provider {
    pub(crate) adapter: NDK_ADAPTER_DISPATCH,
    pub(crate) qp: NDK_QP_DISPATCH,
    pub(crate) cq: NDK_CQ_DISPATCH,
    pub(crate) mr: NDK_MR_DISPATCH,
    pub(crate) mw: NDK_MW_DISPATCH,
    pub(crate) pd: NDK_PD_DISPATCH,
    pub(crate) shared_endpoint: NDK_SHARED_ENDPOINT_DISPATCH,
    pub(crate) connector: NDK_CONNECTOR_DISPATCH,
    pub(crate) listener: NDK_LISTENER_DISPATCH,
    pub(crate) srq: NDK_SRQ_DISPATCH,
    pub(crate) version: NDK_VERSION,
    /// Creates and requests return STATUS_PENDING and complete in [`Provider::run`].
    pub(crate) asynchronous: AtomicBool,
    deferred: Mutex<VecDeque<Deferred>>,
    tokens: AtomicU32,
}

impl Provider {
    /// A provider that keeps the rules.
    pub(crate) fn new() -> Self {
        Self {
            adapter: ADAPTER,
            qp: QP,
            cq: CQ,
            mr: MR,
            mw: MW,
            pd: PD,
            shared_endpoint: SHARED_ENDPOINT,
            connector: CONNECTOR,
            listener: LISTENER,
            srq: SRQ,
            version: NDK_VERSION_2_1,
            asynchronous: AtomicBool::new(false),
            deferred: Mutex::default(),
            tokens: AtomicU32::new(0x100),
        }
    }

    /// Has something done by the next [`Provider::run`].
    pub(crate) fn defer(&self, work: impl FnOnce() + Send + 'static) {
        self.deferred.lock().push_back(Box::new(work));
    }

    /// Does what is to be done, and what follows from it.
    pub(crate) fn run(&self) {
        while let Some(work) = self.take() {
            work();
        }
    }

    /// The token that the next registration gets.
    pub(crate) fn next_token(&self, token: u32) {
        self.tokens.store(token, Ordering::Relaxed);
    }

    fn take(&self) -> Option<Deferred> {
        self.deferred.lock().pop_front()
    }

    /// A new adapter.
    pub(crate) fn open(&'static self) -> *mut NDK_ADAPTER {
        make::<NDK_ADAPTER>(self, &self.adapter, Vec::new())
    }
}

pub(crate) extern "efiapi" fn query_extension(
    _object: *mut NDK_OBJECT_HEADER,
    _identifier: *const GUID,
    _version: NDK_VERSION,
    _interface: *mut NDK_EXTENSION_INTERFACE,
) -> NTSTATUS {
    STATUS_NOT_SUPPORTED
}

/// Answers a create: inline, or later.
pub(crate) fn answer_create<T: Object>(
    parent: &'static Fake,
    object: *mut T,
    completion: Option<NDK_FN_CREATE_COMPLETION>,
    context: PVOID,
    out: *mut *mut T,
) -> NTSTATUS {
    if !parent.provider().asynchronous.load(Ordering::Relaxed) {
        // SAFETY: the caller passed the out-parameter for this.
        unsafe { out.write(object) };
        return STATUS_SUCCESS;
    }
    let (object, context) = (At::of(object), At::of(context));
    parent.hold();
    parent.provider().defer(move || {
        // SAFETY: the completion was passed for this, with this context.
        unsafe { completion.unwrap()(context.pointer(), STATUS_SUCCESS, object.pointer()) };
        parent.release();
    });
    STATUS_PENDING
}

/// Answers a request: inline, or later.
pub(crate) fn answer(
    object: &'static Fake,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    if !object.provider().asynchronous.load(Ordering::Relaxed) {
        return STATUS_SUCCESS;
    }
    let context = At::of(context);
    object.hold();
    object.provider().defer(move || {
        // SAFETY: the completion was passed for this, with this context.
        unsafe { completion.unwrap()(context.pointer(), STATUS_SUCCESS) };
        object.release();
    });
    STATUS_PENDING
}

#[macro_use]
mod define;
mod connections;
mod data;
mod fake;
mod objects;
pub(crate) use connections::*;
pub(crate) use data::*;
pub(crate) use fake::*;
pub(crate) use objects::*;

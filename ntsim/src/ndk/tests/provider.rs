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

/// Address of an object, for closures that run later.
#[derive(Clone, Copy)]
pub(crate) struct At(usize);

/// An object of the provider's.
#[repr(C)]
pub(crate) struct Fake {
    header: UnsafeCell<NDK_OBJECT_HEADER>,
    dispatch: AtomicPtr<()>,
    provider: &'static Provider,
    parents: Mutex<Vec<At>>,
    /// What holds the object: successors, requests, callbacks.
    holds: AtomicU32,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    closing: Option<(Option<NDK_FN_CLOSE_COMPLETION>, usize)>,
    /// The event or notification, and its context.
    pub(crate) event: (usize, usize),
    /// A CQ's results.
    pub(crate) results: VecDeque<NDK_RESULT_EX>,
    /// Whether a result came since the last notification.
    fresh: bool,
    pub(crate) armed: Option<ULONG>,
    /// A QP's.
    pub(crate) qp_context: usize,
    receive_cq: Option<At>,
    pub(crate) initiator_cq: Option<At>,
    pub(crate) receives: VecDeque<usize>,
    /// Local and remote token of a region or window.
    pub(crate) token: UINT32,
}

// SAFETY: the header is the layer's to write, and tests use one thread at a time for it.
unsafe impl Sync for Fake {}
// SAFETY: a result's pointers are only handed back.
unsafe impl Send for State {}

impl At {
    pub(crate) fn of<T>(object: *mut T) -> Self {
        Self(object.expose_provenance())
    }

    pub(crate) fn pointer<T>(self) -> *mut T {
        ptr::with_exposed_provenance_mut(self.0)
    }

    pub(crate) fn fake(self) -> &'static Fake {
        // SAFETY: every object of this provider is one, and none is ever freed.
        unsafe { &*self.pointer::<Fake>() }
    }
}

/// The provider's view of an object.
pub(crate) fn fake<T>(object: *mut T) -> &'static Fake {
    At::of(object).fake()
}

/// Makes an object.
pub(crate) fn make<T: Object>(
    provider: &'static Provider,
    table: &'static T::Dispatch,
    parents: Vec<At>,
) -> *mut T {
    for parent in &parents {
        parent.fake().holds.fetch_add(1, Ordering::Relaxed);
    }
    let fake = Fake {
        header: UnsafeCell::new(NDK_OBJECT_HEADER {
            Version: provider.version,
            ObjectType: T::KIND.object_type(),
            NdkReserved: NDK_OBJECT_HEADER_RESERVED_BLOCK { rf: [ptr::null_mut(); 4] },
        }),
        dispatch: AtomicPtr::new(ptr::from_ref(table).cast_mut().cast()),
        provider,
        parents: Mutex::new(parents),
        holds: AtomicU32::new(0),
        state: Mutex::default(),
    };
    Box::leak(Box::new(fake)) as *mut Fake as *mut T
}

impl Fake {
    pub(crate) fn provider(&self) -> &'static Provider {
        self.provider
    }

    pub(crate) fn at(&'static self) -> At {
        At::of(ptr::from_ref(self).cast_mut())
    }

    pub(crate) fn state(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn header(&self) -> *mut NDK_OBJECT_HEADER {
        self.header.get()
    }

    /// Makes one more antecedent of the object.
    pub(crate) fn depend_on(&self, parent: At) {
        parent.fake().holds.fetch_add(1, Ordering::Relaxed);
        self.parents.lock().push(parent);
    }

    /// The first antecedent.
    pub(crate) fn parent(&self) -> At {
        self.parents.lock()[0]
    }

    /// Makes an antecedent one no longer.
    pub(crate) fn forget_parent(&self, parent: At) {
        self.parents.lock().retain(|one| one.0 != parent.0);
        parent.fake().release();
    }

    pub(crate) fn hold(&self) {
        self.holds.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets go of the object; completes its close if nothing else holds it.
    pub(crate) fn release(&self) {
        if self.holds.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        let closing = self.state().closing.take();
        let Some((completion, context)) = closing else { return };
        complete_close(completion, context);
        self.release_parents();
    }

    pub(crate) fn release_parents(&self) {
        let parents = core::mem::take(&mut *self.parents.lock());
        parents.iter().for_each(|parent| parent.fake().release());
    }
}

fn complete_close(completion: Option<NDK_FN_CLOSE_COMPLETION>, context: usize) {
    // SAFETY: the completion was passed for this, with this context.
    unsafe { completion.unwrap()(ptr::with_exposed_provenance_mut(context)) };
}

/// Closes an object as the rules have it.
pub(crate) extern "win64" fn close(
    object: *mut NDK_OBJECT_HEADER,
    completion: Option<NDK_FN_CLOSE_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let fake = fake(object);
    flush_receives(fake);
    if fake.holds.load(Ordering::Relaxed) == 0 {
        fake.release_parents();
        return STATUS_SUCCESS;
    }
    fake.state().closing = Some((completion, context.expose_provenance()));
    STATUS_PENDING
}

/// A close that does not look what else holds the object.
pub(crate) extern "win64" fn close_carelessly(
    object: *mut NDK_OBJECT_HEADER,
    _completion: Option<NDK_FN_CLOSE_COMPLETION>,
    _context: PVOID,
) -> NTSTATUS {
    fake(object).release_parents();
    STATUS_SUCCESS
}

/// Closes an object, always pending.
pub(crate) extern "win64" fn close_later(
    object: *mut NDK_OBJECT_HEADER,
    completion: Option<NDK_FN_CLOSE_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let fake = fake(object);
    fake.hold();
    fake.provider.defer(|| fake.release());
    close(object, completion, context)
}

pub(crate) extern "win64" fn query_extension(
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
    if !parent.provider.asynchronous.load(Ordering::Relaxed) {
        // SAFETY: the caller passed the out-parameter for this.
        unsafe { out.write(object) };
        return STATUS_SUCCESS;
    }
    let (object, context) = (At::of(object), At::of(context));
    parent.hold();
    parent.provider.defer(move || {
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
    if !object.provider.asynchronous.load(Ordering::Relaxed) {
        return STATUS_SUCCESS;
    }
    let context = At::of(context);
    object.hold();
    object.provider.defer(move || {
        // SAFETY: the completion was passed for this, with this context.
        unsafe { completion.unwrap()(context.pointer(), STATUS_SUCCESS) };
        object.release();
    });
    STATUS_PENDING
}

mod connections;
mod data;
mod objects;
pub(crate) use connections::*;
pub(crate) use data::*;
pub(crate) use objects::*;

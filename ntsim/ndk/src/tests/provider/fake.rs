//! The provider's objects, what holds them, and how they are closed.

use super::*;

/// Address of an object, for closures that run later.
#[derive(Clone, Copy)]
pub(crate) struct At(usize);

/// An object of the provider's.
#[repr(C)]
pub(crate) struct Fake {
    header: UnsafeCell<NDK_OBJECT_HEADER>,
    dispatch: AtomicPtr<()>,
    provider: &'static Provider,
    pub(super) parents: Mutex<Vec<At>>,
    /// The number of successors, requests and callbacks that hold the object.
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
    /// Set if a result came since the last notification.
    pub(super) fresh: bool,
    pub(crate) armed: Option<ULONG>,
    /// A QP's.
    pub(crate) qp_context: usize,
    pub(super) receive_cq: Option<At>,
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
pub(crate) extern "efiapi" fn close(
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
pub(crate) extern "efiapi" fn close_carelessly(
    object: *mut NDK_OBJECT_HEADER,
    _completion: Option<NDK_FN_CLOSE_COMPLETION>,
    _context: PVOID,
) -> NTSTATUS {
    fake(object).release_parents();
    STATUS_SUCCESS
}

/// Closes an object, always pending.
pub(crate) extern "efiapi" fn close_later(
    object: *mut NDK_OBJECT_HEADER,
    completion: Option<NDK_FN_CLOSE_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let fake = fake(object);
    fake.hold();
    fake.provider.defer(|| fake.release());
    close(object, completion, context)
}

//! Many objects of one kind, created and closed.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::c_void;
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};

use protocol::Kind;
use sys::ndk::{NDK_ADAPTER, NDK_CONNECTOR, NDK_CQ, NDK_OBJECT_HEADER, NDK_PD};
use sys::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};

use super::Samples;
use super::transfer::check;
use crate::heap::try_box;
use crate::interface::{Unrecorded, close_function};
use crate::kernel::{Event, Reset};
use crate::ndk::{Address, QpDepths, call};
use crate::test_context::TestContext;

type Header = *mut NDK_OBJECT_HEADER;

/// The time, in milliseconds, after which a wait is begun anew: the wait can't be given up, as the provider has a
/// pointer to its event.
const SLICE: u32 = 60_000;

/// A CQ that is deep enough for one QP.
const CQ_DEPTH: u32 = 16;

/// Closes that were called, and that are complete. It stays until the adapters are closed, as only then every
/// completion has returned.
pub(super) struct Closes {
    pending: AtomicUsize,
    completed: AtomicUsize,
    progress: Event,
}

impl Closes {
    /// None.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn new() -> Result<Box<Self>, NTSTATUS> {
        let (pending, completed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let closes = try_box(Self { pending, completed, progress: Event::unplaced() })?;
        closes.progress.place(Reset::ByWait);
        Ok(closes)
    }

    fn begin(&self, kind: Kind, object: Header) {
        let context = ptr::from_ref(self).cast_mut().cast();
        let pending = close_function(kind, object).is_some_and(|close| {
            // SAFETY: the object is open, and this is its one close; the record stays until the adapters are
            // closed.
            unsafe { close(object, Some(closed), context) == STATUS_PENDING }
        });
        self.pending.fetch_add(usize::from(pending), Ordering::Relaxed);
    }

    fn wait(&self) {
        while self.completed.load(Ordering::Acquire) < self.pending.load(Ordering::Relaxed) {
            let _ = self.progress.wait(SLICE);
        }
    }
}

/// The objects, and what they were created from.
pub(super) struct Bulk {
    kind: Kind,
    cq: Option<Unrecorded<NDK_CQ>>,
    pd: Option<Unrecorded<NDK_PD>>,
    members: Vec<Header>,
}

impl Bulk {
    /// Creates as many objects of `kind` as samples are wanted.
    ///
    /// # Errors
    /// The status with which a create failed; what was created is closed again.
    pub(super) fn create(
        test: &TestContext<'_>,
        kind: Kind,
        samples: &mut Samples,
        closes: &Closes,
    ) -> Result<Self, NTSTATUS> {
        let adapter = Unrecorded(test.near.as_ptr());
        let mut members = Vec::new();
        members.try_reserve_exact(samples.wanted()).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        let mut bulk = Self { kind, cq: None, pd: None, members };
        match bulk.fill(adapter, &Address::of(&test.near_end), samples) {
            Ok(()) => Ok(bulk),
            Err(status) => {
                bulk.end(closes);
                Err(status)
            }
        }
    }

    fn fill(
        &mut self,
        adapter: Unrecorded<NDK_ADAPTER>,
        address: &Address,
        samples: &mut Samples,
    ) -> Result<(), NTSTATUS> {
        if matches!(self.kind, Kind::Mr | Kind::Mw | Kind::Srq | Kind::Qp) {
            self.pd = Some(Unrecorded(create_pd(adapter)?.cast()));
        }
        if self.kind == Kind::Qp {
            self.cq = Some(Unrecorded(create_cq(adapter)?.cast()));
        }
        while samples.wanted() != 0 {
            let member = samples.time(|| self.member(adapter, address))?;
            let place = self.members.spare_capacity_mut().first_mut();
            place.ok_or(STATUS_INSUFFICIENT_RESOURCES)?.write(member);
            let length = self.members.len().saturating_add(1);
            // SAFETY: the element behind the others was written just now, within the capacity.
            unsafe { self.members.set_len(length) };
        }
        Ok(())
    }

    fn member(&self, adapter: Unrecorded<NDK_ADAPTER>, address: &Address) -> Result<Header, NTSTATUS> {
        let none: *mut c_void = null_mut();
        match (self.kind, self.pd, self.cq) {
            (Kind::Pd, ..) => create_pd(adapter),
            (Kind::Cq, ..) => create_cq(adapter),
            (Kind::Connector, ..) => {
                make(|context, out| call!(adapter.NdkCreateConnector(Some(made), context, out.cast())))
            }
            (Kind::Listener, ..) => make(|context, out| {
                call!(adapter.NdkCreateListener(Some(offered), none, Some(made), context, out.cast()))
            }),
            (Kind::SharedEndpoint, ..) => make(|context, out| {
                let (start, length) = address.parts();
                call!(adapter.NdkCreateSharedEndpoint(start, length, Some(made), context, out.cast()))
            }),
            (Kind::Mr, Some(pd), _) => {
                make(|context, out| call!(pd.NdkCreateMr(0, Some(made), context, out.cast())))
            }
            (Kind::Mw, Some(pd), _) => {
                make(|context, out| call!(pd.NdkCreateMw(Some(made), context, out.cast())))
            }
            (Kind::Srq, Some(pd), _) => make(|context, out| {
                let (depth, affinity) = (QpDepths::SMALL.receive, null_mut());
                call!(pd.NdkCreateSrq(
                    depth,
                    1,
                    0,
                    Some(notified),
                    none,
                    affinity,
                    Some(made),
                    context,
                    out.cast()
                ))
            }),
            (Kind::Qp, Some(pd), Some(cq)) => make(|context, out| {
                let QpDepths { receive, initiator, receive_sges, initiator_sges, inline } = QpDepths::SMALL;
                call!(pd.NdkCreateQp(
                    cq.as_ptr(),
                    cq.as_ptr(),
                    none,
                    receive,
                    initiator,
                    receive_sges,
                    initiator_sges,
                    inline,
                    Some(made),
                    context,
                    out.cast()
                ))
            }),
            _ => Err(STATUS_INVALID_PARAMETER),
        }
    }

    /// Closes everything, timing the members' closes, and before them, if `under` says so, that of what
    /// they were created from. Returns when all closes are complete.
    pub(super) fn close(self, samples: &mut Samples, under: bool, closes: &Closes) {
        let mut antecedents = self.antecedents();
        if under && let Some((kind, antecedent)) = antecedents.next() {
            samples.time(|| closes.begin(kind, antecedent));
            antecedents.by_ref().for_each(|(kind, antecedent)| closes.begin(kind, antecedent));
        }
        for member in &self.members {
            samples.time(|| closes.begin(self.kind, *member));
        }
        antecedents.for_each(|(kind, antecedent)| closes.begin(kind, antecedent));
        closes.wait();
    }

    /// Closes everything.
    pub(super) fn end(self, closes: &Closes) {
        let members = self.members.iter().map(|member| (self.kind, *member));
        members.chain(self.antecedents()).for_each(|(kind, object)| closes.begin(kind, object));
        closes.wait();
    }

    /// The objects that the members were created from: the CQ, and the PD.
    fn antecedents(&self) -> impl Iterator<Item = (Kind, Header)> + use<> {
        let cq = self.cq.map(|cq| (Kind::Cq, cq.as_ptr().cast()));
        let pd = self.pd.map(|pd| (Kind::Pd, pd.as_ptr().cast()));
        cq.into_iter().chain(pd)
    }
}

fn create_pd(adapter: Unrecorded<NDK_ADAPTER>) -> Result<Header, NTSTATUS> {
    make(|context, out| call!(adapter.NdkCreatePd(Some(made), context, out.cast())))
}

fn create_cq(adapter: Unrecorded<NDK_ADAPTER>) -> Result<Header, NTSTATUS> {
    make(|context, out| {
        call!(adapter.NdkCreateCq(
            CQ_DEPTH,
            Some(notified),
            null_mut(),
            null_mut(),
            Some(made),
            context,
            out.cast()
        ))
    })
}

/// A create in progress.
struct Making {
    out: AtomicPtr<NDK_OBJECT_HEADER>,
    status: AtomicI32,
    done: Event,
}

/// Creates an object through `function`, and waits for it if that pends.
fn make(function: impl FnOnce(*mut c_void, *mut Header) -> NTSTATUS) -> Result<Header, NTSTATUS> {
    let making = Making {
        out: AtomicPtr::new(null_mut()),
        status: AtomicI32::new(STATUS_PENDING),
        done: Event::unplaced(),
    };
    making.done.place(Reset::Never);
    let mut status = function(ptr::from_ref(&making).cast_mut().cast(), making.out.as_ptr());
    if status == STATUS_PENDING {
        while !making.done.wait(SLICE) {}
        status = making.status.load(Ordering::Acquire);
    }
    check(status)?;
    Ok(making.out.load(Ordering::Acquire))
}

/// `NDK_FN_CREATE_COMPLETION`
unsafe extern "efiapi" fn made(context: *mut c_void, status: NTSTATUS, object: Header) {
    // SAFETY: `make` passed it, and stays until it is signalled.
    let making = unsafe { &*context.cast::<Making>() };
    if status == STATUS_SUCCESS {
        making.out.store(object, Ordering::Release);
    }
    making.status.store(status, Ordering::Release);
    making.done.set();
}

/// `NDK_FN_CLOSE_COMPLETION`
unsafe extern "efiapi" fn closed(context: *mut c_void) {
    // SAFETY: `begin` passed it, and it stays until the adapters are closed.
    let closes = unsafe { &*context.cast::<Closes>() };
    closes.completed.fetch_add(1, Ordering::AcqRel);
    closes.progress.set();
}

/// `NDK_FN_CQ_NOTIFICATION_CALLBACK`, `NDK_FN_SRQ_NOTIFICATION_CALLBACK`: nothing is armed.
unsafe extern "efiapi" fn notified(_context: *mut c_void, _status: NTSTATUS) {}

/// `NDK_FN_CONNECT_EVENT_CALLBACK`: nothing is listened on.
unsafe extern "efiapi" fn offered(_context: *mut c_void, _connector: *mut NDK_CONNECTOR) {}

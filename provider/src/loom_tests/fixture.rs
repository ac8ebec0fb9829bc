//! An open adapter and what can be made on it, without the dispatch tables.

use core::net::SocketAddr;
use core::ops::Deref;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::ptr::{NonNull, null_mut};

use sys::ndk::{
    NDK_CONNECTOR, NDK_FN_CONNECT_EVENT_CALLBACK, NDK_FN_CQ_NOTIFICATION_CALLBACK, NDK_VERSION_2_1,
};
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::PVOID;
use test_kernel::model::{Model, pump};
use test_kernel::network;

use crate::adapter::{Adapter, Cq, Pd};
use crate::connection::{AddressPair, ConnectError, Connector, Listener, PrivateData, Source};
use crate::consumer::{Completion, Opaque, Request};
use crate::lifetime::Kind;
use crate::limits::ReadLimits;
use crate::ndkpi::requested_connector;
use crate::object::{Object, ObjectType};
use crate::queue_pair::{Depths, Qp, cq_overflown};
use crate::rnic::{Fabric, Rnic, WireSettings};

/// The address of the adapter, and the port that is listened on.
const LISTENING: &str = "10.0.0.1:445";
const DEPTH: u32 = 2;
const LIMITS: ReadLimits = ReadLimits { inbound: 1, outbound: 1 };

static TABLE: u8 = 0;

/// An object that the model has not closed.
pub(super) struct Pointer<B: ObjectType<Model>>(NonNull<Object<Model, B>>);

impl<B: ObjectType<Model>> Clone for Pointer<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: ObjectType<Model>> Copy for Pointer<B> {}

// SAFETY: an object may be used by every thread.
unsafe impl<B: ObjectType<Model>> Send for Pointer<B> {}

impl<B: ObjectType<Model>> Deref for Pointer<B> {
    type Target = Object<Model, B>;

    fn deref(&self) -> &Object<Model, B> {
        // SAFETY: the model closes objects only when it no longer uses them.
        unsafe { self.0.as_ref() }
    }
}

impl Pointer<Connector<Model>> {
    /// The connector of a connect event.
    pub(super) fn requested(connector: *mut NDK_CONNECTOR) -> Self {
        Self(NonNull::new(connector.cast()).unwrap())
    }
}

/// Outcome of a request or a close of the consumer.
#[derive(Default)]
pub(super) struct Ending {
    /// Completions that were called.
    pub(super) calls: AtomicU32,
    status: AtomicU32,
}

impl Ending {
    /// Records the status that the call returned or the completion reported.
    pub(super) fn ended(&self, status: NTSTATUS) {
        self.status.store(status.cast_unsigned(), SeqCst);
        self.calls.fetch_add(1, SeqCst);
    }

    fn context(&self) -> PVOID {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The status of the one completion.
    pub(super) fn status(&self) -> NTSTATUS {
        assert_eq!(self.calls.load(SeqCst), 1, "completions of one request");
        self.status.load(SeqCst).cast_signed()
    }
}

unsafe extern "efiapi" fn completed(context: PVOID, status: NTSTATUS) {
    // SAFETY: the context is an ending that the model keeps.
    unsafe { &*context.cast::<Ending>() }.ended(status);
}

unsafe extern "efiapi" fn closed(context: PVOID) {
    // SAFETY: as for `completed`.
    unsafe { completed(context, STATUS_SUCCESS) }
}

fn object<B: ObjectType<Model>>(body: B) -> Pointer<B> {
    Pointer(Object::create(NDK_VERSION_2_1, &TABLE, body).unwrap())
}

/// NdkCompleteConnect, which does not pend: it has no completion.
pub(super) fn complete_connect(connector: Pointer<Connector<Model>>) -> Result<(), ConnectError> {
    let hold = connector.try_acquire(Kind::Request).unwrap();
    let request = Request::new(Completion::new(None, null_mut()), hold);
    connector.complete_connect(None, request).map(|_| ())
}

/// Closes an object; its ending has a completion if that pends.
pub(super) fn close<B: ObjectType<Model>>(object: Pointer<B>, ending: &Ending) -> NTSTATUS {
    // SAFETY: the model closes each object once.
    unsafe { Object::close(object.0, Some(closed), ending.context()) }
}

/// Closes an object that nothing holds any more.
pub(super) fn close_inline<B: ObjectType<Model>>(object: Pointer<B>) {
    // SAFETY: as above.
    let status = unsafe { Object::close(object.0, None, null_mut()) };
    assert_eq!(status, STATUS_SUCCESS, "nothing holds it");
}

fn cq(
    adapter: Pointer<Adapter<Model>>,
    callback: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>,
    context: PVOID,
) -> Pointer<Cq<Model>> {
    let tie = adapter.try_acquire(Kind::Successor).unwrap();
    object(Cq::new(tie, 16, callback, Opaque(context), None, cq_overflown).unwrap())
}

/// One adapter; its consumer connects it with itself.
pub(super) struct Fixture {
    rnic: Rnic<Model>,
    adapter: Pointer<Adapter<Model>>,
    pub(super) pd: Pointer<Pd<Model>>,
    pub(super) cq: Pointer<Cq<Model>>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let fabric = Fabric::<Model>::new().unwrap();
        Self::of(Rnic::new(&fabric).unwrap())
    }

    /// The same, whose connections go over the network in a box.
    pub(super) fn over_network() -> Self {
        network::clear();
        let fabric = Fabric::<Model>::new().unwrap();
        let settings = WireSettings { crc: false, fpdu_size: None, force: true };
        Self::of(Rnic::with_network(&fabric, network::InABox, settings).unwrap())
    }

    fn of(rnic: Rnic<Model>) -> Self {
        rnic.set_addresses(&[Self::listening().ip()]).unwrap();
        rnic.set_enabled(true);
        let adapter = Pointer(rnic.open(NDK_VERSION_2_1).unwrap().cast::<Object<Model, Adapter<Model>>>());
        let pd = object(Pd::new(adapter.try_acquire(Kind::Successor).unwrap()));
        let cq = cq(adapter, None, null_mut());
        Self { rnic, adapter, pd, cq }
    }

    /// A queue of its own, which notifies.
    pub(super) fn cq(
        &self,
        callback: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>,
        context: PVOID,
    ) -> Pointer<Cq<Model>> {
        cq(self.adapter, callback, context)
    }

    pub(super) fn listening() -> SocketAddr {
        LISTENING.parse().unwrap()
    }

    pub(super) fn qp(&self) -> Pointer<Qp<Model>> {
        let depths = Depths { receive: DEPTH, initiator: DEPTH, receive_sge: 1, initiator_sge: 1, inline: 0 };
        let tie = self.pd.try_acquire(Kind::Successor).unwrap();
        let cq = || self.cq.try_acquire(Kind::Successor).unwrap();
        object(Qp::new(tie, cq(), cq(), None, Opaque(null_mut()), depths).unwrap())
    }

    pub(super) fn connector(&self) -> Pointer<Connector<Model>> {
        object(Connector::new(self.adapter.try_acquire(Kind::Successor).unwrap()))
    }

    /// A listener that listens.
    pub(super) fn listener(
        &self,
        event: NDK_FN_CONNECT_EVENT_CALLBACK,
        context: PVOID,
    ) -> Pointer<Listener<Model>> {
        let tie = self.adapter.try_acquire(Kind::Successor).unwrap();
        let listener = object(Listener::new(tie, Some(event), Opaque(context), requested_connector).unwrap());
        match self.rnic.state().network() {
            None => listener.listen(Self::listening()).unwrap(),
            Some(network) => {
                listener.listen_over(network, Self::listening(), Completion::new(None, null_mut())).unwrap();
                settle();
            }
        }
        listener
    }

    /// Closes what is left, in which nothing is held any more.
    pub(super) fn tear_down(self) {
        pump();
        close_inline(self.cq);
        close_inline(self.pd);
        // SAFETY: the model is done with the adapter.
        unsafe { Rnic::<Model>::close(self.adapter.0.cast(), test_kernel::passive()) };
        drop(self.rnic);
    }
}

/// Lets the network and the DPCs run until nothing is left to do.
pub(super) fn settle() {
    pump();
    while network::step(0) {
        pump();
    }
}

/// Begins to connect; the error is what the call returns.
pub(super) fn connect(
    connector: Pointer<Connector<Model>>,
    qp: Pointer<Qp<Model>>,
    ending: &Ending,
) -> Result<(), ConnectError> {
    let hold = connector.try_acquire(Kind::Request).unwrap();
    let request = Request::new(Completion::new(Some(completed), ending.context()), hold);
    let mut local = Fixture::listening();
    local.set_port(0);
    let addresses = AddressPair { source: Source::Address(local), remote: Fixture::listening() };
    connector.connect(&qp, addresses, LIMITS, PrivateData::empty(), request)
}

/// Answers a connect request; the error is what the call returns.
pub(super) fn accept(
    connector: Pointer<Connector<Model>>,
    qp: Pointer<Qp<Model>>,
    ending: &Ending,
) -> Result<(), ConnectError> {
    let hold = connector.try_acquire(Kind::Request).unwrap();
    let request = Request::new(Completion::new(Some(completed), ending.context()), hold);
    connector.accept(&qp, LIMITS, PrivateData::empty(), None, request)
}

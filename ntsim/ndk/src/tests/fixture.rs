//! A consumer in a machine of its own, with the provider under it.

use core::ptr;

use ntsim_core::boot::Machine;
use parking_lot::Mutex;
use sys::ndk::*;
use sys::sockaddr::SOCKADDR_IN;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG};

use super::provider::Provider;
use crate::{Checks, Opened, close_adapter, open_adapter, set_checks};

/// Calls a function through an object's dispatch pointer, as a consumer does.
macro_rules! call {
    ($object:expr, $slot:ident $(, $argument:expr)* $(,)?) => {{
        let object = $object;
        // SAFETY: the object is one of the test provider's, none of which is ever freed, and its table is
        // the layer's; the arguments are what the function takes.
        unsafe { (*(*object).Dispatch).$slot.unwrap()(object.cast() $(, $argument)*) }
    }};
}
pub(super) use call;

/// A callback that the consumer got: its name, its context, its status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Got(pub(super) &'static str, pub(super) usize, pub(super) NTSTATUS);

static LOG: Mutex<Vec<Got>> = Mutex::new(Vec::new());
static DURING: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);
static CREATED: Mutex<usize> = Mutex::new(0);

fn log(name: &'static str, context: PVOID, status: NTSTATUS) {
    LOG.lock().push(Got(name, context.addr(), status));
    let during = DURING.lock().take();
    if let Some(during) = during {
        during();
    }
}

pub(super) extern "efiapi" fn on_create(context: PVOID, status: NTSTATUS, object: *mut NDK_OBJECT_HEADER) {
    *CREATED.lock() = object.expose_provenance();
    log("create", context, status);
}

/// See [`Fixture::created`]; for use inside a callback.
pub(super) fn created<T>() -> *mut T {
    ptr::with_exposed_provenance_mut(*CREATED.lock())
}

pub(super) extern "efiapi" fn on_request(context: PVOID, status: NTSTATUS) {
    log("request", context, status);
}

pub(super) extern "efiapi" fn on_close(context: PVOID) {
    log("close", context, STATUS_SUCCESS);
}

pub(super) extern "efiapi" fn on_notification(context: PVOID, status: NTSTATUS) {
    log("notification", context, status);
}

pub(super) extern "efiapi" fn on_connect(context: PVOID, connector: *mut NDK_CONNECTOR) {
    *CREATED.lock() = connector.expose_provenance();
    log("connect", context, STATUS_SUCCESS);
}

pub(super) extern "efiapi" fn on_disconnect(context: PVOID) {
    log("disconnect", context, STATUS_SUCCESS);
}

pub(super) extern "efiapi" fn on_disconnect_ex(context: PVOID, _reason: ULONG) {
    log("disconnect", context, STATUS_SUCCESS);
}

/// The machine, the provider, and an open adapter.
pub(super) struct Fixture {
    machine: Machine,
    pub(super) provider: &'static Provider,
    pub(super) adapter: *mut NDK_ADAPTER,
}

impl Fixture {
    /// With a provider that keeps the rules.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With a provider that keeps the rules and an adapter of which only so much is checked.
    pub(super) fn with_checks(checks: Checks) -> Self {
        Self::opened(checks, None, |_| {})
    }

    /// With a provider that keeps the rules and an adapter that was asked for in another version.
    pub(super) fn opened_as(version: NDK_VERSION) -> Self {
        Self::opened(Checks::Full, Some(version), |_| {})
    }

    /// With a provider that `change` has changed.
    pub(super) fn with(change: impl FnOnce(&mut Provider)) -> Self {
        Self::opened(Checks::Full, None, change)
    }

    /// With a provider that keeps the rules, in a machine whose peers may be elsewhere.
    pub(super) fn on_host() -> Self {
        Self::booted(crate::testing::builder().host_sockets().boot(), Checks::Full, None, |_| {})
    }

    fn opened(checks: Checks, version: Option<NDK_VERSION>, change: impl FnOnce(&mut Provider)) -> Self {
        Self::booted(crate::testing::builder().boot(), checks, version, change)
    }

    fn booted(
        machine: Machine,
        checks: Checks,
        version: Option<NDK_VERSION>,
        change: impl FnOnce(&mut Provider),
    ) -> Self {
        set_checks(checks);
        LOG.lock().clear();
        *DURING.lock() = None;
        let mut provider = Provider::new();
        change(&mut provider);
        let version = version.unwrap_or(provider.version);
        let provider: &'static Provider = Box::leak(Box::new(provider));
        let opened = Opened { adapter: provider.open(), close: Box::new(|_| provider.run()) };
        let adapter = open_adapter(version, opened).expect("the provider's adapter can be used");
        Self { machine, provider, adapter }
    }

    /// Closes the adapter and shuts the machine down; returns the rules that were broken.
    pub(super) fn finish(self) -> Vec<&'static str> {
        if !self.adapter.is_null() {
            close_adapter(self.adapter);
        }
        let mut rules: Vec<_> = self.machine.shutdown().rules();
        rules.dedup();
        rules
    }

    /// The callbacks that the consumer has got.
    pub(super) fn log(&self) -> Vec<Got> {
        LOG.lock().clone()
    }

    /// Has `what` done inside the next callback.
    pub(super) fn during_next_callback(&self, what: impl FnOnce() + Send + 'static) {
        *DURING.lock() = Some(Box::new(what));
    }

    /// The object that the last create completion or connect event brought.
    pub(super) fn created<T>(&self) -> *mut T {
        created()
    }

    pub(super) fn cq(&self) -> *mut NDK_CQ {
        let (mut cq, none) = (ptr::null_mut(), ptr::null_mut());
        let context = ptr::without_provenance_mut(0xC0);
        let status = call!(
            self.adapter,
            NdkCreateCq,
            16,
            Some(on_notification),
            context,
            none,
            Some(on_create),
            context,
            &raw mut cq
        );
        assert_eq!(status, STATUS_SUCCESS);
        cq
    }

    pub(super) fn pd(&self) -> *mut NDK_PD {
        let mut pd = ptr::null_mut();
        let status = call!(self.adapter, NdkCreatePd, Some(on_create), ptr::null_mut(), &raw mut pd);
        assert_eq!(status, STATUS_SUCCESS);
        pd
    }

    pub(super) fn mr(&self, pd: *mut NDK_PD) -> *mut NDK_MR {
        let mut mr = ptr::null_mut();
        let status = call!(pd, NdkCreateMr, 0, Some(on_create), ptr::null_mut(), &raw mut mr);
        assert_eq!(status, STATUS_SUCCESS);
        mr
    }

    pub(super) fn mw(&self, pd: *mut NDK_PD) -> *mut NDK_MW {
        let mut mw = ptr::null_mut();
        let status = call!(pd, NdkCreateMw, Some(on_create), ptr::null_mut(), &raw mut mw);
        assert_eq!(status, STATUS_SUCCESS);
        mw
    }

    pub(super) fn qp(&self, pd: *mut NDK_PD, cq: *mut NDK_CQ) -> *mut NDK_QP {
        let mut qp = ptr::null_mut();
        let context = ptr::without_provenance_mut(0x99);
        let status = call!(
            pd,
            NdkCreateQp,
            cq,
            cq,
            context,
            8,
            8,
            1,
            1,
            0,
            Some(on_create),
            ptr::null_mut(),
            &raw mut qp
        );
        assert_eq!(status, STATUS_SUCCESS);
        qp
    }

    pub(super) fn srq(&self, pd: *mut NDK_PD) -> *mut NDK_SRQ {
        let (mut srq, none) = (ptr::null_mut(), ptr::null_mut());
        let notify = Some(on_notification as NDK_FN_SRQ_NOTIFICATION_CALLBACK);
        let context = ptr::without_provenance_mut(0x52);
        let done = Some(on_create as NDK_FN_CREATE_COMPLETION);
        let status =
            call!(pd, NdkCreateSrq, 8, 1, 0, notify, context, none, done, ptr::null_mut(), &raw mut srq);
        assert_eq!(status, STATUS_SUCCESS);
        srq
    }

    pub(super) fn shared_endpoint(&self, address: &SOCKADDR_IN) -> *mut NDK_SHARED_ENDPOINT {
        let mut endpoint = ptr::null_mut();
        let address = ptr::from_ref(address).cast();
        let none = ptr::null_mut();
        let status = call!(
            self.adapter,
            NdkCreateSharedEndpoint,
            address,
            16,
            Some(on_create),
            none,
            &raw mut endpoint
        );
        assert_eq!(status, STATUS_SUCCESS);
        endpoint
    }

    pub(super) fn listener(&self) -> *mut NDK_LISTENER {
        let mut listener = ptr::null_mut();
        let context = ptr::without_provenance_mut(0x11);
        let status = call!(
            self.adapter,
            NdkCreateListener,
            Some(on_connect),
            context,
            Some(on_create),
            context,
            &raw mut listener
        );
        assert_eq!(status, STATUS_SUCCESS);
        listener
    }

    pub(super) fn connector(&self) -> *mut NDK_CONNECTOR {
        let mut connector = ptr::null_mut();
        let status =
            call!(self.adapter, NdkCreateConnector, Some(on_create), ptr::null_mut(), &raw mut connector);
        assert_eq!(status, STATUS_SUCCESS);
        connector
    }
}

/// A context for a close or a request.
pub(super) fn context(number: usize) -> PVOID {
    ptr::without_provenance_mut(number)
}

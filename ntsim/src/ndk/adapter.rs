//! The adapter: opening and closing it, and what it creates.

use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_INVALID_HANDLE};
use sys::wdm::{GROUP_AFFINITY, MDL, PVOID, SIZE_T, ULONG};

use super::address::Address;
use super::call::{self, Call, slot};
use super::callback::{Consumer, NdkConnectEventCallback, NdkCqNotificationCallback};
use super::connection::Connector;
use super::cq::Cq;
use super::listener::Listener;
use super::part::Part;
use super::request::{self, CreateArguments};
use super::shadow::{Prospect, Shadow, Stage};
use super::{bracket, close, found, layer, rules};
use crate::export::exports;

/// The interface's name of the function that closes an adapter.
const CLOSE: &str = "CloseNDKAdapterHandler";

/// Calls a provider's close handler.
type CloseHandler = Box<dyn FnOnce(*mut NDK_ADAPTER) + Send>;

/// An adapter that a provider has opened.
pub struct Opened {
    /// The provider's object.
    pub adapter: *mut NDK_ADAPTER,
    /// Calls the provider's close handler; it blocks until the adapter is closed. PASSIVE_LEVEL.
    pub close: CloseHandler,
}

/// The part of an adapter's shadow.
pub(super) struct Adapter {
    /// Callbacks of every descendant that have not returned.
    pub(super) callbacks: AtomicU32,
    /// Kinds of descendants whose extension query has been tried, one bit each.
    pub(super) queried: AtomicU32,
    /// Logical address mappings that are not released, by address.
    mappings: Mutex<HashSet<usize>>,
    close: Mutex<Option<CloseHandler>>,
}

/// Hands a consumer the adapter that a provider opened for it, as the version that it asked for.
///
/// `None`, with a finding, if it can't be used.
pub fn open_adapter(requested: NDK_VERSION, opened: Opened) -> Option<*mut NDK_ADAPTER> {
    let Opened { adapter, close } = opened;
    let checks = layer().checks_for(requested);
    let part = Part::Adapter(Adapter {
        callbacks: AtomicU32::new(0),
        queried: AtomicU32::new(0),
        mappings: Mutex::default(),
        close: Mutex::new(None),
    });
    let prospect = Prospect::new(part, Vec::new());
    let Some(shadow) = Shadow::adopt(adapter, prospect, None, checks) else {
        bracket::into_provider(CLOSE, || close(adapter));
        return None;
    };
    if let Part::Adapter(part) = &shadow.part {
        *part.close.lock() = Some(close);
    }
    let NDK_VERSION { Major, Minor } = shadow.version;
    if Major != requested.Major || Minor < requested.Minor {
        found(
            rules::OBJECT_HEADER,
            format!(
                "{shadow} was opened as version {}.{} and says {Major}.{Minor}",
                requested.Major, requested.Minor
            ),
        );
    }
    Some(adapter)
}

/// Closes an adapter for its consumer; returns when the provider's handler has. PASSIVE_LEVEL.
pub fn close_adapter(adapter: *mut NDK_ADAPTER) {
    let Some(shadow) = call::open(adapter, CLOSE) else { return };
    if bracket::in_callback() {
        found(rules::ADAPTER_CLOSE_IN_CALLBACK, format!("{shadow} was closed from inside a callback"));
        return;
    }
    shadow.check_header();
    let Part::Adapter(part) = &shadow.part else { return };
    let close = part.close.lock().take();
    let (Some(close), true) = (close, shadow.begin_close()) else { return };
    bracket::into_provider(CLOSE, || close(adapter));
    layer().statistics.closed(shadow.kind, false);
    check_closed(&shadow, part);
    close::completed(&shadow);
    layer().contexts.end_events(&shadow);
    layer().objects.remove(&shadow);
}

/// Checks that nothing is left of an adapter whose close has returned.
fn check_closed(shadow: &Arc<Shadow>, part: &Adapter) {
    let callbacks = part.callbacks.load(Ordering::Acquire);
    if callbacks != 0 {
        found(
            rules::ADAPTER_CLOSE_BEFORE_CALLBACK,
            format!("the close of {shadow} returned with {callbacks} callbacks in progress"),
        );
    }
    let requests = shadow.requests.load(Ordering::Acquire);
    if requests != 0 {
        found(
            rules::CLOSE_BEFORE_REQUEST,
            format!("the close of {shadow} returned with {requests} requests outstanding"),
        );
    }
    for mapping in part.mappings.lock().drain() {
        found(rules::OBJECT_LEAKED, format!("logical address mapping {mapping:#x} was not released"));
    }
    let descendants = layer().objects.all();
    let descendants =
        descendants.iter().filter(|one| one.kind != shadow.kind && Arc::ptr_eq(one.adapter(), shadow));
    for descendant in descendants {
        close::abandoned(descendant);
        if descendant.stage() != Stage::Open {
            continue;
        }
        found(
            rules::ADAPTER_CLOSE_BEFORE_OBJECT,
            format!("the close of {shadow} returned while {descendant} is open"),
        );
    }
}

/// What a create makes that registers an event, and the context that the provider gets for the event.
fn with_event(call: &Call<NDK_ADAPTER>, part: Part, event: Consumer) -> (Prospect, PVOID) {
    let event = layer().contexts.make(call.name, None, event);
    let pointer = event.pointer();
    let mut prospect = Prospect::new(part, vec![Arc::clone(&call.shadow)]);
    prospect.event = Some(event);
    (prospect, pointer)
}

exports! {
    "(ndk)";

    /// Reads properties and limits.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdkQueryAdapterInfo(
        adapter: *mut NDK_ADAPTER,
        info: *mut NDK_ADAPTER_INFO,
        size: *mut ULONG,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(adapter, "NdkQueryAdapterInfo") else { return STATUS_INVALID_HANDLE };
        let query = slot!(call, NdkQueryAdapterInfo);
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { query(adapter, info, size) })
    }

    /// Creates a completion queue.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateCq(
        adapter: *mut NDK_ADAPTER,
        depth: ULONG,
        notification: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>,
        notification_context: PVOID,
        affinity: *mut GROUP_AFFINITY,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_CQ,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(adapter, "NdkCreateCq") else { return STATUS_INVALID_HANDLE };
        let create = slot!(call, NdkCreateCq);
        if notification.is_none() {
            call.misses_callback();
        }
        let event = Consumer::CqNotification { callback: notification, context: notification_context.into() };
        let (prospect, event) = with_event(&call, Part::Cq(Cq::default()), event);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's event, completion and out-parameter.
            unsafe {
                create(
                    adapter, depth, Some(NdkCqNotificationCallback), event, affinity, completion, context, out,
                )
            }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Creates a protection domain.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreatePd(
        adapter: *mut NDK_ADAPTER,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_PD,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(adapter, "NdkCreatePd") else { return STATUS_INVALID_HANDLE };
        let create = slot!(call, NdkCreatePd);
        let prospect = Prospect::new(Part::Plain, vec![Arc::clone(&call.shadow)]);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's completion and out-parameter.
            unsafe { create(adapter, completion, context, out) }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Creates a shared endpoint.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateSharedEndpoint(
        adapter: *mut NDK_ADAPTER,
        address: *const SOCKADDR,
        length: ULONG,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_SHARED_ENDPOINT,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(adapter, "NdkCreateSharedEndpoint") else { return STATUS_INVALID_HANDLE };
        let create = slot!(call, NdkCreateSharedEndpoint);
        let prospect = Prospect::new(Part::Plain, vec![Arc::clone(&call.shadow)]);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's completion and out-parameter.
            unsafe { create(adapter, address, length, completion, context, out) }
        };
        // SAFETY: the address is the consumer's.
        let taken = unsafe { Address::read(&call.shadow, address, length) };
        let prospect = Prospect { takes: taken, ..prospect };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Creates a connector.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateConnector(
        adapter: *mut NDK_ADAPTER,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_CONNECTOR,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(adapter, "NdkCreateConnector") else { return STATUS_INVALID_HANDLE };
        let create = slot!(call, NdkCreateConnector);
        let prospect = Prospect::new(Part::Connector(Connector::default()), vec![Arc::clone(&call.shadow)]);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's completion and out-parameter.
            unsafe { create(adapter, completion, context, out) }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Creates a listener.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkCreateListener(
        adapter: *mut NDK_ADAPTER,
        event: Option<NDK_FN_CONNECT_EVENT_CALLBACK>,
        event_context: PVOID,
        completion: Option<NDK_FN_CREATE_COMPLETION>,
        context: PVOID,
        out: *mut *mut NDK_LISTENER,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(adapter, "NdkCreateListener") else { return STATUS_INVALID_HANDLE };
        let create = slot!(call, NdkCreateListener);
        if event.is_none() {
            call.misses_callback();
        }
        let event = Consumer::ConnectEvent { callback: event, context: event_context.into() };
        let (prospect, event) = with_event(&call, Part::Listener(Listener::default()), event);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's event, completion and out-parameter.
            unsafe { create(adapter, Some(NdkConnectEventCallback), event, completion, context, out) }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Builds a logical address mapping.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkBuildLAM(
        adapter: *mut NDK_ADAPTER,
        mdl: *mut MDL,
        length: SIZE_T,
        completion: Option<NDK_FN_REQUEST_COMPLETION>,
        context: PVOID,
        mapping: *mut NDK_LOGICAL_ADDRESS_MAPPING,
        size: *mut ULONG,
        offset: *mut ULONG,
    ) -> NTSTATUS {
        let Some(call) = Call::begin(adapter, "NdkBuildLAM") else { return STATUS_INVALID_HANDLE };
        let build = slot!(call, NdkBuildLAM);
        let (shadow, at) = (Arc::clone(&call.shadow), mapping.addr());
        let then = Box::new(move |status| {
            if let (true, Part::Adapter(part)) = (NT_SUCCESS(status), &shadow.part) {
                part.mappings.lock().insert(at);
            }
        });
        // SAFETY: the consumer's arguments, and the layer's completion.
        request::run(&call, completion, context, |completion, context| unsafe {
            build(adapter, mdl, length, completion, context, mapping, size, offset)
        }, Some(then))
    }

    /// Releases a logical address mapping.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkReleaseLAM(adapter: *mut NDK_ADAPTER, mapping: *mut NDK_LOGICAL_ADDRESS_MAPPING) {
        let Some(call) = Call::begin(adapter, "NdkReleaseLAM") else { return };
        let release = slot!(call, NdkReleaseLAM, else return);
        let Part::Adapter(part) = &call.shadow.part else { return };
        if !part.mappings.lock().remove(&mapping.addr()) {
            found(rules::HANDLE_INVALID, format!("{} was given {mapping:p}, which is no mapping", call.name));
            return;
        }
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { release(adapter, mapping) });
    }
}

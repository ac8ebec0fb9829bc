//! The adapter's functions.

use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::exports;
use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_PENDING};
use sys::wdm::{GROUP_AFFINITY, MDL, PVOID, SIZE_T, ULONG};

use crate::call::enter;
use crate::callback::{NdkConnectEventCallback, NdkCqNotificationCallback};
use crate::context::{Consumer, Prospect};
use crate::endpoints::Address;
use crate::layer::layer;
use crate::object::{Connector, Cq, Listener, TypeState};
use crate::request::{self, CreateArguments};
use crate::rules::{self, found};

exports! {
    "(ndk)";

    /// Reads properties and limits.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdkQueryAdapterInfo(
        adapter: *mut NDK_ADAPTER,
        info: *mut NDK_ADAPTER_INFO,
        size: *mut ULONG,
    ) -> NTSTATUS {
        let (call, query) = enter!(adapter, NdkQueryAdapterInfo);
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
        let (call, create) = enter!(adapter, NdkCreateCq);
        if notification.is_none() {
            call.misses_callback();
        }
        let event = Consumer::CqNotification { callback: notification, context: notification_context.into() };
        let (prospect, event) = request::with_event(&call, TypeState::Cq(Cq::new(depth)), event);
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
        let (call, create) = enter!(adapter, NdkCreatePd);
        let prospect = layer().prospect(TypeState::Plain, vec![Arc::clone(&call.tracked)]);
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
        let (call, create) = enter!(adapter, NdkCreateSharedEndpoint);
        let prospect = layer().prospect(TypeState::Plain, vec![Arc::clone(&call.tracked)]);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's completion and out-parameter.
            unsafe { create(adapter, address, length, completion, context, out) }
        };
        // SAFETY: the address is the consumer's.
        let taken = unsafe { Address::read(&call.tracked, address, length) };
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
        let (call, create) = enter!(adapter, NdkCreateConnector);
        let prospect = layer().prospect(TypeState::Connector(Connector::default()), vec![Arc::clone(&call.tracked)]);
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
        let (call, create) = enter!(adapter, NdkCreateListener);
        if event.is_none() {
            call.misses_callback();
        }
        let event = Consumer::ConnectEvent { callback: event, context: event_context.into() };
        let (prospect, event) = request::with_event(&call, TypeState::Listener(Listener::default()), event);
        let provider = |CreateArguments { completion, context, out }| {
            // SAFETY: the consumer's arguments, and the layer's event, completion and out-parameter.
            unsafe { create(adapter, Some(NdkConnectEventCallback), event, completion, context, out) }
        };
        // SAFETY: the out-parameter is the consumer's.
        unsafe { request::create(&call, prospect, completion, context, out, provider) }
    }

    /// Builds a logical address mapping. Its completion is optional (`_In_opt_` in ndkpi.h).
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
        let (call, build) = enter!(adapter, NdkBuildLAM);
        let (tracked, at) = (Arc::clone(&call.tracked), Va::of(mapping));
        let then = Box::new(move |status| {
            if let (true, TypeState::Adapter(state)) = (NT_SUCCESS(status), &tracked.type_state) {
                state.mappings.lock().insert(at);
            }
        });
        let optional = completion.is_none();
        // SAFETY: the consumer's arguments, and the layer's completion.
        let status = request::run_optional(&call, completion, context, |completion, context| unsafe {
            build(adapter, mdl, length, completion, context, mapping, size, offset)
        }, Some(then));
        if optional && status == STATUS_PENDING {
            call.misses_callback();
        }
        status
    }

    /// Releases a logical address mapping.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdkReleaseLAM(adapter: *mut NDK_ADAPTER, mapping: *mut NDK_LOGICAL_ADDRESS_MAPPING) {
        let (call, release) = enter!(adapter, NdkReleaseLAM, else return);
        let TypeState::Adapter(state) = &call.tracked.type_state else { return };
        if !state.mappings.lock().remove(&Va::of(mapping)) {
            found(rules::HANDLE_INVALID, format!("{} was given {mapping:p}, which is no mapping", call.name));
            return;
        }
        // SAFETY: the consumer's arguments.
        call.run(|| unsafe { release(adapter, mapping) });
    }
}

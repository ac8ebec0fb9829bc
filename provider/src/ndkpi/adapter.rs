//! The adapter's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use core::ptr::NonNull;

use sys::ndk::{
    NDK_ADAPTER, NDK_ADAPTER_DISPATCH, NDK_ADAPTER_INFO, NDK_CONNECTOR, NDK_CQ,
    NDK_FN_CONNECT_EVENT_CALLBACK, NDK_FN_CQ_NOTIFICATION_CALLBACK, NDK_FN_CREATE_COMPLETION, NDK_LISTENER,
    NDK_PD, NDK_SHARED_ENDPOINT,
};
use sys::sockaddr::SOCKADDR;
use sys::status::{
    NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_ADDRESS, STATUS_INVALID_PARAMETER, STATUS_PENDING,
    STATUS_SUCCESS,
};
use sys::wdm::{GROUP_AFFINITY, PVOID, ULONG};

use super::information::adapter_info;
use super::{
    address, connector, cq, create, explain, hand_out, listener, mapping, object, pd, shared_endpoint,
    status, ulong,
};
use crate::adapter::{Adapter, Cq, Pd};
use crate::connection::lookup::{CreateShared, MakeShared, Place, Waiting};
use crate::connection::{Connector, Endpoint, Listener, SharedEndpoint};
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::lifetime::Kind;
use crate::limits::MAX_CQ_DEPTH;
use crate::object::Object;
use crate::queue_pair;
use crate::status::StatusError;

/// The functions of an adapter.
pub(super) fn table<K: Kernel>() -> &'static NDK_ADAPTER_DISPATCH {
    const {
        &NDK_ADAPTER_DISPATCH {
            NdkQueryExtension: Some(explain::query_extension::<K>),
            NdkQueryAdapterInfo: Some(query_info::<K>),
            NdkCreateCq: Some(create_cq::<K>),
            NdkCreatePd: Some(create_pd::<K>),
            NdkCreateSharedEndpoint: Some(create_shared_endpoint::<K>),
            NdkCreateConnector: Some(create_connector::<K>),
            NdkCreateListener: Some(create_listener::<K>),
            NdkBuildLAM: Some(mapping::build::<K>),
            NdkReleaseLAM: Some(mapping::release::<K>),
        }
    }
}

/// NdkQueryAdapterInfo: PASSIVE_LEVEL. The size is in and out.
unsafe extern "efiapi" fn query_info<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    info: *mut NDK_ADAPTER_INFO,
    size: *mut ULONG,
) -> NTSTATUS {
    // SAFETY: the consumer passes an adapter that it has open.
    let adapter = match unsafe { object::<K, Adapter<K>, _>(adapter) } {
        Ok(adapter) => adapter,
        Err(StatusError(status)) => return status,
    };
    if size.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let needed = ulong(size_of::<NDK_ADAPTER_INFO>());
    // SAFETY: not null; the consumer passes a place for a size.
    let room = unsafe { size.replace(needed) };
    if info.is_null() || room < needed {
        return STATUS_BUFFER_TOO_SMALL;
    }
    // SAFETY: the consumer passes a buffer of `room` bytes, which is enough.
    unsafe { info.write(adapter_info(adapter.version())) };
    STATUS_SUCCESS
}

/// NdkCreateCq. The callback runs on a processor of the affinity, unless notifications are immediate.
unsafe extern "efiapi" fn create_cq<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    depth: ULONG,
    notification: Option<NDK_FN_CQ_NOTIFICATION_CALLBACK>,
    notification_context: PVOID,
    affinity: *mut GROUP_AFFINITY,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_CQ,
) -> NTSTATUS {
    let made = || {
        // SAFETY: the consumer passes an adapter that it has open.
        let adapter = unsafe { object::<K, Adapter<K>, _>(adapter) }?;
        if depth == 0 || depth > MAX_CQ_DEPTH {
            return Err(StatusError::PARAMETER);
        }
        let tie = adapter.try_acquire(Kind::Successor)?;
        // SAFETY: the consumer passes null or an affinity.
        let affinity = unsafe { affinity.as_ref() }.copied();
        let cq = Cq::new(
            tie,
            depth,
            notification,
            Opaque(notification_context),
            affinity,
            queue_pair::cq_overflown,
        );
        create(adapter.version(), cq::table::<K>(), cq)
    };
    // SAFETY: the consumer passes a place for the pointer.
    unsafe { hand_out(made, out) }
}

/// NdkCreatePd.
unsafe extern "efiapi" fn create_pd<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_PD,
) -> NTSTATUS {
    let made = || {
        // SAFETY: the consumer passes an adapter that it has open.
        let adapter = unsafe { object::<K, Adapter<K>, _>(adapter) }?;
        let tie = adapter.try_acquire(Kind::Successor)?;
        create(adapter.version(), pd::table::<K>(), Ok(Pd::new(tie)))
    };
    // SAFETY: the consumer passes a place for the pointer.
    unsafe { hand_out(made, out) }
}

/// NdkCreateConnector.
unsafe extern "efiapi" fn create_connector<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_CONNECTOR,
) -> NTSTATUS {
    let made = || {
        // SAFETY: the consumer passes an adapter that it has open.
        let adapter = unsafe { object::<K, Adapter<K>, _>(adapter) }?;
        let tie = adapter.try_acquire(Kind::Successor)?;
        create(adapter.version(), connector::table::<K>(), Ok(Connector::new(tie)))
    };
    // SAFETY: the consumer passes a place for the pointer.
    unsafe { hand_out(made, out) }
}

/// NdkCreateListener.
unsafe extern "efiapi" fn create_listener<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    event: Option<NDK_FN_CONNECT_EVENT_CALLBACK>,
    event_context: PVOID,
    _completion: Option<NDK_FN_CREATE_COMPLETION>,
    _context: PVOID,
    out: *mut *mut NDK_LISTENER,
) -> NTSTATUS {
    let made = || {
        // SAFETY: the consumer passes an adapter that it has open.
        let adapter = unsafe { object::<K, Adapter<K>, _>(adapter) }?;
        let tie = adapter.try_acquire(Kind::Successor)?;
        let listener = Listener::new(tie, event, Opaque(event_context), connector::requested);
        create(adapter.version(), listener::table::<K>(), listener)
    };
    // SAFETY: the consumer passes a place for the pointer.
    unsafe { hand_out(made, out) }
}

/// Makes a shared endpoint, which takes the address and port at once (CL-12).
fn make_shared<K: Kernel>(
    adapter: &Object<K, Adapter<K>>,
    place: Place<K>,
) -> Result<NonNull<Object<K, SharedEndpoint<K>>>, StatusError> {
    let tie = adapter.try_acquire(Kind::Successor)?;
    let (endpoint, port) = match place {
        Place::At(local) if !adapter.rnic().is_local(local.ip()) => {
            return Err(StatusError(STATUS_INVALID_ADDRESS));
        }
        Place::At(local) => (Endpoint::bind(adapter.rnic().fabric(), local)?, None),
        Place::Of(endpoint, port) => (endpoint, Some(port)),
    };
    create(adapter.version(), shared_endpoint::table::<K>(), SharedEndpoint::new(tie, endpoint, port))
}

/// NdkCreateSharedEndpoint: inline, unless the address is one that the RNIC does not have, which is looked up
/// first.
unsafe extern "efiapi" fn create_shared_endpoint<K: Kernel>(
    adapter: *mut NDK_ADAPTER,
    at: *const SOCKADDR,
    length: ULONG,
    completion: Option<NDK_FN_CREATE_COMPLETION>,
    context: PVOID,
    out: *mut *mut NDK_SHARED_ENDPOINT,
) -> NTSTATUS {
    let creating = || {
        // SAFETY: the consumer passes an adapter that it has open.
        let adapter = unsafe { object::<K, Adapter<K>, _>(adapter) }?;
        // SAFETY: the consumer passes as many bytes as it says.
        let local = unsafe { address::read(at, length) }?;
        if let Some(completion) = completion
            && !out.is_null()
            && adapter.rnic().is_to_be_looked_up(local.ip())
        {
            // The request may be completed, and the adapter closed, before this returns.
            let (_call, hold) = (adapter.try_acquire(Kind::Request)?, adapter.try_acquire(Kind::Request)?);
            let make: MakeShared<K> = make_shared;
            let context = Opaque(context);
            let request = CreateShared { adapter: hold, at: local, make, completion, context };
            adapter.rnic().wait_for_addresses(Waiting::CreateShared(request))?;
            return Ok(STATUS_PENDING);
        }
        if let (Some(completion), Some(network), false) =
            (completion, adapter.rnic().network(), out.is_null())
        {
            let (_call, hold) = (adapter.try_acquire(Kind::Request)?, adapter.try_acquire(Kind::Request)?);
            let make: MakeShared<K> = make_shared;
            let context = Opaque(context);
            let request = CreateShared { adapter: hold, at: local, make, completion, context };
            return request
                .over(network)
                .map(|()| STATUS_PENDING)
                .map_err(|(failure, _answered_inline)| failure);
        }
        // SAFETY: the consumer passes a place for the pointer.
        Ok(unsafe { hand_out(|| make_shared(adapter, Place::At(local)), out) })
    };
    status(creating())
}

//! The functions that establish a connection: connect, accept and complete connect, each in its forms.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{
    NDK_CONNECTOR, NDK_FN_DISCONNECT_EVENT_CALLBACK, NDK_FN_DISCONNECT_EVENT_CALLBACK_EX,
    NDK_FN_REQUEST_COMPLETION, NDK_QP, NDK_SHARED_ENDPOINT,
};
use sys::sockaddr::SOCKADDR;
use sys::status::{NTSTATUS, STATUS_PENDING, STATUS_SUCCESS};
use sys::wdm::{PVOID, ULONG, VOID};

use super::{private_data, traced_addresses};
use crate::connection::{AddressPair, ConnectCompleted, Connector, DisconnectEvent, SharedEndpoint, Source};
use crate::consumer::{Completion, Opaque};
use crate::kernel::Kernel;
use crate::kernel::event::{self, Event, Handle, Status};
use crate::lifetime::Kind;
use crate::limits::{READ_LIMITS, ReadLimits};
use crate::ndkpi::{address, object, request, status};

use crate::connection::lookup::{Connect, Waiting};
use crate::queue_pair::Qp;
use crate::status::StatusError;

/// Caps what the consumer asks for to what the adapter has (CM-6).
fn limits(inbound: ULONG, outbound: ULONG) -> ReadLimits {
    ReadLimits { inbound: inbound.min(READ_LIMITS.inbound), outbound: outbound.min(READ_LIMITS.outbound) }
}

fn plain(event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>, context: PVOID) -> Option<DisconnectEvent> {
    event.map(|event| DisconnectEvent::Plain(event, Opaque(context)))
}

fn with_reason(
    event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    context: PVOID,
) -> Option<DisconnectEvent> {
    event.map(|event| DisconnectEvent::WithReason(event, Opaque(context)))
}

/// The common part of NdkConnect and NdkConnectWithSharedEndpoint, which name their sources each in its way.
///
/// # Safety
///
/// The arguments are what the consumer passed to either.
unsafe fn connect_from<'a, K: Kernel>(
    (connector, qp): (*mut NDK_CONNECTOR, *mut NDK_QP),
    source: impl FnOnce() -> Result<Source<'a, K>, StatusError>,
    (destination, destination_length): (*const SOCKADDR, ULONG),
    limits: ReadLimits,
    (data, data_length): (*const VOID, ULONG),
    (completion, context): (Option<NDK_FN_REQUEST_COMPLETION>, PVOID),
) -> NTSTATUS {
    let mut addresses = (None, None);
    let connecting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        // SAFETY: the consumer passes a queue pair that it has not closed.
        let qp = unsafe { object::<K, Qp<K>, _>(qp) }?;
        let source = source()?;
        // SAFETY: the consumer passes as many bytes as it says.
        let remote = unsafe { address::read(destination, destination_length) }?;
        // SAFETY: as above.
        let data = unsafe { private_data(data, data_length) }?;
        let (rnic, local) = (connector.rnic(), source.address());
        addresses = (Some(local), Some(remote));
        if completion.is_some() && local.is_ipv4() == remote.is_ipv4() && rnic.is_to_be_looked_up(local.ip())
        {
            // The request may be completed, and the connector closed, before this returns.
            let _call = connector.try_acquire(Kind::Request)?;
            let (turn, origin) = (connector.take_turn()?, source.keep()?);
            let (connector, qp) = (connector.try_acquire(Kind::Request)?, qp.try_acquire(Kind::Request)?);
            let completion = Completion::new(completion, context);
            let connect = Connect { turn, connector, qp, origin, remote, limits, data, completion };
            rnic.wait_for_addresses(Waiting::Connect(connect))?;
            return Ok(STATUS_PENDING);
        }
        let request = request(connector, completion, context)?;
        connector.connect(qp, AddressPair { source, remote }, limits, data, request)?;
        Ok(STATUS_PENDING)
    };
    let status = status(connecting());
    let (object, qp, (local, remote)) = (Handle(connector.addr()), Handle(qp.addr()), addresses);
    event::write::<K>(|| Event::Connect { object, qp, local, remote, status: Status(status) });
    status
}

/// NdkConnect.
pub(super) unsafe extern "efiapi" fn connect<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    qp: *mut NDK_QP,
    source: *const SOCKADDR,
    source_length: ULONG,
    destination: *const SOCKADDR,
    destination_length: ULONG,
    inbound: ULONG,
    outbound: ULONG,
    data: *const VOID,
    data_length: ULONG,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let source = || {
        // SAFETY: the consumer passes as many bytes as it says.
        Ok(Source::Address(unsafe { address::read(source, source_length) }?))
    };
    let (to, data) = ((destination, destination_length), (data, data_length));
    let limits = limits(inbound, outbound);
    // SAFETY: the arguments go on as they came.
    unsafe { connect_from::<K>((connector, qp), source, to, limits, data, (completion, context)) }
}

/// NdkConnectWithSharedEndpoint.
pub(super) unsafe extern "efiapi" fn connect_with_shared_endpoint<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    qp: *mut NDK_QP,
    endpoint: *mut NDK_SHARED_ENDPOINT,
    destination: *const SOCKADDR,
    destination_length: ULONG,
    inbound: ULONG,
    outbound: ULONG,
    data: *const VOID,
    data_length: ULONG,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let source = || {
        // SAFETY: the consumer passes an endpoint that it has not closed.
        Ok(Source::Shared(unsafe { object::<K, SharedEndpoint<K>, _>(endpoint) }?))
    };
    let (to, data) = ((destination, destination_length), (data, data_length));
    let limits = limits(inbound, outbound);
    // SAFETY: the arguments go on as they came.
    unsafe { connect_from::<K>((connector, qp), source, to, limits, data, (completion, context)) }
}

/// The common part of NdkAccept and NdkAcceptEx.
///
/// # Safety
///
/// The arguments are what the consumer passed to either.
unsafe fn accept_with<K: Kernel>(
    (connector, qp): (*mut NDK_CONNECTOR, *mut NDK_QP),
    limits: ReadLimits,
    (data, data_length): (*const VOID, ULONG),
    event: Option<DisconnectEvent>,
    (completion, context): (Option<NDK_FN_REQUEST_COMPLETION>, PVOID),
) -> NTSTATUS {
    let mut addresses = (None, None);
    let mut accepting = || {
        // SAFETY: the consumer passes a connector that it has not closed.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        addresses = traced_addresses(connector);
        // SAFETY: the consumer passes a queue pair that it has not closed.
        let qp = unsafe { object::<K, Qp<K>, _>(qp) }?;
        // SAFETY: the consumer passes as many bytes as it says.
        let data = unsafe { private_data(data, data_length) }?;
        let request = request(connector, completion, context)?;
        connector.accept(qp, limits, data, event, request)?;
        Ok(STATUS_PENDING)
    };
    let status = status(accepting());
    let (object, qp, (local, remote)) = (Handle(connector.addr()), Handle(qp.addr()), addresses);
    event::write::<K>(|| Event::Accept { object, qp, local, remote, status: Status(status) });
    status
}

/// NdkAccept.
pub(super) unsafe extern "efiapi" fn accept<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    qp: *mut NDK_QP,
    inbound: ULONG,
    outbound: ULONG,
    data: *const VOID,
    data_length: ULONG,
    event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>,
    event_context: PVOID,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let event = plain(event, event_context);
    let (limits, data) = (limits(inbound, outbound), (data, data_length));
    // SAFETY: the arguments go on as they came.
    unsafe { accept_with::<K>((connector, qp), limits, data, event, (completion, context)) }
}

/// NdkAcceptEx.
pub(super) unsafe extern "efiapi" fn accept_ex<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    qp: *mut NDK_QP,
    inbound: ULONG,
    outbound: ULONG,
    data: *const VOID,
    data_length: ULONG,
    event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    event_context: PVOID,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    let event = with_reason(event, event_context);
    let (limits, data) = (limits(inbound, outbound), (data, data_length));
    // SAFETY: the arguments go on as they came.
    unsafe { accept_with::<K>((connector, qp), limits, data, event, (completion, context)) }
}

/// The common part of NdkCompleteConnect and NdkCompleteConnectEx: pending only where it fails.
///
/// # Safety
///
/// `connector` is one that the consumer has not closed.
unsafe fn complete_with<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    event: Option<DisconnectEvent>,
    (completion, context): (Option<NDK_FN_REQUEST_COMPLETION>, PVOID),
) -> NTSTATUS {
    let completing = || {
        // SAFETY: as the caller promises.
        let connector = unsafe { object::<K, Connector<K>, _>(connector) }?;
        let request = request(connector, completion, context)?;
        Ok(match connector.complete_connect(event, request)? {
            ConnectCompleted::Done => STATUS_SUCCESS,
            ConnectCompleted::Pending => STATUS_PENDING,
        })
    };
    status(completing())
}

/// NdkCompleteConnect.
pub(super) unsafe extern "efiapi" fn complete_connect<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK>,
    event_context: PVOID,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    // SAFETY: the consumer passes a connector that it has not closed.
    unsafe { complete_with::<K>(connector, plain(event, event_context), (completion, context)) }
}

/// NdkCompleteConnectEx.
pub(super) unsafe extern "efiapi" fn complete_connect_ex<K: Kernel>(
    connector: *mut NDK_CONNECTOR,
    event: Option<NDK_FN_DISCONNECT_EVENT_CALLBACK_EX>,
    event_context: PVOID,
    completion: Option<NDK_FN_REQUEST_COMPLETION>,
    context: PVOID,
) -> NTSTATUS {
    // SAFETY: the consumer passes a connector that it has not closed.
    unsafe { complete_with::<K>(connector, with_reason(event, event_context), (completion, context)) }
}

//! OID requests of an adapter.
//!
//! No request is ever left pending.

#![expect(unsafe_code, reason = "requests have unions and addresses")]

mod buffer;
mod ethernet;
mod listing;
mod rdma;
mod statistics;

use provider::kernel::event::{self, Count, Event, Oid, Status};
use sys::irql::PassiveLevel;
use sys::ndis::{
    NDIS_OID, NDIS_OID_REQUEST, NDIS_REQUEST_TYPE, OID_GEN_STATISTICS, OID_GEN_SUPPORTED_LIST,
    OID_GEN_XMIT_OK, OID_NDK_CONNECTIONS, OID_NDK_LOCAL_ENDPOINTS, OID_NDK_SET_STATE, OID_NDK_STATISTICS,
};
use sys::status::{NDIS_STATUS, NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_SUCCESS};

use crate::adapter::Adapter;
use crate::kernel::Windows;
use crate::supported::OIDS;
use buffer::{Answer, OidError, Value};

/// Answers or obeys a request.
///
/// # Safety
///
/// NDIS passed the request, so the buffer in it is as long as the request says.
pub(crate) unsafe fn request(
    adapter: &Adapter,
    request: &mut NDIS_OID_REQUEST,
    level: PassiveLevel,
) -> NDIS_STATUS {
    // SAFETY: as the caller promises.
    let status = unsafe { answer(adapter, request, level) };
    report(adapter, request, status);
    status
}

/// # Safety
///
/// As [`request`].
unsafe fn answer(adapter: &Adapter, request: &mut NDIS_OID_REQUEST, level: PassiveLevel) -> NDIS_STATUS {
    match request.RequestType {
        NDIS_REQUEST_TYPE::NdisRequestQueryInformation | NDIS_REQUEST_TYPE::NdisRequestQueryStatistics => {
            // SAFETY: as the caller promises; the type says that it is a query.
            unsafe { query(request, |oid, answer| query_any(adapter, oid, answer)) }
        }
        // SAFETY: as the caller promises; the type says that it is a set.
        NDIS_REQUEST_TYPE::NdisRequestSetInformation => unsafe { set(adapter, request, level) },
        _ => NDIS_STATUS_NOT_SUPPORTED,
    }
}

/// Answers a request of the direct path. Up to DISPATCH_LEVEL.
///
/// # Safety
///
/// As [`request`].
pub(crate) unsafe fn direct_request(adapter: &Adapter, request: &mut NDIS_OID_REQUEST) -> NDIS_STATUS {
    let status = match request.RequestType {
        NDIS_REQUEST_TYPE::NdisRequestQueryInformation | NDIS_REQUEST_TYPE::NdisRequestQueryStatistics => {
            // SAFETY: as the caller promises; the type says that it is a query.
            unsafe { query(request, |oid, answer| rdma::query(adapter.rdma(), oid, answer)) }
        }
        _ => NDIS_STATUS_NOT_SUPPORTED,
    };
    report(adapter, request, status);
    status
}

/// Writes the event of a request that was answered.
fn report(adapter: &Adapter, request: &NDIS_OID_REQUEST, status: NDIS_STATUS) {
    event::write::<Windows>(|| {
        // SAFETY: every member of the union begins with the OID.
        let oid = unsafe { request.DATA.QUERY_INFORMATION.Oid };
        let kind = Count(request.RequestType.0.cast_unsigned());
        Event::OidRequest { interface: adapter.number(), oid: Oid(oid), kind, status: Status(status) }
    });
}

/// Answers a query by `find`.
///
/// # Safety
///
/// As [`request`], and the request is a query.
unsafe fn query(
    request: &mut NDIS_OID_REQUEST,
    find: impl FnOnce(NDIS_OID, &mut Answer) -> Result<(), OidError>,
) -> NDIS_STATUS {
    // SAFETY: the request is a query, as the caller promises.
    let query = unsafe { &mut request.DATA.QUERY_INFORMATION };
    // SAFETY: the buffer is as long as the request says, and the driver's until it answers.
    let mut answer = unsafe { Answer::new(query.InformationBuffer, query.InformationBufferLength) };
    let result = find(query.Oid, &mut answer);
    query.BytesWritten = answer.written();
    query.BytesNeeded = answer.needed();
    result.map_or_else(OidError::into_status, |()| NDIS_STATUS_SUCCESS)
}

/// Obeys a set.
///
/// # Safety
///
/// As [`request`], and the request is a set.
unsafe fn set(adapter: &Adapter, request: &mut NDIS_OID_REQUEST, level: PassiveLevel) -> NDIS_STATUS {
    // SAFETY: the request is a set, as the caller promises.
    let set = unsafe { &mut request.DATA.SET_INFORMATION };
    // SAFETY: the buffer is as long as the request says, and the driver's until it answers.
    let mut value = unsafe { Value::new(set.InformationBuffer, set.InformationBufferLength) };
    let result = match set.Oid {
        OID_NDK_SET_STATE => rdma::set_state(adapter, &mut value, level),
        oid => ethernet::set(adapter, oid, &mut value),
    };
    set.BytesRead = value.read();
    set.BytesNeeded = value.needed();
    result.map_or_else(OidError::into_status, |()| NDIS_STATUS_SUCCESS)
}

/// Dispatches a query to the module that has the answer.
fn query_any(adapter: &Adapter, oid: NDIS_OID, answer: &mut Answer) -> Result<(), OidError> {
    match oid {
        OID_GEN_SUPPORTED_LIST => answer.put_all(OIDS),
        OID_NDK_STATISTICS | OID_NDK_CONNECTIONS | OID_NDK_LOCAL_ENDPOINTS => {
            rdma::query(adapter.rdma(), oid, answer)
        }
        OID_GEN_XMIT_OK..=OID_GEN_STATISTICS => statistics::query(adapter.ethernet(), oid, answer),
        _ => ethernet::query(adapter, oid, answer),
    }
}

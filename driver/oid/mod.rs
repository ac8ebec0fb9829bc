//! OID requests of an adapter.
//!
//! No request is ever left pending.

mod buffer;
mod ethernet;
mod listing;
mod rdma;
mod statistics;

use sys::ndis::{
    NDIS_OID, NDIS_OID_REQUEST, NDIS_REQUEST_TYPE, OID_802_3_CURRENT_ADDRESS, OID_802_3_MAXIMUM_LIST_SIZE,
    OID_802_3_MULTICAST_LIST, OID_802_3_PERMANENT_ADDRESS, OID_802_3_RCV_ERROR_ALIGNMENT,
    OID_802_3_XMIT_MORE_COLLISIONS, OID_802_3_XMIT_ONE_COLLISION, OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_CURRENT_PACKET_FILTER, OID_GEN_HARDWARE_STATUS, OID_GEN_INTERRUPT_MODERATION,
    OID_GEN_LINK_PARAMETERS, OID_GEN_MAXIMUM_TOTAL_SIZE, OID_GEN_RCV_ERROR, OID_GEN_RCV_NO_BUFFER,
    OID_GEN_RCV_OK, OID_GEN_RECEIVE_BLOCK_SIZE, OID_GEN_RECEIVE_BUFFER_SPACE, OID_GEN_STATISTICS,
    OID_GEN_SUPPORTED_LIST, OID_GEN_TRANSMIT_BLOCK_SIZE, OID_GEN_TRANSMIT_BUFFER_SPACE,
    OID_GEN_VENDOR_DESCRIPTION, OID_GEN_VENDOR_DRIVER_VERSION, OID_GEN_VENDOR_ID, OID_GEN_XMIT_ERROR,
    OID_GEN_XMIT_OK, OID_NDK_CONNECTIONS, OID_NDK_LOCAL_ENDPOINTS, OID_NDK_SET_STATE, OID_NDK_STATISTICS,
};
use sys::status::{NDIS_STATUS, NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_SUCCESS};

use crate::adapter::Adapter;
use buffer::{Answer, Refusal, Value};
pub(crate) use statistics::SUPPORTED as SUPPORTED_STATISTICS;

/// The identifiers that are answered or obeyed, and OID_GEN_LINK_PARAMETERS, which every Ethernet miniport has
/// to list and may refuse. Those that NDIS 6 answers in the driver's place from its attributes are not among
/// them.
pub(crate) const SUPPORTED: &[NDIS_OID] = &[
    OID_GEN_SUPPORTED_LIST,
    OID_GEN_HARDWARE_STATUS,
    OID_GEN_TRANSMIT_BUFFER_SPACE,
    OID_GEN_RECEIVE_BUFFER_SPACE,
    OID_GEN_TRANSMIT_BLOCK_SIZE,
    OID_GEN_RECEIVE_BLOCK_SIZE,
    OID_GEN_VENDOR_ID,
    OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_VENDOR_DRIVER_VERSION,
    OID_GEN_CURRENT_PACKET_FILTER,
    OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_MAXIMUM_TOTAL_SIZE,
    OID_GEN_LINK_PARAMETERS,
    OID_GEN_INTERRUPT_MODERATION,
    OID_GEN_XMIT_OK,
    OID_GEN_RCV_OK,
    OID_GEN_XMIT_ERROR,
    OID_GEN_RCV_ERROR,
    OID_GEN_RCV_NO_BUFFER,
    OID_GEN_STATISTICS,
    OID_802_3_PERMANENT_ADDRESS,
    OID_802_3_CURRENT_ADDRESS,
    OID_802_3_MULTICAST_LIST,
    OID_802_3_MAXIMUM_LIST_SIZE,
    OID_802_3_RCV_ERROR_ALIGNMENT,
    OID_802_3_XMIT_ONE_COLLISION,
    OID_802_3_XMIT_MORE_COLLISIONS,
    OID_NDK_SET_STATE,
    OID_NDK_STATISTICS,
    OID_NDK_CONNECTIONS,
    OID_NDK_LOCAL_ENDPOINTS,
];

/// Length of that list, in bytes.
#[expect(clippy::cast_possible_truncation, reason = "the list is short")]
pub(crate) const SUPPORTED_LENGTH: u32 = size_of_val(SUPPORTED) as u32;

/// Answers or obeys a request. PASSIVE_LEVEL.
///
/// # Safety
///
/// NDIS passed the request, so the buffer in it is as long as the request says.
pub(crate) unsafe fn request(adapter: &Adapter, request: &mut NDIS_OID_REQUEST) -> NDIS_STATUS {
    match request.RequestType {
        NDIS_REQUEST_TYPE::NdisRequestQueryInformation | NDIS_REQUEST_TYPE::NdisRequestQueryStatistics => {
            // SAFETY: as the caller promises; the type says that it is a query.
            unsafe { query(request, |oid, answer| query_any(adapter, oid, answer)) }
        }
        // SAFETY: as the caller promises; the type says that it is a set.
        NDIS_REQUEST_TYPE::NdisRequestSetInformation => unsafe { set(adapter, request) },
        _ => NDIS_STATUS_NOT_SUPPORTED,
    }
}

/// Answers a request of the direct path. Up to DISPATCH_LEVEL.
///
/// # Safety
///
/// As [`request`].
pub(crate) unsafe fn direct_request(adapter: &Adapter, request: &mut NDIS_OID_REQUEST) -> NDIS_STATUS {
    match request.RequestType {
        NDIS_REQUEST_TYPE::NdisRequestQueryInformation | NDIS_REQUEST_TYPE::NdisRequestQueryStatistics => {
            // SAFETY: as the caller promises; the type says that it is a query.
            unsafe { query(request, |oid, answer| rdma::query(adapter.rdma(), oid, answer)) }
        }
        _ => NDIS_STATUS_NOT_SUPPORTED,
    }
}

/// Answers a query by `find`.
///
/// # Safety
///
/// As [`request`], and the request is a query.
unsafe fn query(
    request: &mut NDIS_OID_REQUEST,
    find: impl FnOnce(NDIS_OID, &mut Answer) -> Result<(), Refusal>,
) -> NDIS_STATUS {
    // SAFETY: the request is a query, as the caller promises.
    let query = unsafe { &mut request.DATA.QUERY_INFORMATION };
    // SAFETY: the buffer is as long as the request says, and the driver's until it answers.
    let mut answer = unsafe { Answer::new(query.InformationBuffer, query.InformationBufferLength) };
    let result = find(query.Oid, &mut answer);
    query.BytesWritten = answer.written();
    query.BytesNeeded = answer.needed();
    result.map_or_else(Refusal::into_status, |()| NDIS_STATUS_SUCCESS)
}

/// Obeys a set.
///
/// # Safety
///
/// As [`request`], and the request is a set.
unsafe fn set(adapter: &Adapter, request: &mut NDIS_OID_REQUEST) -> NDIS_STATUS {
    // SAFETY: the request is a set, as the caller promises.
    let set = unsafe { &mut request.DATA.SET_INFORMATION };
    // SAFETY: the buffer is as long as the request says, and the driver's until it answers.
    let mut value = unsafe { Value::new(set.InformationBuffer, set.InformationBufferLength) };
    let result = match set.Oid {
        OID_NDK_SET_STATE => rdma::set_state(adapter.rdma(), &mut value),
        oid => ethernet::set(adapter, oid, &mut value),
    };
    set.BytesRead = value.read();
    set.BytesNeeded = value.needed();
    result.map_or_else(Refusal::into_status, |()| NDIS_STATUS_SUCCESS)
}

/// Dispatches a query to the module that has the answer.
fn query_any(adapter: &Adapter, oid: NDIS_OID, answer: &mut Answer) -> Result<(), Refusal> {
    match oid {
        OID_GEN_SUPPORTED_LIST => answer.put_all(SUPPORTED),
        OID_NDK_STATISTICS | OID_NDK_CONNECTIONS | OID_NDK_LOCAL_ENDPOINTS => {
            rdma::query(adapter.rdma(), oid, answer)
        }
        OID_GEN_XMIT_OK..=OID_GEN_STATISTICS => statistics::query(adapter.ethernet(), oid, answer),
        _ => ethernet::query(adapter, oid, answer),
    }
}

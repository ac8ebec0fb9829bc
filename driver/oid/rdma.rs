//! The adapter's RDMA side (NDIS-2 to NDIS-4).

#![forbid(unsafe_code)]

use sys::irql::PassiveLevel;
use sys::ndis::{
    self, NDIS_NDK_PERFORMANCE_COUNTERS, NDIS_NDK_STATISTICS_INFO, NDIS_OID, OID_NDK_CONNECTIONS,
    OID_NDK_LOCAL_ENDPOINTS, OID_NDK_STATISTICS,
};
use sys::wdm::FALSE;

use super::buffer::{Answer, OidError, Value};
use super::listing;
use crate::adapter::Adapter;
use crate::identity::header;
use crate::rdma::Rdma;

/// Answers a query. Up to DISPATCH_LEVEL.
pub(super) fn query(rdma: &Rdma, oid: NDIS_OID, answer: &mut Answer) -> Result<(), OidError> {
    match oid {
        OID_NDK_STATISTICS => answer.put(&statistics(rdma)),
        OID_NDK_CONNECTIONS => listing::connections(rdma, answer),
        OID_NDK_LOCAL_ENDPOINTS => listing::endpoints(rdma, answer),
        _ => Err(OidError::NotSupported),
    }
}

/// Obeys OID_NDK_SET_STATE, whose value is a BOOLEAN.
pub(super) fn set_state(adapter: &Adapter, value: &mut Value, level: PassiveLevel) -> Result<(), OidError> {
    let [enabled] = value.take()?;
    adapter.set_rdma_state(enabled != FALSE, level).map_err(OidError::Status)
}

fn statistics(rdma: &Rdma) -> NDIS_NDK_STATISTICS_INFO {
    let kept = rdma.statistics();
    NDIS_NDK_STATISTICS_INFO {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_DEFAULT,
            ndis::NDIS_NDK_STATISTICS_INFO_REVISION_1,
            ndis::NDIS_SIZEOF_NDK_STATISTICS_INFO_REVISION_1,
        ),
        Flags: 0,
        CounterSet: NDIS_NDK_PERFORMANCE_COUNTERS {
            Connect: kept.connect,
            Accept: kept.accept,
            ConnectFailure: kept.connect_failure,
            ConnectionError: kept.connection_error,
            ActiveConnection: kept.active_connection,
            CQError: kept.cq_error,
            RDMAInOctets: kept.in_octets,
            RDMAOutOctets: kept.out_octets,
            RDMAInFrames: kept.in_frames,
            RDMAOutFrames: kept.out_frames,
            ..NOTHING
        },
    }
}

/// No counter at all, for the places that are reserved.
const NOTHING: NDIS_NDK_PERFORMANCE_COUNTERS = NDIS_NDK_PERFORMANCE_COUNTERS {
    Connect: 0,
    Accept: 0,
    ConnectFailure: 0,
    ConnectionError: 0,
    ActiveConnection: 0,
    Reserved01: 0,
    Reserved02: 0,
    Reserved03: 0,
    Reserved04: 0,
    Reserved05: 0,
    Reserved06: 0,
    Reserved07: 0,
    Reserved08: 0,
    Reserved09: 0,
    Reserved10: 0,
    Reserved11: 0,
    Reserved12: 0,
    Reserved13: 0,
    Reserved14: 0,
    Reserved15: 0,
    Reserved16: 0,
    Reserved17: 0,
    Reserved18: 0,
    Reserved19: 0,
    Reserved20: 0,
    CQError: 0,
    RDMAInOctets: 0,
    RDMAOutOctets: 0,
    RDMAInFrames: 0,
    RDMAOutFrames: 0,
};

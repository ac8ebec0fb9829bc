//! The statistics of an adapter's Ethernet side.

#![forbid(unsafe_code)]

use sys::ndis::{self, NDIS_OID, NDIS_STATISTICS_INFO};

use super::buffer::{Answer, OidError};
use crate::ethernet::VirtualPort;
use crate::identity::header;
use crate::supported::STATISTICS;

/// Answers a query of statistics.
pub(super) fn query(port: &VirtualPort, oid: NDIS_OID, answer: &mut Answer) -> Result<(), OidError> {
    match oid {
        ndis::OID_GEN_XMIT_OK => answer.put_counter(port.sent().frames()),
        ndis::OID_GEN_RCV_OK => answer.put_counter(port.received().frames()),
        ndis::OID_GEN_XMIT_ERROR => answer.put_counter(port.sent().errors()),
        ndis::OID_GEN_RCV_ERROR => answer.put_counter(port.received().errors()),
        ndis::OID_GEN_RCV_NO_BUFFER => answer.put_counter(port.received().discards()),
        ndis::OID_GEN_STATISTICS => answer.put(&all(port)),
        _ => Err(OidError::NotSupported),
    }
}

fn all(port: &VirtualPort) -> NDIS_STATISTICS_INFO {
    let (sent, received) = (port.sent(), port.received());
    NDIS_STATISTICS_INFO {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_DEFAULT,
            ndis::NDIS_STATISTICS_INFO_REVISION_1,
            ndis::NDIS_SIZEOF_STATISTICS_INFO_REVISION_1,
        ),
        SupportedStatistics: STATISTICS,
        ifInDiscards: received.discards(),
        ifInErrors: received.errors(),
        ifHCInOctets: received.octets(),
        ifHCInUcastPkts: received.unicast.frames(),
        ifHCInMulticastPkts: received.multicast.frames(),
        ifHCInBroadcastPkts: received.broadcast.frames(),
        ifHCOutOctets: sent.octets(),
        ifHCOutUcastPkts: sent.unicast.frames(),
        ifHCOutMulticastPkts: sent.multicast.frames(),
        ifHCOutBroadcastPkts: sent.broadcast.frames(),
        ifOutErrors: sent.errors(),
        ifOutDiscards: sent.discards(),
        ifHCInUcastOctets: received.unicast.octets(),
        ifHCInMulticastOctets: received.multicast.octets(),
        ifHCInBroadcastOctets: received.broadcast.octets(),
        ifHCOutUcastOctets: sent.unicast.octets(),
        ifHCOutMulticastOctets: sent.multicast.octets(),
        ifHCOutBroadcastOctets: sent.broadcast.octets(),
    }
}

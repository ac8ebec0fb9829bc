//! The adapter as a network adapter: general and Ethernet identifiers.

#![forbid(unsafe_code)]

use provider::number::usize_from;
use sys::ndis::{self, NDIS_INTERRUPT_MODERATION, NDIS_INTERRUPT_MODERATION_PARAMETERS, NDIS_OID};
use vswitch::{Address, LONGEST, MULTICAST_ADDRESSES};

use super::buffer::{Answer, OidError, Value};
use crate::adapter::Adapter;
use crate::ethernet::BUFFERS;
use crate::identity::{DRIVER_VERSION, header};

/// `NdisHardwareStatusReady`.
const READY: i32 = 0;

/// A vendor without an IEEE code.
const VENDOR: u32 = 0x00FF_FFFF;

/// The vendor's description of the adapter, terminated.
const DESCRIPTION: &[u8] = b"softndk software RDMA adapter\0";

/// Answers a query.
pub(super) fn query(adapter: &Adapter, oid: NDIS_OID, answer: &mut Answer) -> Result<(), OidError> {
    let port = adapter.ethernet();
    match oid {
        ndis::OID_GEN_HARDWARE_STATUS => answer.put(&READY),
        ndis::OID_GEN_MAXIMUM_TOTAL_SIZE
        | ndis::OID_GEN_TRANSMIT_BLOCK_SIZE
        | ndis::OID_GEN_RECEIVE_BLOCK_SIZE
        | ndis::OID_GEN_CURRENT_LOOKAHEAD
        // A send is over at once, so it takes room for one frame.
        | ndis::OID_GEN_TRANSMIT_BUFFER_SPACE => answer.put(&LONGEST),
        ndis::OID_GEN_RECEIVE_BUFFER_SPACE => answer.put(&const { LONGEST.strict_mul(BUFFERS) }),
        ndis::OID_GEN_VENDOR_ID => answer.put(&VENDOR),
        ndis::OID_GEN_VENDOR_DESCRIPTION => answer.put_all(DESCRIPTION),
        ndis::OID_GEN_VENDOR_DRIVER_VERSION => {
            let (major, minor) = DRIVER_VERSION;
            answer.put(&u32::from_be_bytes([0, major, 0, minor]))
        }
        ndis::OID_GEN_CURRENT_PACKET_FILTER => answer.put(&port.filter(|filter| filter.types())),
        ndis::OID_GEN_INTERRUPT_MODERATION => answer.put(&MODERATION),
        ndis::OID_802_3_PERMANENT_ADDRESS => answer.put(&adapter.permanent_address().0),
        ndis::OID_802_3_CURRENT_ADDRESS => answer.put(&port.address().0),
        ndis::OID_802_3_MULTICAST_LIST => {
            port.filter(|filter| answer.put_all(filter.groups()))
        }
        ndis::OID_802_3_MAXIMUM_LIST_SIZE => answer.put(&MULTICAST_ADDRESSES),
        // There is no wire on which frames could meet or break.
        ndis::OID_802_3_RCV_ERROR_ALIGNMENT
        | ndis::OID_802_3_XMIT_ONE_COLLISION
        | ndis::OID_802_3_XMIT_MORE_COLLISIONS => answer.put(&0u32),
        _ => Err(OidError::NotSupported),
    }
}

/// Obeys a set.
pub(super) fn set(adapter: &Adapter, oid: NDIS_OID, value: &mut Value) -> Result<(), OidError> {
    match oid {
        ndis::OID_GEN_CURRENT_PACKET_FILTER => {
            let types = u32::from_ne_bytes(value.take()?);
            let supported = adapter.ethernet().filter(|filter| filter.set_types(types));
            supported.then_some(()).ok_or(OidError::NotSupported)
        }
        ndis::OID_802_3_MULTICAST_LIST => set_multicast_list(adapter, value),
        // A wish that need not be granted: frames are always indicated whole.
        ndis::OID_GEN_CURRENT_LOOKAHEAD => value.take::<4>().map(drop),
        // Among the others are OID_GEN_LINK_PARAMETERS and OID_GEN_INTERRUPT_MODERATION: there is no link
        // whose speed or direction could be chosen, nor an interrupt to hold back.
        _ => Err(OidError::NotSupported),
    }
}

fn set_multicast_list(adapter: &Adapter, value: &mut Value) -> Result<(), OidError> {
    let (addresses, rest) = value.bytes().as_chunks();
    if !rest.is_empty() {
        return Err(OidError::Length);
    }
    let mut groups = [Address([0; 6]); usize_from(MULTICAST_ADDRESSES)];
    let groups = groups.get_mut(..addresses.len()).ok_or(OidError::MulticastFull)?;
    for (group, address) in groups.iter_mut().zip(addresses) {
        *group = Address(*address);
        if !group.is_group() {
            return Err(OidError::Data);
        }
    }
    let listed = adapter.ethernet().filter(|filter| filter.set_groups(groups));
    listed.then_some(()).ok_or(OidError::MulticastFull)
}

/// Interrupts cannot be moderated: there are none.
const MODERATION: NDIS_INTERRUPT_MODERATION_PARAMETERS = NDIS_INTERRUPT_MODERATION_PARAMETERS {
    Header: header(
        ndis::NDIS_OBJECT_TYPE_DEFAULT,
        ndis::NDIS_INTERRUPT_MODERATION_PARAMETERS_REVISION_1,
        ndis::NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1,
    ),
    Flags: 0,
    InterruptModeration: NDIS_INTERRUPT_MODERATION::NdisInterruptModerationNotSupported,
};

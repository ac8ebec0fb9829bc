//! The attributes of an adapter, set while it is initialised.

#![expect(unsafe_code, reason = "NDIS is called")]

use alloc::boxed::Box;
use core::ptr::{null, null_mut};

use provider::Rnic;
use sys::irql::PassiveLevel;
use sys::ndis::{
    self, NDIS_HANDLE, NDIS_INTERFACE_TYPE, NDIS_MEDIUM, NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
    NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES, NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
    NDIS_NDK_CAPABILITIES, NDIS_PHYSICAL_MEDIUM, NDIS_SUPPORTED_PAUSE_FUNCTIONS, NET_IF_ACCESS_TYPE,
    NET_IF_CONNECTION_TYPE, NET_IF_DIRECTION_TYPE, NET_IF_MEDIA_CONNECT_STATE, NET_IF_MEDIA_DUPLEX_STATE,
};
use sys::ndk::{NDK_ADAPTER_INFO, NDK_VERSION_2_1};
use sys::status::{NDIS_STATUS, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS};
use sys::wdm::{FALSE, ULONG};

use super::Adapter;
use crate::heap::boxed;
use crate::identity::header;
use crate::kernel::Windows;
use crate::supported;
use vswitch::{Address, LONGEST, MTU, MULTICAST_ADDRESSES, SUPPORTED_FILTERS};

/// The speed that the link claims, in bits per second: 10 Gbit/s. There is no link.
const LINK_SPEED: u64 = 10_000_000_000;

/// The most objects of a kind. There is no limit but memory, and the structure wants a number.
const MANY: ULONG = 1 << 16;

/// Sets all attributes, in the order that NDIS wants.
///
/// # Errors
///
/// Those of NDIS.
///
/// # Safety
///
/// NDIS is initialising the adapter, which stays where it is until it is halted.
pub(super) unsafe fn set(adapter: &Adapter, level: PassiveLevel) -> Result<(), NDIS_STATUS> {
    // SAFETY: as the caller promises.
    unsafe { registration(adapter, level) }?;
    // SAFETY: as the caller promises.
    unsafe { general(adapter, level) }?;
    // SAFETY: as the caller promises.
    unsafe { ndk(adapter, level) }
}

/// Sets one block of attributes.
///
/// # Safety
///
/// NDIS is initialising the adapter, and `T` is what the block's head says.
unsafe fn set_block<T>(adapter: NDIS_HANDLE, block: &T, _: PassiveLevel) -> Result<(), NDIS_STATUS> {
    // SAFETY: as the caller promises. NDIS reads as much as the head says and keeps a copy.
    let status = unsafe { ndis::NdisMSetMiniportAttributes(adapter, (&raw const *block).cast()) };
    if status == NDIS_STATUS_SUCCESS { Ok(()) } else { Err(status) }
}

/// Registers the adapter's context.
///
/// # Safety
///
/// As [`set`].
unsafe fn registration(adapter: &Adapter, level: PassiveLevel) -> Result<(), NDIS_STATUS> {
    let block = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
            ndis::NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
            ndis::NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2,
        ),
        MiniportAdapterContext: (&raw const *adapter).cast_mut().cast(),
        // No NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND: a halt expects that a pause came before it.
        AttributeFlags: ndis::NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM
            | ndis::NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK,
        CheckForHangTimeInSeconds: 0,
        InterfaceType: NDIS_INTERFACE_TYPE::NdisInterfaceInternal,
    };
    // SAFETY: as the caller promises; the block is what its head says.
    unsafe { set_block(adapter.handle, &block, level) }
}

/// Says what kind of adapter it is.
///
/// # Safety
///
/// As [`set`].
unsafe fn general(adapter: &Adapter, level: PassiveLevel) -> Result<(), NDIS_STATUS> {
    let block = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
            ndis::NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
            ndis::NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2,
        ),
        Flags: 0,
        MediaType: NDIS_MEDIUM::NdisMedium802_3,
        PhysicalMediumType: NDIS_PHYSICAL_MEDIUM::NdisPhysicalMedium802_3,
        MtuSize: MTU,
        MaxXmitLinkSpeed: LINK_SPEED,
        XmitLinkSpeed: LINK_SPEED,
        MaxRcvLinkSpeed: LINK_SPEED,
        RcvLinkSpeed: LINK_SPEED,
        MediaConnectState: NET_IF_MEDIA_CONNECT_STATE::MediaConnectStateConnected,
        MediaDuplexState: NET_IF_MEDIA_DUPLEX_STATE::MediaDuplexStateFull,
        LookaheadSize: LONGEST,
        PowerManagementCapabilities: null_mut(),
        MacOptions: ndis::NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA
            | ndis::NDIS_MAC_OPTION_TRANSFERS_NOT_PEND
            | ndis::NDIS_MAC_OPTION_NO_LOOPBACK
            | ndis::NDIS_MAC_OPTION_FULL_DUPLEX,
        SupportedPacketFilters: SUPPORTED_FILTERS,
        MaxMulticastListSize: MULTICAST_ADDRESSES,
        MacAddressLength: 6,
        PermanentMacAddress: padded(adapter.permanent),
        CurrentMacAddress: padded(adapter.ethernet.address()),
        RecvScaleCapabilities: null_mut(),
        AccessType: NET_IF_ACCESS_TYPE::NET_IF_ACCESS_BROADCAST,
        DirectionType: NET_IF_DIRECTION_TYPE::NET_IF_DIRECTION_SENDRECEIVE,
        ConnectionType: NET_IF_CONNECTION_TYPE::NET_IF_CONNECTION_DEDICATED,
        IfType: ndis::IF_TYPE_ETHERNET_CSMACD,
        IfConnectorPresent: FALSE,
        SupportedStatistics: supported::STATISTICS,
        SupportedPauseFunctions: NDIS_SUPPORTED_PAUSE_FUNCTIONS::NdisPauseFunctionsUnsupported
            .0
            .cast_unsigned(),
        DataBackFillSize: 0,
        ContextBackFillSize: 0,
        SupportedOidList: supported::OIDS.as_ptr(),
        SupportedOidListLength: supported::OIDS_LENGTH,
        AutoNegotiationFlags: 0,
        // The adapter cannot wake the machine; NDIS halts it when the machine goes to sleep.
        PowerManagementCapabilitiesEx: null(),
    };
    // SAFETY: as the caller promises; the block is what its head says.
    unsafe { set_block(adapter.handle, &block, level) }
}

/// Describes an adapter's RDMA for NDIS, in a place where both parts stay: no page says that NDIS copies what the
/// attributes point to.
pub(super) struct Capabilities {
    ndis: NDIS_NDK_CAPABILITIES,
    info: NDK_ADAPTER_INFO,
}

impl Capabilities {
    /// The capabilities of every adapter.
    ///
    /// # Errors
    ///
    /// `NDIS_STATUS_RESOURCES`.
    pub(super) fn new() -> Result<Box<Self>, NDIS_STATUS> {
        let info = Rnic::<Windows>::adapter_info(NDK_VERSION_2_1);
        let ndis = NDIS_NDK_CAPABILITIES {
            Header: header(
                ndis::NDIS_OBJECT_TYPE_DEFAULT,
                ndis::NDIS_NDK_CAPABILITIES_REVISION_1,
                ndis::NDIS_SIZEOF_NDK_CAPABILITIES_REVISION_1,
            ),
            Flags: 0,
            MaxQpCount: MANY,
            MaxCqCount: MANY,
            MaxMrCount: MANY,
            MaxPdCount: MANY,
            MaxInboundReadLimit: info.MaxInboundReadLimit,
            MaxOutboundReadLimit: info.MaxOutboundReadLimit,
            MaxMwCount: if info.MaxWindowSize == 0 { 0 } else { MANY },
            MaxSrqCount: if info.MaxSrqDepth == 0 { 0 } else { MANY },
            // Every counter that is documented is kept (NDIS-4).
            MissingCounterMask: 0,
            NdkInfo: null(),
        };
        let mut kept = boxed(Self { ndis, info }).ok_or(NDIS_STATUS_RESOURCES)?;
        kept.ndis.NdkInfo = &raw const kept.info;
        Ok(kept)
    }
}

/// Says what it can do by RDMA, also while that is disabled (NDIS-1).
///
/// # Safety
///
/// As [`set`].
unsafe fn ndk(adapter: &Adapter, level: PassiveLevel) -> Result<(), NDIS_STATUS> {
    let block = NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NDK_ATTRIBUTES,
            ndis::NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES_REVISION_1,
            ndis::NDIS_SIZEOF_MINIPORT_ADAPTER_NDK_ATTRIBUTES_REVISION_1,
        ),
        Enabled: adapter.rdma.rnic().enabled().into(),
        NdkCapabilities: &raw const adapter.capabilities.ndis,
    };
    // SAFETY: as the caller promises; the block is what its head says.
    unsafe { set_block(adapter.handle, &block, level) }
}

/// An address in the room that NDIS has for one.
fn padded(address: Address) -> [u8; ndis::NDIS_MAX_PHYS_ADDRESS_LENGTH] {
    let mut room = [0; ndis::NDIS_MAX_PHYS_ADDRESS_LENGTH];
    for (to, from) in room.iter_mut().zip(address.0) {
        *to = from;
    }
    room
}

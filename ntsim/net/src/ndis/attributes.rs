//! The attributes that a miniport sets for its adapter, and its queries of NDIS about it.

use core::ffi::c_void;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::sched;
use sys::ndis::*;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_BAD_CHARACTERISTICS, NDIS_STATUS_INVALID_PARAMETER, NDIS_STATUS_INVALID_STATE,
    NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_SUCCESS,
};
use sys::wdm::DEVICE_OBJECT;

use super::adapter::{self, Adapter, General, Ndk, State};
use super::header::{self, Expected};
use super::violation;

const REGISTRATION: Expected = Expected {
    name: "NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES",
    kind: NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
    revisions: &[
        // Revision 2 added only constants.
        (1, NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2),
        (2, NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2),
    ],
};

const GENERAL: Expected = Expected {
    name: "NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES",
    kind: NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
    revisions: &[
        (1, NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1),
        (2, NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2),
    ],
};

const NDK: Expected = Expected {
    name: "NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES",
    kind: NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NDK_ATTRIBUTES,
    revisions: &[(1, NDIS_SIZEOF_MINIPORT_ADAPTER_NDK_ATTRIBUTES_REVISION_1)],
};

const CAPABILITIES: Expected = Expected {
    name: "NDIS_NDK_CAPABILITIES",
    kind: NDIS_OBJECT_TYPE_DEFAULT,
    revisions: &[(1, NDIS_SIZEOF_NDK_CAPABILITIES_REVISION_1)],
};

exports! {
    "ndis.sys", signature;

    /// Says something about an adapter, from inside its initialise handler.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisMSetMiniportAttributes(
        handle: NDIS_HANDLE,
        attributes: *const NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
    ) -> NDIS_STATUS {
        let Some(adapter) = adapter::of(handle, "NdisMSetMiniportAttributes") else {
            return NDIS_STATUS_INVALID_PARAMETER;
        };
        if adapter.state() != State::Initializing {
            let text = format!("attributes are set while the adapter is {:?}", adapter.state());
            violation("NdisMSetMiniportAttributes", [0x1F, Va::of(handle).bits(), 0, 0], text);
            return NDIS_STATUS_INVALID_STATE;
        }
        // SAFETY: the driver passes attributes, which begin with their head.
        let header = unsafe { attributes.cast::<NDIS_OBJECT_HEADER>().read() };
        match header.Type {
            // SAFETY: the type says which member it is.
            NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES => unsafe {
                registration(&adapter, attributes.cast())
            },
            // SAFETY: as above.
            NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES => unsafe {
                general(&adapter, attributes.cast())
            },
            // SAFETY: as above.
            NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_NDK_ATTRIBUTES => unsafe { ndk(&adapter, attributes.cast()) },
            _ => NDIS_STATUS_NOT_SUPPORTED,
        }
    }

    /// The kernel's devices of an adapter.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisMGetDeviceProperty(
        handle: NDIS_HANDLE,
        physical: *mut *mut DEVICE_OBJECT,
        functional: *mut *mut DEVICE_OBJECT,
        next: *mut *mut DEVICE_OBJECT,
        resources: *mut *mut c_void,
        translated: *mut *mut c_void,
    ) {
        let Some(adapter) = adapter::of(handle, "NdisMGetDeviceProperty") else { return };
        let devices = &adapter.devices;
        // The bus driver's device is also the one right below NDIS's.
        for (to, device) in
            [(physical, devices.physical), (functional, devices.functional), (next, devices.physical)]
        {
            if !to.is_null() {
                // SAFETY: the driver passes null or room for the pointer.
                unsafe { to.write(device) };
            }
        }
        for to in [resources, translated] {
            if !to.is_null() {
                // SAFETY: as above. An adapter of the root bus has no resources.
                unsafe { to.write(core::ptr::null_mut()) };
            }
        }
    }
}

/// # Safety
/// `attributes` begins with its head.
unsafe fn registration(
    adapter: &Adapter,
    attributes: *const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
) -> NDIS_STATUS {
    // SAFETY: the caller's contract.
    if !unsafe { header::check(attributes.cast(), &REGISTRATION) } {
        return NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    // SAFETY: the head says that the structure has this size.
    let attributes = unsafe { &*attributes };
    let mut state = adapter.state.lock();
    state.context = Va::of(attributes.MiniportAdapterContext);
    state.registered = true;
    state.unpaused = attributes.AttributeFlags & NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND != 0;
    NDIS_STATUS_SUCCESS
}

/// # Safety
/// `attributes` begins with its head.
unsafe fn general(
    adapter: &Adapter,
    attributes: *const NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
) -> NDIS_STATUS {
    // SAFETY: the caller's contract.
    if !unsafe { header::check(attributes.cast(), &GENERAL) } {
        return NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    // SAFETY: the head says that there are all members but the last, which is not looked at.
    let attributes = unsafe { &*attributes };
    if !adapter.state.lock().registered {
        let text = "general attributes come before the registration attributes".into();
        violation("NdisMSetMiniportAttributes", [0, adapter.handle.bits(), 0, 0], text);
    }
    let count = attributes.SupportedOidListLength.to_usize() / size_of::<u32>();
    if attributes.SupportedOidList.is_null()
        || count == 0
        || attributes.MacAddressLength != 6
        || attributes.MtuSize == 0
    {
        let text =
            "general attributes without OIDs, without an MTU, or with an address that is not 6 bytes long"
                .into();
        violation("NdisMSetMiniportAttributes", [0, adapter.handle.bits(), 0, 0], text);
        return NDIS_STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the driver vouches for a list of this length.
    let oids = unsafe { core::slice::from_raw_parts(attributes.SupportedOidList, count) }.to_vec();
    check_kept(adapter, "list of OIDs", Va::of(attributes.SupportedOidList));
    check_power(adapter, attributes);
    let mut mac = [0; 6];
    mac.copy_from_slice(&attributes.CurrentMacAddress[..6]);
    adapter.state.lock().general = Some(General { mtu: attributes.MtuSize, mac, oids });
    NDIS_STATUS_SUCCESS
}

/// # Safety
/// `attributes` begins with its head.
unsafe fn ndk(adapter: &Adapter, attributes: *const NDIS_MINIPORT_ADAPTER_NDK_ATTRIBUTES) -> NDIS_STATUS {
    // SAFETY: the caller's contract.
    if !unsafe { header::check(attributes.cast(), &NDK) } {
        return NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    // SAFETY: the head says that the structure has this size.
    let attributes = unsafe { &*attributes };
    // SAFETY: the driver passes capabilities, which begin with their head.
    if !unsafe { header::check(attributes.NdkCapabilities.cast(), &CAPABILITIES) } {
        return NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    // SAFETY: the head says that the structure has this size.
    let info = unsafe { (*attributes.NdkCapabilities).NdkInfo };
    if info.is_null() || adapter.driver.ndk().is_none() {
        let text =
            "RDMA attributes without adapter information, or of a driver that is no RDMA provider".into();
        violation("NdisMSetMiniportAttributes", [0, adapter.handle.bits(), 0, 0], text);
        return NDIS_STATUS_INVALID_PARAMETER;
    }
    check_kept(adapter, "RDMA capabilities", Va::of(attributes.NdkCapabilities));
    check_kept(adapter, "RDMA adapter information", Va::of(info));
    adapter.state.lock().ndk = Some(Ndk { enabled: attributes.Enabled != 0 });
    NDIS_STATUS_SUCCESS
}

/// Checks that what attributes point to can outlive the call. No page says that NDIS copies it, let alone two
/// levels deep.
fn check_kept(adapter: &Adapter, what: &str, address: Va) {
    if sched::on_own_stack(address) {
        let text = format!("the {what} at {address:#x}, which NDIS may keep, is on the stack");
        violation("NdisAttributesOnStack", [0, adapter.handle.bits(), address.bits(), 0], text);
    }
}

/// Checks that an adapter which is not to be paused before the machine sleeps has power states to go to: without
/// power management capabilities NDIS halts it, and a halt follows a pause. See the remarks of
/// <https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/ns-ndis-_ndis_miniport_adapter_registration_attributes>.
fn check_power(adapter: &Adapter, attributes: &NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES) {
    let extended = attributes.Header.Revision >= NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2
        && !attributes.PowerManagementCapabilitiesEx.is_null();
    let manages = extended || !attributes.PowerManagementCapabilities.is_null();
    if adapter.state.lock().unpaused && !manages {
        let text =
            "NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND without power management capabilities".into();
        violation("NdisNoPauseOnSuspend", [0, adapter.handle.bits(), 0, 0], text);
    }
}

//! Devices of a miniport driver's own, beside its adapters.

use std::collections::HashMap;

use nt::io::{self, StatusError};
use nt::rtl;
use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;
use sys::ndis::*;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_INVALID_PARAMETER, NDIS_STATUS_SUCCESS, NT_SUCCESS,
    STATUS_INVALID_DEVICE_REQUEST,
};
use sys::wdm::{
    DEVICE_OBJECT, DO_DEVICE_INITIALIZING, FILE_DEVICE_NETWORK, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_COUNT,
    IRP_MJ_CREATE, PDRIVER_DISPATCH,
};

use super::header::{self, Expected};
use super::{ndis, text, violation};

/// The dispatch routines that NDIS calls for a device in place of the driver object's.
type Table = [Option<PDRIVER_DISPATCH>; IRP_MJ_COUNT];

/// The devices of all miniport drivers.
#[derive(Default)]
struct Devices {
    /// By device; nothing for one that was deregistered, on which files may still be open.
    tables: Mutex<HashMap<Va, Option<Table>>>,
    /// Device by handle.
    registered: Mutex<HashMap<Va, Registered>>,
    /// The status with which devices are refused, if a test wants that.
    refused: Mutex<Option<NDIS_STATUS>>,
}

struct Registered {
    device: Va,
    link: String,
}

static DEVICES: PerMachine<Devices> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    DEVICES.get().inspect();
}

impl Devices {
    fn inspect(&self) {
        for (handle, registered) in &*self.registered.lock() {
            let text = format!("the device at {:#x} was never deregistered", registered.device);
            violation("NdisDeregisterDeviceEx", [0x0A, (*handle).bits(), registered.device.bits(), 0], text);
        }
    }
}

fn devices() -> &'static Devices {
    DEVICES.get()
}

const ATTRIBUTES: Expected = Expected {
    name: "NDIS_DEVICE_OBJECT_ATTRIBUTES",
    kind: NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
    revisions: &[(NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1, NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1)],
};

/// Lets `NdisRegisterDeviceEx` fail with this status from now on, or not any more.
pub fn refuse_devices(status: Option<StatusError>) {
    *devices().refused.lock() = status.map(|StatusError(status)| status);
}

/// The routine of a device that NDIS dispatches for, for a major function. An empty place is answered as the I/O
/// manager answers one.
///
/// No page says that NDIS goes on to dispatch once the device is deregistered, which "frees the extension", so
/// it does not; a request for a file that is open then is a finding. A create may be on its way when the
/// device goes, which is not the driver's fault.
fn route(device: *mut DEVICE_OBJECT, major: usize) -> Option<PDRIVER_DISPATCH> {
    let table = *devices().tables.lock().get(&Va::of(device))?;
    let Some(table) = table else {
        if major != usize::from(IRP_MJ_CREATE) {
            let text = format!("major function {major:#x} comes for a device that was deregistered");
            violation("NdisDeregisterDeviceEx", [0x0A, 0, Va::of(device).bits(), major as u64], text);
        }
        return None;
    };
    table.get(major).copied().flatten()
}

/// Returns whether a device has this handle.
pub(super) fn is_registered(handle: Va) -> bool {
    of(handle).is_some()
}

/// The device that has this handle.
pub(super) fn of(handle: Va) -> Option<Va> {
    devices().registered.lock().get(&handle).map(|registered| registered.device)
}

exports! {
    "ndis.sys", signature;

    /// Makes a device of the driver's own, with a dispatch table of its own.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisRegisterDeviceEx(
        handle: NDIS_HANDLE,
        attributes: *const NDIS_DEVICE_OBJECT_ATTRIBUTES,
        out: *mut *mut DEVICE_OBJECT,
        out_handle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS {
        let Some(driver) = ndis().drivers.lock().get(&Va::of(handle)).cloned() else {
            let text = format!("NdisRegisterDeviceEx got {handle:p}, which is no driver");
            violation("NdisHandle", [0, Va::of(handle).bits(), 0, 0], text);
            return NDIS_STATUS_INVALID_PARAMETER;
        };
        // SAFETY: the driver passes its attributes.
        if !unsafe { header::check(attributes.cast(), &ATTRIBUTES) } {
            return NDIS_STATUS_INVALID_PARAMETER;
        }
        // SAFETY: the head says that the structure has this size.
        let attributes = unsafe { attributes.read() };
        // SAFETY: the driver passes a table with a place for every major function.
        let table = unsafe { attributes.MajorFunctions.cast::<Table>().read() };
        check_table(&table);
        for text in [attributes.DeviceName, attributes.SymbolicName, attributes.DefaultSDDLString] {
            // SAFETY: the driver passes valid strings or null.
            unsafe { text::check("NdisRegisterDeviceEx", text) };
        }
        if let Some(status) = *devices().refused.lock() {
            return status;
        }
        // SAFETY: the driver passes valid strings.
        let name = unsafe { rtl::from_counted(attributes.DeviceName.cast()) };
        // SAFETY: as above.
        let link = unsafe { rtl::from_counted(attributes.SymbolicName.cast()) };
        // SAFETY: as above; null stands for no string.
        let security = unsafe { rtl::from_counted(attributes.DefaultSDDLString) };
        let security = match security.parse() {
            Ok(security) => security,
            Err(error) => {
                let text = format!("the security descriptor of {name} can't be read: {error}");
                violation("NdisRegisterDeviceEx", [0, 0, 0, 0], text);
                return NDIS_STATUS_INVALID_PARAMETER;
            }
        };
        let made = io::Made {
            driver: driver.object,
            extension: attributes.ExtensionSize,
            name: name.clone(),
            kind: FILE_DEVICE_NETWORK,
            characteristics: 0,
            exclusive: false,
            security,
        };
        // SAFETY: the driver object of a registered driver is live.
        let device = match unsafe { io::create_device(made) } {
            Ok(device) => device,
            Err(status) => return status,
        };
        if !link.is_empty() && !NT_SUCCESS(io::link(&link, &name)) {
            io::delete_device(device);
            return STATUS_INVALID_DEVICE_REQUEST;
        }
        devices().tables.lock().insert(Va::of(device), Some(table));
        io::set_route(device, route);
        let handle = ndis().new_handle();
        devices().registered.lock().insert(handle, Registered { device: Va::of(device), link });
        // SAFETY: the device was made just now.
        unsafe { (*device).Flags &= !DO_DEVICE_INITIALIZING };
        // SAFETY: the driver passes room for the device.
        unsafe { out.write(device) };
        // SAFETY: the driver passes room for the handle.
        unsafe { out_handle.write(handle.ptr()) };
        NDIS_STATUS_SUCCESS
    }

    /// Deletes a device of the driver's own.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisDeregisterDeviceEx(handle: NDIS_HANDLE) {
        let Some(registered) = devices().registered.lock().remove(&Va::of(handle)) else {
            let text = format!("NdisDeregisterDeviceEx got {handle:p}, which is no device");
            violation("NdisHandle", [0, Va::of(handle).bits(), 0, 0], text);
            return;
        };
        if !registered.link.is_empty() {
            io::unlink(&registered.link);
        }
        devices().tables.lock().insert(registered.device, None);
        io::delete_device(registered.device.ptr());
    }
}

/// A device that can be opened must be able to be closed.
fn check_table(table: &Table) {
    let there = |major: u8| table.get(usize::from(major)).copied().flatten().is_some();
    if there(IRP_MJ_CREATE) && !(there(IRP_MJ_CLOSE) && there(IRP_MJ_CLEANUP)) {
        let text = "a device of the driver's own has a create routine, but no cleanup or no close".into();
        violation("NdisRegisterDeviceEx", [0, 0, 0, 0], text);
    }
}

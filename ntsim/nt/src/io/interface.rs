//! Device interfaces: names that programs find by a class.
//!
//! <https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-ioregisterdeviceinterface>: a name belongs to a
//! device, a class and a reference string, and is a link to the device while it is enabled.

use std::collections::BTreeMap;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST, STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
};
use sys::wdm::{
    DEVICE_OBJECT, DO_BUS_ENUMERATED_DEVICE, GUID, STATUS_OBJECT_NAME_EXISTS, UNICODE_STRING, signature,
};

use super::device::is_device;
use super::namespace::{device_name, link, unlink};
use crate::ex::pool::{self, Kind, Request, Tag};
use crate::rtl;

/// The tag of the names that are made here.
const TAG: Tag = Tag(u32::from_le_bytes(*b"IoDi"));

/// An interface.
struct Interface {
    device: Va,
    class: String,
    enabled: bool,
}

/// The interfaces of one machine, by name.
#[derive(Default)]
struct Interfaces(Mutex<BTreeMap<String, Interface>>);

static INTERFACES: PerMachine<Interfaces> = PerMachine::new();

exports! {
    "ntoskrnl.exe", signature;

    /// Registers an interface of a device, unless it is; the name is in paged pool and the caller's to free.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoRegisterDeviceInterface(
        device: *mut DEVICE_OBJECT,
        class: *const GUID,
        reference: *mut UNICODE_STRING,
        name: *mut UNICODE_STRING,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid string or null.
        let reference = unsafe { rtl::from_counted(reference) };
        // SAFETY: the driver passes a class.
        let made = match register(device, unsafe { &*class }, &reference) {
            Ok(made) => made,
            Err(status) => return status,
        };
        let units: Vec<u16> = made.encode_utf16().chain([0]).collect();
        let size = size_of_val(&*units);
        let block = pool::allocate(Request { size, tag: TAG, kind: Kind::Paged, zeroed: false });
        if block.is_null() {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        // SAFETY: the block is new and as long as the name.
        unsafe { core::ptr::copy_nonoverlapping(units.as_ptr(), block.cast(), units.len()) };
        let size = narrow(size);
        let string = UNICODE_STRING { Length: size - 2, MaximumLength: size, Buffer: block.cast() };
        // SAFETY: the driver passes room for the string.
        unsafe { name.write(string) };
        STATUS_SUCCESS
    }

    /// Enables an interface, or disables it.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoSetDeviceInterfaceState(name: *mut UNICODE_STRING, enable: u8) -> NTSTATUS {
        // SAFETY: the driver passes a valid string.
        set_state(&unsafe { rtl::from_counted(name) }, enable != 0)
    }
}

/// Registers an interface; returns its name.
///
/// # Errors
/// STATUS_INVALID_DEVICE_REQUEST of a device that is none of a bus, also a finding.
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "an address is followed once the table has it")]
pub fn register(device: *mut DEVICE_OBJECT, class: &GUID, reference: &str) -> Result<String, NTSTATUS> {
    // SAFETY: the device exists.
    if !is_device(device) || unsafe { (*device).Flags } & DO_BUS_ENUMERATED_DEVICE == 0 {
        let text = format!("an interface is registered for {device:p}, which is no device of a bus driver");
        verifier::report(Finding::new("DeviceInterface").text(text));
        return Err(STATUS_INVALID_DEVICE_REQUEST);
    }
    let class = text(class);
    let bottom = device_name(Va::of(device)).unwrap_or_default();
    let instance = bottom.rsplit('\\').next().unwrap_or_default();
    let mut name = format!(r"\??\NTSIM#{instance}#{class}");
    if !reference.is_empty() {
        name.push('\\');
        name.push_str(reference);
    }
    let made = Interface { device: Va::of(device), class, enabled: false };
    INTERFACES.get().0.lock().entry(name.to_lowercase()).or_insert(made);
    Ok(name)
}

/// Enables an interface, or disables it; the statuses are those of IoSetDeviceInterfaceState.
pub fn set_state(name: &str, enable: bool) -> NTSTATUS {
    let mut all = INTERFACES.get().0.lock();
    let Some(interface) = all.get_mut(&name.to_lowercase()) else { return STATUS_OBJECT_NAME_NOT_FOUND };
    if interface.enabled == enable {
        return if enable { STATUS_OBJECT_NAME_EXISTS } else { STATUS_OBJECT_NAME_NOT_FOUND };
    }
    interface.enabled = enable;
    if enable {
        link(name, &device_name(interface.device).unwrap_or_default());
    } else {
        unlink(name);
    }
    STATUS_SUCCESS
}

/// The names of the enabled interfaces of a class, in the order of the alphabet.
#[must_use]
pub fn device_interfaces(class: &GUID) -> Vec<String> {
    let class = text(class);
    let all = INTERFACES.get().0.lock();
    let wanted = all.iter().filter(|(_, interface)| interface.enabled && interface.class == class);
    wanted.map(|(name, _)| name.clone()).collect()
}

/// Forgets the interfaces of a device that goes; those that are enabled are findings: "a driver disables" them when it
/// handles IRP_MN_REMOVE_DEVICE or IRP_MN_SURPRISE_REMOVAL.
pub(super) fn forget(device: Va) {
    let mut left = Vec::new();
    INTERFACES.get().0.lock().retain(|name, interface| {
        if interface.device == device && interface.enabled {
            left.push(name.clone());
        }
        interface.device != device
    });
    for name in left {
        unlink(&name);
        let text = format!("the interface {name} is enabled, and its device was removed");
        verifier::report(Finding::new("DeviceInterface").text(text));
    }
}

/// A class as text.
fn text(guid: &GUID) -> String {
    let GUID { Data1: a, Data2: b, Data3: c, Data4: d } = guid;
    let [e, f, rest @ ..] = d;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{{{a:08x}-{b:04x}-{c:04x}-{e:02x}{f:02x}-{rest}}}")
}

//! Registration with the providers of management instrumentation.
//!
//! Nothing asks a device for its data: what is checked is that a driver takes back what it registers
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-iowmiregistrationcontrol>).

use std::collections::HashSet;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::{DEVICE_OBJECT, signature};

/// `WMIREG_ACTION_…`.
const REGISTER: u32 = 1;
const DEREGISTER: u32 = 2;
const REREGISTER: u32 = 3;
const UPDATE_GUIDS: u32 = 4;
const BLOCK_IRPS: u32 = 5;

/// `WMIREG_FLAG_CALLBACK`: not a device, but a routine is registered.
const CALLBACK: u32 = 0x8000_0000;

/// The registered devices of one machine.
#[derive(Default)]
struct Registered(Mutex<HashSet<Va>>);

static REGISTERED: PerMachine<Registered> = PerMachine::new();

exports! {
    "ntoskrnl.exe", signature;

    /// Registers a device, or takes that back.
    #[irql(PASSIVE..=PASSIVE)]
    fn IoWMIRegistrationControl(device: *mut DEVICE_OBJECT, action: u32) -> NTSTATUS {
        let mut all = REGISTERED.get().0.lock();
        let known = all.contains(&Va::of(device));
        match action & !CALLBACK {
            REGISTER if !known => {
                all.insert(Va::of(device));
                STATUS_SUCCESS
            }
            DEREGISTER if known => {
                all.remove(&Va::of(device));
                STATUS_SUCCESS
            }
            REREGISTER | UPDATE_GUIDS | BLOCK_IRPS if known => STATUS_SUCCESS,
            _ => STATUS_INVALID_PARAMETER,
        }
    }
}

/// Takes back the registration of a device that goes; a finding if it has one.
pub(super) fn forget(device: Va) {
    if REGISTERED.get().0.lock().remove(&device) {
        let text = format!("the device at {device:#x} was deleted, and is still registered with WMI");
        verifier::report(Finding::new("WmiRegistration").text(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Made, create_device};

    #[test]
    fn device_is_registered_once_and_not_left() {
        let machine = crate::testing::builder().boot();
        // SAFETY: all-zero is a valid value: integers, null pointers and no routines.
        let mut driver: Box<sys::wdm::DRIVER_OBJECT> = Box::new(unsafe { core::mem::zeroed() });
        let made = Made {
            driver: &mut *driver,
            extension: 0,
            name: String::new(),
            kind: 0x22,
            characteristics: 0,
            exclusive: false,
            security: crate::se::Descriptor::default(),
        };
        // SAFETY: the driver object lives longer than the device.
        let first = unsafe { create_device(made) }.unwrap();
        unsafe {
            assert_eq!(IoWMIRegistrationControl(first, DEREGISTER), STATUS_INVALID_PARAMETER);
            assert_eq!(IoWMIRegistrationControl(first, REGISTER), STATUS_SUCCESS);
            assert_eq!(IoWMIRegistrationControl(first, REGISTER), STATUS_INVALID_PARAMETER);
        }
        crate::io::delete_device(first);
        assert_eq!(machine.shutdown().findings[0].rule, "WmiRegistration");
    }
}

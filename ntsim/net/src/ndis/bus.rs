//! The bus on which adapters are found: their device objects.

use core::mem::MaybeUninit;
use core::ptr;

use nt::io::{Made, create_device, delete_device};
use nt::se::Descriptor;
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;
use sys::status::NTSTATUS;
use sys::wdm::{DEVICE_OBJECT, DRIVER_OBJECT, FILE_DEVICE_PHYSICAL_NETCARD, FILE_DEVICE_UNKNOWN};

use super::adapter::Devices;

/// The driver object of the bus driver, which owns the devices at the bottom of each stack.
struct Bus {
    driver: Mutex<Box<DRIVER_OBJECT>>,
}

// SAFETY: the driver object is only reached through its lock, or through devices that the I/O manager
// guards.
unsafe impl Send for Bus {}
// SAFETY: as above.
unsafe impl Sync for Bus {}

impl Default for Bus {
    fn default() -> Self {
        // SAFETY: all zero is a valid driver object: integers, null pointers and no routines.
        let driver = unsafe { MaybeUninit::<DRIVER_OBJECT>::zeroed().assume_init() };
        Self { driver: Mutex::new(Box::new(driver)) }
    }
}

static BUS: PerMachine<Bus> = PerMachine::new();

/// Makes the devices of an adapter: the bus driver's, and on top of it the one that NDIS makes in the name
/// of the miniport driver.
pub(super) fn add(miniport: *mut DRIVER_OBJECT) -> Result<Devices, NTSTATUS> {
    let bus: *mut DRIVER_OBJECT = ptr::from_mut(&mut **BUS.get().driver.lock());
    let made = |driver, kind| Made {
        driver,
        extension: 0,
        name: String::new(),
        kind,
        characteristics: 0,
        exclusive: false,
        security: Descriptor::default(),
    };
    // SAFETY: the bus's driver object lives as long as the machine.
    let physical = unsafe { create_device(made(bus, FILE_DEVICE_UNKNOWN)) }?;
    // SAFETY: a registered miniport driver has a live driver object.
    let functional = match unsafe { create_device(made(miniport, FILE_DEVICE_PHYSICAL_NETCARD)) } {
        Ok(functional) => functional,
        Err(status) => {
            delete_device(physical);
            return Err(status);
        }
    };
    attach(functional, physical);
    Ok(Devices { physical, functional })
}

/// Puts a device on top of another.
fn attach(upper: *mut DEVICE_OBJECT, lower: *mut DEVICE_OBJECT) {
    // SAFETY: both devices were just made and no other code has them.
    unsafe { (*lower).AttachedDevice = upper };
    // SAFETY: as above.
    unsafe { (*upper).StackSize = 2 };
}

/// Deletes the devices of an adapter that is halted.
pub(super) fn remove(devices: &Devices) {
    delete_device(devices.functional);
    delete_device(devices.physical);
}

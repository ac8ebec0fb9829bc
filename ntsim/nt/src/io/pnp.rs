//! The life of a device: it is found on a bus, a driver adds its own device on top, both start, and are removed.
//!
//! The bus and its devices are the simulator's. Requests go to the top of the stack, at PASSIVE_LEVEL, with
//! STATUS_NOT_SUPPORTED, as the plug-and-play manager sends them
//! (<https://learn.microsoft.com/windows-hardware/drivers/kernel/plug-and-play-irps>).

use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{
    NT_SUCCESS, NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST, STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
};
use sys::wdm::{
    DEVICE_OBJECT, DO_BUS_ENUMERATED_DEVICE, DO_DEVICE_INITIALIZING, DRIVER_OBJECT, IRP,
    IRP_MJ_MAXIMUM_FUNCTION, IRP_MJ_PNP, IRP_MN_CANCEL_REMOVE_DEVICE, IRP_MN_QUERY_REMOVE_DEVICE,
    IRP_MN_REMOVE_DEVICE, IRP_MN_START_DEVICE, IRP_MN_SURPRISE_REMOVAL, KernelMode, PDRIVER_DISPATCH,
};

use super::device::{self, Made, top};
use super::file::as_thread;
use super::irp::{self, Owner};
use super::request::{Buffers, Transfer};
use super::{StatusError, complete, dispatch, interface};
use crate::se::Descriptor;

/// `FILE_DEVICE_UNKNOWN`.
const UNKNOWN: u32 = 0x22;

/// The bus driver, to which the devices at the bottom belong.
struct Bus {
    driver: Mutex<Box<DRIVER_OBJECT>>,
    /// The number of the next device.
    next: AtomicUsize,
}

// SAFETY: the driver object is only reached through its lock, or through devices that the I/O manager guards.
unsafe impl Send for Bus {}
// SAFETY: as above.
unsafe impl Sync for Bus {}

impl Default for Bus {
    fn default() -> Self {
        // SAFETY: all zero is a valid driver object: integers, null pointers and no routines.
        let mut driver = unsafe { MaybeUninit::<DRIVER_OBJECT>::zeroed().assume_init() };
        let routine: PDRIVER_DISPATCH = bus;
        driver.MajorFunction[..=usize::from(IRP_MJ_MAXIMUM_FUNCTION)].fill(Some(routine));
        Self { driver: Mutex::new(Box::new(driver)), next: AtomicUsize::new(0) }
    }
}

static BUS: PerMachine<Bus> = PerMachine::new();

/// The bus driver's routine for every request: plug and play succeeds, and nothing else is known.
unsafe extern "efiapi" fn bus(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the request is the dispatch routine's.
    let location = unsafe { irp::current_location(irp) };
    let (major, minor) = (location.MajorFunction, location.MinorFunction);
    let known = matches!(
        minor,
        IRP_MN_START_DEVICE
            | IRP_MN_QUERY_REMOVE_DEVICE
            | IRP_MN_REMOVE_DEVICE
            | IRP_MN_CANCEL_REMOVE_DEVICE
            | IRP_MN_SURPRISE_REMOVAL
    );
    let status = match major {
        IRP_MJ_PNP if known => STATUS_SUCCESS,
        // "If a bus driver does not handle a request, it leaves the status".
        // SAFETY: the request is the dispatch routine's.
        IRP_MJ_PNP => unsafe { (*irp).IoStatus.Status },
        _ => STATUS_INVALID_DEVICE_REQUEST,
    };
    // SAFETY: as above.
    unsafe { (*irp).IoStatus.Status = status };
    // SAFETY: as above; it is not touched again.
    unsafe { complete::IofCompleteRequest(irp, 0) };
    status
}

/// A device on the simulator's bus, with the driver's device on top of it. Dropping it removes it.
#[derive(Debug)]
pub struct PnpDevice {
    physical: Va,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Added,
    Started,
    Removed,
}

impl PnpDevice {
    /// Finds a device on the bus, and calls AddDevice of the driver at PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `driver` is a live driver object, and lives longer than the device.
    ///
    /// # Errors
    /// STATUS_NOT_SUPPORTED of a driver without the routine, what the routine returned, or no memory for the device.
    pub unsafe fn add(driver: *mut DRIVER_OBJECT) -> Result<Self, StatusError> {
        // SAFETY: the caller's contract.
        let extension = unsafe { (*driver).DriverExtension };
        // SAFETY: a driver object has an extension, or null.
        let routine = unsafe { extension.as_ref() }.and_then(|extension| extension.AddDevice);
        let routine = routine.ok_or(StatusError(STATUS_NOT_SUPPORTED))?;
        let physical = physical().map_err(StatusError)?;
        // SAFETY: the routine is the driver's own.
        let status =
            as_thread(|| boundary::call_driver("AddDevice", || unsafe { routine(driver, physical) }));
        let device = Self { physical: Va::of(physical), state: State::Added };
        if !NT_SUCCESS(status) {
            device.gone("AddDevice has failed");
            return Err(StatusError(status));
        }
        device.check_added();
        Ok(device)
    }

    fn physical(&self) -> *mut DEVICE_OBJECT {
        self.physical.ptr()
    }

    fn top(&self) -> *mut DEVICE_OBJECT {
        // SAFETY: the device at the bottom lives until this is removed.
        unsafe { top(self.physical()) }
    }

    /// "A driver [...] must clear the DO_DEVICE_INITIALIZING flag" of each device that its AddDevice has made
    /// (<https://learn.microsoft.com/windows-hardware/drivers/kernel/clearing-the-do-device-initializing-flag>).
    fn check_added(&self) {
        let top = self.top();
        // SAFETY: the device is attached, so it is there.
        if top != self.physical() && unsafe { (*top).Flags } & DO_DEVICE_INITIALIZING != 0 {
            let text = format!("AddDevice has left DO_DEVICE_INITIALIZING set in {top:p}");
            verifier::report(Finding::new("DeviceInitializing").text(text));
        }
    }

    /// Starts it: IRP_MN_START_DEVICE, without resources.
    ///
    /// # Errors
    /// The status of the request.
    pub fn start(&mut self) -> Result<(), StatusError> {
        let status = self.send(IRP_MN_START_DEVICE);
        if !NT_SUCCESS(status) {
            return Err(StatusError(status));
        }
        self.state = State::Started;
        Ok(())
    }

    /// Asks whether it may be removed, and says that it stays after all.
    ///
    /// # Errors
    /// The status with which the driver refuses.
    pub fn query_and_cancel_remove(&mut self) -> Result<(), StatusError> {
        let status = self.send(IRP_MN_QUERY_REMOVE_DEVICE);
        self.demand("IRP_MN_CANCEL_REMOVE_DEVICE", IRP_MN_CANCEL_REMOVE_DEVICE);
        if NT_SUCCESS(status) { Ok(()) } else { Err(StatusError(status)) }
    }

    /// Asks whether it may be removed, and removes it if so.
    ///
    /// # Errors
    /// The status with which the driver refuses; the device stays.
    pub fn remove(mut self) -> Result<(), (Self, StatusError)> {
        if self.state == State::Started {
            let status = self.send(IRP_MN_QUERY_REMOVE_DEVICE);
            if !NT_SUCCESS(status) {
                self.demand("IRP_MN_CANCEL_REMOVE_DEVICE", IRP_MN_CANCEL_REMOVE_DEVICE);
                return Err((self, StatusError(status)));
            }
        }
        self.finish();
        Ok(())
    }

    /// Removes it without asking, as one that was pulled out.
    pub fn surprise_remove(mut self) {
        self.finish_by_surprise();
    }

    fn finish_by_surprise(&mut self) {
        if self.state == State::Started {
            self.demand("IRP_MN_SURPRISE_REMOVAL", IRP_MN_SURPRISE_REMOVAL);
        }
        self.finish();
    }

    fn finish(&mut self) {
        if core::mem::replace(&mut self.state, State::Removed) == State::Removed {
            return;
        }
        self.demand("IRP_MN_REMOVE_DEVICE", IRP_MN_REMOVE_DEVICE);
        self.gone("IRP_MN_REMOVE_DEVICE was completed");
    }

    /// The device at the bottom goes, and with it what a driver should have taken off.
    fn gone(&self, when: &str) {
        let above = self.top();
        if above != self.physical() {
            let text = format!("{when}, and the device {above:p} is still attached");
            verifier::report(Finding::new("RemoveDevice").text(text));
            super::detach(self.physical());
        }
        interface::forget(self.physical);
        device::delete(self.physical());
    }

    /// Sends a request that a driver "must not fail".
    fn demand(&self, name: &str, minor: u8) {
        let status = self.send(minor);
        if !NT_SUCCESS(status) {
            let text = format!("{name} was completed with {status:#010X}, and a driver must not fail it");
            verifier::report(Finding::new("PnpStatus").text(text));
        }
    }

    /// Sends a request to the top of the stack, and waits for it.
    fn send(&self, minor: u8) -> NTSTATUS {
        as_thread(|| {
            let device = self.top();
            let transfer = Transfer::new(ptr::null_mut(), Buffers::default());
            // SAFETY: the device is attached, so it is there.
            let stack = unsafe { (*device).StackSize };
            let Some(irp) = irp::allocate(stack, Owner::Manager(transfer.clone() as _)) else {
                return STATUS_INSUFFICIENT_RESOURCES;
            };
            // SAFETY: the packet is new, and no other code has it yet.
            let packet = unsafe { &mut *irp };
            packet.RequestorMode = KernelMode;
            packet.IoStatus.Status = STATUS_NOT_SUPPORTED;
            // SAFETY: as above.
            let location = unsafe { irp::next_location(packet) };
            (location.MajorFunction, location.MinorFunction) = (IRP_MJ_PNP, minor);
            transfer.carried_by(irp);
            // SAFETY: the packet is this code's and its next location is filled in.
            unsafe { dispatch::send(device, irp) };
            transfer.wait(None).map_or(STATUS_NOT_SUPPORTED, |outcome| outcome.status)
        })
    }
}

impl Drop for PnpDevice {
    fn drop(&mut self) {
        if ntsim_core::per_machine::is_running() {
            self.finish_by_surprise();
        }
    }
}

/// A new device of the bus driver, with a name that is made for it.
fn physical() -> Result<*mut DEVICE_OBJECT, NTSTATUS> {
    let bus = BUS.get();
    let driver: *mut DRIVER_OBJECT = ptr::from_mut(&mut **bus.driver.lock());
    let number = bus.next.fetch_add(1, Ordering::Relaxed);
    let made = Made {
        driver,
        extension: 0,
        name: format!(r"\Device\{number:08x}"),
        kind: UNKNOWN,
        characteristics: 0,
        exclusive: false,
        security: Descriptor::default(),
    };
    // SAFETY: the bus's driver object lives as long as the machine.
    let device = unsafe { device::create(made) }?;
    // SAFETY: the device is new.
    let flags = unsafe { &mut (*device).Flags };
    *flags = *flags & !DO_DEVICE_INITIALIZING | DO_BUS_ENUMERATED_DEVICE;
    Ok(device)
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU32;

    use super::*;
    use crate::io::{create_device, delete_device, detach};
    use sys::wdm::{DRIVER_EXTENSION, GUID};

    /// The mistake that the fake driver makes: 0 none, 1 leaves DO_DEVICE_INITIALIZING, 2 stays attached, 3 fails its
    /// removal, 4 leaves its interface enabled.
    static MISTAKE: AtomicU32 = AtomicU32::new(0);

    const CLASS: GUID = GUID { Data1: 5, Data2: 0, Data3: 0, Data4: [0; 8] };

    fn makes(mistake: u32) -> bool {
        MISTAKE.load(Ordering::Relaxed) == mistake
    }

    unsafe extern "efiapi" fn add(driver: *mut DRIVER_OBJECT, physical: *mut DEVICE_OBJECT) -> NTSTATUS {
        let made = Made {
            driver,
            extension: 8,
            name: String::new(),
            kind: UNKNOWN,
            characteristics: 0,
            exclusive: false,
            security: Descriptor::default(),
        };
        let name = interface::register(physical, &CLASS, "").unwrap();
        interface::set_state(&name, true);
        unsafe {
            let device = create_device(made).unwrap();
            super::super::attach(device, physical);
            (*device).DeviceExtension.cast::<*mut DEVICE_OBJECT>().write(physical);
            if !makes(1) {
                (*device).Flags &= !DO_DEVICE_INITIALIZING;
            }
        }
        STATUS_SUCCESS
    }

    unsafe extern "efiapi" fn pnp(device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        unsafe {
            let below = (*device).DeviceExtension.cast::<*mut DEVICE_OBJECT>().read();
            let minor = (*(*irp).Tail.Overlay.CurrentStackLocation).MinorFunction;
            if minor != IRP_MN_REMOVE_DEVICE {
                return super::super::skip(below, irp);
            }
            if !makes(4) {
                let name = crate::io::device_interfaces(&CLASS).remove(0);
                interface::set_state(&name, false);
            }
            if !makes(2) {
                detach(below);
                delete_device(device);
            }
            let status = if makes(3) { STATUS_NOT_SUPPORTED } else { STATUS_SUCCESS };
            (*irp).IoStatus.Status = status;
            complete::IofCompleteRequest(irp, 0);
            status
        }
    }

    #[test]
    fn mistakes_in_the_life_of_a_device_are_found() {
        for (mistake, expected) in [
            (0, &[][..]),
            (1, &["DeviceInitializing"]),
            (2, &["RemoveDevice"]),
            (3, &["PnpStatus"]),
            (4, &["DeviceInterface"]),
        ] {
            let machine = crate::testing::builder().boot();
            MISTAKE.store(mistake, Ordering::Relaxed);
            // SAFETY: all-zero is a valid value: integers, null pointers and no routines.
            let mut driver: Box<DRIVER_OBJECT> = Box::new(unsafe { core::mem::zeroed() });
            let mut extension: Box<DRIVER_EXTENSION> = Box::new(unsafe { core::mem::zeroed() });
            extension.AddDevice = Some(add);
            driver.DriverExtension = &mut *extension;
            driver.MajorFunction[usize::from(IRP_MJ_PNP)] = Some(pnp);
            let mut device = unsafe { PnpDevice::add(&mut *driver) }.unwrap();
            device.start().unwrap();
            device.remove().unwrap();
            if !driver.DeviceObject.is_null() {
                delete_device(driver.DeviceObject);
            }
            let report = machine.shutdown();
            let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
            assert_eq!(rules, expected, "{mistake}: {report}");
        }
    }
}

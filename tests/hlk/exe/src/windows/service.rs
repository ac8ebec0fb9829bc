//! Services of drivers.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use core::ptr::{null, null_mut};
use core::time::Duration;
use std::path::Path;
use std::thread;
use std::time::Instant;

use runner::{DriverService, Error, unload_driver};
use windows_sys::Win32::Foundation::{
    ERROR_SERVICE_CANNOT_ACCEPT_CTRL, ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_EXISTS,
    ERROR_SERVICE_MARKED_FOR_DELETE, ERROR_SERVICE_NOT_ACTIVE, GetLastError,
};
use windows_sys::Win32::System::Services::{
    ChangeServiceConfigW, CloseServiceHandle, ControlService, CreateServiceW, DeleteService, OpenSCManagerW,
    OpenServiceW, QueryServiceStatus, SC_HANDLE, SC_MANAGER_ALL_ACCESS, SERVICE_ALL_ACCESS,
    SERVICE_CONTROL_STOP, SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, SERVICE_KERNEL_DRIVER,
    SERVICE_NO_CHANGE, SERVICE_STATUS, SERVICE_STOPPED, StartServiceW,
};

use super::text::{failed, last_error, wide};

/// The time for a driver to unload.
const STATE_TIMEOUT: Duration = Duration::from_secs(30);

struct Handle(SC_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and closed once.
        unsafe { CloseServiceHandle(self.0) };
    }
}

fn manager() -> Result<Handle, Error> {
    // SAFETY: this machine's, and its database that is active.
    let manager = unsafe { OpenSCManagerW(null(), null(), SC_MANAGER_ALL_ACCESS) };
    if manager.is_null() { Err(last_error("open the service manager")) } else { Ok(Handle(manager)) }
}

fn open(manager: &Handle, name: &str) -> Result<Option<Handle>, Error> {
    let name = wide(name);
    // SAFETY: the manager is open, and the name is ended by a zero.
    let service = unsafe { OpenServiceW(manager.0, name.as_ptr(), SERVICE_ALL_ACCESS) };
    if !service.is_null() {
        return Ok(Some(Handle(service)));
    }
    // SAFETY: it has no preconditions.
    match unsafe { GetLastError() } {
        ERROR_SERVICE_DOES_NOT_EXIST => Ok(None),
        _ => Err(last_error("open the service")),
    }
}

/// The service of a driver by its name.
pub(super) struct Service(pub(super) &'static str);

impl Service {
    /// The service, if there is one.
    fn open(&self) -> Result<Option<Handle>, Error> {
        open(&manager()?, self.0)
    }

    fn existing(&self) -> Result<Handle, Error> {
        self.open()?.ok_or_else(|| failed("open the service", "it is being deleted: restart the machine"))
    }
}

impl DriverService for Service {
    fn make(&self, image: &Path) -> Result<bool, Error> {
        let (manager, name, image) = (manager()?, wide(self.0), wide(image));
        // SAFETY: the manager is open, and the texts are ended by zeros.
        let made = unsafe {
            CreateServiceW(
                manager.0,
                name.as_ptr(),
                name.as_ptr(),
                SERVICE_ALL_ACCESS,
                SERVICE_KERNEL_DRIVER,
                SERVICE_DEMAND_START,
                SERVICE_ERROR_NORMAL,
                image.as_ptr(),
                null(),
                null_mut(),
                null(),
                null(),
                null(),
            )
        };
        if !made.is_null() {
            drop(Handle(made));
            return Ok(true);
        }
        // SAFETY: it has no preconditions.
        match unsafe { GetLastError() } {
            ERROR_SERVICE_EXISTS => Ok(false),
            ERROR_SERVICE_MARKED_FOR_DELETE => {
                Err(failed("make the service", "the old one is being deleted: restart the machine"))
            }
            _ => Err(last_error("make the service")),
        }
    }

    fn stop(&self) -> Result<bool, Error> {
        self.open()?.map_or(Ok(true), |service| stop(&service))
    }

    fn set_image(&self, image: &Path) -> Result<(), Error> {
        set_image(&self.existing()?, &wide(image))
    }

    fn start(&self) -> Result<(), Error> {
        let service = self.existing()?;
        // SAFETY: the service is open, and gets no arguments.
        let started = unsafe { StartServiceW(service.0, 0, null()) };
        if started == 0 { Err(last_error("start the driver")) } else { Ok(()) }
    }
}

/// Gives a service the image at a path, which a zero ends, and leaves the rest of its configuration.
fn set_image(service: &Handle, image: &[u16]) -> Result<(), Error> {
    // SAFETY: the service is open, the path is ended by a zero, and null leaves what it stands for.
    let changed = unsafe {
        ChangeServiceConfigW(
            service.0,
            SERVICE_NO_CHANGE,
            SERVICE_NO_CHANGE,
            SERVICE_NO_CHANGE,
            image.as_ptr(),
            null(),
            null_mut(),
            null(),
            null(),
            null(),
            null(),
        )
    };
    if changed == 0 { Err(last_error("give the service its image")) } else { Ok(()) }
}

/// Unloads a driver and deletes its service; `false` if there is none.
pub(super) fn delete(name: &'static str) -> Result<bool, Error> {
    let service = Service(name);
    let Some(open) = service.open()? else { return Ok(false) };
    unload_driver(&service)?;
    // SAFETY: the service is open.
    if unsafe { DeleteService(open.0) } == 0 { Err(last_error("delete the service")) } else { Ok(true) }
}

/// Has a driver unloaded; false if it has not been by the end of its time.
fn stop(service: &Handle) -> Result<bool, Error> {
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the service is open.
    let told = unsafe { ControlService(service.0, SERVICE_CONTROL_STOP, &raw mut status) };
    if told == 0 {
        // SAFETY: it has no preconditions.
        match unsafe { GetLastError() } {
            ERROR_SERVICE_NOT_ACTIVE => return Ok(true),
            // It was asked before, and is still in use.
            ERROR_SERVICE_CANNOT_ACCEPT_CTRL => {}
            _ => return Err(last_error("stop the driver")),
        }
    }
    let began = Instant::now();
    loop {
        // SAFETY: the service is open.
        if unsafe { QueryServiceStatus(service.0, &raw mut status) } == 0 {
            return Err(last_error("ask for the driver's state"));
        }
        if status.dwCurrentState == SERVICE_STOPPED || began.elapsed() > STATE_TIMEOUT {
            return Ok(status.dwCurrentState == SERVICE_STOPPED);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

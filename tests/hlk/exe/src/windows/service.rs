//! Services of drivers.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use core::ptr::{null, null_mut};
use core::time::Duration;
use std::path::Path;
use std::thread;
use std::time::Instant;

use runner::Error;
use windows_sys::Win32::Foundation::{
    ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_EXISTS, ERROR_SERVICE_NOT_ACTIVE, GetLastError,
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

/// Makes the service of the driver at `image` and starts it. A service of that name that is there already has perhaps
/// another image, or one that has changed since: its driver is unloaded, and it gets this one.
pub(super) fn start(name: &str, image: &Path) -> Result<(), Error> {
    let manager = manager()?;
    let (wide_name, image) = (wide(name), wide(image));
    // SAFETY: the manager is open, and the texts are ended by zeros.
    let made = unsafe {
        CreateServiceW(
            manager.0,
            wide_name.as_ptr(),
            wide_name.as_ptr(),
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
    let service = if made.is_null() {
        // SAFETY: it has no preconditions.
        if unsafe { GetLastError() } != ERROR_SERVICE_EXISTS {
            return Err(last_error("make the service of ndkhlk.sys"));
        }
        let service = open(&manager, name)?
            .ok_or_else(|| failed("open the service", "it is being deleted: restart"))?;
        stop(&service)?;
        set_image(&service, &image)?;
        service
    } else {
        Handle(made)
    };
    // SAFETY: the service is open, and gets no arguments.
    let started = unsafe { StartServiceW(service.0, 0, null()) };
    if started == 0 { Err(last_error("start ndkhlk.sys")) } else { Ok(()) }
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

/// Stops a driver and deletes its service; `false` if there is none.
pub(super) fn delete(name: &str) -> Result<bool, Error> {
    let manager = manager()?;
    let Some(service) = open(&manager, name)? else { return Ok(false) };
    stop(&service)?;
    // SAFETY: the service is open.
    if unsafe { DeleteService(service.0) } == 0 { Err(last_error("delete the service")) } else { Ok(true) }
}

fn stop(service: &Handle) -> Result<(), Error> {
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the service is open.
    let told = unsafe { ControlService(service.0, SERVICE_CONTROL_STOP, &raw mut status) };
    if told == 0 {
        // SAFETY: it has no preconditions.
        return match unsafe { GetLastError() } {
            ERROR_SERVICE_NOT_ACTIVE => Ok(()),
            _ => Err(last_error("stop the driver")),
        };
    }
    let began = Instant::now();
    while status.dwCurrentState != SERVICE_STOPPED {
        if began.elapsed() > STATE_TIMEOUT {
            return Err(Error::Late("the unloading of the driver"));
        }
        thread::sleep(Duration::from_millis(100));
        // SAFETY: the service is open.
        if unsafe { QueryServiceStatus(service.0, &raw mut status) } == 0 {
            return Err(last_error("ask for the driver's state"));
        }
    }
    Ok(())
}

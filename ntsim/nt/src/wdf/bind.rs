//! Binding a driver to the framework: what the loader, `wdfldr.sys`, exports.

use core::ffi::c_void;
use core::mem::size_of;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use sys::status::{
    NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_REVISION_MISMATCH, STATUS_SUCCESS,
};
use sys::wdf::{WDF_BIND_INFO, WDF_BIND_INFO2, WDF_DRIVER_GLOBALS, WDFFUNC, signature};
use sys::wdm::{DRIVER_OBJECT, UNICODE_STRING};

use super::client::{Client, framework};
use super::object::{self, Object};
use super::{table, violation};
use crate::rtl;

/// Sizes of the table in versions since 1.15, the first one whose table is handed over by address.
const RELEASED: [u32; 8] = [444, 446, 448, 451, 453, 454, 458, table::COUNT as u32];

/// Sizes of the table in older versions (1.0, 1.1, 1.5 and 1.7, 1.9, 1.11, 1.13), each of which is copied to the
/// driver. These and the ones above: `FxLibraryCommonRegisterClient` in the framework's sources
/// (<https://github.com/microsoft/Windows-Driver-Frameworks>).
const COPIED: [u32; 6] = [383, 386, 387, 396, 432, 438];

exports! {
    "wdfldr.sys", signature;

    /// Binds a driver: hands over the table, and the globals by which the driver names itself.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfVersionBind(
        driver: *mut DRIVER_OBJECT,
        path: *mut UNICODE_STRING,
        info: *mut WDF_BIND_INFO,
        globals: *mut *mut WDF_DRIVER_GLOBALS,
    ) -> NTSTATUS {
        // SAFETY: the driver passes its bind information.
        let asked = unsafe { &mut *info };
        // SAFETY: the component is a terminated string.
        let component = unsafe { terminated(asked.Component) };
        if let Err(status) = check(asked, &component) {
            return status;
        }
        // SAFETY: the driver passes a valid string.
        let client = Client::bind(driver, unsafe { rtl::from_counted(path) });
        if COPIED.contains(&asked.FuncCount) {
            let (from, to) = (client.table.as_ptr(), asked.FuncTable.cast::<WDFFUNC>());
            // SAFETY: such a driver passes a table of its own with this many places, fewer than there are here.
            unsafe { to.copy_from_nonoverlapping(from, asked.FuncCount.to_usize()) };
        } else {
            // SAFETY: the driver passes the address of its table variable.
            unsafe { asked.FuncTable.write(client.table.as_ptr()) };
        }
        if asked.Size.to_usize() == size_of::<WDF_BIND_INFO2>() {
            // SAFETY: the size says that the information is of this kind.
            unsafe { describe_version(info.cast()) };
        }
        // SAFETY: the driver passes room for the pointer.
        unsafe { globals.write(client.globals) };
        STATUS_SUCCESS
    }

    /// Ends a binding.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfVersionUnbind(
        _path: *mut UNICODE_STRING,
        _info: *mut WDF_BIND_INFO,
        globals: *mut WDF_DRIVER_GLOBALS,
    ) -> NTSTATUS {
        let Some(client) = Client::of(globals) else { return STATUS_INVALID_PARAMETER };
        let driver = client.driver();
        if let Some(driver) = Object::known(driver) {
            driver.delete();
        }
        object::forget(&client);
        framework().clients.lock().remove(&Va::of(globals));
        STATUS_SUCCESS
    }

    /// Binds a driver to a class extension, of which there are none here.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfVersionBindClass(
        info: *mut WDF_BIND_INFO,
        globals: *mut WDF_DRIVER_GLOBALS,
        class: *mut c_void,
    ) -> NTSTATUS {
        if info.is_null() || class.is_null() || Client::of(globals).is_none() {
            return STATUS_INVALID_PARAMETER;
        }
        STATUS_OBJECT_NAME_NOT_FOUND
    }

    /// Ends such a binding.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfVersionUnbindClass(
        _info: *mut WDF_BIND_INFO,
        _globals: *mut WDF_DRIVER_GLOBALS,
        _class: *mut c_void,
    ) {
        violation("WdfVersionBind", Va::NULL, "WdfVersionUnbindClass without a class that was bound".into());
    }

    /// Hands over an interface of the loader. A stub asks for the one to tell of a failed DriverEntry by, which
    /// older loaders do not have, either.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfLdrQueryInterface(interface: *mut c_void) -> NTSTATUS {
        if interface.is_null() { STATUS_INVALID_PARAMETER } else { STATUS_NOT_FOUND }
    }
}

/// Checks the bind information, as the loader and the framework do before they bind a driver.
fn check(asked: &WDF_BIND_INFO, component: &str) -> Result<(), NTSTATUS> {
    let size = asked.Size.to_usize();
    if size != size_of::<WDF_BIND_INFO>() && size != size_of::<WDF_BIND_INFO2>() {
        violation("WdfVersionBind", Va::NULL, format!("the bind information says that it has {size} bytes"));
        return Err(STATUS_INVALID_PARAMETER);
    }
    if component != "KmdfLibrary" || asked.Version.Major != 1 {
        let version = asked.Version;
        violation(
            "WdfVersionBind",
            Va::NULL,
            format!("asked for {component:?} {}.{}", version.Major, version.Minor),
        );
        return Err(STATUS_REVISION_MISMATCH);
    }
    if !RELEASED.contains(&asked.FuncCount) && !COPIED.contains(&asked.FuncCount) {
        violation(
            "WdfVersionBind",
            Va::NULL,
            format!("no version has a table of {} functions", asked.FuncCount),
        );
        return Err(STATUS_INVALID_PARAMETER);
    }
    Ok(())
}

/// Fills in what a driver learns that also runs on older frameworks.
///
/// # Safety
/// `asked` is valid, and its pointers are null or may be written.
unsafe fn describe_version(asked: *const WDF_BIND_INFO2) {
    // SAFETY: the caller's contract.
    let asked = unsafe { &*asked };
    for (to, value) in [(asked.FuncCountPtr, table::COUNT as u32), (asked.StructCountPtr, 0)] {
        if !to.is_null() {
            // SAFETY: the caller's contract.
            unsafe { to.write(value) };
        }
    }
    if !asked.ClientVersionHigherThanFramework.is_null() {
        // SAFETY: the caller's contract.
        unsafe { asked.ClientVersionHigherThanFramework.write(0) };
    }
}

/// # Safety
/// `text` is null or terminated.
unsafe fn terminated(text: *const u16) -> String {
    let mut units = Vec::new();
    while !text.is_null() {
        // SAFETY: no unit up to this one was the terminator.
        match unsafe { text.wrapping_add(units.len()).read() } {
            0 => break,
            unit => units.push(unit),
        }
    }
    String::from_utf16_lossy(&units)
}

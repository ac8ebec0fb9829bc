//! Devices of a miniport driver's own.

use core::ptr;

use nt::io::{IofCompleteRequest, Opener, StatusError};
use nt::se::Subject;
use ntsim_core::number::narrow;
use sys::ndis::*;
use sys::status::*;
use sys::wdm::*;

use super::miniport::{Break, Fixture, head, zeroed};
use crate::ndis::device::{NdisDeregisterDeviceEx, NdisRegisterDeviceEx};

unsafe extern "efiapi" fn dispatch(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    unsafe {
        (*irp).IoStatus = IO_STATUS_BLOCK { Status: STATUS_SUCCESS, Information: 0 };
        IofCompleteRequest(irp, 0);
    }
    STATUS_SUCCESS
}

/// Registers a device that dispatches these requests and that all users may open; its handle.
fn register(fixture: &Fixture, majors: &[u8]) -> NDIS_HANDLE {
    register_for(fixture, majors, "").unwrap()
}

/// Registers a device that dispatches these requests, for the users that the definition of a descriptor admits.
fn register_for(fixture: &Fixture, majors: &[u8], security: &str) -> Result<NDIS_HANDLE, NDIS_STATUS> {
    register_cut(fixture, majors, security, 0)
}

/// As [`register_for`], with strings whose maximal length is shorter by `cut` bytes.
fn register_cut(
    fixture: &Fixture,
    majors: &[u8],
    security: &str,
    cut: u16,
) -> Result<NDIS_HANDLE, NDIS_STATUS> {
    let mut table: [Option<PDRIVER_DISPATCH>; IRP_MJ_COUNT] = [None; IRP_MJ_COUNT];
    majors.iter().for_each(|major| table[usize::from(*major)] = Some(dispatch as PDRIVER_DISPATCH));
    let [mut name, mut security] =
        ["\\Device\\Own", security].map(|text| text.encode_utf16().chain([0]).collect::<Vec<u16>>());
    let [name, security] = [&mut name, &mut security].map(|units| {
        let bytes: u16 = narrow(units.len() * 2);
        UNICODE_STRING { Length: bytes - 2, MaximumLength: bytes - cut, Buffer: units.as_mut_ptr() }
    });
    let none = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() };
    let attributes = NDIS_DEVICE_OBJECT_ATTRIBUTES {
        Header: head(NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES, 1, 0x38),
        DeviceName: &raw const name,
        SymbolicName: &raw const none,
        MajorFunctions: table.as_ptr(),
        DefaultSDDLString: &raw const security,
        ..zeroed()
    };
    let (mut device, mut handle) = (ptr::null_mut(), ptr::null_mut());
    let driver = fixture.adapter().driver.handle.ptr();
    let status = unsafe { NdisRegisterDeviceEx(driver, &attributes, &mut device, &mut handle) };
    if status == NDIS_STATUS_SUCCESS { Ok(handle) } else { Err(status) }
}

fn found(f: impl FnOnce(&Fixture)) -> Vec<&'static str> {
    let fixture = Fixture::boot(Break::Nothing);
    f(&fixture);
    fixture.finish().rules()
}

#[test]
fn device_that_opens_must_close() {
    let deregister = |handle| unsafe { NdisDeregisterDeviceEx(handle) };
    let whole = [IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE];
    assert_eq!(found(|fixture| deregister(register(fixture, &whole))), [""; 0]);
    assert_eq!(found(|fixture| deregister(register(fixture, &whole[..1]))), ["NdisRegisterDeviceEx"]);
    assert_eq!(found(|fixture| deregister(register(fixture, &[]))), [""; 0]);
}

#[test]
fn device_is_deregistered_once() {
    let never = found(|fixture| _ = register(fixture, &[]));
    assert!(never.contains(&"NdisDeregisterDeviceEx"), "{never:?}");
    let twice = found(|fixture| {
        let handle = register(fixture, &[]);
        unsafe {
            NdisDeregisterDeviceEx(handle);
            NdisDeregisterDeviceEx(handle);
        }
    });
    assert_eq!(twice, ["NdisHandle"]);
}

#[test]
fn device_admits_subjects_that_its_definition_admits() {
    let rules = found(|fixture| {
        let whole = [IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE];
        let handle = register_for(fixture, &whole, "D:P(A;;GA;;;SY)(A;;GA;;;BA)").unwrap();
        let opens = |subject| nt::io::open_as("\\Device\\Own", &[], &Opener::new(subject)).map(|_| ());
        assert_eq!(opens(Subject::system()), Ok(()));
        assert_eq!(opens(Subject::administrator()), Ok(()));
        assert_eq!(opens(Subject::user(1001)), Err(StatusError(STATUS_ACCESS_DENIED)));
        unsafe { NdisDeregisterDeviceEx(handle) };
    });
    assert_eq!(rules, [""; 0]);
}

#[test]
fn device_with_malformed_sddl_is_refused_and_found() {
    let rules = found(|fixture| {
        let refused = register_for(fixture, &[], "D:P(A;;GA;;;UNKNOWN)");
        assert_eq!(refused, Err(NDIS_STATUS_INVALID_PARAMETER));
    });
    assert_eq!(rules, ["NdisRegisterDeviceEx"]);
}

#[test]
fn strings_of_a_device_end_with_a_null_character() {
    let rules = found(|fixture| {
        let handle = register_cut(fixture, &[], "D:P(A;;GA;;;SY)", 2).unwrap();
        unsafe { NdisDeregisterDeviceEx(handle) };
    });
    assert_eq!(rules, ["NdisStringTermination"; 2]);
}

#[test]
fn requests_do_not_reach_a_driver_whose_device_is_deregistered() {
    let rules = found(|fixture| {
        let handle = register(fixture, &[IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE]);
        let file = nt::io::open("\\Device\\Own", &[]).unwrap();
        unsafe { NdisDeregisterDeviceEx(handle) };
        drop(file);
    });
    assert!(rules.contains(&"NdisDeregisterDeviceEx"), "{rules:?}");
}

#[test]
fn devices_are_refused_while_a_test_wants_that() {
    let rules = found(|fixture| {
        crate::ndis::refuse_devices(Some(StatusError(STATUS_INSUFFICIENT_RESOURCES)));
        assert_eq!(register_for(fixture, &[], ""), Err(STATUS_INSUFFICIENT_RESOURCES));
        crate::ndis::refuse_devices(None);
        unsafe { NdisDeregisterDeviceEx(register(fixture, &[])) };
    });
    assert_eq!(rules, [""; 0]);
}

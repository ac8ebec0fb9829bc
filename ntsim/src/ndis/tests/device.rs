//! Devices of a miniport driver's own.

use core::ptr;

use sys::ndis::*;
use sys::status::*;
use sys::wdm::*;

use super::miniport::{Bench, Break, head, zeroed};
use crate::ndis::device::{NdisDeregisterDeviceEx, NdisRegisterDeviceEx};

unsafe extern "win64" fn dispatch(_device: *mut DEVICE_OBJECT, _irp: *mut IRP) -> NTSTATUS {
    STATUS_SUCCESS
}

/// Registers a device that dispatches these requests; its handle, which is null where NDIS refuses.
fn register(bench: &Bench, majors: &[u8]) -> NDIS_HANDLE {
    let mut table: [Option<PDRIVER_DISPATCH>; IRP_MJ_COUNT] = [None; IRP_MJ_COUNT];
    majors.iter().for_each(|major| table[usize::from(*major)] = Some(dispatch as PDRIVER_DISPATCH));
    let mut name: Vec<u16> = "\\Device\\Own".encode_utf16().collect();
    let bytes = (name.len() * 2) as u16;
    let name = UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: name.as_mut_ptr() };
    let none = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() };
    let attributes = NDIS_DEVICE_OBJECT_ATTRIBUTES {
        Header: head(NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES, 1, 0x38),
        DeviceName: &raw const name,
        SymbolicName: &raw const none,
        MajorFunctions: table.as_ptr(),
        ..zeroed()
    };
    let (mut device, mut handle) = (ptr::null_mut(), ptr::null_mut());
    let driver = bench.adapter().driver.handle as NDIS_HANDLE;
    let status = unsafe { NdisRegisterDeviceEx(driver, &attributes, &mut device, &mut handle) };
    assert_eq!(status, NDIS_STATUS_SUCCESS);
    handle
}

fn found(f: impl FnOnce(&Bench)) -> Vec<&'static str> {
    let bench = Bench::boot(Break::Nothing);
    f(&bench);
    bench.finish().rules()
}

#[test]
fn a_device_that_opens_must_close() {
    let deregister = |handle| unsafe { NdisDeregisterDeviceEx(handle) };
    let whole = [IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE];
    assert_eq!(found(|bench| deregister(register(bench, &whole))), [""; 0]);
    assert_eq!(found(|bench| deregister(register(bench, &whole[..1]))), ["NdisRegisterDeviceEx"]);
    assert_eq!(found(|bench| deregister(register(bench, &[]))), [""; 0]);
}

#[test]
fn a_device_is_deregistered_once() {
    let never = found(|bench| _ = register(bench, &[]));
    assert!(never.contains(&"NdisDeregisterDeviceEx"), "{never:?}");
    let twice = found(|bench| {
        let handle = register(bench, &[]);
        unsafe {
            NdisDeregisterDeviceEx(handle);
            NdisDeregisterDeviceEx(handle);
        }
    });
    assert_eq!(twice, ["NdisHandle"]);
}

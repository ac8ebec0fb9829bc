//! Access to the device: the system and administrators alone, `D:P(A;;FA;;;SY)(A;;FA;;;BA)`, as the harness moves
//! memory of the kernel for its callers.
//!
//! `IoCreateDeviceSecure` would say it in that language, but is a function of the static library `wdmsec.lib`,
//! which is not to be had outside the WDK; so the descriptor is a constant here, in the self-relative form of
//! [MS-DTYP] 2.4.6, and is set through a handle to the device. No file can be opened before: the I/O manager
//! refuses that while `DO_DEVICE_INITIALIZING` is set, and clears it after DriverEntry.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::ptr::null_mut;

use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{
    HANDLE, KernelMode, OBJ_KERNEL_HANDLE, ObOpenObjectByPointer, WRITE_DAC, ZwClose, ZwSetSecurityObject,
};
use wdk_sys::PDEVICE_OBJECT;

/// `SE_SELF_RELATIVE | SE_DACL_PROTECTED | SE_DACL_PRESENT` (ntifs.h).
const CONTROL: u16 = 0x9004;
/// `DACL_SECURITY_INFORMATION` (ntifs.h).
const ACCESS_LIST: u32 = 4;
/// `FILE_ALL_ACCESS` (wdm.h).
const ALL: u32 = 0x001F_01FF;
/// `SECURITY_NT_AUTHORITY` (ntifs.h).
const NT: [u8; 6] = [0, 0, 0, 0, 0, 5];

/// An identifier.
#[repr(C)]
struct Sid<const N: usize> {
    revision: u8,
    count: u8,
    authority: [u8; 6],
    parts: [u32; N],
}

/// An entry that grants rights.
#[repr(C)]
struct Entry<const N: usize> {
    kind: u8,
    flags: u8,
    size: u16,
    mask: u32,
    sid: Sid<N>,
}

/// An access list.
#[repr(C)]
struct List {
    revision: u8,
    padding: u8,
    size: u16,
    count: u16,
    padding2: u16,
    system: Entry<1>,
    administrators: Entry<2>,
}

/// A descriptor with an access list alone.
#[repr(C)]
struct Descriptor {
    revision: u8,
    padding: u8,
    control: u16,
    owner: u32,
    group: u32,
    audits: u32,
    list_offset: u32,
    list: List,
}

const _: () = assert!(size_of::<Entry<1>>() == 20 && size_of::<Entry<2>>() == 24, "as in `size`");
const _: () = assert!(size_of::<List>() == 52, "as in `size`");
const _: () = assert!(core::mem::offset_of!(Descriptor, list) == 20, "as in `list_offset`");

static DESCRIPTOR: Descriptor = Descriptor {
    revision: 1,
    padding: 0,
    control: CONTROL,
    owner: 0,
    group: 0,
    audits: 0,
    list_offset: 20,
    list: List {
        revision: 2,
        padding: 0,
        size: 52,
        count: 2,
        padding2: 0,
        system: Entry {
            kind: 0,
            flags: 0,
            size: 20,
            mask: ALL,
            // SECURITY_LOCAL_SYSTEM_RID
            sid: Sid { revision: 1, count: 1, authority: NT, parts: [18] },
        },
        administrators: Entry {
            kind: 0,
            flags: 0,
            size: 24,
            mask: ALL,
            // SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS
            sid: Sid { revision: 1, count: 2, authority: NT, parts: [32, 544] },
        },
    },
};

/// Sets the access list of a device. PASSIVE_LEVEL.
///
/// # Errors
///
/// Those of the object manager.
///
/// # Safety
/// The device exists.
pub(crate) unsafe fn protect(device: PDEVICE_OBJECT) -> Result<(), NTSTATUS> {
    let mut handle: HANDLE = null_mut();
    // SAFETY: the caller's contract; the place for the handle is a local.
    let status = unsafe {
        ObOpenObjectByPointer(
            device.cast(),
            OBJ_KERNEL_HANDLE,
            null_mut(),
            WRITE_DAC,
            null_mut(),
            KernelMode,
            &raw mut handle,
        )
    };
    if status != STATUS_SUCCESS {
        return Err(status);
    }
    // SAFETY: the handle is open, and the descriptor is only read.
    let status =
        unsafe { ZwSetSecurityObject(handle, ACCESS_LIST, (&raw const DESCRIPTOR).cast_mut().cast()) };
    // SAFETY: the handle was opened above.
    let _closed = unsafe { ZwClose(handle) };
    if status == STATUS_SUCCESS { Ok(()) } else { Err(status) }
}

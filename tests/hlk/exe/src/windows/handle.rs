//! An asynchronous handle to a device.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use core::ptr::{null, null_mut};

use runner::{Completion, Device, Error};
use windows_sys::Wdk::System::IO::NtDeviceIoControlFile;
use windows_sys::Win32::Foundation::{
    CloseHandle, GENERIC_READ, GENERIC_WRITE, HANDLE, INVALID_HANDLE_VALUE, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_PENDING,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_OVERLAPPED, FILE_SHARE_READ, FILE_SHARE_WRITE, OPEN_EXISTING,
};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, WaitForSingleObject};

use super::text::{last_error, wide};

/// A handle that is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Handle(HANDLE);

// SAFETY: a handle of the kernel's may be used by any thread.
unsafe impl Send for Handle {}
// SAFETY: as above; requests of several threads are what an asynchronous handle is for.
unsafe impl Sync for Handle {}

impl Handle {
    /// Opens a device for reading and writing, asynchronously.
    pub(super) fn open(name: &str) -> Result<Self, Error> {
        let name = wide(name);
        let access = GENERIC_READ | GENERIC_WRITE;
        let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
        // SAFETY: the name is ended by a zero and lives through the call.
        let handle = unsafe {
            CreateFileW(name.as_ptr(), access, share, null(), OPEN_EXISTING, FILE_FLAG_OVERLAPPED, null_mut())
        };
        if handle == INVALID_HANDLE_VALUE {
            return Err(last_error("open the harness driver (see `install`)"));
        }
        Ok(Self(handle))
    }

    /// The handle that NtCreateFile returned.
    pub(super) const fn from_raw(handle: HANDLE) -> Self {
        Self(handle)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and closed once.
        unsafe { CloseHandle(self.0) };
    }
}

impl Device for Handle {
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Completion {
        let mut block = IO_STATUS_BLOCK::default();
        // SAFETY: an event without a name and security needs nothing.
        let event = unsafe { CreateEventW(null(), 1, 0, null()) };
        if event.is_null() {
            return Completion { status: STATUS_INSUFFICIENT_RESOURCES, information: 0 };
        }
        let event = Self(event);
        // SAFETY: the buffers and the block live until the request is over, for which this waits.
        let mut status = unsafe {
            NtDeviceIoControlFile(
                self.0,
                event.0,
                None,
                null(),
                &raw mut block,
                code,
                input.as_ptr().cast(),
                input.len() as u32,
                output.as_mut_ptr().cast(),
                output.len() as u32,
            )
        };
        if status == STATUS_PENDING {
            // SAFETY: the event is open.
            unsafe { WaitForSingleObject(event.0, INFINITE) };
            // SAFETY: the request is over, and its status is what was written.
            status = unsafe { block.Anonymous.Status };
        }
        Completion { status, information: block.Information }
    }

    fn raw(&self) -> usize {
        self.0 as usize
    }
}

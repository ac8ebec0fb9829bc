//! An open handle to a device.

use core::fmt::Debug;

/// The result of a request: what `IO_STATUS_BLOCK` has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Completion {
    /// The NTSTATUS.
    pub status: i32,
    /// The driver's additional result; for a control request, the bytes of output.
    pub information: usize,
}

/// An open handle to a device, the harness driver's mostly; closed with its last owner.
///
/// The handle is asynchronous (`FILE_FLAG_OVERLAPPED`): requests of several threads are under way at the same time.
/// On a synchronous one the I/O manager lets one request through at a time, and a collect would keep the transmit that
/// it waits for from starting ("Synchronous and Asynchronous I/O", learn.microsoft.com/windows/win32/fileio).
pub trait Device: Debug + Send + Sync {
    /// Sends a control request, and returns when it is over. How the buffers reach the driver follows from the method
    /// in `code`.
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Completion;

    /// The value of the handle, which a driver may get as a part of a request.
    fn raw(&self) -> usize;
}

//! The provider's dispatch table.

use core::ffi::c_void;

use nt::io;
use ntsim_core::exports;
use sys::sockaddr::{ADDRESS_FAMILY, SOCKADDR};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS};
use sys::wdm::{GUID, IRP, UNICODE_STRING};
use sys::wsk::*;

use super::client::{Client, found};
use super::ndk;

static DISPATCH: WSK_PROVIDER_DISPATCH = WSK_PROVIDER_DISPATCH {
    Version: MAKE_WSK_VERSION(1, 0),
    Reserved: 0,
    WskSocket: Some(WskSocket),
    WskSocketConnect: Some(WskSocketConnect),
    WskControlClient: Some(WskControlClient),
    WskGetAddressInfo: Some(WskGetAddressInfo),
    WskFreeAddressInfo: Some(WskFreeAddressInfo),
    WskGetNameInfo: Some(WskGetNameInfo),
};

/// The table.
pub(super) fn dispatch() -> *const WSK_PROVIDER_DISPATCH {
    &raw const DISPATCH
}

/// Completes the caller's request, as every function that takes one does, and returns its status.
///
/// # Safety
/// `irp` is null or a request of the caller's.
unsafe fn answer(irp: *mut IRP, status: NTSTATUS) -> NTSTATUS {
    if !irp.is_null() {
        // SAFETY: the caller's contract.
        unsafe { io::complete_for_driver(irp, status) };
    }
    status
}

exports! {
    "(WSK)";

    /// Makes a socket; there are none here.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskSocket(
        client: *mut WSK_CLIENT,
        _family: ADDRESS_FAMILY,
        _kind: u16,
        _protocol: u32,
        _flags: u32,
        _context: *mut c_void,
        _dispatch: *const c_void,
        _process: *mut c_void,
        _thread: *mut c_void,
        _security: *mut c_void,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let _ = Client::calling(client, "WskSocket");
        // SAFETY: the client passes a request of its own.
        unsafe { answer(irp, STATUS_NOT_SUPPORTED) }
    }

    /// Makes, binds and connects a socket; there are none here.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskSocketConnect(
        client: *mut WSK_CLIENT,
        _kind: u16,
        _protocol: u32,
        _local: *const SOCKADDR,
        _remote: *const SOCKADDR,
        _flags: u32,
        _context: *mut c_void,
        _dispatch: *const WSK_CLIENT_CONNECTION_DISPATCH,
        _process: *mut c_void,
        _thread: *mut c_void,
        _security: *mut c_void,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let _ = Client::calling(client, "WskSocketConnect");
        // SAFETY: the client passes a request of its own.
        unsafe { answer(irp, STATUS_NOT_SUPPORTED) }
    }

    /// Controls a client; the only code that is known here leads to RDMA adapters.
    #[irql(PASSIVE..=DISPATCH)]
    fn WskControlClient(
        client: *mut WSK_CLIENT,
        code: u32,
        input_size: usize,
        _input: *mut c_void,
        output_size: usize,
        output: *mut c_void,
        returned: *mut usize,
        irp: *mut IRP,
    ) -> NTSTATUS {
        if Client::calling(client, "WskControlClient").is_none() {
            return STATUS_INVALID_PARAMETER;
        }
        if code != WSKNDK_GET_WSK_PROVIDER_NDK_DISPATCH {
            // SAFETY: the client passes a request of its own.
            return unsafe { answer(irp, STATUS_NOT_SUPPORTED) };
        }
        if input_size != 0
            || output_size != size_of::<WSK_PROVIDER_NDK_DISPATCH>()
            || output.is_null()
            || !irp.is_null()
        {
            found(
                "WskControlClient",
                "the control code for RDMA takes a table's room and neither input nor request".into(),
            );
            // SAFETY: the client passes a request of its own.
            return unsafe { answer(irp, STATUS_INVALID_PARAMETER) };
        }
        // SAFETY: the client passes room for the table.
        unsafe { output.cast::<WSK_PROVIDER_NDK_DISPATCH>().write(ndk::DISPATCH) };
        if !returned.is_null() {
            // SAFETY: the client passes room for the size.
            unsafe { returned.write(output_size) };
        }
        STATUS_SUCCESS
    }

    /// Resolves a name; there is nothing to resolve it with here.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskGetAddressInfo(
        client: *mut WSK_CLIENT,
        _node: *mut UNICODE_STRING,
        _service: *mut UNICODE_STRING,
        _namespace: u32,
        _provider: *const GUID,
        _hints: *mut c_void,
        _result: *mut *mut c_void,
        _process: *mut c_void,
        _thread: *mut c_void,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let _ = Client::calling(client, "WskGetAddressInfo");
        // SAFETY: the client passes a request of its own.
        unsafe { answer(irp, STATUS_NOT_SUPPORTED) }
    }

    /// Frees what a resolution yielded; none does.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskFreeAddressInfo(_client: *mut WSK_CLIENT, info: *mut c_void) {
        found("WskFreeAddressInfo", format!("{info:p} did not come from WskGetAddressInfo"));
    }

    /// Finds the name of an address; there is nothing to find it with here.
    #[irql(PASSIVE..=PASSIVE)]
    fn WskGetNameInfo(
        client: *mut WSK_CLIENT,
        _address: *const SOCKADDR,
        _length: u32,
        _node: *mut UNICODE_STRING,
        _service: *mut UNICODE_STRING,
        _flags: u32,
        _process: *mut c_void,
        _thread: *mut c_void,
        irp: *mut IRP,
    ) -> NTSTATUS {
        let _ = Client::calling(client, "WskGetNameInfo");
        // SAFETY: the client passes a request of its own.
        unsafe { answer(irp, STATUS_NOT_SUPPORTED) }
    }
}

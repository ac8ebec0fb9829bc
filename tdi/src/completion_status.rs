//! Permitted completion statuses of each request: the table of docs/tdi.md, for the tests.

#![forbid(unsafe_code)]

use sys::status::*;
use sys::tdi::*;

/// With which any request may end, whatever it is and whatever it is sent to.
const ANY: &[NTSTATUS] = &[STATUS_FILE_CLOSED, STATUS_INSUFFICIENT_RESOURCES];

/// With which those may end that wait.
const WAITING: &[NTSTATUS] = &[STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET];

/// Returns whether a request with this minor function of `IRP_MJ_INTERNAL_DEVICE_CONTROL` may end so.
#[must_use]
pub fn is_permitted(minor: u8, status: NTSTATUS) -> bool {
    let (waits, own) = own(minor);
    ANY.contains(&status) || own.contains(&status) || waits && WAITING.contains(&status)
}

/// Returns whether requests of this kind wait, and their own statuses.
fn own(minor: u8) -> (bool, &'static [NTSTATUS]) {
    match minor {
        TDI_ASSOCIATE_ADDRESS => (
            false,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_HANDLE,
                STATUS_INVALID_CONNECTION,
                STATUS_CONNECTION_ACTIVE,
            ],
        ),
        TDI_DISASSOCIATE_ADDRESS => {
            (false, &[STATUS_SUCCESS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_CONNECTION])
        }
        TDI_CONNECT => (
            true,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_ADDRESS,
                STATUS_INVALID_CONNECTION,
                STATUS_INVALID_ADDRESS_COMPONENT,
                STATUS_REMOTE_NOT_LISTENING,
                STATUS_BAD_NETWORK_PATH,
                STATUS_ADDRESS_CLOSED,
                STATUS_IO_TIMEOUT,
            ],
        ),
        TDI_LISTEN => (
            true,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_CONNECTION,
                STATUS_ADDRESS_CLOSED,
            ],
        ),
        TDI_ACCEPT => (
            true,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_CONNECTION,
                STATUS_ADDRESS_CLOSED,
            ],
        ),
        TDI_DISCONNECT => (
            true,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_CONNECTION,
                STATUS_INVALID_PARAMETER,
                STATUS_IO_TIMEOUT,
            ],
        ),
        TDI_SEND => (
            true,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_CONNECTION,
                STATUS_INVALID_PARAMETER,
                STATUS_DEVICE_NOT_READY,
            ],
        ),
        TDI_RECEIVE => (
            true,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_CONNECTION,
                STATUS_INVALID_PARAMETER,
                STATUS_GRACEFUL_DISCONNECT,
            ],
        ),
        // It waits on the wrong kind of file only: in the line of an endpoint, which refuses it.
        TDI_SEND_DATAGRAM => (
            true,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_ADDRESS,
                STATUS_INVALID_BUFFER_SIZE,
                STATUS_INVALID_PARAMETER,
                STATUS_HOST_UNREACHABLE,
                STATUS_ADDRESS_CLOSED,
            ],
        ),
        TDI_RECEIVE_DATAGRAM => (
            true,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_BUFFER_OVERFLOW,
                STATUS_INVALID_ADDRESS,
                STATUS_INVALID_PARAMETER,
                STATUS_ADDRESS_CLOSED,
            ],
        ),
        TDI_SET_EVENT_HANDLER => (false, &[STATUS_SUCCESS, STATUS_INVALID_PARAMETER]),
        TDI_QUERY_INFORMATION => (
            false,
            &[
                STATUS_SUCCESS,
                STATUS_BUFFER_OVERFLOW,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_PARAMETER,
                STATUS_NOT_IMPLEMENTED,
            ],
        ),
        TDI_SET_INFORMATION => (
            false,
            &[
                STATUS_SUCCESS,
                STATUS_INVALID_DEVICE_REQUEST,
                STATUS_INVALID_PARAMETER,
                STATUS_NOT_IMPLEMENTED,
            ],
        ),
        TDI_ACTION => (false, &[STATUS_NOT_IMPLEMENTED]),
        _ => (false, &[STATUS_INVALID_DEVICE_REQUEST]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_status_that_is_not_documented_is_refused() {
        for (minor, status, tabled) in [
            (TDI_CONNECT, STATUS_REMOTE_NOT_LISTENING, true),
            (TDI_CONNECT, STATUS_CANCELLED, true),
            (TDI_LISTEN, STATUS_REMOTE_NOT_LISTENING, false),
            (TDI_QUERY_INFORMATION, STATUS_CANCELLED, false),
            (TDI_ACTION, STATUS_SUCCESS, false),
            (TDI_ACTION, STATUS_FILE_CLOSED, true),
            (TDI_SET_INFORMATION, STATUS_SUCCESS, true),
            (TDI_SEND_DATAGRAM, STATUS_CANCELLED, true),
            (0xFF, STATUS_INVALID_DEVICE_REQUEST, true),
            (TDI_SEND, STATUS_PENDING, false),
        ] {
            assert_eq!(is_permitted(minor, status), tabled, "{minor} with {status:#010X}");
        }
    }
}

//! The reasons for which there is no session, or none any more, in words.

use core::net::SocketAddr;

use runner::Error;
use sys::status::{
    STATUS_ACCESS_DENIED, STATUS_ACCESS_VIOLATION, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED,
    STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_DISCONNECTED, STATUS_CONNECTION_INVALID,
    STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_RESET, STATUS_HOST_UNREACHABLE, STATUS_INVALID_ADDRESS,
    STATUS_INVALID_ADDRESS_COMPONENT, STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT,
    STATUS_NETWORK_UNREACHABLE, STATUS_REMOTE_RESOURCES, STATUS_SHARING_VIOLATION, STATUS_TOO_MANY_ADDRESSES,
};

use crate::failure::CommandError;

/// The reason for which there is no session, if this is one that a user knows.
pub(super) fn reason(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Status { status, .. } => match *status {
            STATUS_CONNECTION_REFUSED => "connection refused, or what listens does not speak iWARP",
            STATUS_IO_TIMEOUT => "no answer in time",
            STATUS_HOST_UNREACHABLE => "the host is unreachable",
            STATUS_NETWORK_UNREACHABLE => "the network is unreachable",
            STATUS_SHARING_VIOLATION | STATUS_TOO_MANY_ADDRESSES => "the address is in use",
            STATUS_INVALID_ADDRESS | STATUS_INVALID_ADDRESS_COMPONENT => "not an address of this host",
            STATUS_ACCESS_DENIED => "permission denied",
            status if is_gone(status) => "the peer has gone",
            _ => return None,
        },
        _ => return None,
    })
}

/// The error of a connect or listen at an address.
pub(super) fn opening(address: SocketAddr, error: &Error) -> CommandError {
    match (error, reason(error)) {
        (Error::Refused(why), _) => CommandError::Usage(format!("{address}: refused: {why}")),
        (_, Some(why)) => CommandError::Usage(format!("{address}: {why}")),
        (_, None) => CommandError::work(format!("{address}: {error}")),
    }
}

/// The error of a session that was open.
pub(super) fn midway(peer: SocketAddr, error: &Error) -> CommandError {
    match error {
        Error::Status { status, .. } if is_gone(*status) => CommandError::Usage(format!(
            "{peer}: the connection has ended in the middle: the peer has gone, or one side has found a fault ({error})"
        )),
        Error::Status { status: STATUS_IO_TIMEOUT, .. } => {
            CommandError::Usage(format!("{peer}: the peer does nothing any more ({error})"))
        }
        Error::Status {
            status:
                STATUS_ACCESS_VIOLATION
                | STATUS_BUFFER_OVERFLOW
                | STATUS_INVALID_PARAMETER
                | STATUS_REMOTE_RESOURCES,
            ..
        } => CommandError::Usage(format!("{peer}: the peer does not keep to the protocol ({error})")),
        Error::Refused(why) => CommandError::Usage(format!("{peer}: refused: {why}")),
        Error::Read(_) | Error::Write(_) => CommandError::Usage(error.to_string()),
        _ => CommandError::work(format!("{peer}: {error}")),
    }
}

/// Returns whether a connection that has ended gives requests this status.
const fn is_gone(status: i32) -> bool {
    matches!(
        status,
        STATUS_CANCELLED
            | STATUS_CONNECTION_ABORTED
            | STATUS_CONNECTION_DISCONNECTED
            | STATUS_CONNECTION_INVALID
            | STATUS_CONNECTION_RESET
    )
}

//! The statuses of Winsock Kernel, as those that the provider's trait names.

#![forbid(unsafe_code)]

use sys::status::{
    NTSTATUS, STATUS_ADDRESS_ALREADY_ASSOCIATED, STATUS_ADDRESS_ALREADY_EXISTS, STATUS_INVALID_ADDRESS,
    STATUS_INVALID_ADDRESS_COMPONENT, STATUS_SHARING_VIOLATION,
};

/// The status of a socket that came into use, or did not. TCP's words for an address and port that are in use, and for one
/// that is not local differ from those of NDK; the others are passed on as they are.
pub(super) const fn of_open(status: NTSTATUS) -> NTSTATUS {
    match status {
        STATUS_ADDRESS_ALREADY_EXISTS | STATUS_ADDRESS_ALREADY_ASSOCIATED => STATUS_SHARING_VIOLATION,
        STATUS_INVALID_ADDRESS_COMPONENT => STATUS_INVALID_ADDRESS,
        other => other,
    }
}

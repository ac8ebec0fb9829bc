//! The status that a Terminate of the peer gives to the request that it names (RD-7, and the table of what a consumer
//! sees over a wire).

#![forbid(unsafe_code)]

use sys::status::{
    NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_CONNECTION_ABORTED, STATUS_IO_TIMEOUT, STATUS_REMOTE_RESOURCES,
    STATUS_SUCCESS,
};

use iwarp::rdmap::Code;

/// A request, as a Terminate can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Send,
    Write,
    Read,
}

/// The status of the request that a Terminate of this code names.
pub(super) const fn status(Code { layer, kind, code }: Code, named: Named) -> NTSTATUS {
    match (layer, kind, code, named) {
        // The message was there, and the receiver could not take it (as over loopback).
        (1, 2, 5, Named::Send) | (0, 1, 9, Named::Send) => STATUS_SUCCESS,
        (1, 2, 2, Named::Send) => STATUS_IO_TIMEOUT,
        (1, 2, 2, Named::Read) => STATUS_REMOTE_RESOURCES,
        (0 | 1, 1, _, Named::Write | Named::Read) => STATUS_ACCESS_VIOLATION,
        _ => STATUS_CONNECTION_ABORTED,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// RD-7 (RFC 5040 section 4.8): the code says which status the request has that the Terminate names.
    #[test]
    fn code_decides_the_status_of_the_request_that_is_named() {
        for (code, named, expected) in [
            ((1, 1, 0), Named::Write, STATUS_ACCESS_VIOLATION),
            ((1, 1, 1), Named::Write, STATUS_ACCESS_VIOLATION),
            ((0, 1, 2), Named::Write, STATUS_ACCESS_VIOLATION),
            ((0, 1, 0), Named::Read, STATUS_ACCESS_VIOLATION),
            ((1, 2, 2), Named::Read, STATUS_REMOTE_RESOURCES),
            ((1, 2, 2), Named::Send, STATUS_IO_TIMEOUT),
            ((1, 2, 5), Named::Send, STATUS_SUCCESS),
            ((0, 1, 9), Named::Send, STATUS_SUCCESS),
            ((0, 0, 0), Named::Send, STATUS_CONNECTION_ABORTED),
            ((2, 0, 2), Named::Write, STATUS_CONNECTION_ABORTED),
        ] {
            let (layer, kind, number) = code;
            assert_eq!(status(Code::new(layer, kind, number), named), expected, "{code:?} {named:?}");
        }
    }
}

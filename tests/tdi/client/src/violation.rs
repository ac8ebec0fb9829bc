//! Violations: an outcome that is not as it has to be.

use core::fmt;

use ntsim::io::StatusError;
use runner::Error;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use tdi::completion_status;

use crate::Request;

/// A violation, in words for people.
#[derive(Debug)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StatusError> for Violation {
    fn from(status: StatusError) -> Self {
        Self(format!("a client was refused what it needs: {status}"))
    }
}

impl From<Error> for Violation {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// Returns a violation unless `holds`.
///
/// # Errors
///
/// The violation.
pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(otherwise())) }
}

/// Checks that a request has ended with one of these statuses.
///
/// # Errors
///
/// The status, if it is none of them.
pub(crate) fn one_of(what: &str, status: NTSTATUS, expected: &[NTSTATUS]) -> Result<(), Violation> {
    ensure(expected.contains(&status), || format!("{what} ended with {}", StatusError(status)))
}

/// Waits until a request has succeeded.
///
/// # Errors
///
/// The status, if it has not.
pub(crate) fn succeeds(what: &str, request: Request) -> Result<(), Violation> {
    one_of(what, request.status(), &[STATUS_SUCCESS])
}

/// Checks that requests for files that are cleaned up are over, each with a status of its table.
///
/// # Errors
///
/// The first request that is not over.
pub(crate) fn over<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Result<(), Violation> {
    for request in requests {
        let Some(outcome) = request.outcome() else {
            return Err(Violation(format!("{request:?} outlived the cleanup of its file")));
        };
        ensure(completion_status::is_permitted(request.minor, outcome.status), || {
            format!(
                "a request with minor function {} ended with {}",
                request.minor,
                StatusError(outcome.status)
            )
        })?;
    }
    Ok(())
}

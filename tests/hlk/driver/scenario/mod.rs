//! The scenarios.

use alloc::boxed::Box;

use protocol::{ScenarioReport, ScenarioRequest};
use sys::status::{NTSTATUS, STATUS_NOT_SUPPORTED};

pub(crate) fn run(_request: &ScenarioRequest) -> Result<Box<ScenarioReport>, NTSTATUS> {
    Err(STATUS_NOT_SUPPORTED)
}

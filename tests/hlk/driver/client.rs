//! A client of the device: the objects of its handle, and its requests.

use sys::wdm::MDL;

use crate::manual::Manual;
use crate::measure::Measuring;
use crate::session::{Listening, Session};
use crate::slot::Slot;
use crate::stress::Stress;

/// The objects that a handle to the device may own.
pub(crate) struct Client {
    pub(crate) session: Slot<Session>,
    /// The session that is listened for.
    pub(crate) listening: Slot<Listening>,
    pub(crate) stress: Slot<Stress>,
    pub(crate) measuring: Slot<Measuring>,
    /// The end that does what the runner says.
    pub(crate) manual: Slot<Manual>,
}

/// A request of the I/O manager, as far as the harness looks at it.
pub(crate) struct Request {
    pub(crate) code: u32,
    /// Input, and in place of it the output, of a buffered code; the input of a direct one.
    pub(crate) buffer: *mut u8,
    pub(crate) input_length: usize,
    pub(crate) output_length: usize,
    /// The memory behind the output buffer of a direct code; null for an empty one.
    pub(crate) mdl: *mut MDL,
}

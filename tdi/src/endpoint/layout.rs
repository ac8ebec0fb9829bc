//! The layout of an endpoint, for a debugger without private symbols.

use core::mem::offset_of;

use super::Endpoint;
use crate::system::System;

/// Offsets from an endpoint's address, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct EndpointLayout {
    /// Of the number of the address object with which it is associated: of its slot, four bytes, 0 if there is none, then
    /// its generation.
    pub address: usize,
    /// Of its state, one byte: 0 idle, 1 connecting, 2 listening, 3 requested, 4 accepting, 5 linking, 6 connected, 7
    /// ending.
    pub state: usize,
}

impl EndpointLayout {
    /// The layout on the system `S`.
    pub(crate) const fn of<S: System>() -> Self {
        Self { address: offset_of!(Endpoint<S>, address), state: offset_of!(Endpoint<S>, state) }
    }
}

//! The layout of files for a debugger that has no private symbols: offsets that an extension reads from the image.

#![forbid(unsafe_code)]

use core::ffi::c_void;
use core::mem::offset_of;

pub use crate::endpoint::EndpointLayout;
pub use crate::slab::SlabLayout;

use crate::address_object::Address;
use crate::slab::Slab;
use crate::state::{File, Object, TransportState};
use crate::system::System;
use crate::transport::Transport;

/// The layout of the files of a transport, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct Layout {
    /// Of the slots of the files, to which [`files`] leads.
    pub slab: SlabLayout,
    /// From a file's address, of its phase, one byte: 0 open, 1 cleaned up, 2 closed.
    pub phase: usize,
    /// From there, of the number of requests and handlers that refer to it, four bytes.
    pub outstanding: usize,
    /// From there, of a byte that is 1 once a cleanup waits until nothing refers to it.
    pub has_waiter: usize,
    /// From there, of the address of the I/O manager's file object.
    pub file_object: usize,
    /// From there, of its kind, one byte: 0 address object, 1 connection endpoint, 2 control channel.
    pub kind: usize,
    /// From there, of the part that its kind has.
    pub part: usize,
    /// From an address object's part, of its [address](provider::SocketAddress).
    pub local: usize,
    /// From there, of its state, one byte: 0 binding, 1 live, 2 its adapter is gone, 3 closed.
    pub address_state: usize,
    /// Of an endpoint's part.
    pub endpoint: EndpointLayout,
}

impl Layout {
    /// The layout in a transport on the system `S`.
    #[must_use]
    pub const fn of<S: System>() -> Self {
        let kind = offset_of!(File<S>, object);
        Self {
            slab: Slab::<File<S>>::layout(),
            phase: offset_of!(File<S>, phase),
            outstanding: offset_of!(File<S>, outstanding),
            has_waiter: offset_of!(File<S>, has_waiter),
            file_object: offset_of!(File<S>, file_object),
            kind,
            part: kind.saturating_add(align_of::<Object<S>>()),
            local: offset_of!(Address<S>, local),
            address_state: offset_of!(Address<S>, state),
            endpoint: EndpointLayout::of::<S>(),
        }
    }
}

/// The place of the address of the first slot, behind which is their number, as long as the transport is there.
#[must_use]
pub fn files<S: System>(transport: &Transport<S>) -> *const c_void {
    let offset = offset_of!(TransportState<S>, files).saturating_add(Slab::<File<S>>::VIEW);
    transport.state().wrapping_byte_add(offset).cast()
}

//! A frame that a protocol sends, where it lies in the protocol's memory.

#![expect(unsafe_code, reason = "a frame lies in the memory of its sender")]

use core::cmp::min;
use core::ptr::NonNull;

use sys::ndis::NET_BUFFER;
use sys::wdm::MDL;
use vswitch::{ADDRESS_LENGTH, Address};

use crate::kernel::Windows;

/// The bits of `NET_BUFFER::DataLength` that count: in C it is also a 32-bit number in the same place.
const DATA_LENGTH: usize = 0xFFFF_FFFF;

/// A frame in the memory lists of its sender.
///
/// # Invariants
///
/// The lists from `mdl` on are those of a net buffer that the driver owns until it completes the send.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    mdl: *mut MDL,
    /// Offset of the frame in the first list.
    offset: usize,
    length: u32,
    destination: Address,
}

impl Frame {
    /// The frame of a net buffer; `None` if it is none that Ethernet could carry.
    ///
    /// # Safety
    ///
    /// NDIS passed the net buffer to the driver, which has not completed its list yet.
    pub(crate) unsafe fn of(buffer: &NET_BUFFER) -> Option<Self> {
        let mut frame = Self {
            mdl: buffer.CurrentMdl,
            offset: usize::try_from(buffer.CurrentMdlOffset).ok()?,
            length: u32::try_from(buffer.DataLength & DATA_LENGTH).ok()?,
            destination: Address([0; ADDRESS_LENGTH]),
        };
        if !vswitch::is_legal_length(frame.length) {
            return None;
        }
        let mut destination = [0; ADDRESS_LENGTH];
        frame.copy(&mut destination)?;
        frame.destination = Address(destination);
        Some(frame)
    }

    /// Length with the header, in bytes.
    pub(crate) const fn length(&self) -> u32 {
        self.length
    }

    /// Its destination address.
    pub(crate) const fn destination(&self) -> Address {
        self.destination
    }

    /// Copies the beginning of the frame; `None` if it is not there or cannot be mapped.
    pub(crate) fn copy(&self, mut to: &mut [u8]) -> Option<()> {
        let mut mdl = self.mdl;
        let mut skip = self.offset;
        while !to.is_empty() {
            let list = NonNull::new(mdl)?;
            // SAFETY: the list is one of the net buffer's, which is ours for now.
            let described = unsafe { list.read() };
            let available = usize::try_from(described.ByteCount).ok()?.saturating_sub(skip);
            let (part, rest) = to.split_at_mut_checked(min(available, to.len()))?;
            if !part.is_empty() {
                // SAFETY: the pages of what is being sent are locked.
                let address = NonNull::new(unsafe { Windows::system_address(list) })?;
                // SAFETY: the list has `skip` and as many bytes after it as `part`.
                let from = unsafe { address.add(skip) };
                // SAFETY: as above; the part is our own memory.
                unsafe { from.copy_to_nonoverlapping(NonNull::from(&mut *part).cast(), part.len()) };
            }
            to = rest;
            skip = 0;
            mdl = described.Next;
        }
        Some(())
    }
}

//! Security descriptors in the memory of drivers.

use core::ffi::c_void;
use core::slice;

use ntsim_core::address::Va;
use ntsim_core::verifier::{self, Finding};

use super::Descriptor;
use super::wire::{self, DescriptorError};
use crate::mm::Range;

/// Bytes that a descriptor may have: its head, two identifiers and two lists of 64 KiB.
const LONGEST: usize = 0x2_1000;
const PAGE: usize = sys::wdm::PAGE_SIZE;

/// The reason why a pointer to a descriptor is refused.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum PointerError {
    #[error("which cannot be read")]
    Unreadable,
    #[error("which is no security descriptor: {0}")]
    Malformed(#[from] DescriptorError),
}

/// The descriptor at `address`, which the driver passed to `function`. That there is none is a finding.
pub(crate) fn descriptor(function: &str, address: *const c_void) -> Option<Descriptor> {
    let wrong = match read(Va::of(address)) {
        Ok(descriptor) => return Some(descriptor),
        Err(wrong) => wrong,
    };
    verifier::report(Finding::new("SecurityDescriptor").text(format!("{function} got {address:p}, {wrong}")));
    None
}

fn read(address: Va) -> Result<Descriptor, PointerError> {
    let bytes = readable(address);
    if bytes.is_empty() {
        return Err(PointerError::Unreadable);
    }
    Ok(wire::read(&bytes)?)
}

/// Returns the bytes at `address`, up to those that can't be read. Blocks of pool end there.
fn readable(address: Va) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut start = address;
    while bytes.len() < LONGEST {
        let range = Range { start, length: PAGE - start.offset_in(PAGE) };
        if !range.is_readable() {
            break;
        }
        // SAFETY: the range can be read; a driver that changes what it has passed breaks the copy only.
        bytes.extend(unsafe { slice::from_raw_parts(start.ptr::<u8>(), range.length) });
        start += range.length;
    }
    bytes
}

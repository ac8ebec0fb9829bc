//! The roots from which a debugger reaches all objects, exported by the image so that public symbols suffice.

#![expect(unsafe_code, reason = "a symbol is exported")]

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use provider::Rnic;
use provider::debugger::{self, Layout};

use crate::kernel::Windows;

/// The most RNICs that a debugger is told of.
const RNICS: usize = 64;

/// The table that `windbg/softndk.js` reads. Its layout follows from `version`; all numbers have eight bytes.
#[repr(C)]
struct Roots {
    /// `softndk`, and a null.
    signature: [u8; 8],
    /// 3: the fields as they are here.
    version: usize,
    layout: Layout,
    /// See [`debugger::values_in_locks`]; known once there is an RNIC.
    in_locks: [AtomicUsize; 5],
    count: usize,
    /// Of each RNIC the place of the pointer to its first object; null where there is none.
    rnics: [AtomicPtr<c_void>; RNICS],
}

// SAFETY: no other crate exports a symbol of this name.
#[unsafe(export_name = "softndk_roots")]
static ROOTS: Roots = Roots {
    signature: *b"softndk\0",
    version: 3,
    layout: Layout::of::<Windows>(),
    in_locks: [const { AtomicUsize::new(0) }; 5],
    count: RNICS,
    rnics: [const { AtomicPtr::new(null_mut()) }; RNICS],
};

/// An RNIC that a debugger is told of, until this is dropped. One too many is left out.
pub(crate) struct Listed(Option<&'static AtomicPtr<c_void>>);

impl Listed {
    /// Lists an RNIC, which the caller keeps for as long as this.
    pub(crate) fn new(rnic: &Rnic<Windows>) -> Self {
        for (place, offset) in ROOTS.in_locks.iter().zip(debugger::values_in_locks::<Windows>()) {
            place.store(offset, Ordering::Release);
        }
        let objects = debugger::objects(rnic).cast_mut();
        let free = |place: &&AtomicPtr<c_void>| {
            place.compare_exchange(null_mut(), objects, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        Self(ROOTS.rnics.iter().find(free))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.store(null_mut(), Ordering::Release);
        }
    }
}

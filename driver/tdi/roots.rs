//! The root from which a debugger reaches the files of the legacy device and their requests, exported by the image so that
//! public symbols suffice.

#![expect(unsafe_code, reason = "a symbol is exported")]

use core::ffi::c_void;
use core::mem::offset_of;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use sys::wdm::{IO_STACK_LOCATION, IRP};
use tdi::Transport;
use tdi::debugger::{self, Layout};

use super::TdiSystem;
use super::pending::{self, LISTS};

/// Offsets in the I/O manager's structures, which a debugger without symbols of the kernel does not know, in bytes.
#[repr(C)]
struct Packet {
    /// From the address of a packet, of its link in a list of requests.
    link: usize,
    /// From there, of a byte that is 1 if the request was cancelled.
    cancel: usize,
    /// From there, of the cancel routine, null if the request can't be cancelled now.
    cancel_routine: usize,
    /// From there, of the pointer to the stack location.
    location: usize,
    /// From the address of that, of the major function, one byte, and the minor function behind it.
    function: usize,
    /// From there, of the pointer to the file object.
    file: usize,
}

/// The table that `windbg/softndk.js` reads. Its layout follows from `version`; all numbers have eight bytes.
#[repr(C)]
struct Files {
    /// `softfile`.
    signature: [u8; 8],
    /// 1: the fields as they are here.
    version: usize,
    layout: Layout,
    packet: Packet,
    /// See [`debugger::files`]; null while there is no transport.
    files: AtomicPtr<c_void>,
    count: usize,
    /// The places of the pointers to the first link of each list of requests.
    requests: [AtomicPtr<c_void>; LISTS],
}

// SAFETY: no other crate exports a symbol of this name.
#[unsafe(export_name = "softndk_files")]
static FILES: Files = Files {
    signature: *b"softfile",
    version: 1,
    layout: Layout::of::<TdiSystem>(),
    packet: Packet {
        link: pending::LINK,
        cancel: offset_of!(IRP, Cancel),
        cancel_routine: offset_of!(IRP, CancelRoutine),
        location: offset_of!(IRP, Tail.Overlay.CurrentStackLocation),
        function: offset_of!(IO_STACK_LOCATION, MajorFunction),
        file: offset_of!(IO_STACK_LOCATION, FileObject),
    },
    files: AtomicPtr::new(null_mut()),
    count: LISTS,
    requests: [const { AtomicPtr::new(null_mut()) }; LISTS],
};

/// Lets a debugger find the files of a transport, which the caller keeps until [`forget`].
pub(super) fn show(transport: &Transport<TdiSystem>) {
    for (shown, place) in FILES.requests.iter().zip(pending::places()) {
        shown.store(place, Ordering::Release);
    }
    FILES.files.store(debugger::files(transport).cast_mut(), Ordering::Release);
}

/// The transport goes.
pub(super) fn forget() {
    FILES.files.store(null_mut(), Ordering::Release);
}

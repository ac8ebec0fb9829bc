//! The stack on which a thread handles a crash.

use core::ffi::c_void;
use core::ptr;

/// Bytes of the stack on which a crash is reported; symbols of a large PDB are read on it.
const SIZE: usize = 1 << 20;

/// The stack on which the calling thread handles a crash; the one before comes back when it is dropped.
#[derive(Debug)]
pub(crate) struct AlternateStack {
    memory: *mut c_void,
    before: libc::stack_t,
}

// SAFETY: nothing can be done with a shared one; only its thread drops it, as it is not `Send`.
unsafe impl Sync for AlternateStack {}

impl AlternateStack {
    /// A stack for the calling thread.
    pub(crate) fn new() -> Self {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping, wherever the host has room, touches no existing memory.
        let memory = unsafe { libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED, "no memory for a crash stack");
        let new = libc::stack_t { ss_sp: memory, ss_flags: 0, ss_size: SIZE };
        let mut before = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: the memory stays mapped until `drop` has put the former stack back.
        unsafe { libc::sigaltstack(&raw const new, &raw mut before) };
        Self { memory, before }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        // SAFETY: the former stack is the thread's own, from before this one.
        unsafe { libc::sigaltstack(&raw const self.before, ptr::null_mut()) };
        // SAFETY: this is the mapping that `new` made, and it is out of use now.
        unsafe { libc::munmap(self.memory, SIZE) };
    }
}

//! Running a driver's thread routine so that it can be left from anywhere inside.
//!
//! PsTerminateSystemThread does not return. The frames between it and the routine's beginning are the
//! driver's, which nothing on the host can unwind; so the place to go on is saved before the routine is
//! called, as setjmp and longjmp do.

use core::arch::naked_asm;
use core::ffi::c_void;

use sys::wdm::PKSTART_ROUTINE;

/// Calls `routine` with `context` and returns when it returns or [`leave`] is called with what was
/// written to `place`.
///
/// # Safety
/// The routine may be called with this argument; `place` is writable.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn run(routine: PKSTART_ROUTINE, context: *mut c_void, place: *mut usize) {
    // The routine preserves at least what the host's convention wants preserved, so only a leave needs
    // the saved registers; the 32 bytes below them are the callee's by the routine's convention, and 8
    // more align the stack.
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdx], rsp",
        "sub rsp, 40",
        "mov rcx, rsi",
        "call rdi",
        "add rsp, 40",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

/// Goes on behind the call of [`run`] that wrote `place`.
///
/// # Safety
/// That call has not returned, is one of this thread, and no frame between here and there has anything
/// to clean up.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn leave(place: usize) -> ! {
    naked_asm!("mov rsp, rdi", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx", "ret",)
}

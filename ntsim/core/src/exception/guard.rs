//! The simulator's own accesses to memory that a driver names.
//!
//! On Windows, `memcpy` from a bad address faults inside of the kernel, and the driver's handler is asked. Here the
//! access runs between two labels; if it faults, the signal's handler goes on at the second, and the function that
//! made the access raises the exception when it returns.

use crate::address::Va;
use crate::sched::local;

/// A routine of the host with up to three arguments, of which nothing is lost when it is left at any instruction.
#[derive(Clone, Copy, Debug)]
pub struct Guarded(*const ());

impl Guarded {
    /// # Safety
    /// `routine` is a function in the convention of C with three words as arguments or fewer, that holds no lock and
    /// leaves nothing half done that matters.
    pub unsafe fn new(routine: *const ()) -> Self {
        Self(routine)
    }
}

/// Calls a routine; returns its result, or the access that faulted: whether it was a write, and the address.
///
/// # Errors
/// The access, if the fault is one that the driver's handler may take.
///
/// # Safety
/// The contract of the routine, but for addresses at which nothing is.
#[inline]
pub unsafe fn guarded(routine: Guarded, a: usize, b: usize, c: usize) -> Result<usize, [usize; 2]> {
    // SAFETY: the caller's contract; the cell is the calling thread's own.
    let result = unsafe { call(routine.0, a, b, c, local::with(|local| local.guard.as_ptr())) };
    match local::with(|local| local.guarded_fault.take()) {
        None => Ok(result),
        Some(access) => Err(access),
    }
}

/// If the calling thread is in such a routine: notes the access that faulted, and returns the instruction and stack
/// pointers with which it goes on.
pub fn fault(access: [usize; 2]) -> Option<(u64, u64)> {
    let sp = local::with(|local| local.guard.get());
    if sp == 0 {
        return None;
    }
    local::with(|local| local.guarded_fault.set(Some(access)));
    Some((Va::of(leave as *const ()).bits(), sp))
}

/// # Safety
/// As for [`guarded`]; `guard` may be written.
#[unsafe(naked)]
unsafe extern "sysv64" fn call(routine: *const (), a: usize, b: usize, c: usize, guard: *mut u64) -> usize {
    core::arch::naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push r8",
        "mov [r8], rsp",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "call rax",
        "jmp {end}",
        end = sym end,
    )
}

/// The place at which a routine that has faulted goes on.
#[unsafe(naked)]
unsafe extern "sysv64" fn leave() {
    core::arch::naked_asm!("cld", "xor eax, eax", "jmp {end}", end = sym end)
}

/// Returns from [`call`].
#[unsafe(naked)]
unsafe extern "sysv64" fn end() {
    core::arch::naked_asm!(
        "pop r8",
        "mov qword ptr [r8], 0",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

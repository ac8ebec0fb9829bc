//! Into an image and back: its entry point and its unload routine, which are called as its header and its driver
//! object say.
//!
//! Whatever lies at that address runs. It finds nothing of the simulator in registers and on the stack around it, and
//! what it does to the registers that it has to keep
//! (<https://learn.microsoft.com/cpp/build/x64-calling-convention>) ends here.

use core::ffi::c_void;

use super::{flags, float};
use crate::sched::local::{self, CROSSING, Crossing};
use crate::verifier::{self, Finding};

/// The value of registers and stack words that a driver must not use: no address, so that its use faults.
const POISON: u64 = 0xBAD0_BAD0_BAD0_BAD0;

/// Words of stack between the driver and the simulator.
const WORDS: u64 = 1024;

/// Words below the stack pointer in which the simulator's calls before have left addresses of its own.
const BELOW: u64 = 8192;

/// Calls `routine` of an image with two arguments; returns what `rax` holds then.
///
/// # Safety
/// `routine` is a function of an image that takes at most these arguments.
pub unsafe fn call_image(
    name: &'static str,
    routine: *const (),
    first: *mut c_void,
    second: *mut c_void,
) -> u64 {
    let mut crossing = Crossing::default();
    let crossing = &raw mut crossing;
    let outer = local::with(|local| {
        local.depth.skip(8 * WORDS);
        local.crossing.replace(crossing)
    });
    let control = float::Control::read();
    // SAFETY: the caller's promise; what is left to be found again lives until the call is over.
    let result = unsafe { cross(routine, first, second, crossing) };
    let is_kept = control == float::Control::read();
    control.write();
    local::with(|local| local.crossing.set(outer));
    // SAFETY: it is this function's own.
    let Crossing { difference, flags, .. } = unsafe { *crossing };
    flags::check(flags, || format!("{name} returned with the direction flag set"));
    if difference != 0 || !is_kept {
        let text = format!("{name} returned with other values in registers that it has to keep");
        verifier::report(Finding::new("NonvolatileRegisters").text(text));
    }
    result
}

/// # Safety
/// As [`call_image`]; `crossing` is also what `gs` leads to.
#[unsafe(naked)]
unsafe extern "sysv64" fn cross(
    routine: *const (),
    first: *mut c_void,
    second: *mut c_void,
    crossing: *mut Crossing,
) -> u64 {
    core::arch::naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rcx], rsp",
        "mov rax, {poison}",
        "mov r10d, {words} + 1",
        "2:",
        "push rax",
        "dec r10d",
        "jnz 2b",
        "mov r11, rdi",
        "mov rcx, rsi",
        "mov r10, rsp",
        "mov r9d, {below}",
        "3:",
        "sub r10, 8",
        "mov [r10], rax",
        "dec r9d",
        "jnz 3b",
        "mov rbx, rax",
        "mov rbp, rax",
        "mov rsi, rax",
        "mov rdi, rax",
        "mov r8, rax",
        "mov r9, rax",
        "mov r10, rax",
        "mov r12, rax",
        "mov r13, rax",
        "mov r14, rax",
        "mov r15, rax",
        "call r11",
        "mov r11, gs:[{crossing}]",
        "mov r10, {poison}",
        "lea r9, [rsp + 8 * ({words} + 1)]",
        "xor r9, [r11]",
        "xor rbx, r10",
        "or r9, rbx",
        "xor rbp, r10",
        "or r9, rbp",
        "xor rsi, r10",
        "or r9, rsi",
        "xor rdi, r10",
        "or r9, rdi",
        "xor r12, r10",
        "or r9, r12",
        "xor r13, r10",
        "or r9, r13",
        "xor r14, r10",
        "or r9, r14",
        "xor r15, r10",
        "or r9, r15",
        "mov [r11 + 8], r9",
        "mov rsp, [r11]",
        "pushfq",
        "pop r9",
        "mov [r11 + 16], r9",
        "cld",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        poison = const POISON,
        words = const WORDS,
        below = const BELOW,
        crossing = const CROSSING,
    )
}

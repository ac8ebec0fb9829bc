//! Saving the registers of a thread, and loading them.

use core::mem::offset_of;

use sys::wdm::CONTEXT;

use super::Raised;
use crate::loader::Registers;

/// Stores the registers of its caller, as they are when it has returned.
///
/// # Safety
/// There is room for a context, aligned to 16 bytes.
#[unsafe(naked)]
pub unsafe extern "efiapi" fn capture(context: *mut CONTEXT) {
    core::arch::naked_asm!(
        "pushfq",
        "mov [rcx + {registers}], rax",
        "mov [rcx + {registers} + 0x08], rcx",
        "mov [rcx + {registers} + 0x10], rdx",
        "mov [rcx + {registers} + 0x18], rbx",
        "lea rax, [rsp + 16]",
        "mov [rcx + {registers} + 0x20], rax",
        "mov [rcx + {registers} + 0x28], rbp",
        "mov [rcx + {registers} + 0x30], rsi",
        "mov [rcx + {registers} + 0x38], rdi",
        "mov [rcx + {registers} + 0x40], r8",
        "mov [rcx + {registers} + 0x48], r9",
        "mov [rcx + {registers} + 0x50], r10",
        "mov [rcx + {registers} + 0x58], r11",
        "mov [rcx + {registers} + 0x60], r12",
        "mov [rcx + {registers} + 0x68], r13",
        "mov [rcx + {registers} + 0x70], r14",
        "mov [rcx + {registers} + 0x78], r15",
        "mov rax, [rsp + 8]",
        "mov [rcx + {rip}], rax",
        "mov eax, [rsp]",
        "mov [rcx + {eflags}], eax",
        "stmxcsr [rcx + {mxcsr}]",
        "movups [rcx + {xmm}], xmm0",
        "movups [rcx + {xmm} + 0x10], xmm1",
        "movups [rcx + {xmm} + 0x20], xmm2",
        "movups [rcx + {xmm} + 0x30], xmm3",
        "movups [rcx + {xmm} + 0x40], xmm4",
        "movups [rcx + {xmm} + 0x50], xmm5",
        "movups [rcx + {xmm} + 0x60], xmm6",
        "movups [rcx + {xmm} + 0x70], xmm7",
        "movups [rcx + {xmm} + 0x80], xmm8",
        "movups [rcx + {xmm} + 0x90], xmm9",
        "movups [rcx + {xmm} + 0xA0], xmm10",
        "movups [rcx + {xmm} + 0xB0], xmm11",
        "movups [rcx + {xmm} + 0xC0], xmm12",
        "movups [rcx + {xmm} + 0xD0], xmm13",
        "movups [rcx + {xmm} + 0xE0], xmm14",
        "movups [rcx + {xmm} + 0xF0], xmm15",
        "mov dword ptr [rcx + {flags}], {full}",
        "mov rax, [rcx + {registers}]",
        "popfq",
        "ret",
        registers = const offset_of!(CONTEXT, Registers),
        rip = const offset_of!(CONTEXT, Rip),
        eflags = const offset_of!(CONTEXT, EFlags),
        mxcsr = const offset_of!(CONTEXT, MxCsr),
        xmm = const offset_of!(CONTEXT, Xmm),
        flags = const offset_of!(CONTEXT, ContextFlags),
        full = const CONTEXT_FULL,
    )
}

/// `CONTEXT_FULL` on x64: the control, general and floating-point registers.
const CONTEXT_FULL: u32 = 0x10_000B;

/// Goes on with these registers.
///
/// # Safety
/// They are those of a place in a driver's code, on the calling thread's stack, above the context.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn resume(context: *const CONTEXT) -> ! {
    core::arch::naked_asm!(
        "movups xmm0, [rdi + {xmm}]",
        "movups xmm1, [rdi + {xmm} + 0x10]",
        "movups xmm2, [rdi + {xmm} + 0x20]",
        "movups xmm3, [rdi + {xmm} + 0x30]",
        "movups xmm4, [rdi + {xmm} + 0x40]",
        "movups xmm5, [rdi + {xmm} + 0x50]",
        "movups xmm6, [rdi + {xmm} + 0x60]",
        "movups xmm7, [rdi + {xmm} + 0x70]",
        "movups xmm8, [rdi + {xmm} + 0x80]",
        "movups xmm9, [rdi + {xmm} + 0x90]",
        "movups xmm10, [rdi + {xmm} + 0xA0]",
        "movups xmm11, [rdi + {xmm} + 0xB0]",
        "movups xmm12, [rdi + {xmm} + 0xC0]",
        "movups xmm13, [rdi + {xmm} + 0xD0]",
        "movups xmm14, [rdi + {xmm} + 0xE0]",
        "movups xmm15, [rdi + {xmm} + 0xF0]",
        "ldmxcsr [rdi + {mxcsr}]",
        "mov rcx, [rdi + {registers} + 0x08]",
        "mov rdx, [rdi + {registers} + 0x10]",
        "mov rbx, [rdi + {registers} + 0x18]",
        "mov rbp, [rdi + {registers} + 0x28]",
        "mov rsi, [rdi + {registers} + 0x30]",
        "mov r8, [rdi + {registers} + 0x40]",
        "mov r9, [rdi + {registers} + 0x48]",
        "mov r10, [rdi + {registers} + 0x50]",
        "mov r11, [rdi + {registers} + 0x58]",
        "mov r12, [rdi + {registers} + 0x60]",
        "mov r13, [rdi + {registers} + 0x68]",
        "mov r14, [rdi + {registers} + 0x70]",
        "mov r15, [rdi + {registers} + 0x78]",
        // All that is read after the stack pointer has moved lies above it by then, but for what the context holds.
        "mov rax, [rdi + {registers} + 0x20]",
        "sub rax, 32",
        "push qword ptr [rdi + {rip}]",
        "pop qword ptr [rax + 24]",
        "push qword ptr [rdi + {registers} + 0x38]",
        "pop qword ptr [rax + 16]",
        "push qword ptr [rdi + {registers}]",
        "pop qword ptr [rax + 8]",
        "mov edi, [rdi + {eflags}]",
        "and edi, {arithmetic}",
        "mov [rax], rdi",
        "mov rsp, rax",
        "popfq",
        "pop rax",
        "pop rdi",
        "ret",
        registers = const offset_of!(CONTEXT, Registers),
        rip = const offset_of!(CONTEXT, Rip),
        eflags = const offset_of!(CONTEXT, EFlags),
        mxcsr = const offset_of!(CONTEXT, MxCsr),
        xmm = const offset_of!(CONTEXT, Xmm),
        arithmetic = const ARITHMETIC,
    )
}

/// The flags that instructions leave: carry, parity, adjust, zero, sign, overflow.
const ARITHMETIC: u32 = 0x8D5;

impl Registers {
    pub(super) fn of(raised: &Raised) -> Self {
        Self { values: raised.context.Registers, vectors: raised.context.Xmm }
    }

    /// Puts them into a context that goes on at `ip`.
    pub(super) fn store(&self, context: &mut CONTEXT, ip: u64) {
        (context.Registers, context.Xmm, context.Rip) = (self.values, self.vectors, ip);
    }
}

//! Emulates instructions that drivers execute on Windows in place of calls, but a process may not execute.
//!
//! In C, some functions of the kernel are inline: the level is control register 8 (KeGetCurrentIrql,
//! KeRaiseIrql and KeLowerIrql in the x64 part of `wdm.h`), and times lie at a fixed address that kernel
//! and processes share (KeQuerySystemTime and its like). Both fault here, and are done in place.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Register};
use libc::ucontext_t;
use ntsim_core::address::Va;
use ntsim_core::loader::Image;
use ntsim_core::number::{Low, ToU64};
use ntsim_core::sched::{self, Irql, time};

/// The address of the page of shared data on x64 (`KI_USER_SHARED_DATA` in `wdm.h`).
pub(super) const SHARED_DATA: u64 = 0xFFFF_F780_0000_0000;

/// Eight-byte words of that page.
pub(super) const WORDS: usize = 0x200;

/// Longest instruction.
const LONGEST: usize = 15;

/// The processor flag that makes it trap after one instruction.
const TRAP_FLAG: i64 = 0x100;

/// The page of shared data as it can be at another address. Only times are in it, and the rest is zero. Of the
/// process, for the handler of its signals.
static SHARED: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

thread_local! {
    /// While an instruction reads [`SHARED`] in place of the real address: the register that was changed
    /// for this, and what to put back unless the instruction itself has set it.
    static STEP: Cell<Option<(Register, Option<u64>)>> = const { Cell::new(None) };
}

/// Does the instruction at which the calling thread faulted, if it is one of those; whether it was.
pub(super) fn instruction(context: &mut ucontext_t, image: &Image, fault: Va) -> bool {
    let ip = Va::from_bits(context.uc_mcontext.gregs[libc::REG_RIP as usize].cast_unsigned());
    let code = image.memory(image.rva(ip));
    let code = &code[..code.len().min(LONGEST)];
    let instruction = Decoder::with_ip(64, code, ip.bits(), DecoderOptions::NONE).decode();
    match instruction.code() {
        Code::Mov_r64_cr if instruction.op1_register() == Register::CR8 => {
            set(context, instruction.op0_register(), u64::from(sched::irql().0));
        }
        Code::Mov_cr_r64 if instruction.op0_register() == Register::CR8 => {
            change_level(Irql(read(context, instruction.op1_register()).low_u8()));
        }
        _ => return read_shared(context, &instruction, fault),
    }
    context.uc_mcontext.gregs[libc::REG_RIP as usize] = instruction.next_ip().cast_signed();
    true
}

/// Raises or lowers. DPCs that lowering lets run do so on the stack for crashes, which is large.
fn change_level(to: Irql) {
    if to > sched::irql() {
        sched::raise(to);
    } else {
        sched::lower(to);
    }
}

/// The page of shared data, with the times of now.
pub(super) fn shared_data() -> &'static [AtomicU64; WORDS] {
    // InterruptTime, SystemTime (which is not aligned), TickCount: each may be read as one number.
    let system = sched::system_time();
    for (at, value) in
        [(1, sched::now()), (2, system << 32), (3, system >> 32), (0x64, sched::now() / time::TICK)]
    {
        SHARED[at].store(value, Ordering::Relaxed);
    }
    &SHARED
}

/// Lets an instruction that reads the page of shared data read another one, and trap behind it.
fn read_shared(context: &mut ucontext_t, instruction: &Instruction, fault: Va) -> bool {
    let base = instruction.memory_base();
    let offset = fault.bits().wrapping_sub(SHARED_DATA);
    if offset >= size_of_val(&SHARED).to_u64() || index(base).is_none() {
        return false;
    }
    time::is_read();
    shared_data();
    let before = read(context, base);
    let mut info = InstructionInfoFactory::new();
    let overwritten = info.info(instruction).used_registers().iter().any(|used| {
        used.register().full_register() == base.full_register()
            && matches!(used.access(), iced_x86::OpAccess::Write | iced_x86::OpAccess::ReadWrite)
    });
    STEP.set(Some((base, (!overwritten).then_some(before))));
    set(context, base, before.wrapping_sub(SHARED_DATA).wrapping_add(Va::of(SHARED.as_ptr()).bits()));
    context.uc_mcontext.gregs[libc::REG_EFL as usize] |= TRAP_FLAG;
    true
}

/// Ends what [`instruction`] began with a trap; whether it was this trap.
pub(super) fn stepped(context: &mut ucontext_t) -> bool {
    let Some((base, before)) = STEP.take() else { return false };
    if let Some(before) = before {
        set(context, base, before);
    }
    context.uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP_FLAG;
    true
}

/// Number of a general register in a host context.
fn index(register: Register) -> Option<usize> {
    let number = match register.full_register() {
        Register::RAX => libc::REG_RAX,
        Register::RCX => libc::REG_RCX,
        Register::RDX => libc::REG_RDX,
        Register::RBX => libc::REG_RBX,
        Register::RSP => libc::REG_RSP,
        Register::RBP => libc::REG_RBP,
        Register::RSI => libc::REG_RSI,
        Register::RDI => libc::REG_RDI,
        Register::R8 => libc::REG_R8,
        Register::R9 => libc::REG_R9,
        Register::R10 => libc::REG_R10,
        Register::R11 => libc::REG_R11,
        Register::R12 => libc::REG_R12,
        Register::R13 => libc::REG_R13,
        Register::R14 => libc::REG_R14,
        Register::R15 => libc::REG_R15,
        _ => return None,
    };
    usize::try_from(number).ok()
}

fn read(context: &ucontext_t, register: Register) -> u64 {
    index(register).map_or(0, |index| context.uc_mcontext.gregs[index].cast_unsigned())
}

fn set(context: &mut ucontext_t, register: Register, value: u64) {
    if let Some(index) = index(register) {
        context.uc_mcontext.gregs[index] = value.cast_signed();
    }
}

//! Faults that a driver's handler may take.
//!
//! Windows raises an exception for a bad address of a user only. For one of the kernel's it stops in the page fault: "This
//! cannot be protected by a try-except handler"
//! (<https://learn.microsoft.com/windows-hardware/drivers/debugger/bug-check-0x50--page-fault-in-nonpaged-area>), and so
//! for any at DISPATCH_LEVEL or above (bug check 0xD1). What is mapped in this process, and may not be accessed, is memory
//! of the kernel that was freed, or lies beside some; an address at which nothing is, in the lower half, is a user's.

use core::mem::MaybeUninit;

use iced_x86::{Code, Decoder, DecoderOptions};
use libc::{SIGFPE, SIGILL, SIGSEGV, SIGTRAP, ucontext_t};
use nt::ex::pool;
use nt::mm;
use ntsim_core::address::Va;
use ntsim_core::exception;
use ntsim_core::loader::{self, image_at};
use ntsim_core::number::Low;
use ntsim_core::sched::{self, Irql, local};
use sys::wdm::{CONTEXT, EXCEPTION_RECORD};

use super::{
    Fault, PRESENT, REGISTERS, SI_KERNEL, STATUS_ACCESS_VIOLATION, STATUS_BREAKPOINT,
    STATUS_ILLEGAL_INSTRUCTION, STATUS_INTEGER_DIVIDE_BY_ZERO, finish,
};
use crate::{dump, last_words};

/// The first address that no user has.
pub(super) const USER_END: Va = Va::new(0x8000_0000_0000);

/// Bytes of a page.
const PAGE: usize = 0x1000;

/// The processor's flags that are not to reach a handler: trap, direction, alignment check.
const CLEARED: u64 = 1 << 8 | 1 << 10 | 1 << 18;

/// Takes over the exceptions that no handler took.
pub(super) fn install() {
    exception::on_unhandled(unhandled);
}

/// Lets the thread go on with a handler, or with the function of the simulator's that made a bad access; whether there is
/// one that may take the fault.
pub(super) fn dispatches(fault: &Fault, context: &mut ucontext_t) -> bool {
    let Some((status, access)) = fault.exception() else { return false };
    if image_at(fault.ip).is_none() {
        if !exception::caller_has_handler() {
            return false;
        }
        let Some((ip, sp)) = access.and_then(exception::guarded_fault) else { return false };
        set(context, libc::REG_RIP, ip);
        set(context, libc::REG_RSP, sp);
        return true;
    }
    if !has_handler(fault) {
        return false;
    }
    let Some(start) = exception::raise_at(registers(fault, context), status, access) else { return false };
    set(context, libc::REG_RIP, start.ip);
    set(context, libc::REG_RSP, start.sp);
    set(context, libc::REG_RDI, start.argument);
    let flags = super::value(context, libc::REG_EFL) & !CLEARED;
    set(context, libc::REG_EFL, flags);
    true
}

/// Returns whether there is a handler of the driver's around the fault, whatever it would say.
pub(super) fn has_handler(fault: &Fault) -> bool {
    match image_at(fault.ip) {
        Some(_) => exception::has_handler(fault.ip, fault.registers, true),
        None => local::innermost().is_some() && exception::caller_has_handler(),
    }
}

fn set(context: &mut ucontext_t, register: libc::c_int, value: u64) {
    let slot = usize::try_from(register).ok().and_then(|at| context.uc_mcontext.gregs.get_mut(at));
    if let Some(slot) = slot {
        *slot = value.cast_signed();
    }
}

impl Fault {
    /// The exception that Windows raises, if it does not stop.
    fn exception(&self) -> Option<(u32, Option<[usize; 2]>)> {
        match self.signal {
            SIGFPE => Some((STATUS_INTEGER_DIVIDE_BY_ZERO.low_u32(), None)),
            SIGILL => Some((STATUS_ILLEGAL_INSTRUCTION.low_u32(), None)),
            SIGTRAP => Some((STATUS_BREAKPOINT.low_u32(), None)),
            // An address that is not canonical, of which the processor tells nothing.
            SIGSEGV if self.code == SI_KERNEL => {
                (!self.is_privileged()).then_some((STATUS_ACCESS_VIOLATION.low_u32(), Some([0, usize::MAX])))
            }
            SIGSEGV => self.page_fault(),
            _ => None,
        }
    }

    fn page_fault(&self) -> Option<(u32, Option<[usize; 2]>)> {
        let is_execution = self.error & 16 != 0;
        let stops = is_execution
            || self.error & PRESENT != 0
            || self.paged_out
            || sched::irql() >= Irql::DISPATCH
            || self.overflows()
            || is_kernel(self.address);
        let write = usize::from(self.error & 2 != 0);
        (!stops).then(|| (STATUS_ACCESS_VIOLATION.low_u32(), Some([write, self.address.get()])))
    }

    /// Returns whether the instruction is one that the kernel may execute and a process may not.
    fn is_privileged(&self) -> bool {
        let Some(image) = image_at(self.ip) else { return true };
        let code = image.memory(image.rva(self.ip));
        let instruction = Decoder::with_ip(64, code, self.ip.bits(), DecoderOptions::NONE).decode();
        instruction.is_privileged() || matches!(instruction.code(), Code::Int_imm8 | Code::INVALID)
    }
}

/// Returns whether an address is one of the kernel's.
fn is_kernel(address: Va) -> bool {
    address >= USER_END
        || loader::missing(address).is_some()
        || image_at(address).is_some()
        || pool::explain(address).is_some()
        || mm::explain(address).is_some()
        || is_mapped(address)
}

/// Returns whether there is a mapping of the host at an address, accessible or not.
fn is_mapped(address: Va) -> bool {
    let mut resident = 0_u8;
    // SAFETY: the host writes one byte, and touches nothing at the address.
    unsafe { libc::mincore(address.align_down(PAGE).ptr(), PAGE, &raw mut resident) == 0 }
}

/// The registers of a fault, as Windows has them.
fn registers(fault: &Fault, context: &ucontext_t) -> CONTEXT {
    // SAFETY: all-zero is a valid value of integers.
    let mut registers: CONTEXT = unsafe { MaybeUninit::zeroed().assume_init() };
    registers.Registers = REGISTERS.map(|register| super::value(context, register));
    registers.Rip = fault.ip.bits();
    registers.EFlags = super::value(context, libc::REG_EFL).low_u32();
    // SAFETY: the kernel saves the state of the unit in the signal's frame, whose pointer is null or valid.
    if let Some(unit) = unsafe { context.uc_mcontext.fpregs.as_ref() } {
        registers.MxCsr = unit.mxcsr;
        for (to, from) in registers.Xmm.iter_mut().zip(&unit._xmm) {
            *to = from.element.iter().rev().fold(0, |value, &word| value << 32 | u128::from(word));
        }
    }
    registers
}

/// Stops as Windows does for an exception that no handler took.
fn unhandled(record: &EXCEPTION_RECORD, context: &CONTEXT, instruction: bool) -> ! {
    let status = u64::from(record.ExceptionCode);
    let [write, address, ..] = record.ExceptionInformation;
    let signal = match status {
        STATUS_INTEGER_DIVIDE_BY_ZERO => SIGFPE,
        STATUS_ILLEGAL_INSTRUCTION => SIGILL,
        STATUS_BREAKPOINT => SIGTRAP,
        _ => SIGSEGV,
    };
    let code = if record.NumberParameters == 2 && address != usize::MAX { 0 } else { SI_KERNEL };
    let fault = Fault {
        signal,
        code,
        address: Va::new(address),
        paged_out: false,
        error: if write == 1 { 2 } else { 0 },
        ip: Va::from_bits(context.Rip),
        registers: context.Registers,
    };
    let known = signal != SIGSEGV || status == STATUS_ACCESS_VIOLATION;
    let (bugcheck, text) = if known && instruction {
        fault.explain()
    } else {
        (fault.stopped(status), format!("the exception {status:#010x}, which no handler took"))
    };
    let reporting = last_words::begin(&bugcheck);
    let own = dump::Registers { general: context.Registers, ip: context.Rip };
    let stack = loader::from_registers(fault.ip, context.Registers, instruction);
    finish(reporting, bugcheck, &text, &stack, Some(own))
}

//! The way from a signal of the host into the simulator.
//!
//! A driver's flags are still set when a handler begins, for Linux clears the direction flag and the trap flag only. With
//! AC, the first access of the simulator's own code that is not aligned would be the next fault. So the first
//! instructions clear it, before anything that a compiler made.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use std::sync::OnceLock;

use libc::{BUS_ADRALN, SIGBUS, c_int, siginfo_t, ucontext_t};
use ntsim_core::address::Va;

/// The processor's flag that lets it check alignment: AC, bit 18.
const ALIGNMENT_CHECK: i32 = 1 << 18;

/// Does what a signal asks for: the signal, its description and the machine context of the thread that got it.
type Handler = fn(c_int, &siginfo_t, &mut ucontext_t);

/// Of the process, as its signals are.
static HANDLER: OnceLock<Handler> = OnceLock::new();

/// Lets `handler`, the same in every call, have each of `signals`, on the stack for crashes.
pub(super) fn take(signals: impl IntoIterator<Item = c_int>, handler: Handler) {
    HANDLER.get_or_init(|| handler);
    signals.into_iter().for_each(take_one);
}

fn take_one(signal: c_int) {
    // SAFETY: all-zero is a valid value of this structure of integers and a nullable pointer.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = enter;
    action.sa_sigaction = Va::of(handler as *const ()).get();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: the handler has the signature that SA_SIGINFO asks for and lives forever.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

#[unsafe(naked)]
extern "C" fn enter(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    core::arch::naked_asm!(
        "pushfq",
        "and dword ptr [rsp], {others}",
        "popfq",
        "jmp {body}",
        others = const !ALIGNMENT_CHECK,
        body = sym body,
    )
}

extern "C" fn body(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid description.
    let info = unsafe { &*info };
    // SAFETY: with SA_SIGINFO the kernel passes a valid, aligned machine context, which is the handler's.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    if !is_alignment_check(signal, info, context)
        && let Some(handle) = HANDLER.get()
    {
        handle(signal, info, context);
    }
}

/// Returns whether the fault is one of alignment, which the processor checks for privilege level 3 only (Intel's
/// manual, volume 3, 7.15, "Interrupt 17"): a driver on Windows goes on, and so does the thread here, without the flag.
fn is_alignment_check(signal: c_int, info: &siginfo_t, context: &mut ucontext_t) -> bool {
    let flags = &mut context.uc_mcontext.gregs[libc::REG_EFL as usize];
    let checks = signal == SIGBUS && info.si_code == BUS_ADRALN && *flags & i64::from(ALIGNMENT_CHECK) != 0;
    if checks {
        *flags &= !i64::from(ALIGNMENT_CHECK);
    }
    checks
}

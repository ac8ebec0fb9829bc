//! The ways into the dispatcher.

use core::mem::{MaybeUninit, size_of};

use sys::wdm::{CONTEXT, EXCEPTION_NONCONTINUABLE, EXCEPTION_RECORD};

use super::dispatch::{dispatch, has_handler};
use super::{Raised, capture};
use crate::address::Va;
use crate::loader::Registers;
use crate::sched::local;

/// Bytes below a driver's stack pointer that code of the host may use.
const RED_ZONE: usize = 256;

/// Bytes of stack that dispatching takes at most, with what filters call.
const ROOM: usize = 64 << 10;

/// The registers with which a thread goes on to dispatch an exception.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The instruction pointer.
    pub ip: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The first argument in the convention of the host, `rdi`.
    pub argument: u64,
}

/// Has the kernel's function that the calling driver is in raise an exception when it returns. Only functions that are
/// declared as `raising` may.
pub fn raise(status: u32, access: Option<[usize; 2]>) {
    local::with(|local| {
        local.raised.set((status, access));
        local.raises.set(1);
    });
}

/// Returns whether the driver that called the kernel's function that the thread is in has a handler, so that an
/// exception of that function may be caught.
pub fn caller_has_handler() -> bool {
    local::innermost()
        .is_some_and(|entry| has_handler(entry.return_address(), Registers::at_entry(&entry).values, false))
}

/// Prepares the dispatching of an exception of the processor, whose thread is at the instruction of `context`; `None`
/// if it has no stack for that. What this writes to lies below the driver's stack pointer.
pub fn raise_at(context: CONTEXT, status: u32, access: Option<[usize; 2]>) -> Option<Start> {
    let sp = Va::from_bits(context.Registers[4]);
    if !local::has_stack_below(sp, ROOM) {
        return None;
    }
    let record = record(status, 0, context.Rip, access);
    let place = Va::new(sp.get() - RED_ZONE - size_of::<Raised>()).align_down(64);
    // SAFETY: the place is on the calling thread's stack, below what is in use, and aligned.
    unsafe { place.ptr::<Raised>().write(Raised { context, record, instruction: true }) };
    // As behind a call.
    Some(Start { ip: Va::of(dispatch as *const ()).bits(), sp: place.bits() - 8, argument: place.bits() })
}

fn record(status: u32, flags: u32, ip: u64, access: Option<[usize; 2]>) -> EXCEPTION_RECORD {
    let mut information = [0; 15];
    if let Some(access) = access {
        information[..2].copy_from_slice(&access);
    }
    EXCEPTION_RECORD {
        ExceptionCode: status,
        ExceptionFlags: flags,
        ExceptionRecord: core::ptr::null_mut(),
        ExceptionAddress: Va::from_bits(ip).ptr(),
        NumberParameters: if access.is_some() { 2 } else { 0 },
        ExceptionInformation: information,
    }
}

/// Bytes on the stack for what is raised, so that the stack is aligned behind an entry point's own return address.
const SIZE: usize = size_of::<Raised>() + 8;

const _: () = assert!(SIZE % 16 == 8);

/// Raises what [`raise`] left: the entry points of functions that may raise jump here in place of returning, with the
/// registers that the driver has given them to keep.
///
/// # Safety
/// The return address of a driver's call is on top of the stack.
#[unsafe(naked)]
pub unsafe extern "efiapi" fn raise_pending() {
    core::arch::naked_asm!(
        "sub rsp, {size}",
        "mov rcx, rsp",
        "call {capture}",
        "mov rdi, rsp",
        "cld",
        "call {finish}",
        "ud2",
        size = const SIZE,
        capture = sym capture,
        finish = sym finish,
    )
}

/// Corrects the registers, which are those of [`raise_pending`], and dispatches.
unsafe extern "sysv64" fn finish(raised: *mut MaybeUninit<Raised>) -> ! {
    let raised = raised.cast::<Raised>();
    let (status, access) = local::with(|local| {
        local.raises.set(0);
        local.raised.take()
    });
    let slot = Va::of(raised) + SIZE;
    // SAFETY: the slot holds the return address of the driver's call.
    let ip = unsafe { slot.ptr::<u64>().read() };
    // SAFETY: the context was captured, and nothing else has it.
    let context = unsafe { &mut (*raised).context };
    context.Rip = ip;
    context.Registers[4] = slot.bits() + 8;
    let record = record(status, EXCEPTION_NONCONTINUABLE, ip, access);
    // SAFETY: there is room for all of it.
    let place = unsafe { &raw mut (*raised).record };
    // SAFETY: as above.
    unsafe { place.write(record) };
    // SAFETY: as above.
    let place = unsafe { &raw mut (*raised).instruction };
    // SAFETY: as above.
    unsafe { place.write(false) };
    // SAFETY: it is whole now.
    unsafe { dispatch(raised) }
}

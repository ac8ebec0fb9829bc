//! Searching the driver's frames for a handler, and leaving frames.

use core::ptr;
use std::sync::OnceLock;

use sys::wdm::{
    CONTEXT, DISPATCHER_CONTEXT, EXCEPTION_NONCONTINUABLE, EXCEPTION_RECORD, EXCEPTION_TARGET_UNWIND,
    EXCEPTION_UNWINDING, ExceptionContinueExecution, ExceptionContinueSearch, PEXCEPTION_ROUTINE,
};

use super::Raised;
use super::registers::resume;
use crate::address::Va;
use crate::bugcheck::Bugcheck;
use crate::loader::{EXCEPTIONS, Registers, TERMINATIONS, image_at};
use crate::sched::hooks;

/// Most frames of a stack.
const LIMIT: usize = 64;

/// The status of an exception that a filter lets go on where it can't.
const NONCONTINUABLE: u64 = 0xC000_0025;

/// The status of a handler's answer that there is not.
const INVALID_DISPOSITION: u64 = 0xC000_0026;

/// Ends the process for an exception that no handler took.
type Unhandled = fn(&EXCEPTION_RECORD, &CONTEXT, bool) -> !;

/// Of the process, as code is.
static UNHANDLED: OnceLock<Unhandled> = OnceLock::new();

/// Installs what ends the process for an exception that no handler took; the last argument says that the registers
/// are at the instruction, and not behind a call.
pub fn on_unhandled(unhandled: Unhandled) {
    UNHANDLED.get_or_init(|| unhandled);
}

/// A frame's handler, to be called.
struct Handler {
    routine: PEXCEPTION_ROUTINE,
    flags: u8,
    context: DISPATCHER_CONTEXT,
}

/// A frame that was left.
struct Left {
    /// The address at which its caller goes on.
    address: Va,
    establisher: u64,
    handler: Option<Handler>,
}

/// Goes from the frame at `ip` to its caller's.
fn leave(registers: &mut Registers, ip: Va, instruction: bool) -> Option<Left> {
    let image = image_at(ip)?;
    let ip = if instruction { image.origin(ip) } else { ip };
    let unwound = registers.unwind(&image, image.rva(ip), instruction)?;
    let establisher = unwound.establisher;
    let handler = unwound.handler.map(|handler| Handler {
        // SAFETY: the image says that its handler is here, which has this type.
        routine: unsafe {
            core::mem::transmute::<*const (), PEXCEPTION_ROUTINE>(
                image.at(handler.routine).ptr::<()>().cast_const(),
            )
        },
        flags: handler.flags,
        context: DISPATCHER_CONTEXT {
            ControlPc: ip.bits(),
            ImageBase: image.base.bits(),
            FunctionEntry: image.at(handler.function).ptr(),
            EstablisherFrame: establisher,
            TargetIp: 0,
            ContextRecord: ptr::null_mut(),
            LanguageHandler: image.at(handler.routine).ptr(),
            HandlerData: image.at(handler.data).ptr(),
            HistoryTable: ptr::null_mut(),
            ScopeIndex: 0,
            Fill0: 0,
        },
    });
    Some(Left { address: unwound.address, establisher, handler })
}

/// Returns whether a frame of the driver, from the one at `ip` up to the simulator's call of it, has a handler for
/// exceptions. At an `instruction` and not behind a call, the first may be partly gone.
pub fn has_handler(ip: Va, registers: [u64; 16], instruction: bool) -> bool {
    let mut registers = Registers { values: registers, vectors: [0; 16] };
    let (mut ip, mut instruction) = (ip, instruction);
    for _ in 0..LIMIT {
        let Some(left) = leave(&mut registers, ip, instruction) else { return false };
        if left.handler.is_some_and(|handler| handler.flags & EXCEPTIONS != 0) {
            return true;
        }
        (ip, instruction) = (left.address, false);
    }
    false
}

/// Asks the handlers of the frames, the innermost first, and goes on as they say.
///
/// # Safety
/// `raised` is the calling thread's own, on its stack below the frames, and they are those of a driver.
pub(super) unsafe extern "sysv64" fn dispatch(raised: *mut Raised) -> ! {
    // SAFETY: the caller's contract.
    unsafe { search(raised) };
    // SAFETY: the caller's contract.
    let Raised { record, context, instruction } = unsafe { &*raised };
    match UNHANDLED.get() {
        Some(unhandled) => unhandled(record, context, *instruction),
        None => stop(u64::from(record.ExceptionCode), record),
    }
}

/// Returns if there is no handler that takes it.
///
/// # Safety
/// As for [`dispatch`].
unsafe fn search(raised: *mut Raised) {
    // SAFETY: the caller's contract.
    let mut registers = Registers::of(unsafe { &*raised });
    // SAFETY: the caller's contract.
    let (mut ip, mut instruction) = start(unsafe { &*raised });
    let mut caller = empty();
    for _ in 0..LIMIT {
        let Some(left) = leave(&mut registers, ip, instruction) else { return };
        if let Some(mut handler) = left.handler.filter(|handler| handler.flags & EXCEPTIONS != 0) {
            registers.store(&mut caller, left.address.bits());
            // SAFETY: the frame and what was raised are the calling thread's own.
            let answer = unsafe { ask(&mut handler, raised, &mut caller) };
            // SAFETY: the caller's contract.
            let record = unsafe { &(*raised).record };
            if answer == ExceptionContinueExecution {
                if record.ExceptionFlags & EXCEPTION_NONCONTINUABLE != 0 {
                    stop(NONCONTINUABLE, record);
                }
                // SAFETY: the caller's contract.
                let context = unsafe { &raw const (*raised).context };
                // SAFETY: the registers are those of the instruction, unless the filter has changed them.
                unsafe { resume(context) }
            }
            if answer != ExceptionContinueSearch {
                stop(INVALID_DISPOSITION, record);
            }
        }
        (ip, instruction) = (left.address, false);
    }
}

/// Leaves the frames up to the one at `target`, whose function goes on at `address`.
///
/// # Safety
/// As for [`dispatch`]; `target` is a frame whose handler says so.
pub(super) unsafe fn unwind(raised: *mut Raised, target: u64, address: u64) -> ! {
    // SAFETY: the caller's contract.
    let mut registers = Registers::of(unsafe { &*raised });
    // SAFETY: the caller's contract.
    let (mut ip, mut instruction) = start(unsafe { &*raised });
    let mut caller = empty();
    for _ in 0..LIMIT {
        let before = registers.clone();
        let Some(left) = leave(&mut registers, ip, instruction) else { break };
        let is_target = left.establisher == target;
        // SAFETY: the caller's contract.
        let record = unsafe { &mut (*raised).record };
        record.ExceptionFlags |= EXCEPTION_UNWINDING;
        if is_target {
            record.ExceptionFlags |= EXCEPTION_TARGET_UNWIND;
        }
        let status = record.ExceptionCode;
        if let Some(mut handler) = left.handler.filter(|handler| handler.flags & TERMINATIONS != 0) {
            registers.store(&mut caller, left.address.bits());
            handler.context.TargetIp = address;
            // SAFETY: the frame and what was raised are the calling thread's own.
            unsafe { ask(&mut handler, raised, &mut caller) };
        }
        if is_target {
            // SAFETY: the caller's contract.
            let context = unsafe { &mut (*raised).context };
            before.store(context, address);
            context.Registers[0] = u64::from(status);
            // SAFETY: the registers are those of the target's frame, which goes on there.
            unsafe { resume(context) };
        }
        (ip, instruction) = (left.address, false);
    }
    // SAFETY: the caller's contract.
    stop(INVALID_DISPOSITION, unsafe { &(*raised).record })
}

/// Calls a handler.
///
/// # Safety
/// As for [`dispatch`].
unsafe fn ask(handler: &mut Handler, raised: *mut Raised, caller: &mut CONTEXT) -> i32 {
    handler.context.ContextRecord = caller;
    let frame = Va::from_bits(handler.context.EstablisherFrame).ptr();
    // SAFETY: the caller's contract.
    let record = unsafe { &raw mut (*raised).record };
    // SAFETY: the caller's contract.
    let context = unsafe { &raw mut (*raised).context };
    // SAFETY: the handler is that of the frame.
    unsafe { (handler.routine)(record, frame, context, &raw mut handler.context) }
}

/// The place at which a search begins, and whether it is an instruction.
fn start(raised: &Raised) -> (Va, bool) {
    (Va::from_bits(raised.context.Rip), raised.instruction)
}

fn empty() -> CONTEXT {
    // SAFETY: all-zero is a valid value of integers.
    unsafe { core::mem::zeroed() }
}

/// Bug check 0x7E: the status, the address.
fn stop(status: u64, record: &EXCEPTION_RECORD) -> ! {
    let parameters = [status, Va::of(record.ExceptionAddress).bits(), 0, 0];
    let text = format!("while the exception {:#010x} was handled", record.ExceptionCode);
    hooks::stop(Bugcheck { code: 0x7E, parameters }, &text)
}

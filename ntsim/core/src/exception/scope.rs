//! The handler of C, `__C_specific_handler`: the table of `__try` blocks that lies behind a function's unwind
//! information.
//!
//! An entry is four offsets from the image's base: the block's beginning and end, its filter or `__finally` block, and
//! its `__except` block, which is zero where the entry is of a `__finally` block
//! (<https://learn.microsoft.com/cpp/build/exception-handling-x64#language-specific-handler>).

use core::ffi::c_void;
use core::mem::transmute;

use sys::wdm::{
    CONTEXT, DISPATCHER_CONTEXT, EXCEPTION_EXIT_UNWIND, EXCEPTION_POINTERS, EXCEPTION_RECORD,
    EXCEPTION_TARGET_UNWIND, EXCEPTION_UNWINDING, ExceptionContinueExecution, ExceptionContinueSearch,
    PEXCEPTION_FILTER, PTERMINATION_HANDLER,
};

use super::Raised;
use super::dispatch::unwind;
use crate::address::Va;
use crate::number::ToUsize;

/// The value of a filter that is no routine: `EXCEPTION_EXECUTE_HANDLER`.
const EXECUTE: u32 = 1;

/// An entry of the table.
#[derive(Clone, Copy)]
struct Scope {
    begin: u32,
    end: u32,
    handler: u32,
    target: u32,
}

impl Scope {
    fn contains(self, rva: u64) -> bool {
        (u64::from(self.begin)..u64::from(self.end)).contains(&rva)
    }
}

/// A function's table.
struct Scopes {
    table: *const u32,
    count: u32,
}

impl Scopes {
    /// # Safety
    /// The data of a handler is such a table.
    unsafe fn of(context: &DISPATCHER_CONTEXT) -> Self {
        let table = context.HandlerData.cast::<u32>().cast_const();
        // SAFETY: the caller's contract.
        Self { table, count: unsafe { table.read_unaligned() } }
    }

    /// The entries from `first` on, with their numbers.
    fn from(&self, first: u32) -> impl Iterator<Item = (u32, Scope)> {
        let table = self.table;
        (first..self.count).map(move |index| {
            let field = |number: usize| {
                // SAFETY: so many entries of four words follow the count.
                unsafe { table.wrapping_add(1 + 4 * index.to_usize() + number).read_unaligned() }
            };
            (index, Scope { begin: field(0), end: field(1), handler: field(2), target: field(3) })
        })
    }
}

/// Asks the blocks of a function about an exception, or ends those that are left.
///
/// # Safety
/// The dispatcher calls it, with what it hands to a handler.
pub unsafe extern "efiapi" fn handle_c(
    record: *mut EXCEPTION_RECORD,
    frame: *mut c_void,
    context: *mut CONTEXT,
    dispatcher: *mut DISPATCHER_CONTEXT,
) -> i32 {
    // SAFETY: the caller's contract.
    let flags = unsafe { (*record).ExceptionFlags };
    if flags & (EXCEPTION_UNWINDING | EXCEPTION_EXIT_UNWIND) == 0 {
        // SAFETY: the caller's contract.
        unsafe { filter(record, frame, context, dispatcher) }
    } else {
        // SAFETY: the caller's contract.
        unsafe { terminate(flags, frame, dispatcher) }
    }
}

/// # Safety
/// As for [`handle_c`].
unsafe fn filter(
    record: *mut EXCEPTION_RECORD,
    frame: *mut c_void,
    context: *mut CONTEXT,
    dispatcher: *mut DISPATCHER_CONTEXT,
) -> i32 {
    // SAFETY: the caller's contract.
    let known = unsafe { &*dispatcher };
    let base = Va::from_bits(known.ImageBase);
    let rva = known.ControlPc.wrapping_sub(known.ImageBase);
    // SAFETY: the caller's contract.
    for (_, scope) in unsafe { Scopes::of(known) }.from(known.ScopeIndex) {
        if !scope.contains(rva) || scope.target == 0 {
            continue;
        }
        let answer = if scope.handler == EXECUTE {
            1
        } else {
            let mut pointers = EXCEPTION_POINTERS { ExceptionRecord: record, ContextRecord: context };
            let routine = (base + scope.handler.to_usize()).ptr::<()>().cast_const();
            // SAFETY: the table says that the block's filter is here.
            let routine = unsafe { transmute::<*const (), PEXCEPTION_FILTER>(routine) };
            // SAFETY: the frame is that of the filter's function.
            unsafe { routine(&raw mut pointers, frame) }
        };
        if answer < 0 {
            return ExceptionContinueExecution;
        }
        if answer > 0 {
            // What is raised begins with its registers.
            let target = (base + scope.target.to_usize()).bits();
            // SAFETY: the dispatcher hands its own to a handler.
            unsafe { unwind(context.cast::<Raised>(), Va::of(frame).bits(), target) };
        }
    }
    ExceptionContinueSearch
}

/// # Safety
/// As for [`handle_c`].
unsafe fn terminate(flags: u32, frame: *mut c_void, dispatcher: *mut DISPATCHER_CONTEXT) -> i32 {
    // SAFETY: the caller's contract.
    let known = unsafe { &mut *dispatcher };
    let base = Va::from_bits(known.ImageBase);
    let [rva, target] = [known.ControlPc, known.TargetIp].map(|at| at.wrapping_sub(known.ImageBase));
    let is_target = flags & EXCEPTION_TARGET_UNWIND != 0;
    // SAFETY: the caller's contract.
    let scopes = unsafe { Scopes::of(known) };
    for (index, scope) in scopes.from(known.ScopeIndex) {
        if !scope.contains(rva) {
            continue;
        }
        // The thread goes on inside of this block, or behind it: no block further out is left.
        let stays = scope.contains(target);
        if is_target && (u64::from(scope.target) == target || stays) {
            break;
        }
        if scope.target == 0 {
            known.ScopeIndex = index + 1;
            let routine = (base + scope.handler.to_usize()).ptr::<()>().cast_const();
            // SAFETY: the table says that the block is here.
            let routine = unsafe { transmute::<*const (), PTERMINATION_HANDLER>(routine) };
            // SAFETY: the frame is that of the block's function.
            unsafe { routine(1, frame) };
        }
    }
    ExceptionContinueSearch
}

//! Output of drivers for the debugger.

mod format;

use core::ffi::c_char;

use ntsim_core::Settings;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::Irql;
use ntsim_core::{Export, exports};
use parking_lot::Mutex;

pub(crate) use self::format::{Arguments, format};

/// Lines that are kept.
const KEPT: usize = 10_000;

/// The output of the drivers of one machine.
struct Log {
    lines: Mutex<Vec<String>>,
    /// Set if it also goes to standard error.
    echo: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { lines: Mutex::default(), echo: Settings::current().echo }
    }
}

static LOG: PerMachine<Log> = PerMachine::new();

/// The text that drivers have printed for the debugger, one entry per call.
pub fn lines() -> Vec<String> {
    LOG.get().lines.lock().clone()
}

impl Log {
    fn add(&self, text: String) {
        if self.echo {
            eprint!("{text}");
        }
        let mut lines = self.lines.lock();
        if lines.len() < KEPT {
            lines.push(text);
        }
    }
}

exports! {
    "(variadic)";

    /// Prints the arguments that lie in memory from `arguments` on, the first being the format.
    #[irql(PASSIVE..=HIGH)]
    fn print(arguments: *const u64) -> u32 {
        // SAFETY: the entry points below pass the arguments of a variadic call.
        unsafe { log(arguments) }
    }

    /// As [`print`], behind a component and a level, by which nothing is filtered.
    #[irql(PASSIVE..=HIGH)]
    fn print_filtered(arguments: *const u64) -> u32 {
        // SAFETY: as above; the format is the third argument.
        unsafe { log(arguments.wrapping_add(2)) }
    }
}

/// # Safety
/// `arguments` points to those of a variadic call, from the format on.
unsafe fn log(arguments: *const u64) -> u32 {
    // SAFETY: the caller's promise.
    let format = unsafe { *arguments } as *const c_char;
    // SAFETY: as above; the format says how many follow.
    let arguments = unsafe { Arguments::new(arguments.wrapping_add(1)) };
    // SAFETY: as above.
    let text = unsafe { self::format(format, arguments) };
    LOG.get().add(text);
    0
}

/// Declares a variadic function. Puts the four arguments that came in registers where the calling convention
/// reserves room for them, right in front of those on the stack: all of them then lie in a row. The stack pointer
/// does not move, so that what is jumped to finds its return address.
#[macro_export]
macro_rules! variadic {
    ($visible:vis $name:ident, $to:path) => {
        #[allow(non_snake_case, reason = "the name is NT's")]
        #[unsafe(naked)]
        $visible unsafe extern "efiapi" fn $name() -> u32 {
            core::arch::naked_asm!(
                "mov [rsp + 8], rcx",
                "mov [rsp + 16], rdx",
                "mov [rsp + 24], r8",
                "mov [rsp + 32], r9",
                "lea rcx, [rsp + 8]",
                "jmp {to}",
                to = sym $to,
            )
        }
    };
}

variadic!(DbgPrint, print);
variadic!(DbgPrintEx, print_filtered);

/// The variadic functions, whose types the table of exports can't check.
pub(crate) const VARIADIC: &[Export] = &[entry("DbgPrint", DbgPrint), entry("DbgPrintEx", DbgPrintEx)];

const fn entry(name: &'static str, function: unsafe extern "efiapi" fn() -> u32) -> Export {
    Export {
        module: "ntoskrnl.exe",
        name,
        address: function as *const (),
        lowest: Irql::PASSIVE,
        highest: Irql::HIGH,
    }
}

#[cfg(test)]
mod tests {
    use sys::wdm::signature;

    use super::*;

    #[test]
    fn arguments_arrive_from_registers_and_stack() {
        let machine = crate::testing::builder().boot();
        type Print = unsafe extern "efiapi" fn(*const c_char, u64, u64, u64, u64, u64) -> u32;
        type PrintEx = unsafe extern "efiapi" fn(u32, u32, *const c_char, u64, u64) -> u32;
        unsafe {
            let print: Print = core::mem::transmute(DbgPrint as *const ());
            print(c"%d %d %d %d %d\n".as_ptr(), 1, 2, 3, 4, 5);
            let print_ex: PrintEx = core::mem::transmute(DbgPrintEx as *const ());
            print_ex(77, 3, c"%u+%u".as_ptr(), 6, 7);
        }
        assert_eq!(lines(), ["1 2 3 4 5\n", "6+7"]);
        assert!(machine.shutdown().is_clean());
    }

    /// The names that are exported have a type in `sys`, for what of their arguments is fixed.
    #[test]
    fn variadic_functions_are_the_declared_ones() {
        let fixed: (Option<signature::DbgPrint>, Option<signature::DbgPrintEx>) = (None, None);
        assert!(fixed.0.is_none() && fixed.1.is_none());
        assert_eq!(VARIADIC.iter().map(|export| export.name).collect::<Vec<_>>(), ["DbgPrint", "DbgPrintEx"]);
    }
}

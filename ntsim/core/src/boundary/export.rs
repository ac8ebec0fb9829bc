//! Exports to driver images: the declaration of an emulated function, and the table the loader binds from.
//!
//! # Adding a function
//!
//! Put it into the file of its subject under the folder of its prefix (`ke/object_exports.rs` for `KeSetEvent`):
//!
//! ```ignore
//! use sys::wdm::signature;
//!
//! exports! {
//!     "ntoskrnl.exe", signature;
//!
//!     /// Signals an event; returns its previous state.
//!     #[irql(PASSIVE..=DISPATCH)]
//!     fn KeSetEvent(event: *mut KEVENT, increment: KPRIORITY, wait: BOOLEAN) -> LONG {
//!         // ...
//!     }
//! }
//! ```
//!
//! `signature` names the module of `sys` whose function types these must have, so that the driver's
//! declaration and this implementation can't drift apart. Leave `, signature` out for functions that are
//! handed to drivers in a table (WDF, WSK, NDK): there the table's own field type is the check.
//! The macro makes, per function, an entry of that name to take the address of (it may be called from
//! Rust tests as a driver would), and, per file, a constant `EXPORTS`, which the folder's `mod.rs` lists
//! in its own `EXPORTS`, which its [`Subsystem`](crate::subsystem::Subsystem) returns.
//!
//! # What happens on entry
//!
//! The entry point is three stores and a jump: it notes the driver's stack and frame pointers, from which a
//! finding unwinds the driver's stack, and the first argument, which a trace shows; and goes on to `enter`,
//! which passes the scheduling point, checks the IRQL against the declared range (a violation is a finding, and
//! the call continues as far as the simulator can) and runs the body.
//!
//! A body is an unsafe function: its contract is the one that Microsoft documents for the real function.
//! It must not panic: there is no way to unwind through a driver's frames, so the process would abort.

use super::{depth, flags};
use crate::bugcheck::Bugcheck;
use crate::sched::{self, Irql, What, local};
use crate::verifier::{self, Finding};

/// An emulated function, or a variable of the kernel's that drivers import.
pub struct Export {
    /// File name of the module that exports it, in lower case. A name in parentheses is no module: the
    /// function reaches drivers through a table.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The entry point for drivers, or the address of the variable.
    pub address: *const (),
    /// The lowest level at which it may be called.
    pub lowest: Irql,
    /// The highest level at which it may be called.
    pub highest: Irql,
}

// SAFETY: the address is that of a function or of a static that is never written, which is immutable and lives as
// long as the process.
unsafe impl Sync for Export {}

/// Runs the body of an emulated function for a driver that just entered it.
#[inline]
pub fn enter<R: 'static>(export: &'static Export, body: impl FnOnce() -> R) -> R {
    local::entered(export.name, depth::deeper, || {
        flags::check_direction(|| format!("{} called with the direction flag set", export.name));
        sched::schedule_point_at(|| What::Calls(export.name, local::argument()));
        let irql = sched::irql();
        if irql < export.lowest || irql > export.highest {
            wrong_irql(export, irql);
        }
        let result = body();
        sched::answered(export.name, &result);
        // What the driver does next may be too late, for all that others do meanwhile.
        sched::schedule_point();
        result
    })
}

#[cold]
fn wrong_irql(export: &'static Export, irql: Irql) {
    // 0xE5: a kernel function called at the wrong level; the level.
    let bugcheck = Bugcheck { code: 0xC4, parameters: [0xE5, u64::from(irql.0), 0, 0] };
    verifier::report(Finding::new("Irql").bugcheck(bugcheck).text(format!(
        "{} called at {irql}; it may be called from {} to {}",
        export.name, export.lowest, export.highest
    )));
}

/// The first instructions of an emulated function: it notes where the driver is and goes on to its body, `jump`ing, or
/// `calling` so that the exception that the body leaves can be raised with the driver's registers.
#[macro_export]
#[doc(hidden)]
macro_rules! entry_point {
    (jump $name:ident) => {
        core::arch::naked_asm!(
            "mov gs:[{sp}], rsp",
            "mov gs:[{bp}], rbp",
            "mov gs:[{argument}], rcx",
            "jmp {body}",
            sp = const $crate::sched::local::CALLER_SP,
            bp = const $crate::sched::local::CALLER_BP,
            argument = const $crate::sched::local::CALLER_ARGUMENT,
            body = sym $name::body,
        )
    };
    (calling $name:ident) => {
        core::arch::naked_asm!(
            "mov gs:[{sp}], rsp",
            "mov gs:[{bp}], rbp",
            "mov gs:[{argument}], rcx",
            "sub rsp, 40",
            "call {body}",
            "add rsp, 40",
            "cmp byte ptr gs:[{raises}], 0",
            "jne {raise}",
            "ret",
            sp = const $crate::sched::local::CALLER_SP,
            bp = const $crate::sched::local::CALLER_BP,
            argument = const $crate::sched::local::CALLER_ARGUMENT,
            raises = const $crate::sched::local::RAISES,
            raise = sym $crate::exception::raise_pending,
            body = sym $name::body,
        )
    };
}

/// Declares emulated functions; see the head of [`boundary::export`](crate::boundary::export).
#[macro_export]
macro_rules! exports {
    ($module:literal, $signature:ident; $($functions:tt)*) => {
        $crate::exports! { @all jump, $module, $signature; $($functions)* }
    };
    // Functions that may raise an exception. They have four parameters at most.
    (raising $module:literal, $signature:ident; $($functions:tt)*) => {
        $crate::exports! { @all calling, $module, $signature; $($functions)* }
    };
    ($module:literal; $($functions:tt)*) => {
        $crate::exports! { @each jump, $module; $($functions)* }
    };
    (@all $entry:ident, $module:literal, $signature:ident; $( $(#[doc = $doc:literal])* #[irql($low:ident ..= $high:ident)]
        fn $name:ident ( $($argument:ident : $type:ty),* $(,)? ) $(-> $result:ty)? $body:block )*) => {
        $crate::exports! { @each $entry, $module; $( $(#[doc = $doc])* #[irql($low ..= $high)]
            fn $name($($argument: $type),*) $(-> $result)? $body )* }
        $( const _: $signature::$name = $name; )*
    };
    (@each $entry:ident, $module:literal; $( $(#[doc = $doc:literal])* #[irql($low:ident ..= $high:ident)]
        fn $name:ident ( $($argument:ident : $type:ty),* $(,)? ) $(-> $result:ty)? $body:block )*) => {
        /// The functions of this file.
        pub(crate) const EXPORTS: &[$crate::Export] = &[$(
            $crate::Export {
                module: $module,
                name: stringify!($name),
                address: $name as *const (),
                lowest: $crate::sched::Irql::$low,
                highest: $crate::sched::Irql::$high,
            },
        )*];
        $(
            $(#[doc = $doc])*
            ///
            /// # Safety
            /// The contract is that of the function of Windows.
            #[allow(non_snake_case, unused_variables, reason = "the entry only jumps; its name is NT's")]
            #[unsafe(naked)]
            pub unsafe extern "efiapi" fn $name($($argument: $type),*) $(-> $result)? {
                $crate::entry_point!($entry $name)
            }

            #[allow(non_snake_case, reason = "named after the function it holds")]
            mod $name {
                #[allow(unused_imports, reason = "the body's names come from the enclosing file")]
                use super::*;

                static EXPORT: $crate::Export = $crate::Export {
                    module: $module,
                    name: stringify!($name),
                    address: super::$name as *const (),
                    lowest: $crate::sched::Irql::$low,
                    highest: $crate::sched::Irql::$high,
                };

                pub(super) unsafe extern "efiapi" fn body($($argument: $type),*) $(-> $result)? {
                    $crate::boundary::export::enter(&EXPORT, || $body)
                }
            }
        )*
    };
}

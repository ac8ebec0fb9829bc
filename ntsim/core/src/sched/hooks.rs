//! Functions of the layers above that the scheduler calls: it is below all of them and knows none.

use core::fmt::Display;
use std::sync::OnceLock;

use crate::address::Va;
use crate::bugcheck::Bugcheck;

/// A driver's stack as it was; its text is a new line for each frame.
pub(crate) type Captured = Box<dyn Display + Send>;

/// Functions of the layers above that the scheduler calls.
pub(crate) struct Hooks {
    /// The drivers' stack in the calling thread, unless it is in no driver.
    pub(crate) stack: fn() -> Option<Captured>,
    /// The function that the code at an address belongs to.
    pub(crate) code: fn(Va) -> String,
    /// Describes the target of an address, in words that are the same whenever a run is repeated.
    pub(crate) place: fn(Va) -> Option<String>,
    /// Adds to the report of a machine that hangs, a line for each object that waits for a driver.
    pub(crate) hang: fn(&mut String),
}

/// Functions of the crates above. Of the process, as code is.
static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// The function that ends the process with a report. Of the process, as code is.
static STOP: OnceLock<fn(Bugcheck, &str) -> !> = OnceLock::new();

/// Installs the hooks, once per process.
pub(crate) fn install(hooks: Hooks) {
    HOOKS.get_or_init(|| hooks);
}

pub(super) fn stack() -> Option<Captured> {
    HOOKS.get().and_then(|hooks| (hooks.stack)())
}

pub(super) fn code(address: Va) -> String {
    HOOKS.get().map_or_else(|| format!("{address:#x}"), |hooks| (hooks.code)(address))
}

pub(super) fn place(address: Va) -> Option<String> {
    HOOKS.get().and_then(|hooks| (hooks.place)(address))
}

pub(super) fn describe_hang(report: &mut String) {
    if let Some(hooks) = HOOKS.get() {
        (hooks.hang)(report);
    }
}

/// Installs what ends the process with a report of a crash, once per process; without it, there is a line only.
pub fn on_stop(stop: fn(Bugcheck, &str) -> !) {
    STOP.get_or_init(|| stop);
}

/// Exit code of a process whose driver crashed.
pub const EXIT_CODE: i32 = 3;

/// Ends the process as a bug check ends Windows: with a report on standard error and [`EXIT_CODE`].
pub fn stop(bugcheck: Bugcheck, text: &str) -> ! {
    if let Some(stop) = STOP.get() {
        stop(bugcheck, text);
    }
    eprintln!("*** STOP: {bugcheck}\n{text}");
    exit()
}

/// Ends the process of a host that lets a thread call the kernel which is no part of the machine.
#[cold]
pub fn not_attached() -> ! {
    eprintln!("a thread that is no part of the machine called the kernel; see ntsim::sched::attach");
    exit()
}

fn exit() -> ! {
    // SAFETY: ending the process at once is the purpose; no destructor may run after a crash.
    unsafe { libc::_exit(EXIT_CODE) }
}

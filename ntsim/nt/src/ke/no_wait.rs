//! Code of drivers that must not wait, at whatever level it is called.

#![forbid(unsafe_code)]

use core::cell::Cell;

use ntsim_core::verifier::{self, Finding};

std::thread_local! {
    /// The rule that a wait of the thread breaks, and the code that it is in. Of the process, as its threads are; none is
    /// set between two machines, as each call resets it.
    static FORBIDDEN: Cell<Option<(&'static str, &'static str)>> = const { Cell::new(None) };
}

/// Runs `call`, which calls a driver's function `name`; a wait in it for anything but a mutex breaks `rule`.
pub fn without_waits<R>(rule: &'static str, name: &'static str, call: impl FnOnce() -> R) -> R {
    let outer = FORBIDDEN.replace(Some((rule, name)));
    let result = call();
    FORBIDDEN.set(outer);
    result
}

/// Passed by a thread that is about to wait, for so long or without limit.
pub(super) fn check(limit: Option<u64>) {
    if limit == Some(0) {
        return;
    }
    if let Some((rule, name)) = FORBIDDEN.get() {
        let text = format!("{name} waits, which it must not at any level");
        verifier::report(Finding::new(rule).text(text));
    }
}

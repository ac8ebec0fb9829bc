//! Names the case that runs when the process dies of it: of an access to memory that was taken back, say.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Once;

use super::case::Case;

thread_local! {
    static CURRENT: RefCell<String> = const { RefCell::new(String::new()) };
}

static HANDLED: Once = Once::new();

extern "C" fn report(signal: libc::c_int) {
    let text = CURRENT.with_borrow(|current| format!("signal {signal} in SOFTNDK_PREEMPT_CASE={current}\n"));
    // SAFETY: the text has so many bytes.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    // SAFETY: the default action ends the process.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: as above.
    unsafe { libc::raise(signal) };
}

/// From now on this thread runs `case`.
pub(super) fn enter(case: &Case) {
    HANDLED.call_once(|| {
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT] {
            // SAFETY: the handler reads what its own thread wrote, and ends the process.
            unsafe { libc::signal(signal, report as *const () as libc::sighandler_t) };
        }
    });
    CURRENT.with_borrow_mut(|current| {
        current.clear();
        let written = write!(current, "{case}");
        assert!(written.is_ok(), "a string takes anything");
    });
}

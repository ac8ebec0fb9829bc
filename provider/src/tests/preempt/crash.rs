//! Names the case that runs when the process dies of it: of an access to memory that was taken back, say. A case that
//! does not come to its end is such a death, too.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::case::Case;

thread_local! {
    static CURRENT: RefCell<String> = const { RefCell::new(String::new()) };
}

static HANDLED: Once = Once::new();

/// Time limit of a case, which takes less than a millisecond.
const CASE_TIMEOUT: Duration = Duration::from_secs(60);

/// The cases that run, by their threads, and since when.
static RUNNING: LazyLock<Mutex<HashMap<ThreadId, (Instant, String)>>> = LazyLock::new(Mutex::default);

fn running() -> MutexGuard<'static, HashMap<ThreadId, (Instant, String)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process when a case takes too long.
fn watch() {
    loop {
        thread::sleep(Duration::from_secs(1));
        if let Some((_, case)) = running().values().find(|(since, _)| since.elapsed() > CASE_TIMEOUT) {
            eprintln!("SOFTNDK_PREEMPT_CASE={case} has not come to its end in {} s", CASE_TIMEOUT.as_secs());
            std::process::abort();
        }
    }
}

/// The case of this thread is over.
pub(super) fn leave() {
    running().remove(&thread::current().id());
}

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
    #[expect(clippy::as_conversions, reason = "a function becomes an address by a cast alone")]
    let handler = report as *const () as libc::sighandler_t;
    HANDLED.call_once(|| {
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT] {
            // SAFETY: the handler reads what its own thread wrote, and ends the process.
            unsafe { libc::signal(signal, handler) };
        }
        thread::spawn(watch);
    });
    CURRENT.with_borrow_mut(|current| {
        current.clear();
        let written = write!(current, "{case}");
        assert!(written.is_ok(), "a string takes anything");
    });
    running().insert(thread::current().id(), (Instant::now(), case.to_string()));
}

//! A line in place of a report that can not be written.
//!
//! A driver may have broken whatever a report needs: the thread's local data, a lock, the heap. Then the report
//! faults or waits, and what is left says why the process ends. Nothing here uses more than its own statics.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::sched::hooks::EXIT_CODE;

/// Seconds that a report may take before SIGALRM ends it; symbols of a large PDB are read for it.
const SECONDS: usize = 20;

/// The time after which a thread that waits for the right to report looks again. Of the process, and never changed.
static PAUSE: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// The thread that reports, as the host numbers it; 0 while none does. Of the process, whose end it is.
static REPORTS: AtomicI64 = AtomicI64::new(0);

/// Its bug check: the code and the parameters. Of the process, too.
static BUGCHECK: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

/// The right of one thread of the process to report.
pub(super) struct Reporting(());

impl Reporting {
    /// Gives the right back: a handler of the driver's takes the fault, and there is nothing to report.
    pub(super) fn withdraw(self) {
        host(libc::SYS_alarm, [0; 3]);
        REPORTS.store(0, Ordering::Release);
    }
}

/// Called before a report is made, and before it is known whether there is one to make: gives the first thread the
/// right to. The same thread comes here again if the report itself faults, which ends the process; other threads
/// wait for that end, or for the right.
pub(super) fn begin(bugcheck: &Bugcheck) -> Reporting {
    let own = host(libc::SYS_gettid, [0; 3]);
    loop {
        match REPORTS.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(first) if first == own => end("the report failed"),
            Err(_) => _ = host(libc::SYS_nanosleep, [Va::of(&raw const PAUSE).get(), 0, 0]),
        }
    }
    let [a, b, c, d] = bugcheck.parameters;
    for (place, value) in BUGCHECK.iter().zip([u64::from(bugcheck.code), a, b, c, d]) {
        place.store(value, Ordering::Release);
    }
    host(libc::SYS_alarm, [SECONDS, 0, 0]);
    Reporting(())
}

/// Ends the process with a line that says what it stopped with, and why there is no more.
pub(super) fn end(why: &str) -> ! {
    let [code, a, b, c, d] = [0, 1, 2, 3, 4].map(|index: usize| BUGCHECK[index].load(Ordering::Acquire));
    let mut line = Line { bytes: [0; 256], length: 0 };
    // What does not fit is left out.
    let _ = writeln!(line, "\n*** STOP: {code:#x} ({a:#x}, {b:#x}, {c:#x}, {d:#x}); {why}");
    host(libc::SYS_write, [2, Va::of(line.bytes.as_ptr()).get(), line.length]);
    loop {
        host(libc::SYS_exit_group, [EXIT_CODE as usize, 0, 0]);
    }
}

/// Asks the host's kernel without its library, which may use the thread's local data. Only for what changes no
/// memory.
fn host(number: libc::c_long, [a, b, c]: [usize; 3]) -> i64 {
    let result;
    // SAFETY: of the calls above none changes memory, and the kernel keeps all other registers.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Text in place.
struct Line {
    bytes: [u8; 256],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

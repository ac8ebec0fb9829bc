//! A watchdog on the processor time of threads that do not come back.
//!
//! Windows stops with bug check 0x133, DPC_WATCHDOG_VIOLATION
//! (<https://learn.microsoft.com/windows-hardware/drivers/debugger/bug-check-0x133-dpc-watchdog-violation>), when a
//! single DPC runs for too long, and when a processor stays at DISPATCH_LEVEL or above for too long. A DPC that comes
//! back late is a finding of its own; one that never does, a spin at DISPATCH_LEVEL and a lock that another thread
//! keeps for ever are found here, by what the thread has used of a processor: a host that is busy does not count.
//!
//! Below DISPATCH_LEVEL, and only there, Windows would go on for ever. Here the run ends as an operator ends such a Windows, if a
//! driver neither returns nor calls the kernel.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::time::{TICK, units};
use super::{Thread, for_each_thread, hooks};
use crate::bugcheck::Bugcheck;
use crate::sched::Settings;

/// The ratio of the time that a processor may be at DISPATCH_LEVEL to that of one DPC: 0x1E00 ticks are
/// Windows' watchdog period, 0x500 are for a DPC.
const PERIOD: u32 = 6;

/// The longest time that the report of another thread may take.
const REPORT: Duration = Duration::from_secs(30);

/// The bug check of the thread that is told to report, and its sentence. Of the process, whose end it is.
static OVERRUN: Mutex<Option<(Bugcheck, String)>> = Mutex::new(None);

/// Takes the report that the thread with the host's signal is to make. Without a request, the signal is the
/// host's own.
pub fn take() -> (Bugcheck, String) {
    let request = OVERRUN.try_lock_for(Duration::from_secs(1)).and_then(|mut request| request.take());
    request.unwrap_or_else(|| {
        let text = "the process has used the processor time that the host allows it";
        (Bugcheck { code: 0xE2, parameters: [0; 4] }, text.into())
    })
}

/// The watchdog of a machine, a thread of the host. It ends when it is dropped.
pub(crate) struct Watchdog {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the watchdog of a machine.
    pub(crate) fn start() -> Self {
        let settings = Settings::current();
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let thread =
            std::thread::Builder::new().name("watchdog".into()).spawn(move || watch(settings, &ends));
        Self { over, thread: thread.ok() }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Since when, by its processor time, a thread has been where it is.
#[derive(Default)]
struct Since {
    place: u64,
    time: Duration,
}

impl Since {
    /// Returns the time it has been at `place`.
    fn at(&mut self, place: u64, time: Duration) -> Duration {
        if place != self.place {
            *self = Self { place, time };
        }
        time.saturating_sub(self.time)
    }
}

fn watch(settings: &Settings, over: &AtomicBool) {
    let step = (settings.dpc_limit.min(settings.hang_timeout) / 4)
        .clamp(Duration::from_millis(10), Duration::from_secs(1));
    let mut seen: HashMap<u64, [Since; 3]> = HashMap::new();
    loop {
        std::thread::park_timeout(step);
        if over.load(Ordering::Acquire) {
            return;
        }
        let mut found = None;
        for_each_thread(|thread| {
            let Some(time) = thread.processor_time() else { return };
            let since = seen.entry(thread.id).or_default();
            let overrun = judge(settings, &thread.stays, thread.moves(), time, since);
            found =
                found.take().or(overrun
                    .map(|(bugcheck, text)| (*thread, (bugcheck, format!("{thread:?} has been {text}")))));
        });
        if let Some((thread, overrun)) = found.filter(|_| !is_traced()) {
            end(thread, overrun);
        }
    }
}

/// Returns the bug check that a thread has to stop with, if any, and for how long it has been where. `time` is its
/// processor time.
fn judge(
    settings: &Settings,
    stays: &Stays,
    moves: u64,
    time: Duration,
    [dpc, raised, driver]: &mut [Since; 3],
) -> Option<(Bugcheck, String)> {
    let ticks = |time: Duration| units(time) / TICK;
    let in_dpc = dpc.at(stays.in_dpc.place(), time);
    if stays.in_dpc.is_inside() && in_dpc > settings.dpc_limit {
        let parameters = [0, ticks(in_dpc), ticks(settings.dpc_limit), 0];
        let text = format!("in a DPC for {in_dpc:?} of processor time");
        return Some((Bugcheck { code: 0x133, parameters }, text));
    }
    let above = raised.at(stays.raised.place(), time);
    if stays.raised.is_inside() && above > settings.dpc_limit * PERIOD {
        let parameters = [1, ticks(settings.dpc_limit * PERIOD), 0, 0];
        let text = format!("at DISPATCH_LEVEL or above for {above:?} of processor time");
        return Some((Bugcheck { code: 0x133, parameters }, text));
    }
    let place = stays.in_driver.place().wrapping_add(stays.raised.place()).wrapping_add(moves);
    let alone = driver.at(place, time);
    if stays.in_driver.is_inside() && !stays.has_processor() && alone > settings.hang_timeout {
        let text = format!("in a driver for {alone:?} of processor time, without a call: the machine hangs");
        return Some((Bugcheck { code: 0xE2, parameters: [0; 4] }, text));
    }
    None
}

/// Returns whether a debugger has the process: then a thread may stand still for as long as it likes.
fn is_traced() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("TracerPid:")).is_some_and(|pid| pid.trim() != "0")
}

/// Lets the thread report where it is, and ends the process. Where it can not, this thread reports.
fn end(thread: &Thread, (bugcheck, text): (Bugcheck, String)) -> ! {
    *OVERRUN.lock() = Some((bugcheck, text.clone()));
    thread.signal(libc::SIGXCPU);
    std::thread::sleep(REPORT);
    hooks::stop(bugcheck, &text)
}

/// The place of a thread, for other threads.
#[derive(Default)]
pub struct Stays {
    /// At DISPATCH_LEVEL or above.
    pub(crate) raised: Stay,
    /// In a DPC.
    pub in_dpc: Stay,
    /// In driver code, and what that calls.
    pub(crate) in_driver: Stay,
}

impl Stays {
    /// Returns whether the thread has a processor to itself: it is at DISPATCH_LEVEL or above, as in a DPC. It then has the
    /// limits of these, however long other threads may be patient.
    pub(super) fn has_processor(&self) -> bool {
        self.raised.is_inside() || self.in_dpc.is_inside()
    }
}

/// One kind of place that a thread goes into and out of. Only the thread itself writes it.
#[derive(Default)]
pub struct Stay {
    changes: AtomicU64,
    depth: AtomicU64,
}

impl Stay {
    /// Notes that the thread goes in.
    #[inline]
    pub fn enter(&self) {
        self.change(1);
    }

    /// Notes that the thread goes out.
    #[inline]
    pub fn leave(&self) {
        self.change(u64::MAX);
    }

    #[inline]
    fn change(&self, by: u64) {
        self.changes.store(self.changes.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.depth.store(self.depth.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    fn place(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Returns true while the thread is inside.
    pub fn is_inside(&self) -> bool {
        self.depth.load(Ordering::Relaxed) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges, each second, a thread that stays at these places for ever; returns when it is stopped, and with which bug
    /// check and first parameter.
    fn judged(hang_timeout: Duration, places: &[fn(&Stays) -> &Stay]) -> (Duration, [u64; 2]) {
        let settings = Settings { hang_timeout, ..Settings::default() };
        let stays = Stays::default();
        places.iter().for_each(|place| place(&stays).enter());
        let mut since = Default::default();
        let mut seconds = (0..).map(Duration::from_secs);
        let found = seconds.find_map(|time| Some((time, judge(&settings, &stays, 0, time, &mut since)?.0)));
        let (time, bugcheck) = found.unwrap();
        (time, [u64::from(bugcheck.code), bugcheck.parameters[0]])
    }

    #[test]
    fn thread_at_dispatch_level_is_judged_by_its_own_limits_whatever_the_hang_timeout() {
        let [in_driver, raised, in_dpc]: [fn(&Stays) -> &Stay; 3] =
            [|stays| &stays.in_driver, |stays| &stays.raised, |stays| &stays.in_dpc];
        let default = Settings::default();
        for hang_timeout in [default.hang_timeout, Duration::from_secs(1), Duration::from_secs(3600)] {
            let second = Duration::from_secs(1);
            assert_eq!(judged(hang_timeout, &[in_driver]), (hang_timeout + second, [0xE2, 0]));
            let period = default.dpc_limit * PERIOD + second;
            assert_eq!(judged(hang_timeout, &[in_driver, raised]), (period, [0x133, 1]));
            let limit = default.dpc_limit + second;
            assert_eq!(judged(hang_timeout, &[in_driver, raised, in_dpc]), (limit, [0x133, 0]));
        }
    }
}

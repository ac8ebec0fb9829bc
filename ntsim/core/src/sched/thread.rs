//! Threads, and the one place in which anything blocks.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use core::{fmt, ptr};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use sys::wdm::{DISPATCHER_HEADER, LIST_ENTRY};

use super::alternate_stack::AlternateStack;
use super::explore::Turn;
use super::hooks::Captured;
use super::overrun::Stays;
use super::watchdog::{self, Watch};
use super::{HeldLocks, Wait, local, processor};
use crate::address::Va;
use crate::number::{ToU64, ToUsize, narrow};
use crate::per_machine::PerMachine;

/// A thread of the machine.
///
/// Its address is its identity (`PKTHREAD`). Thread objects are never freed, so that a stale pointer in a
/// driver can be told from a live one; they are small.
#[repr(C)]
pub struct Thread {
    /// The object for waits of other threads: signaled when the thread has ended. It comes first, as in NT's.
    header: UnsafeCell<DISPATCHER_HEADER>,
    /// Number of the thread, from 1; never reused on its machine.
    pub id: u64,
    /// Its purpose, in reports.
    pub name: String,
    /// The spin locks that it holds.
    pub held: HeldLocks,
    /// The mutexes that it holds.
    pub mutexes: HeldLocks,
    /// Set if it is a thread of the host that was attached, and not one that the machine started.
    pub(super) of_host: bool,
    /// The drivers' stack in it, while it waits for long.
    pub(super) waits: parking_lot::Mutex<Option<Captured>>,
    /// Its part in a schedule.
    pub(super) turn: Turn,
    /// The bounds of its stack.
    pub(super) stack: OnceLock<(Va, Va)>,
    /// Its place, for the watchdog.
    pub stays: Stays,
    /// The host's number of it.
    host_id: libc::pid_t,
    moves: AtomicU64,
    affinity: AtomicU64,
    woken: AtomicBool,
    ended: AtomicBool,
    host: std::thread::Thread,
}

// SAFETY: the header is only accessed under the dispatcher's lock; all else is atomic or never changes.
unsafe impl Sync for Thread {}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thread {} ({})", self.id, self.name)
    }
}

/// The type of a thread in its header (`KOBJECTS` in `ntddk.h`).
const THREAD_OBJECT: u8 = 6;

/// The time that a machine that shuts down waits for each of its threads.
const END_TIMEOUT: Duration = Duration::from_secs(5);

impl Thread {
    fn new(id: u64, name: String, of_host: bool) -> &'static Self {
        let none = ptr::null_mut();
        let header = DISPATCHER_HEADER {
            Type: THREAD_OBJECT,
            Signalling: 0,
            Size: 0,
            Reserved1: 0,
            SignalState: 0,
            WaitListHead: LIST_ENTRY { Flink: none, Blink: none },
        };
        Box::leak(Box::new(Self {
            header: UnsafeCell::new(header),
            id,
            name,
            held: HeldLocks::default(),
            mutexes: HeldLocks::default(),
            of_host,
            waits: parking_lot::Mutex::default(),
            turn: Turn::default(),
            stack: OnceLock::new(),
            stays: Stays::default(),
            // SAFETY: the call has no preconditions.
            host_id: unsafe { libc::gettid() },
            moves: AtomicU64::new(0),
            affinity: AtomicU64::new(u64::MAX),
            woken: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            host: std::thread::current(),
        }))
    }

    /// Notes that the thread called the kernel or was called by it. Only the thread itself does.
    #[inline]
    pub(super) fn move_on(&self) {
        self.moves.store(self.moves.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Returns the number of times that it has.
    pub(super) fn moves(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    /// Returns whether a thread of the running machine has, or had, this number.
    pub fn exists(id: u64) -> bool {
        (1..=THREADS.get().begun.load(Ordering::Relaxed)).contains(&id)
    }

    /// The same from 0, to be used as an index.
    pub(super) fn number(&self) -> usize {
        self.id.to_usize() - 1
    }

    /// Lets the thread go on from parking, if it does.
    pub(super) fn unpark(&self) {
        self.host.unpark();
    }

    /// The bounds of the thread's stack.
    pub fn stack_bounds(&self) -> Option<(Va, Va)> {
        self.stack.get().copied()
    }

    /// Returns the time for which the thread has run on the host's processors; `None` if it has ended.
    pub(super) fn processor_time(&self) -> Option<Duration> {
        // The clock of a thread's processor time, as Linux numbers it (`CPUCLOCK_SCHED`, `CPUCLOCK_PERTHREAD_MASK`).
        let clock = !self.host_id << 3 | 2 | 4;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the structure is writable; a number of a clock that does not exist is refused.
        let done = unsafe { libc::clock_gettime(clock, &raw mut time) };
        (done == 0).then(|| Duration::new(time.tv_sec.cast_unsigned(), narrow(time.tv_nsec)))
    }

    /// Sends the thread a signal of the host's; `false` if it has ended.
    pub fn signal(&self, signal: libc::c_int) -> bool {
        // SAFETY: the call has no preconditions.
        let process = unsafe { libc::getpid() };
        // SAFETY: the call has no preconditions; a thread that has ended does not get it.
        unsafe { libc::syscall(libc::SYS_tgkill, process, self.host_id, signal) == 0 }
    }

    /// Returns whether `address` lies on the thread's stack.
    pub(super) fn stack_contains(&self, address: Va) -> bool {
        self.stack.get().is_some_and(|&(low, high)| (low..high).contains(&address))
    }

    /// Returns whether the thread's affinity includes processor `number`.
    pub(super) fn may_run_on(&self, number: u32) -> bool {
        self.affinity.load(Ordering::Relaxed) >> (number & 63) & 1 == 1
    }

    /// Sets the processors that the thread may run on, one bit each, and returns the ones before.
    pub(super) fn set_affinity(&self, mask: u64) -> u64 {
        self.affinity.swap(mask, Ordering::Relaxed)
    }

    /// The dispatcher object that is signaled when the thread has ended; it lives as long as the process, and is
    /// accessed under the dispatcher's lock only.
    pub fn header(&self) -> *mut DISPATCHER_HEADER {
        self.header.get()
    }

    /// Waits for the thread's end, but not longer than `limit`; whether it has come.
    pub fn ends_within(&self, limit: Duration) -> bool {
        if let Some((turns, own)) = super::turns() {
            let deadline = super::elapsed() + limit;
            while !self.ended() && super::elapsed() < deadline {
                turns.wait(own, Wait::End(self.id, deadline));
            }
            return self.ended();
        }
        let deadline = Instant::now() + limit;
        let mut tries = 0;
        while !self.ended() && Instant::now() < deadline {
            tries += 1;
            // Usually it is a matter of microseconds.
            if tries < 1000 { std::thread::yield_now() } else { std::thread::sleep(Duration::from_millis(1)) }
        }
        self.ended()
    }

    /// Returns whether the thread's routine has returned.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// The calling thread, if it is part of the machine.
#[inline]
pub fn current() -> Option<&'static Thread> {
    local::with(|local| local.thread.get())
}

/// Membership of a host thread in the machine; ends when dropped.
#[must_use]
#[derive(Debug)]
pub struct Attached {
    _stack: AlternateStack,
}

/// Makes the calling host thread a thread of the machine, as which it may call into drivers.
///
/// # Panics
/// If the machine has a [`Schedule`](super::Schedule) and is booted already: when a thread of the host
/// comes does not follow from a seed. Use [`spawn`].
pub fn attach(name: impl Into<String>) -> Attached {
    let first = THREADS.get().begun.load(Ordering::Relaxed) == 0;
    assert!(super::schedule().is_none() || first, "a machine with a schedule starts its threads itself");
    join_machine(name.into(), true)
}

fn join_machine(name: String, of_host: bool) -> Attached {
    let threads = THREADS.get();
    let id = threads.begun.fetch_add(1, Ordering::Relaxed) + 1;
    let thread = Thread::new(id, name, of_host);
    local::prepare(thread);
    threads.all.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    let turns = super::schedule();
    let processors = processor::count().to_u64();
    local::with(|local| {
        assert!(local.thread.get().is_none(), "the thread is attached already");
        local.processor.set(narrow(thread.id % processors));
        local.thread.set(Some(thread));
        local.turns.set(turns);
    });
    if let Some(turns) = turns {
        turns.begin(thread);
    }
    Attached { _stack: AlternateStack::new() }
}

impl Drop for Attached {
    fn drop(&mut self) {
        local::with(|local| {
            if let Some(thread) = local.thread.take() {
                // A thread that never ended while its machine ran may do so later.
                if let Some(threads) = THREADS.made() {
                    let mut all = threads.all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.retain(|other| !ptr::eq(*other, thread));
                }
                thread.ended.store(true, Ordering::Release);
                // A thread of the host is the one that booted the machine, which is over.
                if let Some(turns) = local.turns.take().filter(|_| !thread.of_host) {
                    turns.end(thread);
                }
            }
        });
    }
}

/// The threads that a machine started and has to wait for.
#[derive(Default)]
struct Threads {
    /// The number of threads that have begun so far.
    begun: AtomicU64,
    /// Those that have not ended.
    all: Mutex<Vec<&'static Thread>>,
    running: Mutex<Vec<(&'static Thread, JoinHandle<()>)>>,
}

static THREADS: PerMachine<Threads> = PerMachine::new();

/// Calls `f` with every thread of the machine that has not ended.
pub fn for_each_thread(f: impl FnMut(&&'static Thread)) {
    THREADS.get().all.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(f);
}

/// Waits until every thread that was started has ended; returns those that do not within a while.
pub(crate) fn join() -> Vec<&'static Thread> {
    let mut stuck = Vec::new();
    loop {
        let next = THREADS.get().running.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some((thread, handle)) = next else { return stuck };
        if thread.ends_within(END_TIMEOUT) {
            let _ = handle.join();
        } else {
            stuck.push(thread);
        }
    }
}

/// Starts a thread of the machine at PASSIVE_LEVEL; `ended` runs on it last.
///
/// # Errors
/// The host's, if it has no more threads.
pub fn spawn(
    name: impl Into<String>,
    body: impl FnOnce() + Send + 'static,
) -> std::io::Result<&'static Thread> {
    let name = name.into();
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let handle = std::thread::Builder::new().name(name.clone()).spawn(move || {
        let _attached = join_machine(name, false);
        let _ = sender.send(current());
        if let Some((turns, own)) = super::turns() {
            turns.begun(own);
        }
        body();
    })?;
    let thread = receiver.recv().ok().flatten();
    let thread = thread.ok_or_else(|| std::io::Error::other("the thread ended before it began"))?;
    let mut running = THREADS.get().running.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that have ended hold memory of the host until their handles are gone.
    running.retain(|(_, handle)| !handle.is_finished());
    running.push((thread, handle));
    Ok(thread)
}

/// Blocks the calling thread until [`wake`] is called for it or the time is over; `false` if it is.
///
/// A wake that came first is not lost. The only place in which a thread of the machine waits.
pub fn block(limit: Option<Duration>) -> bool {
    let Some(thread) = current() else {
        panic!("only a thread of the machine can block");
    };
    if let Some((turns, thread)) = super::turns() {
        if !thread.woken.swap(false, Ordering::Acquire) {
            turns.wait(thread, Wait::Wake(limit.map(|limit| super::elapsed() + limit)));
            return thread.woken.swap(false, Ordering::Acquire);
        }
        super::schedule_point();
        return true;
    }
    super::processor::goes_idle(thread);
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut watch = Watch::default();
    let woken = loop {
        if thread.woken.swap(false, Ordering::Acquire) {
            break true;
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            break thread.woken.swap(false, Ordering::Acquire);
        }
        let step = left.map_or(watchdog::STEP, |left| left.min(watchdog::STEP));
        let begin = Instant::now();
        std::thread::park_timeout(step);
        if left.is_none() && begin.elapsed() >= watchdog::STEP {
            watch.look(thread);
        }
    };
    *thread.waits.lock() = None;
    woken
}

/// Lets `thread` go on from [`block`].
pub fn wake(thread: &'static Thread) {
    thread.woken.store(true, Ordering::Release);
    match super::schedule() {
        Some(turns) => turns.wake(thread),
        None => thread.unpark(),
    }
}

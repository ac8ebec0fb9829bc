//! One simulated machine: booting it, its state, shutting it down.

use core::any::{Any, TypeId};
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::path::Path;

use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::ex::fault::Injector;
use crate::ex::pool::{self, Pool};
use crate::io::{self, ForcePending};
use crate::ke::debug::Log;
use crate::ke::dispatcher::Dispatcher;
use crate::ke::dpc;
use crate::ke::timer::{self, Timers};
use crate::loader::{self, Driver, Images, LoadError};
use crate::mm::Pageable;
use crate::ndk;
use crate::report::Report;
use crate::sched::overrun::Watchdog;
use crate::sched::processor::{self, Processor};
use crate::sched::time::Clock;
use crate::sched::{self, Attached, DpcOrder, Irql, Schedule, Threads, Turns, watchdog};
use crate::verifier::{Findings, LockOrder};

/// State of one part of the simulator, kept per machine; see [`State::part`].
pub trait Part: Default + Send + Sync + 'static {
    /// Reports, as findings, what drivers left behind in this part; called once, after the last unload.
    fn inspect(&self) {}
}

/// Everything that a running machine consists of.
///
/// It is never freed: a thread of a driver may outlive its machine, and what an emulated function works
/// on must not need a reference count. What it holds is released at shutdown; the rest is small.
pub struct State {
    pub(crate) processors: Box<[Processor]>,
    pub(crate) clock: Clock,
    /// Which thread runs, where a schedule says so.
    pub(crate) turns: Option<Turns>,
    pub(crate) dpc_order: DpcOrder,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) log: Log,
    pub(crate) timers: Timers,
    pub(crate) threads: Threads,
    pub(crate) findings: Findings,
    pub(crate) lock_order: LockOrder,
    pub(crate) images: Images,
    pub(crate) pool: Pool,
    pub(crate) injector: Injector,
    pub(crate) pageable: Pageable,
    pub(crate) force_pending: ForcePending,
    /// How long nothing may move while somebody waits.
    pub(crate) patience: Duration,
    /// How long a DPC may run.
    pub(crate) dpc_limit: Duration,
    /// Bytes of stack that drivers used at most.
    pub(crate) deepest_stack: AtomicU64,
    stopping: AtomicBool,
    parts: RwLock<HashMap<TypeId, Held>>,
}

#[derive(Clone, Copy)]
struct Held {
    /// How many were made before.
    number: usize,
    part: &'static (dyn Any + Send + Sync),
    inspect: fn(&(dyn Any + Send + Sync)),
}

impl State {
    /// The state of one part of the simulator, made on first use.
    pub fn part<P: Part>(&self) -> &'static P {
        if let Some(held) = self.parts.read().get(&TypeId::of::<P>()) {
            return cast(held.part);
        }
        let mut parts = self.parts.write();
        let number = parts.len();
        let held = parts.entry(TypeId::of::<P>()).or_insert_with(|| Held {
            number,
            part: Box::leak(Box::<P>::default()),
            inspect: |part| cast_short::<P>(part).inspect(),
        });
        cast(held.part)
    }

    /// Whether the machine is shutting down: threads that serve it end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

fn cast<P: Part>(part: &'static (dyn Any + Send + Sync)) -> &'static P {
    part.downcast_ref().expect("a part is kept under its own type")
}

fn cast_short<P: Part>(part: &(dyn Any + Send + Sync)) -> &P {
    part.downcast_ref().expect("a part is kept under its own type")
}

/// Held while a machine exists: there is one at a time in a process.
static ONE: Mutex<()> = Mutex::new(());

static CURRENT: AtomicPtr<State> = AtomicPtr::new(core::ptr::null_mut());

/// The machine that is running.
///
/// # Panics
/// If none is.
#[inline]
pub fn current() -> &'static State {
    running().expect("a machine is running")
}

/// The machine that is running, if one is.
#[inline]
pub(crate) fn running() -> Option<&'static State> {
    let state = CURRENT.load(Ordering::Acquire);
    // SAFETY: the pointer is null or that of a state, which is never freed.
    unsafe { state.as_ref() }
}

/// How a machine is to be.
#[derive(Clone, Debug)]
pub struct Builder {
    processors: u32,
    special_pool: usize,
    fresh_pool: u8,
    force_irql: bool,
    force_pending: Option<u64>,
    echo: bool,
    patience: Duration,
    dpc_limit: Duration,
    schedule: Option<Schedule>,
}

impl Builder {
    /// With this many virtual processors, 1 to 64.
    #[must_use]
    pub fn processors(mut self, count: u32) -> Self {
        self.processors = count.clamp(1, 64);
        self
    }

    /// With this many live pool blocks in pages of their own (see [`ex::pool`](crate::ex::pool)); the rest
    /// comes from the heap, which is faster.
    #[must_use]
    pub fn special_pool(mut self, blocks: usize) -> Self {
        self.special_pool = blocks;
        self
    }

    /// With this in the bytes of pool memory that a driver does not ask to be zero; 0xA5 if nothing is said.
    /// What a driver does must not depend on it.
    #[must_use]
    pub fn fresh_pool(mut self, value: u8) -> Self {
        self.fresh_pool = value;
        self
    }

    /// With paged pool and pageable code inaccessible from DISPATCH_LEVEL on, so that a touch stops the machine
    /// also where Windows would find the page in memory by chance. Raising the level then takes longer.
    #[must_use]
    pub fn force_irql(mut self) -> Self {
        self.force_irql = true;
        self
    }

    /// With some of the requests that drivers send to each other pending, chosen from a seed, whatever the
    /// device does that gets them.
    #[must_use]
    pub fn force_pending(mut self, seed: u64) -> Self {
        self.force_pending = Some(seed);
        self
    }

    /// With what drivers print for the debugger also going to standard error.
    #[must_use]
    pub fn echo(mut self) -> Self {
        self.echo = true;
        self
    }

    /// With a report and the end of the process after this long if a thread of the host waits for
    /// something in the machine and nothing there moves.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// With this time for each DPC, by the machine's clock; Windows' own 20 seconds if nothing is said.
    #[must_use]
    pub fn dpc_limit(mut self, limit: Duration) -> Self {
        self.dpc_limit = limit;
        self
    }

    /// With one thread running at a time, as the schedule says, so that the run can be repeated.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// Starts the machine. Waits while another one is running in this process.
    ///
    /// The calling thread becomes a thread of the machine.
    pub fn boot(self) -> Machine {
        let one = ONE.lock();
        loader::install_crash_handler();
        let state: &'static State = Box::leak(Box::new(State {
            processors: (0..self.processors).map(|_| Processor::new()).collect(),
            clock: Clock::new(self.schedule.is_some()),
            turns: self.schedule.map(Turns::new),
            dpc_order: DpcOrder::new(self.schedule),
            dispatcher: Dispatcher::default(),
            log: Log::new(self.echo),
            timers: Timers::default(),
            threads: Threads::default(),
            findings: Findings::default(),
            lock_order: LockOrder::default(),
            images: Images::default(),
            pool: Pool::new(self.special_pool, self.fresh_pool),
            injector: Injector::default(),
            pageable: Pageable::new(self.force_irql),
            force_pending: ForcePending::new(self.force_pending),
            patience: self.patience,
            dpc_limit: self.dpc_limit,
            deepest_stack: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            parts: RwLock::default(),
        }));
        CURRENT.store(core::ptr::from_ref(state).cast_mut(), Ordering::Release);
        let attached = sched::attach("boot");
        for number in 0..self.processors {
            sched::spawn(format!("processor {number}"), move || {
                processor::serve(number, &|| state.is_stopping());
            })
            .expect("the host has threads for the machine's processors");
        }
        sched::spawn("timers", move || timer::serve(&|| state.is_stopping()))
            .expect("the host has a thread for the machine's timers");
        if state.turns.is_some() {
            // Time passes only once these wait. While they had not run, there would be a choice at every
            // point from here on, and none of them matters.
            sched::block(Some(Duration::from_nanos(1)));
        }
        let watchdog = Some(Box::new(Watchdog::start(state)));
        Machine { state, attached: Some(attached), watchdog, _one: one }
    }
}

/// The running machine. Dropping it shuts it down; [`Machine::shutdown`] also says what was found.
pub struct Machine {
    state: &'static State,
    attached: Option<Attached>,
    watchdog: Option<Box<Watchdog>>,
    _one: MutexGuard<'static, ()>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("processors", &self.state.processors.len()).finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine with two processors, to be changed and booted.
    pub fn builder() -> Builder {
        Builder {
            processors: 2,
            special_pool: pool::SPECIAL_LIMIT,
            fresh_pool: pool::FRESH,
            force_irql: false,
            force_pending: None,
            echo: false,
            patience: watchdog::PATIENCE,
            dpc_limit: dpc::LIMIT,
            schedule: None,
        }
    }

    /// Loads the driver image at `path` and calls its entry point.
    ///
    /// # Errors
    /// Where the file is no x64 driver image, imports what the simulator does not have, or its entry
    /// point fails.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Driver, LoadError> {
        Driver::load(path.as_ref())
    }

    /// What drivers have printed for the debugger, one entry per call.
    pub fn log(&self) -> Vec<String> {
        self.state.log.lines()
    }

    /// What went through the I/O manager so far.
    pub fn requests(&self) -> io::Statistics {
        io::snapshot()
    }

    /// Shuts the machine down and says what was found since it was booted.
    pub fn shutdown(mut self) -> Report {
        self.stop()
    }

    fn stop(&mut self) -> Report {
        let Some(attached) = self.attached.take() else { return Report::default() };
        sched::lower(Irql::PASSIVE);
        processor::flush();
        io::settle();
        let ndk = ndk::summary();
        let mut parts: Vec<_> = self.state.parts.read().values().copied().collect();
        parts.sort_unstable_by_key(|held| held.number);
        parts.iter().for_each(|held| (held.inspect)(held.part));
        self.state.stopping.store(true, Ordering::Release);
        self.state.processors.iter().for_each(Processor::ring);
        self.state.timers.ring();
        let ended = self.state.threads.join();
        drop(self.watchdog.take());
        let pool = pool::leaks(None);
        if ended {
            self.state.pageable.forget(&(0..usize::MAX));
            // SAFETY: every thread of the machine has ended, this one is outside of its drivers.
            unsafe { self.state.pool.clear() };
            // SAFETY: as above.
            unsafe { self.state.images.clear() };
        }
        let deepest_stack = self.state.deepest_stack.load(Ordering::Relaxed);
        let schedule = self.state.turns.as_ref().map(Turns::played);
        let findings = self.state.findings.all();
        let report = Report { findings, pool, deepest_stack, ndk, io: io::snapshot(), schedule };
        drop(attached);
        CURRENT.store(core::ptr::null_mut(), Ordering::Release);
        report
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}

//! Booting a machine and shutting it down.

mod sockets;

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::address::Va;
use crate::boundary::deepest_stack;
use crate::loader;
use crate::pageable;
use crate::per_machine::{self, Stopping};
use crate::sched::{self, Attached, Irql, Played, Schedule, Settings, Transport, Watchdog};
use crate::subsystem::{self, Leak, Subsystems};
use crate::verifier::{self, Finding};

/// Held while a machine exists. Of the process, which has one at a time.
static ONE: Mutex<()> = Mutex::new(());

/// The settings and subsystems of a machine that has not been booted yet, as an `M`.
pub struct Builder<M = Machine> {
    settings: Settings,
    subsystems: Subsystems,
    machine: PhantomData<fn(Machine) -> M>,
}

impl<M> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<M> Clone for Builder<M> {
    fn clone(&self) -> Self {
        Self { settings: self.settings, subsystems: self.subsystems, machine: PhantomData }
    }
}

impl<M: From<Machine>> Builder<M> {
    /// A machine with two processors and these parts, to be changed and booted. Parts are booted, inspected and stopped
    /// in the order in which they stand.
    pub fn new(subsystems: Subsystems) -> Self {
        Self { settings: Settings::default(), subsystems, machine: PhantomData }
    }

    /// With this many virtual processors, 1 to 64.
    #[must_use]
    pub fn processors(mut self, count: u32) -> Self {
        self.settings.processors = count.clamp(1, 64);
        self
    }

    /// With this many live pool blocks in pages of their own; the rest comes from the heap, which is faster.
    #[must_use]
    pub fn special_pool(mut self, blocks: usize) -> Self {
        self.settings.special_pool = blocks;
        self
    }

    /// With this in the bytes of pool memory that a driver does not ask to be zero; 0xA5 if nothing is said. A driver
    /// must not depend on it.
    #[must_use]
    pub fn fresh_pool(mut self, value: u8) -> Self {
        self.settings.fresh_pool = value;
        self
    }

    /// With paged pool and pageable code inaccessible from DISPATCH_LEVEL on, so that a touch stops the machine
    /// also where Windows would find the page in memory by chance. Raising the level then takes longer.
    #[must_use]
    pub fn force_irql(mut self) -> Self {
        self.settings.force_irql = true;
        self
    }

    /// With some of the requests that drivers send to each other pending, chosen from a seed, whatever the
    /// device does that gets them.
    #[must_use]
    pub fn force_pending(mut self, seed: u64) -> Self {
        self.settings.force_pending = Some(seed);
        self
    }

    /// With images that import what the simulator does not have loaded all the same. The first use of such an import
    /// stops the machine, with its name and the driver's stack; Windows would not load the image.
    #[must_use]
    pub fn allow_missing_imports(mut self) -> Self {
        self.settings.allow_missing_imports = true;
        self
    }

    /// With what drivers print for the debugger also going to standard error.
    #[must_use]
    pub fn echo(mut self) -> Self {
        self.settings.echo = true;
        self
    }

    /// With a report and the end of the process after this long if a thread of the host waits for
    /// something in the machine and nothing there moves.
    #[must_use]
    pub fn hang_timeout(mut self, limit: Duration) -> Self {
        self.settings.hang_timeout = limit;
        self
    }

    /// With this time for each DPC, by the machine's clock; Windows' own 20 seconds if nothing is said.
    #[must_use]
    pub fn dpc_limit(mut self, limit: Duration) -> Self {
        self.settings.dpc_limit = limit;
        self
    }

    /// With one thread running at a time, as the schedule says, so that the run can be repeated.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.settings.schedule = Some(schedule);
        self
    }

    /// Starts the machine. Waits while another one is running in this process.
    ///
    /// The calling thread becomes a thread of the machine.
    ///
    /// # Panics
    /// With a schedule and the host's sockets.
    pub fn boot(self) -> M {
        let settings = self.settings;
        let repeatable = settings.schedule.is_none() || settings.sockets.transport == Transport::Pipe;
        assert!(repeatable, "a run under a schedule can be repeated, and the host's sockets cannot");
        let one = ONE.lock();
        install_hooks();
        per_machine::begin();
        settings.install();
        pageable::boot(settings.force_irql);
        subsystem::register(self.subsystems);
        let exports = subsystem::all().flat_map(|part| part.exports()).copied().flatten();
        loader::export(exports.map(|export| ((export.module, export.name), Va::of(export.address))));
        sched::boot();
        let attached = sched::attach("boot");
        sched::start_processors();
        subsystem::all().for_each(|part| part.boot(&settings));
        if settings.schedule.is_some() {
            // Time passes only once these wait. While they had not run, there would be a choice at every
            // point from here on, and none of them matters.
            sched::block(Some(Duration::from_nanos(1)));
        }
        let watchdog = Some(Box::new(Watchdog::start()));
        M::from(Machine { attached: Some(attached), watchdog, _one: one })
    }
}

/// Lets the scheduler reach the layers above it.
fn install_hooks() {
    sched::hooks::install(sched::Hooks {
        stack: loader::captured_stack,
        code: loader::name,
        place: |address| subsystem::name(address).or_else(|| loader::place(address)),
        hang: subsystem::describe_hang,
    });
}

/// The running machine. Dropping it shuts it down; [`Machine::shutdown`] also says what was found.
pub struct Machine {
    /// Taken when the machine has been stopped.
    attached: Option<Attached>,
    watchdog: Option<Box<Watchdog>>,
    _one: MutexGuard<'static, ()>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

impl Machine {
    /// Shuts the machine down and says what was found since it was booted.
    pub fn shutdown(mut self) -> ShutdownReport {
        self.settle();
        self.stop()
    }

    /// Lets what is under way end: DPCs that are queued, work in the parts.
    pub fn settle(&self) {
        sched::lower(Irql::PASSIVE);
        sched::flush_dpcs();
        subsystem::all().for_each(|part| part.settle());
    }

    /// Inspects and stops a machine that has [settled](Self::settle). State per machine can be read until this is
    /// dropped.
    pub fn stop(&mut self) -> ShutdownReport {
        let Some(attached) = self.attached.take() else { return ShutdownReport::default() };
        let parts = subsystem::all();
        parts.clone().for_each(|part| part.inspect());
        Stopping::current().set();
        sched::wake_processors();
        parts.clone().for_each(|part| part.stop());
        let stuck = sched::join_threads();
        for thread in &stuck {
            let text = format!("{thread:?} still ran when the machine was shut down");
            verifier::report(Finding::new("ThreadAtShutdown").text(text));
        }
        drop(self.watchdog.take());
        let pool = parts.clone().flat_map(|part| part.leaks()).collect();
        if stuck.is_empty() {
            pageable::forget(&(Va::NULL..Va::MAX));
            // SAFETY: every thread of the machine has ended, this one is outside of its drivers.
            parts.for_each(|part| unsafe { part.release() });
            // SAFETY: as above.
            unsafe { loader::release_images() };
        }
        let report = ShutdownReport {
            findings: verifier::findings(),
            pool,
            deepest_stack: deepest_stack(),
            schedule: sched::played(),
        };
        drop(attached);
        report
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.attached.is_some() {
            self.settle();
            self.stop();
        }
        per_machine::end();
    }
}

/// The findings of a machine, and what it left.
#[derive(Clone, Debug, Default)]
pub struct ShutdownReport {
    /// The rules that drivers broke, in the order in which they were first broken.
    pub findings: Vec<Finding>,
    /// Pool memory that was never freed, by tag.
    pub pool: Vec<Leak>,
    /// Bytes of kernel stack that drivers used at most, as far as they called the kernel from there.
    pub deepest_stack: u64,
    /// The run, where the machine had a schedule.
    pub schedule: Option<Played>,
}

impl ShutdownReport {
    /// The rules that were broken, in the order of the findings.
    pub fn rules(&self) -> Vec<&'static str> {
        self.findings.iter().map(|finding| finding.rule).collect()
    }

    /// The first parameter of each finding's bug check, which says what is wrong; findings without one are left out.
    pub fn codes(&self) -> Vec<u64> {
        self.findings
            .iter()
            .filter_map(|finding| finding.bugcheck)
            .map(|bugcheck| bugcheck.parameters[0])
            .collect()
    }

    /// Returns whether nothing was found and nothing is left.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.pool.is_empty()
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "nothing found");
        }
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        self.pool.iter().try_for_each(|leak| writeln!(f, "left in pool: {leak}"))?;
        self.schedule.iter().try_for_each(|played| write!(f, "{played}"))
    }
}

//! Passing the turn.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use core::{fmt, mem};

use parking_lot::{Mutex, MutexGuard};

use super::chooser::{Chooser, Number, Place};
use super::trace::{Played, Recorder, What};
use super::{Atomics, Digest, Points, Schedule, Trace};
use crate::address::Va;
use crate::bugcheck::Bugcheck;
use crate::sched::{Thread, for_each_thread, hooks, time, watchdog};

/// The expected number of points in code for each call of a run.
const IN_CODE: u64 = 100;

/// The longest time, by the machine's clock, that a thread of the host may be in a wait without a time limit.
/// Periodic timers let time pass without end, and nothing that a driver has to do takes so long.
const HANGS: Duration = Duration::from_secs(600);

/// A thread's part in passing the turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Set by who passes it on, cleared by who takes it.
    given: AtomicBool,
}

/// The event that a thread without the turn waits for; it must not get the turn before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// For being woken, or a time since boot.
    Wake(Option<Duration>),
    /// For the spin lock at an address.
    SpinLock(Va),
    /// For being alone on a processor.
    Processor(u32),
    /// For the end of the thread with this number, or a time since boot.
    End(u64, Duration),
}

impl Wait {
    fn deadline(self) -> Option<Duration> {
        match self {
            Self::Wake(deadline) => deadline,
            Self::End(_, deadline) => Some(deadline),
            Self::SpinLock(_) | Self::Processor(_) => None,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wake(_) => f.write_str("to be woken"),
            Self::SpinLock(_) => f.write_str("for a spin lock"),
            Self::Processor(number) => write!(f, "for processor {number}"),
            Self::End(id, _) => write!(f, "for thread {id} to end"),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Ready,
    Waits(Wait),
    Ended,
}

/// The reason for which a run can't go on.
enum StallError {
    /// Every thread waits for another one.
    Deadlock,
    /// This thread waits, and will for ever: all that happens is that timers expire.
    Hang(&'static Thread),
}

impl fmt::Display for StallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock => f.write_str("no thread can run, and none waits for a time:"),
            Self::Hang(thread) => {
                write!(f, "the machine hangs: {thread:?} has been in one wait for {} s:", HANGS.as_secs())
            }
        }
    }
}

/// The threads of one machine, of which one has the turn.
pub struct Turns {
    schedule: Schedule,
    table: Mutex<Table>,
}

struct Table {
    threads: Vec<(&'static Thread, State)>,
    chooser: Chooser,
    ready: Vec<Number>,
    points: u64,
    points_in_code: u64,
    switches: u64,
    digest: Digest,
    /// The images that were loaded with points in their code.
    images: Vec<Points>,
    recorder: Recorder,
    /// The thread of the host that waits without a time limit, how often it had moved then, and since when.
    still: Option<(Number, u64, Duration)>,
    /// The thread that asks for the positions of all threads, before the end.
    asks: Option<&'static Thread>,
}

impl Turns {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let table = Table {
            threads: Vec::new(),
            chooser: Chooser::new(&schedule),
            ready: Vec::new(),
            points: 0,
            points_in_code: 0,
            switches: 0,
            digest: Digest::EMPTY,
            images: Vec::new(),
            recorder: Recorder::new(schedule.kept),
            still: None,
            asks: None,
        };
        Self { schedule, table: Mutex::new(table) }
    }

    /// Returns the kind of instructions of images that are points, if any are.
    pub(crate) fn atomics(&self) -> Option<Atomics> {
        Some(self.schedule.atomics).filter(|&atomics| atomics != Atomics::Off)
    }

    /// Notes that an image with these points was loaded.
    pub(crate) fn loaded(&self, points: &Points) {
        self.table.lock().images.push(points.clone());
    }

    /// Lets `thread` take part. The first one has the turn, any other one gets it when it is chosen.
    pub(crate) fn begin(&self, thread: &'static Thread) {
        let mut table = self.table.lock();
        let number = table.threads.len();
        assert_eq!(number, thread.number(), "threads of a machine are numbered as they begin");
        table.threads.push((thread, State::Ready));
        table.chooser.begin(number);
    }

    /// Waits for the first turn of the calling thread.
    pub(crate) fn begun(&self, own: &'static Thread) {
        self.take_turn(own);
        self.note(own, || What::Begins);
    }

    /// Ends the part of the calling thread, and passes the turn on.
    pub(crate) fn end(&self, own: &'static Thread) {
        let mut table = self.table.lock();
        table.recorder.note(own, || What::Ends);
        table.threads[own.number()].1 = State::Ended;
        table.release(|wait| matches!(wait, Wait::End(id, _) if id == own.id));
        match table.next() {
            Ok(next) => table.give(next),
            Err(stuck) => self.end_stuck(table, own, stuck),
        }
    }

    /// A place where another thread may go on.
    pub(crate) fn point(&self, own: &'static Thread, what: impl FnOnce() -> What) {
        let mut table = self.table.lock();
        let what = what();
        let mut place = Place::Call;
        if let What::Calls(call, _) | What::Callback(call) = what {
            table.digest.begins(own, call);
            place = if call.contains("Acquire") { Place::Lock } else { place };
        }
        table.recorder.note(own, || what);
        table.points += 1;
        // Once: who explains a pending close asks its provider, which comes here again.
        if table.points == self.schedule.most {
            let mut text = format!("{} points were passed without an end", table.points);
            drop(table);
            hooks::describe_hang(&mut text);
            stop(&text);
        }
        self.may_switch(table, own, place, || What::Preempted);
    }

    /// A place in the code of an image, at `address`, where another thread may go on.
    pub(crate) fn reached(&self, own: &'static Thread, place: Place, address: Va) {
        let mut table = self.table.lock();
        table.points_in_code += 1;
        if table.points_in_code == self.schedule.most.saturating_mul(IN_CODE) {
            let text = format!("{} points in code were passed without an end", table.points_in_code);
            drop(table);
            stop(&text);
        }
        self.may_switch(table, own, place, || What::PreemptedAt(address));
    }

    /// Lets others run until what the calling thread waits for may have come.
    pub(crate) fn wait(&self, own: &'static Thread, wait: Wait) {
        let mut table = self.table.lock();
        table.recorder.note(own, || What::Waits(wait.to_string()));
        table.threads[own.number()].1 = State::Waits(wait);
        match table.next() {
            Ok(next) if next == own.number() => {}
            Ok(next) => self.switch(table, own, next),
            Err(stuck) => self.end_stuck(table, own, stuck),
        }
    }

    /// Notes that `thread` was woken.
    pub(crate) fn wake(&self, thread: &'static Thread) {
        let mut table = self.table.lock();
        let number = thread.number();
        if let State::Waits(Wait::Wake(_)) = table.threads[number].1 {
            table.threads[number].1 = State::Ready;
        }
        if let Some(own) = crate::sched::current() {
            table.recorder.note(own, || What::Wakes(format!("{thread:?}")));
        }
    }

    /// Lets those go on who wait for what has just been given back.
    pub(crate) fn release(&self, released: Wait) {
        self.table.lock().release(|wait| wait == released);
    }

    /// Adds to the trace.
    pub(crate) fn note(&self, own: &'static Thread, what: impl FnOnce() -> What) {
        self.table.lock().recorder.note(own, what);
    }

    /// Adds to the digest that a call of `own` ended with `status`.
    pub(crate) fn answered(&self, own: &Thread, call: &str, status: u32) {
        self.table.lock().digest.ends(own, call, status);
    }

    /// Returns the outcome of the run so far.
    pub(crate) fn played(&self) -> Played {
        let table = self.table.lock();
        Played {
            schedule: self.schedule,
            points: table.points,
            choices: table.chooser.choices,
            points_in_code: table.points_in_code,
            choices_in_code: table.chooser.choices_in_code,
            switches: table.switches,
            digest: table.digest,
            images: table.images.clone(),
            trace: table.recorder.trace(),
        }
    }

    /// The trace so far, unless it is being written, as it may be in a crash.
    pub fn trace(&self) -> Option<Trace> {
        Some(self.table.try_lock()?.recorder.trace())
    }

    /// Passes the turn on if the chooser says so, and comes back with it.
    fn may_switch(
        &self,
        mut table: MutexGuard<'_, Table>,
        own: &'static Thread,
        place: Place,
        what: impl FnOnce() -> What,
    ) {
        if let Some(next) = table.preempts(own, place) {
            table.recorder.note(own, what);
            self.switch(table, own, next);
        }
    }

    /// Passes the turn to another thread, and comes back with it.
    fn switch(&self, mut table: MutexGuard<'_, Table>, own: &'static Thread, next: Number) {
        table.switches += 1;
        table.give(next);
        drop(table);
        self.take_turn(own);
    }

    /// Waits until the calling thread has the turn.
    fn take_turn(&self, own: &'static Thread) {
        loop {
            while !own.turn.given.swap(false, Ordering::Acquire) {
                std::thread::park();
            }
            let Some(asks) = self.table.lock().asks else { return };
            *own.waits.lock() = hooks::stack();
            give(asks);
        }
    }

    /// Ends a run that is stuck.
    fn end_stuck(&self, mut table: MutexGuard<'_, Table>, own: &'static Thread, stuck: StallError) -> ! {
        table.asks = Some(own);
        let waiting: Vec<_> = table
            .threads
            .iter()
            .filter_map(|&(thread, state)| match state {
                State::Waits(wait) => Some((thread, wait)),
                State::Ready | State::Ended => None,
            })
            .collect();
        drop(table);
        let mut text = stuck.to_string();
        for (thread, wait) in waiting {
            if thread.id == own.id {
                *own.waits.lock() = hooks::stack();
            } else {
                give(thread);
                while !own.turn.given.swap(false, Ordering::Acquire) {
                    std::thread::park();
                }
            }
            text.push_str(&format!("\n  {thread:?} waits {wait}{}", held_by(wait)));
        }
        text.push_str(&watchdog::describe("\nthese wait inside of drivers:"));
        stop(&text)
    }
}

impl Table {
    /// The threads that could run, without `own`.
    fn others(&mut self, own: Option<&Thread>) -> Vec<Number> {
        let own = own.map(Thread::number);
        let mut ready = mem::take(&mut self.ready);
        ready.clear();
        let states = self.threads.iter().enumerate();
        ready.extend(states.filter(|(_, (_, state))| *state == State::Ready).map(|(number, _)| number));
        ready.retain(|number| Some(*number) != own);
        ready
    }

    /// The thread that has the turn instead of `own`, if it loses it at `place`.
    fn preempts(&mut self, own: &Thread, place: Place) -> Option<Number> {
        let ready = self.others(Some(own));
        let chosen = self.chooser.preempts(own.number(), place, own.held.count() > 0, &ready);
        self.ready = ready;
        chosen
    }

    /// The thread that has the turn next.
    fn next(&mut self) -> Result<Number, StallError> {
        loop {
            let ready = self.others(None);
            let chosen = self.chooser.choose(&ready);
            self.ready = ready;
            if let Some(chosen) = chosen {
                return Ok(chosen);
            }
            let deadlines = self.threads.iter().filter_map(|(_, state)| match state {
                State::Waits(wait) => wait.deadline(),
                State::Ready | State::Ended => None,
            });
            let now = deadlines.min().ok_or(StallError::Deadlock)?;
            if let Some(thread) = self.hangs(now) {
                return Err(StallError::Hang(thread));
            }
            time::advance_to(now);
            self.release(|wait| wait.deadline().is_some_and(|deadline| deadline <= now));
        }
    }

    /// The thread of the host that will have been for too long in one wait without a time limit, at `now`.
    fn hangs(&mut self, now: Duration) -> Option<&'static Thread> {
        let endless = |state: &State| matches!(state, State::Waits(wait) if wait.deadline().is_none());
        let (thread, _) = *self.threads.iter().find(|(thread, state)| thread.of_host && endless(state))?;
        let place = (thread.number(), thread.moves());
        match self.still {
            Some((number, moves, since)) if (number, moves) == place => {
                (now.saturating_sub(since) > HANGS).then_some(thread)
            }
            _ => {
                self.still = Some((place.0, place.1, time::elapsed()));
                None
            }
        }
    }

    /// Makes those ready who wait for what `comes` to pass.
    fn release(&mut self, comes: impl Fn(Wait) -> bool) {
        for (_, state) in &mut self.threads {
            if matches!(state, State::Waits(wait) if comes(*wait)) {
                *state = State::Ready;
            }
        }
    }

    fn give(&self, next: Number) {
        give(self.threads[next].0);
    }
}

/// Names the thread that holds the spin lock that is waited for.
fn held_by(wait: Wait) -> String {
    let mut text = String::new();
    if let Wait::SpinLock(address) = wait {
        for_each_thread(|thread| {
            if thread.held.contains(address) {
                text = format!(" that {thread:?} holds");
            }
        });
    }
    text
}

fn give(thread: &Thread) {
    thread.turn.given.store(true, Ordering::Release);
    thread.unpark();
}

/// Ends the process as an operator ends a Windows that hangs.
fn stop(text: &str) -> ! {
    hooks::stop(Bugcheck { code: 0xE2, parameters: [0; 4] }, text)
}

//! Passing the turn.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use core::{fmt, mem};

use parking_lot::{Mutex, MutexGuard};

use super::chooser::{Chooser, Number};
use super::trace::{Played, Recorder, What};
use super::{Digest, Schedule, Trace};
use crate::loader;
use crate::machine;
use crate::ndk;
use crate::sched::{Thread, watchdog};
use crate::verifier::Bugcheck;

/// A thread's part in passing the turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Set by who passes it on, cleared by who takes it.
    given: AtomicBool,
}

/// What a thread waits for that has not the turn and must not get it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wait {
    /// For being woken, or a time since boot.
    Wake(Option<Duration>),
    /// For the spin lock at an address.
    SpinLock(usize),
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

/// The threads of one machine, of which one has the turn.
pub(crate) struct Turns {
    schedule: Schedule,
    table: Mutex<Table>,
}

struct Table {
    threads: Vec<(&'static Thread, State)>,
    chooser: Chooser,
    ready: Vec<Number>,
    points: u64,
    switches: u64,
    digest: Digest,
    recorder: Recorder,
    /// Who wants to know where everybody is, before the end.
    asks: Option<&'static Thread>,
}

impl Turns {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let table = Table {
            threads: Vec::new(),
            chooser: Chooser::new(&schedule),
            ready: Vec::new(),
            points: 0,
            switches: 0,
            digest: Digest::EMPTY,
            recorder: Recorder::new(schedule.kept),
            asks: None,
        };
        Self { schedule, table: Mutex::new(table) }
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
        if let Some(next) = table.next(own, false) {
            table.give(next);
        } else {
            self.nobody_can_run(table, own);
        }
    }

    /// A place where another thread may go on.
    pub(crate) fn point(&self, own: &'static Thread, what: impl FnOnce() -> What) {
        let mut table = self.table.lock();
        let what = what();
        if let What::Calls(call, _) | What::Callback(call) = what {
            table.digest.begins(own, call);
        }
        table.recorder.note(own, || what);
        table.points += 1;
        // Once: who explains a pending close asks its provider, which comes here again.
        if table.points == self.schedule.most {
            let mut text = format!("{} points were passed without an end", table.points);
            drop(table);
            for close in ndk::pending_closes() {
                text.push_str(&format!("\n  {close}"));
            }
            stop(&text);
        }
        self.go_on(table, own, true);
    }

    /// Lets others run until what the calling thread waits for may have come.
    pub(crate) fn wait(&self, own: &'static Thread, wait: Wait) {
        let mut table = self.table.lock();
        table.recorder.note(own, || What::Waits(wait.to_string()));
        table.threads[own.number()].1 = State::Waits(wait);
        self.go_on(table, own, false);
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
    pub(crate) fn release(&self, given_back: Wait) {
        self.table.lock().release(|wait| wait == given_back);
    }

    /// Adds to the trace.
    pub(crate) fn note(&self, own: &'static Thread, what: impl FnOnce() -> What) {
        self.table.lock().recorder.note(own, what);
    }

    /// Adds to the digest that a call of `own` ended with `status`.
    pub(crate) fn answered(&self, own: &Thread, call: &str, status: u32) {
        self.table.lock().digest.ends(own, call, status);
    }

    /// What the run came to so far.
    pub(crate) fn played(&self) -> Played {
        let table = self.table.lock();
        Played {
            schedule: self.schedule,
            points: table.points,
            choices: table.chooser.choices,
            switches: table.switches,
            digest: table.digest,
            trace: table.recorder.trace(),
        }
    }

    /// The trace so far, unless it is being written, as it may be in a crash.
    pub(crate) fn trace(&self) -> Option<Trace> {
        Some(self.table.try_lock()?.recorder.trace())
    }

    /// Passes the turn to whom the chooser says, and comes back with it.
    fn go_on(&self, mut table: MutexGuard<'_, Table>, own: &'static Thread, may_go_on: bool) {
        match table.next(own, may_go_on) {
            Some(next) if next == own.number() => {}
            Some(next) => {
                table.switches += 1;
                if may_go_on {
                    table.recorder.note(own, || What::Preempted);
                }
                table.give(next);
                drop(table);
                self.take_turn(own);
            }
            None => self.nobody_can_run(table, own),
        }
    }

    /// Waits until the calling thread has the turn.
    fn take_turn(&self, own: &'static Thread) {
        loop {
            while !own.turn.given.swap(false, Ordering::Acquire) {
                std::thread::park();
            }
            let Some(asks) = self.table.lock().asks else { return };
            *own.waits.lock() = Some(loader::stack());
            give(asks);
        }
    }

    /// Ends a run in which every thread waits for another one.
    fn nobody_can_run(&self, mut table: MutexGuard<'_, Table>, own: &'static Thread) -> ! {
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
        let mut text = "no thread can run, and none waits for a time:".to_owned();
        for (thread, wait) in waiting {
            if thread.id == own.id {
                *own.waits.lock() = Some(loader::stack());
            } else {
                give(thread);
                while !own.turn.given.swap(false, Ordering::Acquire) {
                    std::thread::park();
                }
            }
            text.push_str(&format!("\n  {thread:?} waits {wait}{}", held_by(wait)));
        }
        text.push_str(&watchdog::describe("these wait inside of drivers:"));
        stop(&text)
    }
}

impl Table {
    /// Who has the turn next; `None` if nobody can ever run again.
    fn next(&mut self, own: &'static Thread, may_go_on: bool) -> Option<Number> {
        let running = may_go_on.then(|| own.number());
        loop {
            let mut ready = mem::take(&mut self.ready);
            ready.clear();
            let states = self.threads.iter().enumerate();
            ready.extend(states.filter(|(_, (_, state))| *state == State::Ready).map(|(number, _)| number));
            ready.retain(|number| Some(*number) != running);
            let chosen = self.chooser.choose(running, &ready);
            self.ready = ready;
            if chosen.is_some() {
                return chosen;
            }
            let deadlines = self.threads.iter().filter_map(|(_, state)| match state {
                State::Waits(wait) => wait.deadline(),
                State::Ready | State::Ended => None,
            });
            let now = deadlines.min()?;
            machine::current().clock.advance_to(now);
            self.release(|wait| wait.deadline().is_some_and(|deadline| deadline <= now));
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

/// Who has the spin lock that is waited for.
fn held_by(wait: Wait) -> String {
    let mut text = String::new();
    if let Wait::SpinLock(address) = wait {
        machine::current().threads.for_each(|thread| {
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
    loader::stop(Bugcheck { code: 0xE2, parameters: [0; 4] }, text)
}

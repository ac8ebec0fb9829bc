//! Processors: threads of which one runs at a time, each with its own stack.
//!
//! The thread of a test is the first processor. At some point of one processor, another one
//! starts and runs until it has done its work, or has to wait; then a processor that was preempted goes on. One that
//! waits goes on when what it waits for has come about and the others have stopped. When all of them wait, the
//! DPCs are made; when there is none, they would wait for ever.
//!
//! A processor that holds a lock is not preempted: the other one would only spin until it was released.

#![expect(unsafe_code, reason = "an implementation of the kernel makes promises")]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use crate::manual::{ManualEvent, State, install, pump_once, state};
use crate::network;
use crate::points::{self, Point, at_each};

/// The code that a processor runs.
pub type Work = Box<dyn FnOnce()>;

/// Some work, and the point at which it preempts.
pub struct Strike {
    /// The processor that is preempted; the first is 0, and the others are numbered as they start.
    pub processor: usize,
    /// The number of the point, from 0.
    pub point: usize,
    /// The work, on a processor of its own.
    pub work: Work,
}

/// A value that one thread of a test gives to another, of which one runs at a time.
struct Movable<T>(T);

// SAFETY: the threads of a test run in turn.
unsafe impl<T> Send for Movable<T> {}

/// The running processor. Shared by the threads themselves, and all else only by the one that runs.
#[derive(Default)]
struct Baton {
    running: Mutex<usize>,
    changed: Condvar,
}

impl Baton {
    fn give(&self, to: usize) {
        *self.running.lock().unwrap() = to;
        self.changed.notify_all();
    }

    fn await_turn(&self, of: usize) {
        let running = self.running.lock().unwrap();
        drop(self.changed.wait_while(running, |running| *running != of).unwrap());
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Doing {
    Ready,
    /// Waits until the event is signalled.
    Waits(*const ManualEvent),
    Over,
}

/// The processors of a run.
pub(crate) struct Processors {
    baton: Arc<Baton>,
    current: Cell<usize>,
    all: RefCell<Vec<Doing>>,
    points: RefCell<Vec<usize>>,
    strikes: RefCell<Vec<Strike>>,
    threads: RefCell<Vec<JoinHandle<()>>>,
    /// A panic of a processor other than the first.
    failure: RefCell<Option<Box<dyn std::any::Any + Send>>>,
}

impl Processors {
    fn new(strikes: Vec<Strike>) -> Self {
        Self {
            baton: Arc::default(),
            current: Cell::new(0),
            all: RefCell::new(vec![Doing::Ready]),
            points: RefCell::new(vec![0]),
            strikes: RefCell::new(strikes),
            threads: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// A point is reached, with no lock held.
    fn point(&self) {
        let current = self.current.get();
        let point = {
            let mut points = self.points.borrow_mut();
            points[current] += 1;
            points[current] - 1
        };
        let due = {
            let mut strikes = self.strikes.borrow_mut();
            let due = strikes.iter().position(|strike| strike.processor == current && strike.point == point);
            due.map(|due| strikes.remove(due))
        };
        if let Some(strike) = due {
            self.start(strike.work);
        }
    }

    /// Starts another processor, and waits until this one is to go on.
    fn start(&self, work: Work) {
        let number = self.all.borrow().len();
        self.all.borrow_mut().push(Doing::Ready);
        self.points.borrow_mut().push(0);
        let baton = Arc::clone(&self.baton);
        let moved = Movable((state(), network::world(), work));
        let thread = thread::Builder::new().stack_size(1 << 20).spawn(move || {
            let moved = moved;
            let Movable((state, world, work)) = moved;
            baton.await_turn(number);
            install(state);
            network::install(world);
            hook();
            run_alone(number, work);
        });
        self.threads.borrow_mut().push(thread.unwrap());
        self.switch(number);
    }

    /// Lets another processor run until this one's turn comes again.
    fn switch(&self, to: usize) {
        let own = self.current.get();
        self.current.set(to);
        self.baton.give(to);
        self.baton.await_turn(own);
        self.fail_with_others();
    }

    fn fail_with_others(&self) {
        if self.current.get() == 0 && !thread::panicking() {
            let failure = self.failure.borrow_mut().take();
            if let Some(failure) = failure {
                resume_unwind(failure);
            }
        }
    }

    /// Another processor that can go on: the last one that was preempted, or else the first that waited.
    fn another(&self) -> Option<usize> {
        let own = self.current.get();
        let all = self.all.borrow();
        let can_go_on = |number: usize| match all[number] {
            Doing::Ready => true,
            // SAFETY: the thread that waits for an event keeps it.
            Doing::Waits(event) => unsafe { &*event }.is_signalled(),
            Doing::Over => false,
        };
        let before = (0..own).rev().find(|number| can_go_on(*number));
        before.or_else(|| (own + 1..all.len()).find(|number| can_go_on(*number)))
    }

    /// Waits for an event.
    pub(crate) fn wait(&self, event: &ManualEvent) {
        assert_eq!(points::held(), 0, "a processor waits with a lock held");
        let own = self.current.get();
        while !event.is_signalled() {
            self.all.borrow_mut()[own] = Doing::Waits(event);
            match self.another() {
                Some(other) => self.switch(other),
                None => {
                    // The call runs on this stack, and may be preempted in its turn.
                    self.all.borrow_mut()[own] = Doing::Ready;
                    assert!(pump_once(), "this would wait for ever");
                }
            }
        }
        self.all.borrow_mut()[own] = Doing::Ready;
    }

    /// Lets the others finish. Called by the first processor.
    fn finish(&self) {
        while self.all.borrow()[1..].iter().any(|doing| *doing != Doing::Over) {
            match self.another() {
                Some(other) => self.switch(other),
                None => assert!(pump_once(), "another processor would wait for ever"),
            }
        }
        for thread in self.threads.take() {
            thread.join().unwrap();
        }
    }
}

/// Makes the points of the calling thread those of its processor. The start of a DPC is none: a processor makes
/// DPCs only when all others wait.
fn hook() {
    at_each(Some(Rc::new(|point| {
        if point != Point::Dpc
            && let Some(processors) = state().processors()
        {
            processors.point();
        }
    })));
}

/// The life of a processor other than the first.
fn run_alone(number: usize, work: Work) {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let processors = state().processors().unwrap();
    let failed = outcome.is_err();
    if let Err(failure) = outcome {
        *processors.failure.borrow_mut() = Some(failure);
    }
    processors.all.borrow_mut()[number] = Doing::Over;
    // The first one makes the DPCs when all of the others wait, and fails for those that fail.
    let next = if failed { 0 } else { processors.another().unwrap_or(0) };
    processors.current.set(next);
    let baton = Arc::clone(&processors.baton);
    drop(processors);
    at_each(None);
    install(Rc::new(State::default()));
    network::install(network::Shared::default());
    baton.give(next);
}

/// Does some work on the first processor, while others preempt it; returns how many points it had.
pub fn preempted(strikes: Vec<Strike>, work: impl FnOnce()) -> usize {
    let processors = Rc::new(Processors::new(strikes));
    state().set_processors(Some(Rc::clone(&processors)));
    hook();
    work();
    let points = processors.points.borrow()[0];
    processors.finish();
    processors.fail_with_others();
    at_each(None);
    state().set_processors(None);
    points
}

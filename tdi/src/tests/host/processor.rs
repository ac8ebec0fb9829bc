//! Processors: threads of which one runs at a time, each with its own stack.
//!
//! The thread of a test is the first processor. Just before some lock acquisition of one processor, another one
//! starts and runs until it has done its work, or has to wait; then a processor that was preempted goes on. One that
//! waits goes on when what it waits for has come about and the others have stopped. When all of them wait, the
//! DPCs are made; when there is none, they would wait for ever.
//!
//! A processor that holds a lock is not preempted: the other one would only spin until it was released.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use super::{Context, HostEvent, Movable, context, install, pump_once};

/// The code that a processor runs.
pub(crate) type Work = Box<dyn FnOnce()>;

/// Some work, and the lock acquisition before which it preempts.
pub(crate) struct Strike {
    /// The processor that is preempted; the first is 0, and the others are numbered as they start.
    pub(crate) processor: usize,
    /// The number of the acquisition, from 0, of those with no lock held.
    pub(crate) point: usize,
    pub(crate) work: Work,
}

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
    Waits(*const HostEvent),
    Over,
}

/// The processors of a run.
pub(crate) struct Processors {
    baton: Arc<Baton>,
    current: Cell<usize>,
    all: RefCell<Vec<Doing>>,
    points: RefCell<Vec<usize>>,
    strikes: RefCell<Vec<Strike>>,
    held: Cell<usize>,
    threads: RefCell<Vec<JoinHandle<()>>>,
    /// A panic of a processor other than the first.
    failure: RefCell<Option<Box<dyn std::any::Any + Send>>>,
}

impl Processors {
    pub(super) fn new(strikes: Vec<Strike>) -> Self {
        Self {
            baton: Arc::default(),
            current: Cell::new(0),
            all: RefCell::new(vec![Doing::Ready]),
            points: RefCell::new(vec![0]),
            strikes: RefCell::new(strikes),
            held: Cell::new(0),
            threads: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// A lock is about to be taken.
    pub(super) fn point(&self) {
        if self.held.get() != 0 {
            return;
        }
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

    /// A client is called.
    pub(super) fn point_of_client(&self) {
        assert_eq!(self.held.get(), 0, "a client is called with a lock held");
        self.point();
    }

    pub(super) fn locked(&self) {
        self.held.set(self.held.get() + 1);
    }

    pub(super) fn unlocked(&self) {
        self.held.set(self.held.get() - 1);
    }

    /// Starts another processor, and waits until this one is to go on.
    fn start(&self, work: Work) {
        let number = self.all.borrow().len();
        self.all.borrow_mut().push(Doing::Ready);
        self.points.borrow_mut().push(0);
        let baton = Arc::clone(&self.baton);
        let moved = Movable((context(), work));
        let thread = thread::Builder::new().stack_size(1 << 20).spawn(move || {
            let moved = moved;
            let Movable((context, work)) = moved;
            baton.await_turn(number);
            install(context);
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
    pub(super) fn wait(&self, event: &HostEvent) {
        assert_eq!(self.held.get(), 0, "a processor waits with a lock held");
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

/// The life of a processor other than the first.
fn run_alone(number: usize, work: Work) {
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let processors = context().processors().unwrap();
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
    install(Rc::new(Context::default()));
    baton.give(next);
}

/// Does some work on the first processor, while others preempt it; returns how many points it had.
pub(crate) fn preempted(strikes: Vec<Strike>, work: impl FnOnce()) -> usize {
    let processors = Rc::new(Processors::new(strikes));
    context().set_processors(Some(Rc::clone(&processors)));
    work();
    let points = processors.points.borrow()[0];
    processors.finish();
    processors.fail_with_others();
    context().set_processors(None);
    points
}

//! The threads that do the work of sockets and call drivers, as the receive path of a network adapter does.
//!
//! They start with the first socket: a machine without sockets has none of them. A socket has one lane for each kind of
//! work; the work of a lane never overlaps itself, that of different lanes does. Over the host's sockets the threads wait
//! in the host, for these.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use ntsim_core::Settings;
use ntsim_core::per_machine::{PerMachine, Stopping};
use ntsim_core::sched::{self, Irql, Thread, Transport};
use parking_lot::Mutex;

use super::choice::choose;
use super::socket::Socket;
use super::stack;

/// A kind of work of a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lane {
    /// Takes what arrives.
    Input,
    /// Sends what is queued.
    Output,
    /// Completes requests whose outcome is known.
    Completion,
    /// Ends the socket.
    Close,
}

impl Lane {
    /// The number of kinds.
    pub(super) const COUNT: usize = 4;

    /// Its place among them.
    pub(super) fn index(self) -> usize {
        match self {
            Self::Input => 0,
            Self::Output => 1,
            Self::Completion => 2,
            Self::Close => 3,
        }
    }
}

/// The state of a lane.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum LaneState {
    /// There is no work.
    #[default]
    Idle,
    /// A thread will do it.
    Queued,
    /// A thread does it.
    Running,
    /// A thread does it, and has to look again.
    RunningAgain,
}

/// The work of one machine.
#[derive(Default)]
struct Work {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Arc<Socket>, Lane)>,
    workers: Vec<&'static Thread>,
    /// Threads that wait in the host for its sockets.
    waiting: usize,
    /// Sockets whose sends are not acknowledged, which the host does not tell of.
    polled: Vec<Weak<Socket>>,
    started: bool,
    /// No thread takes work.
    held: bool,
    /// Threads that do work.
    running: usize,
    /// A thread that waits until none does.
    settling: Option<&'static Thread>,
}

/// The longest wait for work that is under way.
const SETTLE: Duration = Duration::from_secs(10);

/// Milliseconds between two looks at sends that are not acknowledged.
const POLL: i32 = 1;

static WORK: PerMachine<Work> = PerMachine::new();

/// The number of threads. Both directions of a connection between two sockets of one machine go on at a time.
const THREADS: u32 = 2;

fn is_host() -> bool {
    Settings::current().sockets.transport == Transport::Host
}

/// Starts the threads, unless they run.
pub(super) fn start() {
    if core::mem::replace(&mut WORK.get().state.lock().started, true) {
        return;
    }
    for number in 0..THREADS {
        let stopping = Stopping::current();
        let body = move || serve(stopping);
        sched::spawn(format!("tcpip {number}"), body)
            .expect("the host has threads for the machine's sockets");
    }
}

/// Lets the threads see that the machine is stopping.
pub(super) fn stop() {
    let Some(work) = WORK.made() else { return };
    let state = work.state.lock();
    if !state.started {
        return;
    }
    if is_host() {
        stack::host_poll::wake();
    } else {
        state.workers.iter().for_each(|thread| sched::wake(thread));
    }
}

/// Looks at a socket again soon, whose sends are not acknowledged.
pub(super) fn poll(socket: &Arc<Socket>) {
    WORK.get().state.lock().polled.push(Arc::downgrade(socket));
}

/// Queues the work of a lane, which is marked as such already.
pub(super) fn push(socket: Arc<Socket>, lane: Lane) {
    let mut state = WORK.get().state.lock();
    state.queue.push_back((socket, lane));
    if !is_host() {
        state.workers.iter().for_each(|thread| sched::wake(thread));
    } else if state.waiting > 0 {
        drop(state);
        stack::host_poll::wake();
    }
}

/// Takes work: any of it, as the seed says.
fn take() -> Option<(Arc<Socket>, Lane)> {
    let mut state = WORK.get().state.lock();
    let count = state.queue.len();
    if count == 0 || state.held {
        return None;
    }
    let work = state.queue.remove(choose(count));
    state.running += usize::from(work.is_some());
    work
}

/// Has the threads take no work from now on, and waits until none of them does any; or take it again.
pub(super) fn hold(held: bool) {
    assert!(!is_host(), "the host's sockets go on by themselves");
    let work = WORK.get();
    work.state.lock().held = held;
    if !held {
        work.state.lock().workers.iter().for_each(|thread| sched::wake(thread));
    }
    while held && work.state.lock().running != 0 {
        std::thread::sleep(core::time::Duration::from_millis(1));
    }
}

/// Waits until the threads have returned from what they are in: the completion of a request may have let a driver go on
/// that is unloaded by now.
pub(super) fn settle() {
    let (Some(work), Some(own)) = (WORK.made(), sched::current()) else { return };
    let is_running = || {
        let mut state = work.state.lock();
        state.settling = (state.running != 0).then_some(own);
        state.running != 0
    };
    while is_running() {
        if !sched::block(Some(SETTLE)) {
            return;
        }
    }
}

/// A thread has done its work.
fn done() {
    let settling = {
        let mut state = WORK.get().state.lock();
        state.running -= 1;
        if state.running == 0 { state.settling.take() } else { None }
    };
    if let Some(thread) = settling {
        sched::wake(thread);
    }
}

/// Body of a thread.
fn serve(stopping: &Stopping) {
    let Some(thread) = sched::current() else { return };
    WORK.get().state.lock().workers.push(thread);
    while !stopping.is_set() {
        match take() {
            Some((socket, lane)) => {
                run(&socket, lane);
                drop(socket);
                done();
            }
            None if is_host() => wait_for_host(stopping),
            None => {
                sched::block(None);
            }
        }
    }
    if is_host() {
        // The other threads wait, too.
        stack::host_poll::wake();
    }
}

/// Waits for the host's sockets, unless there is work.
fn wait_for_host(stopping: &Stopping) {
    let polled = {
        let mut state = WORK.get().state.lock();
        if !state.queue.is_empty() || stopping.is_set() {
            return;
        }
        state.waiting += 1;
        core::mem::take(&mut state.polled)
    };
    stack::host_poll::wait(if polled.is_empty() { -1 } else { POLL });
    WORK.get().state.lock().waiting -= 1;
    polled.iter().filter_map(Weak::upgrade).for_each(|socket| socket.kick(Lane::Output));
}

/// Does the work of a lane, at DISPATCH_LEVEL or, over the pipe, at PASSIVE_LEVEL at times: events and completions come
/// at any level up to DISPATCH_LEVEL.
fn run(socket: &Arc<Socket>, lane: Lane) {
    let level = if choose(4) == 1 { Irql::PASSIVE } else { Irql::DISPATCH };
    let old = sched::raise(level);
    socket.work(lane);
    sched::lower(old);
}

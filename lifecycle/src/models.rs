//! Models of what several threads do with a socket's states: every order of their steps is played.

extern crate std;

use std::println;
// What a model only counts is not to be explored: loom runs one thread at a time.
use core::sync::atomic::AtomicUsize;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::{Arrival, Gate, Shown, SocketCount};

/// Explores a test's `model` and says how many executions there are.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let executions = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&executions);
    loom::model(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let test = std::thread::current();
    println!("{:>9} executions (all): {}", executions.load(Ordering::Relaxed), test.name().unwrap_or(""));
}

/// TD-2: the completions of a send and of the close, the end of the setup, and a send that may come too late: one of them
/// ends the socket, behind all others.
#[test]
fn socket_ends_once_behind_all_that_is_counted() {
    explore(|| {
        let (count, ended) = (Arc::new(SocketCount::new()), std::sync::Arc::new(AtomicUsize::new(0)));
        count.begin();
        let release = {
            let (count, ended) = (count.clone(), ended.clone());
            move || {
                assert_eq!(ended.load(Ordering::Relaxed), 0, "a call up behind the last one");
                if count.release() {
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let setup = thread::spawn(release.clone());
        let close = thread::spawn(release.clone());
        if count.acquire() {
            release();
        }
        setup.join().unwrap();
        close.join().unwrap();
        assert_eq!(ended.load(Ordering::Relaxed), 1);
        assert!(!count.acquire());
    });
}

/// TD-7: a halt that has passed the gate finds no socket, and none that is about to leave touches the gate any more.
#[test]
fn gate_is_free_when_the_halt_has_passed_it() {
    explore(|| {
        let gate = Arc::new(Mutex::new(Gate::default()));
        let (idle, gone) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for _ in 0..2 {
            gate.lock().unwrap().enter();
        }
        let leave = {
            let (gate, idle, gone) = (gate.clone(), idle.clone(), gone.clone());
            move || {
                let mut gate = gate.lock().unwrap();
                assert!(!gone.load(Ordering::Relaxed), "the adapter has gone");
                if gate.leave() {
                    idle.store(true, Ordering::Release);
                }
                assert!(!gone.load(Ordering::Relaxed), "the adapter has gone");
            }
        };
        let sockets = [thread::spawn(leave.clone()), thread::spawn(leave)];
        while !idle.load(Ordering::Acquire) {
            thread::yield_now();
        }
        // The signal was given under the lock.
        assert_eq!(gate.lock().unwrap().sockets(), 0);
        gone.store(true, Ordering::Relaxed);
        for socket in sockets {
            socket.join().unwrap();
        }
    });
}

/// The user of a connection, and the network that shows it bytes.
struct Receiver {
    arrival: Mutex<Arrival>,
    /// A receive is posted.
    has_room: AtomicBool,
    taken: AtomicBool,
    /// The user was told of the peer's end.
    ends: AtomicUsize,
    /// The network was asked to show again.
    asked: AtomicBool,
}

impl Receiver {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            arrival: Mutex::new(Arrival::default()),
            has_room: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            ends: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
        })
    }

    /// The network shows bytes.
    fn show(&self) {
        self.arrival.lock().unwrap().show();
        loop {
            let all = self.has_room.load(Ordering::Acquire);
            if all {
                self.taken.store(true, Ordering::Relaxed);
            }
            let next = self.arrival.lock().unwrap().shown(all);
            match next {
                Shown::Again => {}
                Shown::All | Shown::Rest => return,
                Shown::AllAndEnd => {
                    self.ends.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    /// The user posts a receive, and has the bytes shown that were left.
    fn post(&self) {
        self.has_room.store(true, Ordering::Release);
        if self.arrival.lock().unwrap().resume() {
            self.asked.store(true, Ordering::Release);
        }
    }

    /// The peer ends its stream.
    fn end(&self) {
        if self.arrival.lock().unwrap().peer_ended() {
            self.ends.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The network does what it was asked for; nothing else happens any more.
    fn settle(&self) {
        if self.asked.load(Ordering::Acquire) {
            let again = self.arrival.lock().unwrap().asked();
            assert!(!again);
            self.show();
        }
    }
}

/// RX-7: a receive that is posted while bytes are left has them shown again: no resume is lost.
#[test]
fn bytes_that_are_left_are_shown_once_a_receive_is_posted() {
    explore(|| {
        let receiver = Receiver::new();
        let network = {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.show())
        };
        receiver.post();
        network.join().unwrap();
        receiver.settle();
        assert!(receiver.taken.load(Ordering::Relaxed));
    });
}

/// TD-5: the peer's end is told once, behind the bytes before it, whenever those are taken.
#[test]
fn end_is_told_once_behind_bytes_that_were_left() {
    explore(|| {
        let receiver = Receiver::new();
        let network = {
            let receiver = receiver.clone();
            thread::spawn(move || {
                receiver.show();
                receiver.end();
            })
        };
        receiver.post();
        network.join().unwrap();
        receiver.settle();
        assert!(receiver.taken.load(Ordering::Relaxed));
        assert_eq!(receiver.ends.load(Ordering::Relaxed), 1);
    });
}

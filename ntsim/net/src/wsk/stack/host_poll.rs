//! The place where a thread waits for the host's sockets.

use core::mem;
use core::net::SocketAddr;
use std::collections::HashMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Weak;

use ntsim_core::per_machine::PerMachine;
use parking_lot::{Mutex, RwLock};
use sys::status::NTSTATUS;

use super::host_address::{check, option, status_of};
use super::{Ready, Sharing, Way};

/// Events that are fetched at a time.
const EVENTS: usize = 64;
/// The identity of the descriptor by which threads are woken.
const WAKE: u64 = 0;

/// The host's sockets of one machine.
pub(super) struct Host {
    poll: OwnedFd,
    wake: OwnedFd,
    pub(super) ends: Mutex<HashMap<u64, Weak<Shared>>>,
    pub(super) last: Mutex<u64>,
}

pub(super) static HOST: PerMachine<Host> = PerMachine::new();

impl Default for Host {
    fn default() -> Self {
        // SAFETY: the call has no preconditions.
        let poll =
            check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).expect("the host has descriptors");
        // SAFETY: the call has no preconditions.
        let wake = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) });
        let wake = wake.expect("the host has descriptors");
        // SAFETY: the descriptor is new, and is owned here from now on.
        let poll = unsafe { OwnedFd::from_raw_fd(poll) };
        // SAFETY: as above.
        let wake = unsafe { OwnedFd::from_raw_fd(wake) };
        let host = Self { poll, wake, ends: Mutex::default(), last: Mutex::new(WAKE) };
        host.watch(host.wake.as_raw_fd(), WAKE, libc::EPOLLIN);
        host
    }
}

impl Host {
    pub(super) fn watch(&self, fd: RawFd, number: u64, events: libc::c_int) {
        let mut event = libc::epoll_event { events: events.cast_unsigned(), u64: number };
        let poll = self.poll.as_raw_fd();
        // SAFETY: both descriptors are open, the event lives during the call.
        let added = unsafe { libc::epoll_ctl(poll, libc::EPOLL_CTL_ADD, fd, &raw mut event) };
        if check(added) == Err(libc::EEXIST) {
            // SAFETY: as above.
            unsafe { libc::epoll_ctl(poll, libc::EPOLL_CTL_MOD, fd, &raw mut event) };
        }
    }
}

/// Closes the machine's own descriptors, which nothing uses any more: its threads have ended.
pub(in crate::wsk) fn release() {
    let Some(host) = HOST.made() else { return };
    for fd in [host.poll.as_raw_fd(), host.wake.as_raw_fd()] {
        // SAFETY: the state of a machine is never dropped, so this is the one place where they are closed.
        unsafe { libc::close(fd) };
    }
}

/// Wakes a thread that [waits](wait).
pub(in crate::wsk) fn wake() {
    let one = 1_u64;
    // SAFETY: the descriptor is open, and eight bytes are there.
    unsafe { libc::write(HOST.get().wake.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
}

/// Waits until sockets can go on, or a thread is woken, at most so many milliseconds unless that is negative; then tells
/// the sockets.
pub(in crate::wsk) fn wait(limit: i32) {
    let host = HOST.get();
    // SAFETY: all zero is a valid event.
    let mut events: [libc::epoll_event; EVENTS] = unsafe { mem::zeroed() };
    let room = i32::try_from(EVENTS).unwrap_or(i32::MAX);
    // SAFETY: there is room for so many events.
    let count = unsafe { libc::epoll_wait(host.poll.as_raw_fd(), events.as_mut_ptr(), room, limit) };
    for event in events.iter().take(usize::try_from(count).unwrap_or(0)) {
        let (number, flags) = (event.u64, event.events.cast_signed());
        if number == WAKE {
            let mut value = 0_u64;
            // SAFETY: the descriptor is open, and there is room for eight bytes.
            unsafe { libc::read(host.wake.as_raw_fd(), (&raw mut value).cast(), size_of::<u64>()) };
            continue;
        }
        let shared = host.ends.lock().get(&number).and_then(Weak::upgrade);
        if let Some(shared) = shared {
            shared.happened(flags);
        }
    }
}

/// The state of an end that the waiting thread reaches, too.
pub(super) struct Shared {
    pub(super) number: u64,
    pub(super) fd: RwLock<Option<OwnedFd>>,
    /// The function to be told that the end can go on: the listening socket's while it inspects the connection, then the
    /// connection's own.
    pub(super) ready: RwLock<Option<Ready>>,
    pub(super) state: Mutex<State>,
}

/// The state of an end.
#[derive(Default)]
pub(super) struct State {
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) sharing: Sharing,
    pub(super) accepted: bool,
    pub(super) connecting: bool,
    pub(super) error: Option<NTSTATUS>,
    pub(super) finished: bool,
    pub(super) ended: bool,
}

impl Shared {
    /// Takes note of what the host says of the descriptor.
    pub(super) fn happened(&self, flags: libc::c_int) {
        if flags & libc::EPOLLERR != 0 {
            self.fetch_error();
        }
        let Some(ready) = self.ready() else { return };
        let over = libc::EPOLLERR | libc::EPOLLHUP;
        if flags & (libc::EPOLLIN | libc::EPOLLRDHUP | over) != 0 {
            ready(Way::In);
        }
        if flags & (libc::EPOLLOUT | over) != 0 {
            ready(Way::Out);
        }
    }

    /// The function to be told, which is called with no lock held.
    pub(super) fn ready(&self) -> Option<Ready> {
        self.ready.read().clone()
    }

    /// Keeps the error of the connection, which the host tells once.
    pub(super) fn fetch_error(&self) {
        let error = self.with(|fd| option::get(fd, libc::SOL_SOCKET, libc::SO_ERROR)).unwrap_or(0);
        if error != 0 {
            self.state.lock().error.get_or_insert(status_of(error));
        }
    }

    /// Runs `f` with the descriptor, unless it is closed.
    pub(super) fn with<R>(&self, f: impl FnOnce(RawFd) -> R) -> Option<R> {
        self.fd.read().as_ref().map(|fd| f(fd.as_raw_fd()))
    }

    /// Lets the waiting thread watch the descriptor; what can go on already is told, also where it is watched already.
    pub(super) fn watch(&self) {
        let all = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        self.with(|fd| HOST.get().watch(fd, self.number, all));
    }
}

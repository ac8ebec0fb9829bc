//! Sockets of the host, which do not block.

use core::mem;
use core::net::SocketAddr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Weak};

use ntsim_core::number::narrow;
use parking_lot::{Mutex, RwLock};
use sys::sockaddr::{ADDRESS_FAMILY, AF_INET};
use sys::status::*;

use super::host_address::{Native, check, option, status_of};
use super::host_poll::{HOST, Shared, State};
use super::{End, Incoming, Ready, Received, Sent, Setting, Sharing, Way};

/// Connections that may wait at a socket that listens.
const BACKLOG: libc::c_int = 1024;
/// An end over a socket of the host.
struct HostEnd(Arc<Shared>);

/// Makes an end of a family.
///
/// # Errors
/// STATUS_INSUFFICIENT_RESOURCES.
pub(in crate::wsk) fn open(family: ADDRESS_FAMILY) -> Result<Box<dyn End>, NTSTATUS> {
    let domain = if family == AF_INET { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the call has no preconditions.
    let fd = check(unsafe { libc::socket(domain, kind, 0) }).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
    // SAFETY: the descriptor is new, and is owned here from now on.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    if domain == libc::AF_INET6 {
        option::set(fd.as_raw_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1);
    }
    Ok(Box::new(HostEnd::new(fd, State::default())))
}

impl HostEnd {
    fn new(fd: OwnedFd, state: State) -> Self {
        let host = HOST.get();
        let number = {
            let mut last = host.last.lock();
            *last += 1;
            *last
        };
        let shared = Arc::new(Shared {
            number,
            fd: RwLock::new(Some(fd)),
            ready: RwLock::new(None),
            state: Mutex::new(state),
        });
        host.ends.lock().insert(number, Arc::downgrade(&shared));
        Self(shared)
    }

    /// Returns whether another end of the machine keeps an address from this one. The host would let several have it.
    fn is_taken(&self, at: SocketAddr, sharing: Sharing) -> bool {
        let others: Vec<_> = HOST.get().ends.lock().values().filter_map(Weak::upgrade).collect();
        others.iter().filter(|other| !Arc::ptr_eq(other, &self.0)).any(|other| {
            let own = other.state.lock();
            own.local.is_some_and(|local| super::is_taken((local, own.sharing, own.accepted), (at, sharing)))
        })
    }
}

impl Drop for HostEnd {
    fn drop(&mut self) {
        self.abort();
        HOST.get().ends.lock().remove(&self.0.number);
    }
}

impl End for HostEnd {
    fn attach(&self, ready: Ready) {
        *self.0.ready.write() = Some(ready);
        if self.0.state.lock().accepted {
            self.0.watch();
        }
    }

    fn bind(&self, at: SocketAddr, sharing: Sharing) -> Result<(), NTSTATUS> {
        if at.port() != 0 && self.is_taken(at, sharing) {
            return Err(STATUS_ADDRESS_ALREADY_EXISTS);
        }
        let native = Native::new(at);
        let bound = self.0.with(|fd| {
            // Windows gives an address again whose connections only wait for their time to be over.
            option::set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
            // SAFETY: the address is as long as it says.
            check(unsafe { libc::bind(fd, native.pointer(), native.length()) })?;
            Native::local(fd)
        });
        let local = bound.unwrap_or(Err(libc::EBADF)).map_err(status_of)?;
        let mut state = self.0.state.lock();
        (state.local, state.sharing) = (local, sharing);
        Ok(())
    }

    fn local(&self) -> Option<SocketAddr> {
        self.0.state.lock().local
    }

    fn remote(&self) -> Option<SocketAddr> {
        self.0.state.lock().remote
    }

    fn listen(&self) -> Result<(), NTSTATUS> {
        // SAFETY: the descriptor is open.
        let done = self.0.with(|fd| check(unsafe { libc::listen(fd, BACKLOG) }));
        done.unwrap_or(Err(libc::EBADF)).map_err(status_of)?;
        self.0.watch();
        Ok(())
    }

    fn next(&self) -> Option<Incoming> {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let (none, no_length) = (core::ptr::null_mut(), core::ptr::null_mut());
        // SAFETY: the descriptor is open; no address is asked for.
        let fd = self.0.with(|fd| check(unsafe { libc::accept4(fd, none, no_length, flags) }))?.ok()?;
        // SAFETY: the descriptor is new, and is owned here from now on.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let local = Native::local(fd.as_raw_fd()).ok().flatten()?;
        let remote = Native::remote(fd.as_raw_fd()).ok().flatten()?;
        let state = State {
            local: Some(local),
            remote: Some(remote),
            sharing: self.0.state.lock().sharing,
            accepted: true,
            ..State::default()
        };
        Some(Incoming { end: Box::new(HostEnd::new(fd, state)), local, remote })
    }

    fn admit(&self) {}

    fn connect(&self, to: SocketAddr) {
        let native = Native::new(to);
        // SAFETY: the address is as long as it says.
        let begun = self.0.with(|fd| check(unsafe { libc::connect(fd, native.pointer(), native.length()) }));
        let local = self.0.with(|fd| Native::local(fd).ok().flatten()).flatten();
        {
            let mut state = self.0.state.lock();
            (state.remote, state.connecting) = (Some(to), true);
            state.local = local.or(state.local);
            state.error = match begun.unwrap_or(Err(libc::EBADF)) {
                Ok(_) | Err(libc::EINPROGRESS) => None,
                // The pair of addresses is in use.
                Err(libc::EADDRNOTAVAIL) => Some(STATUS_ADDRESS_ALREADY_EXISTS),
                Err(error) => Some(status_of(error)),
            };
        }
        self.0.watch();
        if let Some(ready) = self.0.ready() {
            ready(Way::Out);
        }
    }

    fn connected(&self) -> Option<Result<(), NTSTATUS>> {
        if !self.0.state.lock().connecting {
            return None;
        }
        self.0.fetch_error();
        if let Some(status) = self.0.state.lock().error {
            return Some(Err(status));
        }
        let peer = self.0.with(|fd| Native::remote(fd).is_ok()).unwrap_or(false);
        peer.then_some(Ok(()))
    }

    fn send(&self, pieces: &[libc::iovec]) -> Sent {
        // SAFETY: all zero is a valid header.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = pieces.as_ptr().cast_mut();
        message.msg_iovlen = pieces.len();
        // SAFETY: the caller keeps the pieces and what they describe.
        let sent = self.0.with(|fd| unsafe { libc::sendmsg(fd, &raw const message, libc::MSG_NOSIGNAL) });
        let Some(sent) = sent else { return Sent::Broken(STATUS_CONNECTION_ABORTED) };
        match usize::try_from(sent) {
            Ok(bytes) => Sent::Taken(bytes),
            Err(_) => match errno() {
                libc::EAGAIN | libc::EINTR => Sent::Full,
                error => Sent::Broken(self.0.state.lock().error.unwrap_or_else(|| status_of(error))),
            },
        }
    }

    fn receive(&self, into: &mut [u8]) -> Received {
        // SAFETY: there is so much room.
        let got = self.0.with(|fd| unsafe { libc::recv(fd, into.as_mut_ptr().cast(), into.len(), 0) });
        let Some(got) = got else { return Received::Nothing };
        let mut state = self.0.state.lock();
        match usize::try_from(got) {
            Ok(0) => match state.error {
                Some(status) => Received::Broken(status),
                None => {
                    state.ended = true;
                    Received::End
                }
            },
            Ok(bytes) => Received::Bytes(bytes),
            Err(_) => match errno() {
                libc::EAGAIN | libc::EINTR => state.error.map_or(Received::Nothing, Received::Broken),
                error => Received::Broken(*state.error.get_or_insert(status_of(error))),
            },
        }
    }

    fn broken(&self) -> Option<NTSTATUS> {
        self.0.state.lock().error
    }

    fn unacknowledged(&self) -> usize {
        let mut queued: libc::c_int = 0;
        // SAFETY: the descriptor is open, and there is room for the number.
        self.0.with(|fd| unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut queued) });
        usize::try_from(queued).unwrap_or(0)
    }

    fn finish(&self) {
        self.0.state.lock().finished = true;
        // SAFETY: the descriptor is open.
        self.0.with(|fd| unsafe { libc::shutdown(fd, libc::SHUT_WR) });
    }

    fn abort(&self) {
        let graceful = {
            let mut state = self.0.state.lock();
            state.local = None;
            state.finished && state.ended
        };
        let Some(fd) = self.0.fd.write().take() else { return };
        if !graceful {
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            let length = narrow(size_of::<libc::linger>());
            let value = (&raw const linger).cast();
            // SAFETY: the descriptor is open, and the value as long as it says.
            unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, length) };
        }
        drop(fd);
    }

    fn set(&self, setting: Setting) {
        let tcp = libc::IPPROTO_TCP;
        let (level, name, value) = match setting {
            Setting::NoDelay(on) => (tcp, libc::TCP_NODELAY, u32::from(on)),
            Setting::KeepAlive(on) => (libc::SOL_SOCKET, libc::SO_KEEPALIVE, u32::from(on)),
            Setting::KeepAliveIdle(seconds) => (tcp, libc::TCP_KEEPIDLE, seconds),
            Setting::KeepAliveInterval(seconds) => (tcp, libc::TCP_KEEPINTVL, seconds),
            Setting::KeepAliveCount(count) => (tcp, libc::TCP_KEEPCNT, count),
        };
        let value = i32::try_from(value).unwrap_or(i32::MAX);
        self.0.with(|fd| option::set(fd, level, name, value));
    }
}

fn errno() -> libc::c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

//! Connections between sockets of one machine: no host, no clock, every choice from the seed.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use ntsim_core::Settings;
use ntsim_core::per_machine::PerMachine;
use parking_lot::Mutex;
use sys::status::*;

use super::pipe_ends::{BACKLOG, Ends, Open, Own, State, Told};
use super::{End, Incoming, Ready, Received, Sent, Setting, Sharing, Way};
use crate::ip_helper;
use crate::wsk::choice::{choose, strikes};

/// The pipe of one machine.
#[derive(Default)]
struct Pipe(Mutex<Ends>);

static PIPE: PerMachine<Pipe> = PerMachine::new();

/// Runs `f` with the ends, then tells what it wants told.
fn with<R>(f: impl FnOnce(&mut Ends, &mut Told) -> R) -> R {
    let mut told = Told::new();
    let result = f(&mut PIPE.get().0.lock(), &mut told);
    told.into_iter().for_each(|(ready, way)| ready(way));
    result
}

/// Returns whether the machine has an address.
fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || ip_helper::has(address)
}

/// An end of the pipe.
struct PipeEnd(u64);

/// Makes an end.
pub(in crate::wsk) fn open() -> Box<dyn End> {
    Box::new(PipeEnd(with(|ends, _| ends.add(Own::default()))))
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        with(|ends, told| {
            ends.abort(self.0, told);
            ends.ends.remove(&self.0);
        });
    }
}

impl End for PipeEnd {
    fn attach(&self, ready: Ready) {
        with(|ends, _| ends.own(self.0).ready = Some(ready));
    }

    fn bind(&self, at: SocketAddr, sharing: Sharing) -> Result<(), NTSTATUS> {
        if !is_own(at.ip()) {
            return Err(STATUS_INVALID_ADDRESS_COMPONENT);
        }
        if strikes(|faults| faults.address_in_use) {
            return Err([STATUS_ADDRESS_ALREADY_EXISTS, STATUS_SHARING_VIOLATION][choose(2)]);
        }
        with(|ends, _| {
            let mut at = at;
            if at.port() == 0 {
                at.set_port(ends.free_port(at.ip(), sharing).ok_or(STATUS_TOO_MANY_ADDRESSES)?);
            } else if ends.is_taken(at, sharing) {
                return Err(STATUS_ADDRESS_ALREADY_EXISTS);
            }
            let own = ends.own(self.0);
            (own.local, own.sharing) = (Some(at), sharing);
            Ok(())
        })
    }

    fn local(&self) -> Option<SocketAddr> {
        with(|ends, _| ends.own(self.0).local)
    }

    fn remote(&self) -> Option<SocketAddr> {
        with(|ends, _| ends.own(self.0).remote)
    }

    fn listen(&self) -> Result<(), NTSTATUS> {
        with(|ends, _| ends.own(self.0).state = State::Listening(VecDeque::new()));
        Ok(())
    }

    fn next(&self) -> Option<Incoming> {
        with(|ends, _| {
            let State::Listening(queue) = &mut ends.own(self.0).state else { return None };
            let end = queue.pop_front()?;
            let own = ends.own(end);
            Some(Incoming { local: own.local?, remote: own.remote?, end: Box::new(PipeEnd(end)) })
        })
    }

    fn admit(&self) {
        with(|ends, told| {
            let State::Arrived { peer } = ends.own(self.0).state else { return };
            ends.own(self.0).state = Open::with(peer);
            let client = ends.own(peer);
            (client.state, client.connected) = (Open::with(self.0), true);
            ends.tell(peer, Way::Out, told);
        });
    }

    fn connect(&self, to: SocketAddr) {
        with(|ends, told| {
            let mut local = ends.own(self.0).local.expect("a socket is bound before it connects");
            if local.ip().is_unspecified() {
                local.set_ip(to.ip());
            }
            let twice = ends.ends.iter().any(|(&end, own)| {
                end != self.0 && !own.accepted && own.local == Some(local) && own.remote == Some(to)
            });
            let listener = ends.listener(to);
            let own = ends.own(self.0);
            (own.local, own.remote) = (Some(local), Some(to));
            let full = |queue: &VecDeque<u64>| queue.len() >= BACKLOG;
            let failed = match listener {
                _ if twice => STATUS_ADDRESS_ALREADY_EXISTS,
                None if is_own(to.ip()) => STATUS_CONNECTION_REFUSED,
                None => STATUS_HOST_UNREACHABLE,
                Some(at) if matches!(&ends.own(at).state, State::Listening(queue) if full(queue)) => {
                    STATUS_CONNECTION_REFUSED
                }
                Some(at) => {
                    let sharing = ends.own(at).sharing;
                    let arrived = ends.add(Own {
                        local: Some(to),
                        remote: Some(local),
                        sharing,
                        accepted: true,
                        state: State::Arrived { peer: self.0 },
                        ..Own::default()
                    });
                    ends.own(self.0).state = State::Connecting { peer: arrived };
                    if let State::Listening(queue) = &mut ends.own(at).state {
                        queue.push_back(arrived);
                    }
                    ends.tell(at, Way::In, told);
                    return;
                }
            };
            ends.own(self.0).state = State::Broken(failed);
            ends.tell(self.0, Way::Out, told);
        });
    }

    fn connected(&self) -> Option<Result<(), NTSTATUS>> {
        with(|ends, _| match ends.own(self.0) {
            own if own.connected => Some(Ok(())),
            Own { state: State::Broken(status), .. } => Some(Err(*status)),
            _ => None,
        })
    }

    fn send(&self, pieces: &[libc::iovec]) -> Sent {
        with(|ends, told| {
            let (peer, finished) = match &ends.own(self.0).state {
                State::Open(open) => (open.peer, open.finished),
                State::Broken(status) => return Sent::Broken(*status),
                _ => return Sent::Broken(STATUS_CONNECTION_INVALID),
            };
            let length: usize = pieces.iter().map(|piece| piece.iov_len).sum();
            if strikes(|faults| faults.reset) {
                ends.break_end(peer, STATUS_CONNECTION_RESET, told);
                ends.break_end(self.0, STATUS_CONNECTION_RESET, told);
                return Sent::Broken(STATUS_CONNECTION_RESET);
            }
            let closed = strikes(|faults| faults.closed_window);
            let Some(Own { state: State::Open(there), .. }) = ends.ends.get_mut(&peer) else {
                return Sent::Broken(STATUS_CONNECTION_RESET);
            };
            let room = if closed || finished { 0 } else { there.window.saturating_sub(there.inbox.len()) };
            if room == 0 {
                there.wanted = true;
                if closed {
                    ends.tell(self.0, Way::Out, told);
                }
                return Sent::Full;
            }
            let mut taken = room.min(length);
            if strikes(|faults| faults.partial) {
                taken = 1 + choose(taken);
            }
            let mut left = taken;
            for piece in pieces {
                let now = piece.iov_len.min(left);
                // SAFETY: the caller passes memory that it keeps during the call.
                there.inbox.extend(unsafe { core::slice::from_raw_parts(piece.iov_base.cast::<u8>(), now) });
                left -= now;
            }
            if strikes(|faults| faults.early_end) {
                there.ended = true;
                ends.break_end(self.0, STATUS_CONNECTION_ABORTED, told);
                // It may wait for room at an end that is no more.
                ends.tell(peer, Way::Out, told);
            }
            ends.tell(peer, Way::In, told);
            Sent::Taken(taken)
        })
    }

    fn receive(&self, into: &mut [u8]) -> Received {
        with(|ends, told| {
            let open = match &mut ends.own(self.0).state {
                State::Open(open) => open,
                State::Broken(status) => return Received::Broken(*status),
                _ => return Received::Nothing,
            };
            let there = open.inbox.len().min(into.len());
            if there == 0 {
                let ended = open.inbox.is_empty() && open.ended;
                return if ended { Received::End } else { Received::Nothing };
            }
            let scheduled = Settings::current().schedule.is_some();
            let taken = if scheduled && choose(4) == 0 { 1 + choose(there) } else { there };
            for (to, byte) in into.iter_mut().zip(open.inbox.drain(..taken)) {
                *to = byte;
            }
            let peer = open.peer;
            if core::mem::take(&mut open.wanted) {
                ends.tell(peer, Way::Out, told);
            }
            Received::Bytes(taken)
        })
    }

    fn broken(&self) -> Option<NTSTATUS> {
        with(|ends, _| match ends.own(self.0).state {
            State::Broken(status) => Some(status),
            _ => None,
        })
    }

    fn unacknowledged(&self) -> usize {
        0
    }

    fn finish(&self) {
        with(|ends, told| {
            let State::Open(open) = &mut ends.own(self.0).state else { return };
            open.finished = true;
            let peer = open.peer;
            if let Some(Own { state: State::Open(there), .. }) = ends.ends.get_mut(&peer) {
                there.ended = true;
            }
            ends.tell(peer, Way::In, told);
        });
    }

    fn abort(&self) {
        with(|ends, told| ends.abort(self.0, told));
    }

    fn set(&self, _setting: Setting) {}
}

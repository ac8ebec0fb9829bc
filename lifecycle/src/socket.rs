//! The calls that bring a socket into use, in their order.

/// The use that a socket is brought into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketRole {
    /// Connects from a local address of its own.
    Connects,
    /// Connects from a local address that it shares with other sockets (AD-4).
    ConnectsShared,
    /// Keeps a local address that sockets which connect share.
    Keeps,
    /// Listens on a local address of its own.
    Listens,
    /// Was accepted: it exists and is connected.
    Accepted,
}

/// A call that brings a socket on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketCall {
    /// Close the socket of an earlier try, whose local port was refused.
    Discard,
    /// Create it.
    Create,
    /// Keep its local address for itself (SO_EXCLUSIVEADDRUSE).
    Exclusive,
    /// Share its local address (SO_REUSEADDR).
    Share,
    /// Inspect connections before they are accepted (SO_CONDITIONAL_ACCEPT).
    Inspect,
    /// Do not hold small segments back (TCP_NODELAY).
    NoDelay,
    /// Probe a connection without traffic (SO_KEEPALIVE).
    KeepAlive,
    /// The idle time before the first probe (TCP_KEEPIDLE).
    KeepAliveIdle,
    /// The number of probes (TCP_KEEPCNT).
    KeepAliveCount,
    /// The time between probes (TCP_KEEPINTVL).
    KeepAliveInterval,
    /// Bind it.
    Bind,
    /// Ask which local address it has.
    LocalAddress,
    /// Connect it.
    Connect,
    /// Tell its user that it is open.
    Announce,
    /// Enable its events (SO_WSK_EVENT_CALLBACK).
    Enable,
}

use SocketCall::{
    Announce, Bind, Connect, Create, Discard, Enable, Exclusive, Inspect, KeepAlive, KeepAliveCount,
    KeepAliveIdle, KeepAliveInterval, LocalAddress, NoDelay, Share,
};

/// The number of tries with a port that is any free one (AD-3).
pub const PORT_TRIES: u8 = 16;

/// The options of a connection.
const STREAM: &[SocketCall] = &[NoDelay, KeepAlive, KeepAliveIdle, KeepAliveCount, KeepAliveInterval];

/// Options that concern the bind stand before it
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/so-reuseaddr>,
/// <https://learn.microsoft.com/windows-hardware/drivers/network/so-conditional-accept>).
const BIND: &[SocketCall] = &[Bind, LocalAddress];

/// Events are enabled after the connect
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/so-wsk-event-callback>), and after the user has been
/// told of it, so that no event comes before.
const CONNECT: &[SocketCall] = &[Connect, Announce, Enable];

/// The user hears that the socket listens once a connection would reach it.
const LISTEN: &[SocketCall] = &[Enable, Announce];

/// A socket of an earlier try is closed first.
const BEGIN: &[SocketCall] = &[Discard, Create];

const CONNECTS: [SocketCall; 12] = joined(&[BEGIN, STREAM, BIND, CONNECT]);
const CONNECTS_SHARED: [SocketCall; 13] = joined(&[BEGIN, &[Share], STREAM, BIND, CONNECT]);
const KEEPS: [SocketCall; 6] = joined(&[BEGIN, &[Share], BIND, &[Announce]]);
const LISTENS: [SocketCall; 8] = joined(&[BEGIN, &[Exclusive, Inspect], BIND, LISTEN]);
/// Events are inherited from the listening socket.
const ACCEPTED: [SocketCall; 5] = joined(&[STREAM]);

/// The calls of the parts, which are `N`: another number does not compile.
const fn joined<const N: usize>(mut parts: &[&[SocketCall]]) -> [SocketCall; N] {
    let mut calls = [Discard; N];
    let mut room: &mut [SocketCall] = &mut calls;
    while let [part, others @ ..] = parts {
        let mut part = *part;
        while let [call, rest @ ..] = part {
            assert!(!room.is_empty(), "there are no more calls than places");
            let places = room;
            room = match places.split_first_mut() {
                Some((place, left)) => {
                    *place = *call;
                    left
                }
                None => &mut [],
            };
            part = rest;
        }
        parts = others;
    }
    assert!(room.is_empty(), "there are as many calls as places");
    calls
}

impl SocketRole {
    /// Its calls in order, those of another try.
    const fn calls(self) -> &'static [SocketCall] {
        match self {
            Self::Connects => &CONNECTS,
            Self::ConnectsShared => &CONNECTS_SHARED,
            Self::Keeps => &KEEPS,
            Self::Listens => &LISTENS,
            Self::Accepted => &ACCEPTED,
        }
    }

    /// Its calls in order, those of the first try.
    const fn first(self) -> &'static [SocketCall] {
        match self.calls() {
            [Discard, calls @ ..] | calls => calls,
        }
    }
}

impl SocketCall {
    /// Returns whether the socket is of no use if the call fails. Keepalive times are newer than WSK, and a connection
    /// works without them and with delayed segments.
    const fn is_vital(self) -> bool {
        match self {
            NoDelay | KeepAlive | KeepAliveIdle | KeepAliveCount | KeepAliveInterval => false,
            Discard | Create | Exclusive | Share | Inspect | Bind | LocalAddress | Connect | Announce
            | Enable => true,
        }
    }
}

/// Setup of a socket: one call at a time, until the socket is in use or a vital call has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSetup {
    role: SocketRole,
    tries: u8,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first of these calls is to be made.
    Due(&'static [SocketCall]),
    /// The first of these calls was made, and is not complete.
    Called(&'static [SocketCall]),
    /// The socket is in use.
    Done,
    /// A call has failed, or the socket is to be closed: no call is made any more.
    Over,
}

/// The end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupEnd {
    /// The call was this one, and another may be made, if there is one.
    Continues(SocketCall),
    /// This vital call has failed: the socket is of no use.
    Failed(SocketCall),
    /// No call was under way.
    Stale,
}

impl SocketSetup {
    /// The setup of a socket for this use.
    #[must_use]
    pub const fn new(role: SocketRole) -> Self {
        Self { role, tries: 1, state: State::Due(role.first()) }
    }

    /// The use.
    #[must_use]
    pub const fn role(&self) -> SocketRole {
        self.role
    }

    /// The call to be made now, which counts as made from here on; `None` if one is under way or none is left.
    #[must_use]
    pub fn next_call(&mut self) -> Option<SocketCall> {
        let State::Due(calls) = self.state else { return None };
        let first = calls.first().copied();
        self.state = if first.is_some() { State::Called(calls) } else { State::Done };
        first
    }

    /// Completes the call that is under way.
    pub fn complete(&mut self, succeeded: bool) -> SetupEnd {
        let State::Called(calls) = self.state else { return SetupEnd::Stale };
        let Some((call, rest)) = calls.split_first() else { return SetupEnd::Stale };
        if succeeded || !call.is_vital() {
            self.state = State::Due(rest);
            return SetupEnd::Continues(*call);
        }
        self.state = State::Over;
        SetupEnd::Failed(*call)
    }

    /// Begins again with another socket, as the port of this one is not to be had. Returns whether there is a try left;
    /// else the setup is over.
    #[must_use]
    pub const fn try_again(&mut self) -> bool {
        let left = self.tries < PORT_TRIES;
        self.tries = self.tries.saturating_add(1);
        self.state = if left { State::Due(self.role.calls()) } else { State::Over };
        left
    }

    /// Ends the setup: the socket is to be closed, and no call is under way. Returns whether it was not in use yet.
    pub const fn end(&mut self) -> bool {
        let unfinished = matches!(self.state, State::Due(_));
        self.state = State::Over;
        unfinished
    }

    /// Returns whether no call is under way and none will be made.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Over)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    extern crate alloc;
    use alloc::vec::Vec;

    const ROLES: [SocketRole; 5] = [
        SocketRole::Connects,
        SocketRole::ConnectsShared,
        SocketRole::Keeps,
        SocketRole::Listens,
        SocketRole::Accepted,
    ];

    /// Makes all calls that are left.
    fn rest(setup: &mut SocketSetup) -> Vec<SocketCall> {
        let mut calls = Vec::new();
        while let Some(call) = setup.next_call() {
            assert_eq!(setup.next_call(), None, "one call at a time");
            assert_eq!(setup.complete(true), SetupEnd::Continues(call));
            calls.push(call);
        }
        assert!(setup.is_over());
        assert_eq!(setup.complete(true), SetupEnd::Stale);
        calls
    }

    fn all(role: SocketRole) -> Vec<SocketCall> {
        rest(&mut SocketSetup::new(role))
    }

    #[test]
    fn options_of_the_bind_stand_before_it_and_events_after_it() {
        for role in ROLES {
            let calls = all(role);
            let place = |call| calls.iter().position(|other| *other == call);
            for option in [Exclusive, Share, Inspect].into_iter().filter_map(place) {
                assert!(Some(option) < place(Bind), "{role:?}");
            }
            if place(Enable).is_some() {
                assert!(place(Enable) > place(Bind) && place(Enable) > place(Connect), "{role:?}");
            }
            assert_eq!(place(Discard), None, "there is no earlier socket");
        }
    }

    #[test]
    fn event_of_a_connection_comes_after_its_announcement() {
        for role in [SocketRole::Connects, SocketRole::ConnectsShared] {
            assert_eq!(all(role).split_last_chunk::<3>().unwrap().1, &[Connect, Announce, Enable]);
        }
    }

    #[test]
    fn failed_vital_call_ends_the_setup() {
        for role in ROLES {
            for failing in all(role) {
                let mut setup = SocketSetup::new(role);
                let end = loop {
                    let Some(call) = setup.next_call() else { break None };
                    match setup.complete(call != failing) {
                        SetupEnd::Continues(_) => {}
                        end => break Some(end),
                    }
                };
                assert_eq!(end, failing.is_vital().then_some(SetupEnd::Failed(failing)));
                assert!(setup.is_over() && setup.next_call().is_none());
            }
        }
    }

    #[test]
    fn refused_port_is_followed_by_other_tries_up_to_the_limit() {
        let mut setup = SocketSetup::new(SocketRole::Listens);
        for attempt in 1..=PORT_TRIES {
            let wanted: &[SocketCall] = if attempt == 1 { &[Create] } else { &[Discard, Create] };
            for call in wanted {
                assert_eq!(setup.next_call(), Some(*call));
                let _ = setup.complete(true);
            }
            assert_eq!(setup.try_again(), attempt < PORT_TRIES);
        }
        assert!(setup.is_over() && setup.next_call().is_none());
    }

    #[test]
    fn setup_that_was_ended_makes_no_call() {
        let mut setup = SocketSetup::new(SocketRole::Listens);
        assert_eq!(setup.next_call(), Some(Create));
        assert_eq!(setup.complete(true), SetupEnd::Continues(Create));
        assert!(setup.end());
        assert_eq!(setup.next_call(), None);
        assert!(!setup.end());
    }
}

//! The calls that bring a socket into use, in their order.

/// The use that a socket is brought into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketRole {
    /// Connects from a local address, which it may share with other sockets that connect.
    Connects {
        /// Set if it shares the address: connections of one shared endpoint (AD-4).
        shares: bool,
    },
    /// Listens on a local address of its own.
    Listens,
    /// Was accepted: it exists and is connected.
    Accepted,
}

/// A call that brings a socket on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketCall {
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
    /// Tell its user that it is connected, or that it listens.
    Announce,
    /// Enable its events (SO_WSK_EVENT_CALLBACK).
    Enable,
}

use SocketCall::{
    Announce, Bind, Connect, Create, Enable, Exclusive, Inspect, KeepAlive, KeepAliveCount, KeepAliveIdle,
    KeepAliveInterval, LocalAddress, NoDelay, Share,
};

/// Options that concern the bind stand before it
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/so-reuseaddr>). Events are enabled after the connect
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/so-wsk-event-callback>), and after the user has been
/// told of it, so that no event comes before.
const SHARES: &[SocketCall] = &[
    Create,
    Share,
    NoDelay,
    KeepAlive,
    KeepAliveIdle,
    KeepAliveCount,
    KeepAliveInterval,
    Bind,
    LocalAddress,
    Connect,
    Announce,
    Enable,
];

const CONNECTS: &[SocketCall] = &[
    Create,
    NoDelay,
    KeepAlive,
    KeepAliveIdle,
    KeepAliveCount,
    KeepAliveInterval,
    Bind,
    LocalAddress,
    Connect,
    Announce,
    Enable,
];

/// Conditional accept stands before the bind
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/so-conditional-accept>), the events after it. The user
/// hears that the socket listens once a connection would reach it.
const LISTENS: &[SocketCall] = &[Create, Exclusive, Inspect, Bind, LocalAddress, Enable, Announce];

/// Events are inherited from the listening socket.
const ACCEPTED: &[SocketCall] = &[NoDelay, KeepAlive, KeepAliveIdle, KeepAliveCount, KeepAliveInterval];

impl SocketRole {
    /// Its calls, in order.
    const fn calls(self) -> &'static [SocketCall] {
        match self {
            Self::Connects { shares: true } => SHARES,
            Self::Connects { shares: false } => CONNECTS,
            Self::Listens => LISTENS,
            Self::Accepted => ACCEPTED,
        }
    }
}

impl SocketCall {
    /// Returns whether the socket is of no use if the call fails. Keepalive times are newer than WSK, and a connection
    /// works without them and with delayed segments.
    const fn is_vital(self) -> bool {
        match self {
            NoDelay | KeepAlive | KeepAliveIdle | KeepAliveCount | KeepAliveInterval => false,
            Create | Exclusive | Share | Inspect | Bind | LocalAddress | Connect | Announce | Enable => true,
        }
    }
}

/// Setup of a socket: one call at a time, until the socket is in use or a vital call has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketSetup {
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
    /// The next call may be made, if there is one.
    Continues,
    /// A vital call has failed: the socket is of no use.
    Failed(SocketCall),
    /// No call was under way, or the setup was over before.
    Stale,
}

impl SocketSetup {
    /// The setup of a socket for this use.
    #[must_use]
    pub const fn new(role: SocketRole) -> Self {
        Self::Due(role.calls())
    }

    /// The call to be made now, which counts as made from here on; `None` if one is under way or none is left.
    #[must_use]
    pub fn next_call(&mut self) -> Option<SocketCall> {
        let Self::Due(calls) = *self else { return None };
        let first = calls.first().copied();
        *self = if first.is_some() { Self::Called(calls) } else { Self::Done };
        first
    }

    /// Completes the call that is under way.
    pub fn complete(&mut self, succeeded: bool) -> SetupEnd {
        let Self::Called(calls) = *self else { return SetupEnd::Stale };
        let Some((call, rest)) = calls.split_first() else { return SetupEnd::Stale };
        if succeeded || !call.is_vital() {
            *self = Self::Due(rest);
            return SetupEnd::Continues;
        }
        *self = Self::Over;
        SetupEnd::Failed(*call)
    }

    /// Ends the setup: the socket is to be closed. Returns whether it was not in use yet.
    pub fn end(&mut self) -> bool {
        let unfinished = matches!(self, Self::Due(_) | Self::Called(_));
        *self = Self::Over;
        unfinished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate alloc;
    use alloc::vec::Vec;

    const ROLES: [SocketRole; 4] = [
        SocketRole::Connects { shares: false },
        SocketRole::Connects { shares: true },
        SocketRole::Listens,
        SocketRole::Accepted,
    ];

    fn all(role: SocketRole) -> Vec<SocketCall> {
        let (mut setup, mut calls) = (SocketSetup::new(role), Vec::new());
        while let Some(call) = setup.next_call() {
            assert_eq!(setup.next_call(), None, "one call at a time");
            assert_eq!(setup.complete(true), SetupEnd::Continues);
            calls.push(call);
        }
        assert_eq!(setup, SocketSetup::Done);
        assert_eq!(setup.complete(true), SetupEnd::Stale);
        calls
    }

    #[test]
    fn options_of_the_bind_stand_before_it_and_events_after_it() {
        for role in ROLES {
            let calls = all(role);
            let place = |call| calls.iter().position(|other| *other == call);
            for option in [Exclusive, Share, Inspect].into_iter().filter_map(place) {
                assert!(Some(option) < place(Bind), "{role:?}");
            }
            assert!(place(Enable) >= place(Bind) && place(Enable) >= place(Connect), "{role:?}");
        }
    }

    #[test]
    fn event_of_a_connection_comes_after_its_announcement() {
        for shares in [false, true] {
            let calls = all(SocketRole::Connects { shares });
            assert_eq!(calls.split_last_chunk::<3>().unwrap().1, &[Connect, Announce, Enable]);
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
                        SetupEnd::Continues => {}
                        end => break Some(end),
                    }
                };
                assert_eq!(end, failing.is_vital().then_some(SetupEnd::Failed(failing)));
                assert_eq!(setup.next_call(), None);
            }
        }
    }

    #[test]
    fn setup_that_was_ended_makes_no_call() {
        let mut setup = SocketSetup::new(SocketRole::Listens);
        assert_eq!(setup.next_call(), Some(Create));
        assert!(setup.end());
        assert_eq!(setup.complete(true), SetupEnd::Stale);
        assert_eq!(setup.next_call(), None);
        assert!(!setup.end());
    }
}

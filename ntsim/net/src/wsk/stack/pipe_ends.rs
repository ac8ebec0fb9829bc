//! The ends of the pipe, and what one of them does to others.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, VecDeque};

use sys::status::{NTSTATUS, STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_RESET};

use super::{Ready, Sharing, Way, is_taken};
use crate::wsk::address::unspecified;
use crate::wsk::choice::choose;

/// Connections that may wait at an end that listens.
pub(super) const BACKLOG: usize = 1024;
/// The first port that is chosen where a bind names none.
const FIRST_PORT: u16 = 49152;

/// The ends of one machine.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) ends: BTreeMap<u64, Own>,
    pub(super) last: u64,
    pub(super) ports: u16,
}

/// One end.
#[derive(Default)]
pub(super) struct Own {
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) sharing: Sharing,
    /// Set if it came about at an end that listens, whose address it has.
    pub(super) accepted: bool,
    /// Set once a connect has succeeded, whatever becomes of the connection.
    pub(super) connected: bool,
    pub(super) state: State,
    pub(super) ready: Option<Ready>,
}

/// The state of an end.
#[derive(Default)]
pub(super) enum State {
    #[default]
    Fresh,
    Listening(VecDeque<u64>),
    Connecting {
        peer: u64,
    },
    /// It has arrived and was not admitted yet.
    Arrived {
        peer: u64,
    },
    Open(Open),
    Broken(NTSTATUS),
}

/// A connection, as one of its ends sees it.
pub(super) struct Open {
    pub(super) peer: u64,
    pub(super) inbox: VecDeque<u8>,
    /// Bytes that the inbox may hold.
    pub(super) window: usize,
    /// Set if the peer sends no more.
    pub(super) ended: bool,
    /// Set if this end sends no more.
    pub(super) finished: bool,
    /// Set if the peer has bytes that it found no room for.
    pub(super) wanted: bool,
}

impl Open {
    pub(super) fn with(peer: u64) -> State {
        let window = [256 << 10, 64 << 10, 16 << 10, 4 << 10][choose(4)];
        State::Open(Self {
            peer,
            inbox: VecDeque::new(),
            window,
            ended: false,
            finished: false,
            wanted: false,
        })
    }
}

/// Calls that are due when the lock is free.
pub(super) type Told = Vec<(Ready, Way)>;

impl Ends {
    pub(super) fn tell(&self, end: u64, way: Way, told: &mut Told) {
        if let Some(ready) = self.ends.get(&end).and_then(|own| own.ready.clone()) {
            told.push((ready, way));
        }
    }

    pub(super) fn own(&mut self, end: u64) -> &mut Own {
        self.ends.get_mut(&end).expect("an end is there until it is dropped")
    }

    pub(super) fn add(&mut self, own: Own) -> u64 {
        self.last += 1;
        self.ends.insert(self.last, own);
        self.last
    }

    /// Returns whether an address may not be given to a socket with this sharing.
    pub(super) fn is_taken(&self, at: SocketAddr, sharing: Sharing) -> bool {
        self.ends.values().any(|own| {
            let taken = |local| is_taken((local, own.sharing, own.accepted), (at, sharing));
            own.local.is_some_and(taken)
        })
    }

    pub(super) fn free_port(&mut self, ip: IpAddr, sharing: Sharing) -> Option<u16> {
        for _ in FIRST_PORT..=u16::MAX {
            let port = FIRST_PORT + self.ports;
            self.ports = (self.ports + 1) % (u16::MAX - FIRST_PORT + 1);
            if !self.is_taken(SocketAddr::new(ip, port), Sharing { reuse: false, ..sharing }) {
                return Some(port);
            }
        }
        None
    }

    /// The end that listens at an address.
    pub(super) fn listener(&self, at: SocketAddr) -> Option<u64> {
        let wild = SocketAddr::new(unspecified(at), at.port());
        let find = |at: SocketAddr| {
            let listens = |own: &Own| {
                let same = own.local.is_some_and(|local| local.ip() == at.ip() && local.port() == at.port());
                same && matches!(own.state, State::Listening(_))
            };
            self.ends.iter().find(|(_, own)| listens(own)).map(|(&end, _)| end)
        };
        find(at).or_else(|| find(wild))
    }

    /// Breaks an end, and lets it see that.
    pub(super) fn break_end(&mut self, end: u64, status: NTSTATUS, told: &mut Told) {
        let Some(own) = self.ends.get_mut(&end) else { return };
        own.state = State::Broken(status);
        self.tell(end, Way::In, told);
        self.tell(end, Way::Out, told);
    }

    /// Ends what an end has, and tells its peers. The end is as if it were fresh, without an address.
    pub(super) fn abort(&mut self, end: u64, told: &mut Told) {
        let own = self.own(end);
        own.local = None;
        match core::mem::take(&mut own.state) {
            State::Fresh | State::Broken(_) => {}
            State::Listening(queue) => {
                for arrived in queue {
                    self.abort(arrived, told);
                    self.ends.remove(&arrived);
                }
            }
            State::Connecting { peer } => self.break_end(peer, STATUS_CONNECTION_RESET, told),
            State::Arrived { peer } => self.break_end(peer, STATUS_CONNECTION_REFUSED, told),
            State::Open(open) if open.finished && open.ended && open.inbox.is_empty() => {}
            State::Open(open) => self.break_end(open.peer, STATUS_CONNECTION_RESET, told),
        }
    }
}

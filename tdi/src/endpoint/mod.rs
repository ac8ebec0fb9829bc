//! Connection endpoints: the state machine.
//!
//! ```text
//!            listen            request          request, query-accept
//!        ┌───────────▶ Listening ───▶ Accepting ◀─── Requested ◀─ Listening
//!        │                               │    accept
//!      Idle ──────────▶ Connecting ──▶ Linking ──▶ Connected
//!        ▲   connect                     │             │
//!        └───────────────────────────  Ending  ◀───────┘   (from every state but Idle)
//! ```
//!
//! One thread at a time, the *drive loop*, works for an endpoint: it asks [`Endpoint::step`] under the
//! transport's lock what to do next, does it without the lock, and brings the result back. All others only
//! leave something for it: requests in the inbox, marks on cancelled requests, [`LinkEvents`] of the link,
//! the wish to close. So no state changes while something is being done for it, requests complete in their
//! order, and no handler of one connection runs twice at a time.
//!
//! Whatever ends a connection goes through [`Endpoint::end`], and the way out of `Ending` is one: the link
//! of a connection whose streams have both ended ends behind what was sent, unless the client, its cleanup or the
//! adapter can't wait for the peer; then the link is closed and gone, so that nothing refers to a request's memory any more; then the requests that
//! wait are completed in their order; then the client is told. A connect, listen or accept that comes
//! meanwhile stays in the inbox until then, with all that comes behind it: the client may have learnt that
//! the connection is over from a request that was refused on the way. After a cleanup all that is in the inbox
//! stays there until then: it was sent before, so it ends behind the requests that wait.
//!
//! A listen counts from the moment in which it is sent. The client relies on it once it is pending, and
//! can't tell that the drive loop has not looked at it yet. So [`Endpoint::is_listening`] is about the inbox,
//! too, and the state puts the endpoint on the list of its address, or takes it off, in the very section of
//! the lock in which that changes.

mod action;
mod advance;
mod begin;
mod cancel;
mod deadline;
mod layout;
mod receive;
mod send;
mod state;
mod stream;

use alloc::collections::VecDeque;
use core::net::SocketAddr;

pub(crate) use action::{Action, CopyToIrp, IndicateReceive};
use deadline::Deadline;
pub use layout::EndpointLayout;
use receive::ReceiveState;
use send::SendState;
use state::{Ending, LinkTeardown, State, Why};
pub(crate) use stream::{Stream, Untaken};

use provider::number::usize_from;
use provider::{NoMemory, Within as _};
use sys::status::{NTSTATUS, STATUS_CANCELLED, STATUS_GRACEFUL_DISCONNECT, STATUS_SUCCESS};

use crate::ea::ConnectionContext;
use crate::event::Handlers;
use crate::link_events::LinkEvents;
use crate::network::{ByUrgency, Link, Network};
use crate::queue::{Queue, Waiting};
use crate::request::{Command, RequestId};
use crate::slab::Id;
use crate::system::System;

pub(crate) type LinkOf<S> = <<S as System>::Network as Network<S>>::Link;
pub(crate) type DataOf<S> = <LinkOf<S> as Link>::Data;
pub(crate) type ConnectRequestOf<S> = <<S as System>::Network as Network<S>>::ConnectRequest;

/// A request that was not looked at yet.
struct Arrived<S: System> {
    command: Command,
    request: S::Request,
    /// For an accept that the client's connect handler made: what it accepts.
    connect_request: Option<ConnectRequestOf<S>>,
}

/// The address with which an endpoint is associated, as the endpoint sees it.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub(crate) id: Id,
    pub(crate) local: SocketAddr,
    /// Connections can be made over it.
    pub(crate) live: bool,
    /// It is still bound where the connection that is offered to the endpoint came in.
    pub(crate) takes_connect_request: bool,
    pub(crate) handlers: Handlers,
}

/// A connection endpoint.
pub(crate) struct Endpoint<S: System> {
    pub(crate) context: ConnectionContext,
    /// The address object with which it is associated.
    pub(crate) address: Option<Id>,
    /// A thread is the drive loop.
    pub(crate) driving: bool,
    /// It was cleaned up.
    pub(crate) closing: bool,
    /// It waits in its address's list of listens.
    pub(crate) listed: bool,
    /// A connection that is offered to the listen.
    pub(crate) connect_request: Option<ConnectRequestOf<S>>,
    pub(crate) link_events: LinkEvents,
    /// The status of [`LinkEvents::LOST`].
    pub(crate) lost: NTSTATUS,
    state: State<S>,
    inbox: VecDeque<Arrived<S>>,
    /// The connect, listen or accept that waits.
    control: Option<Waiting<S::Request, Deadline>>,
    sends: ByUrgency<Queue<S::Request, SendState>>,
    receives: Queue<S::Request, ReceiveState>,
    /// The disconnect that waits for the other side's.
    release: Option<Waiting<S::Request, Deadline>>,
    /// Disconnects that wait for the other side's, and do nothing themselves.
    watches: Queue<S::Request, Deadline>,
    /// The disconnect that waits for the end, not cancellable, as the end is near.
    abort: Option<S::Request>,
    /// A connect request that is to be refused.
    refuse: Option<ConnectRequestOf<S>>,
    /// Requests were cancelled since the last look.
    cancels: bool,
    next_number: u64,
}

impl<S: System> Endpoint<S> {
    pub(crate) fn new(context: ConnectionContext) -> Self {
        Self {
            context,
            address: None,
            driving: false,
            closing: false,
            listed: false,
            connect_request: None,
            link_events: LinkEvents::default(),
            lost: STATUS_CANCELLED,
            state: State::Idle,
            inbox: VecDeque::new(),
            control: None,
            sends: ByUrgency { normal: Queue::new(), expedited: Queue::new() },
            receives: Queue::new(),
            release: None,
            watches: Queue::new(),
            abort: None,
            refuse: None,
            cancels: false,
            next_number: send::FIRST_REQUEST,
        }
    }

    /// Sees to it that one more request finds room wherever it goes. `outstanding` are there already.
    pub(crate) fn reserve(&mut self, outstanding: u32) -> Result<(), NoMemory> {
        let count = usize_from(outstanding).saturating_add(1);
        self.inbox.try_reserve(count.saturating_sub(self.inbox.len())).map_err(|_| NoMemory)?;
        for sends in self.sends.all_mut() {
            sends.reserve(count)?;
        }
        self.watches.reserve(count)?;
        self.receives.reserve(count)
    }

    /// Leaves a request for the drive loop; there is room for it.
    pub(crate) fn put(
        &mut self,
        command: Command,
        request: S::Request,
        connect_request: Option<ConnectRequestOf<S>>,
    ) {
        let left = self.inbox.push_within(Arrived { command, request, connect_request });
        debug_assert!(left.is_ok(), "there is room for it");
    }

    /// Returns whether there is no connection, and none is about to come about. While a request that says so
    /// completes, this is the case, although the drive loop still has to come to rest.
    pub(crate) fn is_inactive(&self) -> bool {
        matches!(self.state, State::Idle)
            && self.inbox.is_empty()
            && self.control.is_none()
            && self.abort.is_none()
    }

    /// Returns whether nothing is going on.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_inactive() && self.refuse.is_none() && !self.driving
    }

    /// Returns whether a request waits that needs a connection.
    fn has_waiting(&self) -> bool {
        !self.sends.normal.is_empty()
            || !self.sends.expedited.is_empty()
            || !self.receives.is_empty()
            || !self.watches.is_empty()
            || self.release.is_some()
    }

    /// Returns whether a listen waits here, or was sent, and has not been offered a connection.
    pub(crate) fn is_listening(&self) -> bool {
        self.wants_connect_request() && self.connect_request.is_none() && !self.closing
    }

    /// Returns whether a connect request is for a listen that waits here or was sent.
    fn wants_connect_request(&self) -> bool {
        matches!(self.state, State::Listening { .. })
            || self.inbox.iter().any(|arrived| matches!(arrived.command, Command::Listen { .. }))
    }

    /// Takes the next request that can begin now. See the module's head.
    fn next_arrived(&mut self) -> Option<Arrived<S>> {
        let ending = matches!(self.state, State::Ending(_));
        let stays = |arrived: &Arrived<S>| {
            let begins =
                matches!(arrived.command, Command::Connect { .. } | Command::Listen { .. } | Command::Accept);
            begins || self.closing
        };
        if ending && self.inbox.front().is_some_and(stays) { None } else { self.inbox.pop_front() }
    }

    /// Returns whether data flows.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// Returns whether the connection ends in order, and its link is still in use.
    fn is_disconnecting(&self) -> bool {
        matches!(self.state, State::Ending(_)) && self.link().is_some()
    }

    /// The state, for people.
    pub(crate) const fn state_name(&self) -> &'static str {
        match &self.state {
            State::Idle => "idle",
            State::Connecting { .. } => "connecting",
            State::Listening { .. } => "listening",
            State::Requested { .. } => "was offered a connection",
            State::Accepting { .. } => "accepting",
            State::Linking { .. } => "a link is being established",
            State::Connected(_) => "connected",
            State::Ending(_) => "ending",
        }
    }

    /// The link, while it is in use.
    pub(crate) fn link(&self) -> Option<&LinkOf<S>> {
        match &self.state {
            State::Linking { link } => Some(link),
            State::Connected(stream) => Some(&stream.link),
            State::Ending(Ending {
                link: LinkTeardown::ToDisconnect(link) | LinkTeardown::Disconnecting(link),
                ..
            }) => Some(link),
            State::Idle
            | State::Connecting { .. }
            | State::Listening { .. }
            | State::Requested { .. }
            | State::Accepting { .. }
            | State::Ending(_) => None,
        }
    }

    /// Returns the next action; `None` if there is none for now.
    pub(crate) fn step(&mut self, id: Id, now: u64, view: Option<&View>) -> Option<Action<S>> {
        loop {
            if self.closing && !matches!(self.state, State::Idle | State::Ending(_)) {
                self.end(Why::all(STATUS_CANCELLED));
            }
            if let Some(connect_request) = self.refuse.take() {
                return Some(Action::Refuse(connect_request));
            }
            if let Some(action) = self.take_cancelled() {
                return Some(action);
            }
            if let Some(arrived) = self.next_arrived() {
                match self.begin(id, now, view, arrived) {
                    Some(action) => return Some(action),
                    None => continue,
                }
            }
            match self.advance(now, view) {
                Step::Do(action) => return Some(action),
                Step::Again => {}
                Step::Idle => return None,
            }
        }
    }

    /// A request ID for a request that is about to wait.
    fn request_id(&mut self, file: Id) -> RequestId {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        RequestId { file, number }
    }

    /// Ends a connection whose streams have both ended: behind what was sent.
    fn end_in_order(&mut self) {
        if let State::Connected(stream) = &self.state {
            let link = LinkTeardown::ToDisconnect(stream.link.clone());
            let why = Why { release: STATUS_SUCCESS, ..Why::all(STATUS_GRACEFUL_DISCONNECT) };
            self.state = State::Ending(Ending { link, why });
        }
    }

    /// Ends whatever is there. See the module's head.
    fn end(&mut self, why: Why) {
        let link = match core::mem::replace(&mut self.state, State::Idle) {
            State::Idle => return,
            State::Ending(ending) => {
                self.state = State::Ending(ending);
                return;
            }
            State::Connecting { .. } | State::Listening { .. } => LinkTeardown::Gone,
            State::Requested { connect_request, .. } | State::Accepting { connect_request } => {
                self.refuse = Some(connect_request);
                LinkTeardown::Gone
            }
            State::Linking { link } => LinkTeardown::ToClose(link, ByUrgency::default()),
            State::Connected(stream) => {
                let (link, untaken) = stream.into_parts();
                LinkTeardown::ToClose(link, untaken)
            }
        };
        self.state = State::Ending(Ending { link, why });
    }
}

/// The outcome of one step of the state machine.
enum Step<S: System> {
    /// This is to be done.
    Do(Action<S>),
    /// The state has changed.
    Again,
    /// Nothing can be done now.
    Idle,
}

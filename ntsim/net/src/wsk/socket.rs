//! Sockets: their objects, the calls in progress, their end.

use core::net::SocketAddr;
use std::collections::HashMap;
use std::sync::Arc;

use nt::mm::Block;
use ntsim_core::Settings;
use ntsim_core::address::Va;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Irql, Transport};
use parking_lot::{Mutex, RwLock};
use sys::sockaddr::ADDRESS_FAMILY;
use sys::status::*;
use sys::wsk::*;

use super::accept::Listening;
use super::capture;
use super::choice::choose;
use super::client::{Client, found};
use super::functions;
use super::input::Input;
use super::output::Output;
use super::request::{Outcome, Request};
use super::stack::{self, End, Setting, Sharing, Way};
use super::work::{self, Lane, LaneState};

/// The sockets of one machine, by the address of their objects.
#[derive(Default)]
struct Sockets {
    live: RwLock<HashMap<Va, Arc<Socket>>>,
}

static SOCKETS: PerMachine<Sockets> = PerMachine::new();

/// Reports the sockets that drivers left.
pub(super) fn inspect() {
    let Some(sockets) = SOCKETS.made() else { return };
    let left = sockets.live.read().len();
    if left > 0 {
        found("WskSocketLeak", format!("{left} sockets were never closed"));
    }
}

/// A socket.
pub(super) struct Socket {
    /// The object that the driver sees.
    object: Block,
    pub(super) family: ADDRESS_FAMILY,
    pub(super) client: Arc<Client>,
    pub(super) end: Box<dyn End>,
    pub(super) role: Role,
    pub(super) phase: Mutex<Phase>,
    pub(super) callbacks: Mutex<Callbacks>,
    calls: Mutex<Calls>,
    lanes: Mutex<Lanes>,
    /// Requests whose outcome is known, to be completed by a thread of this side.
    done: Mutex<Vec<(Request, Outcome)>>,
}

/// The category of a socket, with what it needs.
pub(super) enum Role {
    Listen(Mutex<Listening>),
    Connection(Box<Connection>),
}

/// A connection-oriented socket.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) input: Mutex<Input>,
    pub(super) output: Mutex<Output>,
}

/// The stage of a socket.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Phase {
    #[default]
    Fresh,
    Bound,
    Connecting,
    Connected,
    /// Not functional any more.
    Dead(NTSTATUS),
}

/// A driver's context and functions for a socket, and the events that are enabled.
#[derive(Clone, Copy, Default)]
pub(super) struct Callbacks {
    pub(super) context: Va,
    /// A table of the type that belongs to the category; null if the driver has none.
    pub(super) dispatch: Va,
    pub(super) enabled: u32,
    /// Of a listening socket: set by its options.
    pub(super) conditional: bool,
    pub(super) sharing: Sharing,
}

/// The driver's calls of a socket's functions.
#[derive(Default)]
struct Calls {
    /// The threads in which one is in progress.
    threads: Vec<u64>,
    closed: bool,
}

/// The work of a socket.
#[derive(Default)]
struct Lanes {
    states: [LaneState; Lane::COUNT],
    /// The request of the close, once it is called.
    closing: Option<Request>,
    /// Set when everything but the close was completed.
    drained: bool,
    over: bool,
}

/// A call of a socket's function that is in progress.
pub(super) struct Call {
    pub(super) socket: Arc<Socket>,
}

impl Drop for Call {
    fn drop(&mut self) {
        let own = thread();
        let mut calls = self.socket.calls.lock();
        if let Some(at) = calls.threads.iter().position(|&thread| thread == own) {
            calls.threads.swap_remove(at);
        }
    }
}

fn thread() -> u64 {
    sched::current().map_or(0, |thread| thread.id)
}

/// Begins a call of `function` of the socket at an address; without one, or after its close, with a finding.
///
/// # Errors
/// STATUS_FILE_FORCED_CLOSED.
pub(super) fn call(socket: *mut WSK_SOCKET, function: &'static str) -> Result<Call, NTSTATUS> {
    let live = SOCKETS.get().live.read().get(&Va::of(socket)).cloned();
    let Some(found_socket) = live else {
        found(
            "WskCallAfterClose",
            format!("{function} got {socket:p}, which is no socket, or one that is closed"),
        );
        return Err(STATUS_FILE_FORCED_CLOSED);
    };
    let mut calls = found_socket.calls.lock();
    if calls.closed {
        drop(calls);
        let rule = if function == "WskCloseSocket" { "WskCloseTwice" } else { "WskCallAfterClose" };
        found(rule, format!("{function} is called for {socket:p} after WskCloseSocket was"));
        return Err(STATUS_FILE_FORCED_CLOSED);
    }
    calls.threads.push(thread());
    drop(calls);
    Ok(Call { socket: found_socket })
}

impl Socket {
    /// Makes a socket over an end of the transport.
    pub(super) fn new(
        client: Arc<Client>,
        family: ADDRESS_FAMILY,
        end: Box<dyn End>,
        role: Role,
        callbacks: Callbacks,
    ) -> Option<Arc<Self>> {
        work::start();
        let object = Block::new(size_of::<WSK_SOCKET>())?;
        let dispatch = match role {
            Role::Listen(_) => (&raw const functions::LISTEN).cast(),
            Role::Connection(_) => (&raw const functions::CONNECTION).cast(),
        };
        // SAFETY: the block has the object's size.
        unsafe { object.as_ptr::<WSK_SOCKET>().write(WSK_SOCKET { Dispatch: dispatch }) };
        client.count_socket(true);
        let socket = Arc::new(Self {
            object,
            family,
            client,
            end,
            role,
            phase: Mutex::default(),
            callbacks: Mutex::new(callbacks),
            calls: Mutex::default(),
            lanes: Mutex::default(),
            done: Mutex::default(),
        });
        let weak = Arc::downgrade(&socket);
        socket.end.attach(Arc::new(move |way| {
            if let Some(socket) = weak.upgrade() {
                socket.kick(if way == Way::In { Lane::Input } else { Lane::Output });
            }
        }));
        SOCKETS.get().live.write().insert(socket.address(), Arc::clone(&socket));
        Some(socket)
    }

    /// Makes an end of the machine's transport.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn open_end(family: ADDRESS_FAMILY) -> Result<Box<dyn End>, NTSTATUS> {
        match Settings::current().sockets.transport {
            Transport::Pipe => Ok(stack::pipe::open()),
            Transport::Host => stack::host::open(family),
        }
    }

    /// The address of its object.
    pub(super) fn address(&self) -> Va {
        Va::of(self.object.as_ptr::<WSK_SOCKET>())
    }

    /// The connection, of a connection-oriented socket.
    pub(super) fn connection(&self) -> Option<&Connection> {
        match &self.role {
            Role::Connection(connection) => Some(connection),
            Role::Listen(_) => None,
        }
    }

    /// Binds it.
    pub(super) fn bind(&self, at: SocketAddr) -> Result<(), NTSTATUS> {
        let mut phase = self.phase.lock();
        if *phase != Phase::Fresh {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let sharing = self.callbacks.lock().sharing;
        self.end.bind(at, sharing)?;
        if matches!(self.role, Role::Listen(_)) {
            self.end.listen()?;
        }
        *phase = Phase::Bound;
        Ok(())
    }

    /// Changes a setting of the transport.
    pub(super) fn set(&self, setting: Setting) {
        self.end.set(setting);
    }

    /// Returns whether an event is enabled, with the context and functions that it is called with.
    pub(super) fn event(&self, mask: u32) -> Option<Callbacks> {
        let callbacks = *self.callbacks.lock();
        (callbacks.enabled & mask == mask && !callbacks.dispatch.is_null()).then_some(callbacks)
    }

    /// The flag that tells a callback of the level.
    pub(super) fn level_flag() -> u32 {
        if sched::irql() == Irql::DISPATCH { WSK_FLAG_AT_DISPATCH_LEVEL } else { 0 }
    }

    /// Completes a request now, or later in a thread of this side, as the seed says; returns what the function returns.
    pub(super) fn answer(self: &Arc<Self>, request: Request, outcome: impl Into<Outcome>) -> NTSTATUS {
        if choose(2) == 0 {
            return request.complete(outcome);
        }
        let status = request.pend();
        self.complete_later(request, outcome);
        status
    }

    /// Leaves the completion of a request to a thread of this side.
    pub(super) fn complete_later(self: &Arc<Self>, request: Request, outcome: impl Into<Outcome>) {
        self.done.lock().push((request, outcome.into()));
        self.kick(Lane::Completion);
    }

    /// Lets a thread do the work of a lane.
    pub(super) fn kick(self: &Arc<Self>, lane: Lane) {
        {
            let mut lanes = self.lanes.lock();
            if lanes.over {
                return;
            }
            let state = &mut lanes.states[lane.index()];
            match *state {
                LaneState::Idle => *state = LaneState::Queued,
                LaneState::Running => {
                    *state = LaneState::RunningAgain;
                    return;
                }
                LaneState::Queued | LaneState::RunningAgain => return,
            }
        }
        work::push(Arc::clone(self), lane);
    }

    /// Returns whether a thread does the work of a lane.
    pub(super) fn is_running(&self, lane: Lane) -> bool {
        matches!(self.lanes.lock().states[lane.index()], LaneState::Running | LaneState::RunningAgain)
    }

    /// Returns whether the driver has called the close.
    pub(super) fn is_closed(&self) -> bool {
        self.calls.lock().closed
    }

    /// Does the work of a lane.
    pub(super) fn work(self: &Arc<Self>, lane: Lane) {
        self.lanes.lock().states[lane.index()] = LaneState::Running;
        match lane {
            Lane::Completion => self.complete_done(),
            Lane::Close => self.drain(),
            Lane::Input if self.is_closed() => {}
            Lane::Output if self.is_closed() => {}
            Lane::Input => match &self.role {
                Role::Listen(listening) => super::accept::run(self, listening),
                Role::Connection(connection) => super::input::run(self, connection),
            },
            Lane::Output => {
                if let Some(connection) = self.connection() {
                    super::output::run(self, connection);
                }
            }
        }
        let closed = {
            let mut lanes = self.lanes.lock();
            let state = &mut lanes.states[lane.index()];
            if *state == LaneState::RunningAgain {
                *state = LaneState::Queued;
                drop(lanes);
                work::push(Arc::clone(self), lane);
                return;
            }
            *state = LaneState::Idle;
            let idle = lanes.states.iter().all(|state| *state == LaneState::Idle);
            if idle && lanes.drained { lanes.closing.take().inspect(|_| lanes.over = true) } else { None }
        };
        if let Some(request) = closed {
            // Every event has returned by now.
            if let Some(connection) = self.connection() {
                super::input::check_retained(connection);
            }
            self.end_object();
            request.complete(STATUS_SUCCESS);
        }
    }

    /// Completes the requests whose outcome is known, in any order.
    fn complete_done(&self) {
        loop {
            let next = {
                let mut done = self.done.lock();
                let count = done.len();
                if count == 0 {
                    return;
                }
                done.remove(choose(count))
            };
            next.0.complete(next.1);
        }
    }

    /// Takes the object out of use; its memory goes with the last holder of the socket.
    fn end_object(&self) {
        SOCKETS.get().live.write().remove(&self.address());
        self.client.count_socket(false);
    }

    /// Ends a socket that the driver never got, or has refused.
    pub(super) fn discard(self: &Arc<Self>) {
        self.end.abort();
        self.calls.lock().closed = true;
        self.lanes.lock().over = true;
        self.end_object();
    }

    /// Closes it: <https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_close_socket>.
    pub(super) fn close(self: &Arc<Self>, request: Request) -> NTSTATUS {
        let own = thread();
        let others = {
            let mut calls = self.calls.lock();
            calls.closed = true;
            calls.threads.iter().filter(|&&thread| thread != own).count()
        };
        if others > 0 {
            let text = format!("WskCloseSocket is called with {others} calls in progress in other threads");
            found("WskCloseDuringCall", text);
        }
        capture::ended(&*self.end, true, true);
        self.end.abort();
        let status = request.pend();
        self.lanes.lock().closing = Some(request);
        self.kick(Lane::Close);
        status
    }

    /// Cancels what is pending, so that only the close is left.
    fn drain(self: &Arc<Self>) {
        let pending = match &self.role {
            Role::Listen(listening) => super::accept::take_pending(listening),
            Role::Connection(connection) => {
                let mut pending = super::input::take_pending(connection);
                pending.extend(super::output::take_pending(connection));
                pending
            }
        };
        for request in pending {
            request.complete(STATUS_CANCELLED);
        }
        self.lanes.lock().drained = true;
    }
}

//! Sockets: their objects, and the calls in progress.

use core::net::SocketAddr;
use std::collections::{HashMap, VecDeque};
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
use super::client::{Client, found};
use super::input::Input;
use super::lane::Lanes;
use super::output::Output;
use super::request::{Outcome, Request};
use super::stack::{self, End, Setting, Sharing, Way};
use super::work::{self, Lane};
use super::{functions, listen_functions};

/// The sockets of one machine, by the address of their objects.
#[derive(Default)]
struct Sockets {
    live: RwLock<HashMap<Va, Arc<Socket>>>,
    /// The peers of connections that had arrived and have ended, the last [`ENDED`] ones.
    ended: Mutex<VecDeque<SocketAddr>>,
}

/// Peers that are remembered when their connections have ended.
const ENDED: usize = 256;

static SOCKETS: PerMachine<Sockets> = PerMachine::new();

/// Drops the sockets that drivers left, with what they have of the host.
pub(super) fn release() {
    if let Some(sockets) = SOCKETS.made() {
        sockets.live.write().clear();
    }
}

/// Takes the socket at an address out of use.
pub(super) fn forget(address: Va) {
    let sockets = SOCKETS.get();
    let removed = sockets.live.write().remove(&address);
    let arrived = removed.filter(|socket| socket.connection().is_some_and(|connection| connection.arrived));
    if let Some(peer) = arrived.and_then(|socket| socket.end.remote()) {
        let mut ended = sockets.ended.lock();
        if ended.len() == ENDED {
            ended.pop_front();
        }
        ended.push_back(peer);
    }
}

/// Takes the peers of connections that had arrived and have ended, the oldest first.
pub(super) fn take_ended() -> Vec<SocketAddr> {
    SOCKETS.get().ended.lock().drain(..).collect()
}

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
    pub(super) calls: Mutex<Calls>,
    pub(super) lanes: Mutex<Lanes>,
    /// Requests whose outcome is known, to be completed by a thread of this side.
    pub(super) done: Mutex<Vec<(Request, Outcome)>>,
}

/// The category of a socket, with what it needs.
pub(super) enum Role {
    Listen(Mutex<Listening>),
    Connection(Box<Connection>),
}

/// A connection-oriented socket.
#[derive(Default)]
pub(super) struct Connection {
    /// Set if it has arrived at a socket that listens.
    pub(super) arrived: bool,
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
pub(super) struct Calls {
    /// The threads in which one is in progress.
    pub(super) threads: Vec<u64>,
    pub(super) closed: bool,
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

/// The number of the calling thread.
pub(super) fn thread() -> u64 {
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
            Role::Listen(_) => (&raw const listen_functions::LISTEN).cast(),
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
}

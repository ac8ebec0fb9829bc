//! A network in a box: the connections of one thread, between ports of that thread. The threads of a loom model are one
//! here, as they run on one.
//!
//! Nothing happens inside a call of the provider: each thing that may happen next is an action, and a test does them one
//! by one, in any order that TCP admits ([`step`]), or all of them ([`pump`]). A test that has [`set_pace`] leaves that to
//! the network: it does them like DPCs, when nothing else waits, or ports at once.

#![expect(unsafe_code, reason = "a network makes promises")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use softndk_kernel::Network;
use softndk_kernel::network::{
    Accepted, Batch, ConnectionEvents, LocalEnd, PortEvents, Purpose, Runs, Taken,
};
use sys::status::{
    NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_SHARING_VIOLATION, STATUS_SUCCESS, STATUS_TOO_MANY_ADDRESSES,
};

use crate::allocations::spared;

/// The network of the box.
#[derive(Clone, Copy, Debug)]
pub struct InABox;

/// A connection, by its number.
#[derive(Debug)]
pub struct BoxConnection(usize);

/// A port, by its number.
#[derive(Debug)]
pub struct BoxPort(usize);

/// A batch.
#[derive(Debug)]
pub struct BoxBatch {
    room: Vec<u8>,
    length: usize,
    tag: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    Connecting(LocalEnd, SocketAddr),
    Open,
    /// Cut off by either side, or failed.
    Dead,
    Closed,
}

struct Connection {
    phase: Phase,
    events: Option<Arc<ConnectionEvents<InABox>>>,
    peer: Option<usize>,
    incoming: VecDeque<u8>,
    /// The peer's stream ends behind `incoming`; it was told.
    peer_finished: (bool, bool),
    finished: bool,
    /// Batches that are to come back.
    back: VecDeque<(BoxBatch, NTSTATUS)>,
    /// An indication runs.
    arriving: bool,
    /// The last indication was short.
    short: bool,
    /// A resume has come since the indication began.
    resumed: bool,
    /// It is being opened, or told that its peer's stream has ended: calls that no other but `sent` overlaps.
    busy: bool,
}

struct Port {
    at: Option<SocketAddr>,
    purpose: Purpose,
    events: Option<Arc<PortEvents<InABox>>>,
    opening: bool,
    open: bool,
    closing: bool,
}

#[derive(Default)]
struct World {
    connections: Vec<Connection>,
    ports: Vec<Port>,
    dynamic: u16,
    /// The most bytes of an indication; 0 for any number.
    piece: usize,
    /// The status of connects to where no port is; STATUS_CONNECTION_REFUSED if there is none.
    failure: Option<NTSTATUS>,
    pace: Pace,
}

/// The state of a network. The processors of a test share one.
#[derive(Clone, Default)]
pub(crate) struct Shared(Rc<RefCell<World>>);

thread_local! {
    static WORLD: RefCell<Shared> = RefCell::new(spared(Shared::default));
}

/// The network of the calling thread.
pub(crate) fn world() -> Shared {
    WORLD.with_borrow(Clone::clone)
}

/// Makes `world` the network of the calling thread.
pub(crate) fn install(world: Shared) {
    let earlier = WORLD.replace(world);
    drop(earlier);
}

/// The moment in which things happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// When the test does them.
    #[default]
    ByTest,
    /// As DPCs run, behind those that wait.
    Deferred,
    /// Ports open and are closed inside the call that asks for it; all else is deferred.
    PortsInline,
}

/// Sets the pace of the calling thread's network.
pub fn set_pace(pace: Pace) {
    with(|world| world.pace = pace);
}

/// Lets the next thing happen, if that is not left to the test. Returns false if there is none.
pub(crate) fn run_once() -> bool {
    with(|world| world.pace) != Pace::ByTest && step(0)
}

/// Returns true if [`run_once`] has something to do.
pub(crate) fn is_due() -> bool {
    with(|world| world.pace) != Pace::ByTest && !actions().is_empty()
}

/// A thing that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A connection is made, or refused.
    Connect(usize),
    /// Bytes arrive.
    Arrive(usize),
    /// The peer's stream ends.
    Finish(usize),
    /// A batch comes back.
    Return(usize),
    /// A connection is closed.
    Close(usize),
    /// A port opens.
    Open(usize),
    /// A port is closed.
    ClosePort(usize),
}

fn with<R>(work: impl FnOnce(&mut World) -> R) -> R {
    spared(|| work(&mut world().0.borrow_mut()))
}

/// The things that may happen next.
#[must_use]
pub fn actions() -> Vec<Action> {
    with(|world| {
        let mut actions = vec![];
        for (number, port) in world.ports.iter().enumerate() {
            if port.opening {
                actions.push(Action::Open(number));
            } else if port.closing && port.events.as_ref().map_or(0, Arc::strong_count) == 1 {
                actions.push(Action::ClosePort(number));
            }
        }
        for (number, connection) in world.connections.iter().enumerate() {
            // `closed` is the last call: it waits for those that run.
            let owners = connection.events.as_ref().map_or(0, Arc::strong_count);
            let owned = owners != 0;
            match connection.phase {
                Phase::Connecting(..) if !connection.busy => actions.push(Action::Connect(number)),
                Phase::Open if owned && !connection.busy => {
                    if !connection.incoming.is_empty() && !connection.short && !connection.arriving {
                        actions.push(Action::Arrive(number));
                    }
                    let all_taken = connection.incoming.is_empty() && !connection.arriving;
                    if all_taken && connection.peer_finished == (true, false) {
                        actions.push(Action::Finish(number));
                    }
                }
                Phase::Dead if owners == 1 && connection.back.is_empty() => {
                    actions.push(Action::Close(number))
                }
                Phase::New | Phase::Connecting(..) | Phase::Open | Phase::Dead | Phase::Closed => {}
            }
            if !connection.back.is_empty() {
                actions.push(Action::Return(number));
            }
        }
        actions
    })
}

/// Lets the action with this number, of those that may happen, happen. Returns false if there is none.
pub fn step(number: usize) -> bool {
    let actions = actions();
    let Some(action) = actions.get(number.checked_rem(actions.len()).unwrap_or(0)) else { return false };
    act(*action);
    true
}

/// Lets the first of the actions that `admits` admits happen. Returns false if there is none.
pub fn step_if(mut admits: impl FnMut(&Action) -> bool) -> bool {
    let action = actions().into_iter().find(|action| admits(action));
    action.map(act).is_some()
}

/// Forgets what there was, as a model begins anew.
pub fn clear() {
    with(|world| *world = World::default());
}

/// Forgets what there was and leaves its objects as they are: a test has failed.
pub(crate) fn forget() {
    with(|world| std::mem::forget(std::mem::take(world)));
}

/// Lets everything happen, the oldest first.
pub fn pump() {
    while step(0) {}
}

/// Sets the most bytes of an indication.
pub fn set_piece(bytes: usize) {
    with(|world| world.piece = bytes);
}

/// Sets the status of connects to an address where no port is.
pub fn set_failure(status: NTSTATUS) {
    with(|world| world.failure = Some(status));
}

/// Resets the connections that are open, as a peer or the network does.
pub fn reset_all() {
    with(|world| {
        for connection in &mut world.connections {
            if connection.phase == Phase::Open {
                connection.die();
            }
        }
    });
}

/// Ends the stream of the peer of a connection, as that peer does.
pub fn end_peer(number: usize) {
    with(|world| world.connections[number].peer_finished.0 = true);
}

/// The number of connections and ports that have begun and are not closed.
#[must_use]
pub fn live() -> usize {
    with(|world| {
        let connections = world.connections.iter().filter(|connection| connection.events.is_some());
        connections.count() + world.ports.iter().filter(|port| port.events.is_some()).count()
    })
}

/// Has peers of the test's own open connections to a port; returns the number of those that were taken.
pub fn knock(to: SocketAddr, number: usize) -> usize {
    let port = with(|world| world.ports.iter().position(|port| port.open && port.at == Some(to)));
    let port = port_events(port.expect("it is listened to"));
    let knocks = (0..number).filter(|_| {
        let remote = SocketAddr::new([192, 0, 2, 1].into(), dynamic());
        port.inspect(remote) && {
            let number = with(|world| world.add(Connection::new(Phase::Open)));
            let owner = port.accepted(Accepted { connection: BoxConnection(number), local: to, remote });
            let taken = owner.is_some();
            with(|world| world.connections[number].events = owner.map(Arc::new));
            taken
        }
    });
    knocks.count()
}

/// Sets the port that a socket which asks for any is given next.
pub fn set_next_port(port: u16) {
    with(|world| world.dynamic = port.wrapping_sub(50_001));
}

/// The number of connections that there were so far.
#[must_use]
pub fn begun() -> usize {
    with(|world| world.connections.len())
}

/// Sends bytes of a test's own on the newest connection that is open.
pub fn inject(bytes: &[u8]) {
    with(|world| {
        let open = world.connections.iter_mut().rev().find(|connection| connection.phase == Phase::Open);
        open.expect("a connection is open").incoming.extend(bytes);
    });
}

impl Action {
    /// The connection that it is about.
    #[must_use]
    pub const fn connection(&self) -> Option<usize> {
        match *self {
            Self::Connect(number)
            | Self::Arrive(number)
            | Self::Finish(number)
            | Self::Return(number)
            | Self::Close(number) => Some(number),
            Self::Open(_) | Self::ClosePort(_) => None,
        }
    }
}

impl Connection {
    fn new(phase: Phase) -> Self {
        Self {
            phase,
            events: None,
            peer: None,
            incoming: VecDeque::new(),
            peer_finished: (false, false),
            finished: false,
            back: VecDeque::new(),
            arriving: false,
            short: false,
            resumed: false,
            busy: false,
        }
    }

    fn die(&mut self) {
        self.phase = Phase::Dead;
        self.incoming.clear();
    }
}

impl World {
    fn add(&mut self, connection: Connection) -> usize {
        self.connections.push(connection);
        self.connections.len() - 1
    }

    /// The end of a connection that is cut off; the other one hears of it unless both streams have ended.
    fn abort(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        if matches!(connection.phase, Phase::New | Phase::Dead | Phase::Closed) {
            return;
        }
        let in_order = connection.finished && connection.peer_finished.1;
        connection.die();
        if let Some(peer) = connection.peer.filter(|_| !in_order) {
            let peer = &mut self.connections[peer];
            if peer.phase == Phase::Open {
                peer.die();
            }
        }
    }
}

fn events(number: usize) -> Arc<ConnectionEvents<InABox>> {
    with(|world| world.connections[number].events.clone()).expect("it has begun")
}

fn port_events(number: usize) -> Arc<PortEvents<InABox>> {
    with(|world| world.ports[number].events.clone()).expect("it has begun")
}

fn dynamic() -> u16 {
    with(|world| {
        world.dynamic = world.dynamic.wrapping_add(1) % 15_000;
        50_000 + world.dynamic
    })
}

/// A local address that the owner takes.
fn bind(at: SocketAddr, mut bound: impl FnMut(SocketAddr) -> bool) -> Result<SocketAddr, NTSTATUS> {
    if at.port() != 0 {
        return if bound(at) { Ok(at) } else { Err(STATUS_SHARING_VIOLATION) };
    }
    let tried = (0..16).map(|_| SocketAddr::new(at.ip(), dynamic()));
    tried.into_iter().find(|at| bound(*at)).ok_or(STATUS_TOO_MANY_ADDRESSES)
}

fn act(action: Action) {
    match action {
        Action::Connect(number) => connect(number),
        Action::Arrive(number) => arrive(number),
        Action::Finish(number) => {
            with(|world| {
                let connection = &mut world.connections[number];
                (connection.peer_finished.1, connection.busy) = (true, true);
            });
            events(number).finished();
            with(|world| world.connections[number].busy = false);
        }
        Action::Return(number) => {
            let (batch, status) = with(|world| world.connections[number].back.pop_front()).expect("it waits");
            events(number).sent(batch, status);
        }
        Action::Close(number) => {
            let events = with(|world| {
                world.connections[number].phase = Phase::Closed;
                world.connections[number].events.take()
            });
            let events = events.and_then(Arc::into_inner);
            events.expect("no other call of it runs").closed();
        }
        Action::Open(number) => open(number),
        Action::ClosePort(number) => {
            let events = with(|world| world.ports[number].events.take()).and_then(Arc::into_inner);
            events.expect("no other call of it runs").closed();
        }
    }
}

/// Lets an action of a port happen, if it may and ports are not deferred.
fn act_inline(action: Action) {
    if with(|world| world.pace) == Pace::PortsInline && actions().contains(&action) {
        act(action);
    }
}

fn connect(number: usize) {
    let events = events(number);
    let Phase::Connecting(from, to) = with(|world| world.connections[number].phase) else { return };
    with(|world| world.connections[number].busy = true);
    let port = with(|world| {
        let is_there = |port: &Port| port.open && port.at == Some(to) && port.purpose == Purpose::Listen;
        world.ports.iter().position(is_there)
    });
    let opened = bind(from.address(), |local| events.bound(local)).and_then(|local| {
        let port = port.map(port_events).filter(|port| port.inspect(local));
        let failure = with(|world| world.failure.unwrap_or(STATUS_CONNECTION_REFUSED));
        let port = port.ok_or(failure)?;
        let far = with(|world| world.add(Connection { peer: Some(number), ..Connection::new(Phase::Open) }));
        let accepted = Accepted { connection: BoxConnection(far), local: to, remote: local };
        let owner = port.accepted(accepted).ok_or(STATUS_CONNECTION_REFUSED)?;
        with(|world| {
            world.connections[far].events = Some(Arc::new(owner));
            world.connections[number].peer = Some(far);
        });
        Ok(())
    });
    with(|world| {
        let connection = &mut world.connections[number];
        // It may have been cut off meanwhile.
        if let Phase::Connecting(..) = connection.phase {
            connection.phase = if opened.is_ok() { Phase::Open } else { Phase::Dead };
        }
    });
    events.opened(opened);
    with(|world| world.connections[number].busy = false);
}

struct Piece(Vec<u8>);

impl Runs for Piece {
    fn length(&self) -> usize {
        self.0.len()
    }

    fn at(&self, offset: usize) -> &[u8] {
        self.0.get(offset..).unwrap_or_default()
    }
}

fn arrive(number: usize) {
    let (piece, shown) = with(|world| {
        let most = if world.piece == 0 { usize::MAX } else { world.piece };
        let connection = &mut world.connections[number];
        (connection.resumed, connection.arriving) = (false, true);
        let shown = connection.incoming.len().min(most);
        (Piece(connection.incoming.iter().take(shown).copied().collect()), shown)
    });
    let Taken { bytes } = events(number).arrived(&piece);
    assert!(bytes <= shown, "no more is taken than was shown");
    with(|world| {
        let connection = &mut world.connections[number];
        // It may have been cut off meanwhile.
        let bytes = bytes.min(connection.incoming.len());
        connection.incoming.drain(..bytes);
        connection.short = bytes < shown && !connection.resumed;
        connection.arriving = false;
    });
    drop(spared(|| piece));
}

fn open(number: usize) {
    let events = port_events(number);
    let at = with(|world| {
        world.ports[number].opening = false;
        world.ports[number].at
    });
    let taken = |local: SocketAddr| {
        with(|world| world.ports.iter().any(|port| port.open && !port.closing && port.at == Some(local)))
    };
    let outcome = match at {
        Some(at) if at.port() != 0 && taken(at) => Err(STATUS_SHARING_VIOLATION),
        Some(at) => bind(at, |local| events.bound(local)),
        None => Err(STATUS_SHARING_VIOLATION),
    };
    with(|world| {
        let port = &mut world.ports[number];
        match outcome {
            Ok(at) => (port.at, port.open) = (Some(at), true),
            Err(_) => port.closing = true,
        }
    });
    events.opened(outcome.map(drop));
}

/// Fails if memory is to run out.
fn allocate() -> Result<(), NTSTATUS> {
    Vec::<u8>::new().try_reserve_exact(1).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)
}

impl Batch for BoxBatch {
    fn room(&mut self) -> &mut [u8] {
        &mut self.room
    }

    fn set_length(&mut self, length: usize) {
        assert!(length <= self.room.len(), "a batch has so much room");
        self.length = length;
    }

    fn length(&self) -> usize {
        self.length
    }

    fn set_tag(&mut self, tag: u64) {
        self.tag = tag;
    }

    fn tag(&self) -> u64 {
        self.tag
    }
}

// SAFETY: each call up is an action of its own; `closed` comes when all batches are back, and no other after it.
unsafe impl Network for InABox {
    type Connection = BoxConnection;
    type Port = BoxPort;
    type Batch = BoxBatch;

    fn connection(&self) -> Result<BoxConnection, NTSTATUS> {
        allocate()?;
        Ok(BoxConnection(with(|world| world.add(Connection::new(Phase::New)))))
    }

    fn batch(&self, room: usize) -> Result<BoxBatch, NTSTATUS> {
        allocate()?;
        Ok(spared(|| BoxBatch { room: vec![0; room], length: 0, tag: 0 }))
    }

    fn port(&self) -> Result<BoxPort, NTSTATUS> {
        allocate()?;
        Ok(BoxPort(with(|world| {
            world.ports.push(Port {
                at: None,
                purpose: Purpose::Listen,
                events: None,
                opening: false,
                open: false,
                closing: false,
            });
            world.ports.len() - 1
        })))
    }

    fn connect(on: &BoxConnection, from: LocalEnd, to: SocketAddr, events: ConnectionEvents<Self>) {
        with(|world| {
            let connection = &mut world.connections[on.0];
            assert_eq!(connection.phase, Phase::New, "a connection begins once");
            connection.phase = Phase::Connecting(from, to);
            connection.events = Some(Arc::new(events));
        });
    }

    fn send(on: &BoxConnection, batch: BoxBatch) {
        let closed = with(|world| {
            let connection = &world.connections[on.0];
            if connection.phase == Phase::Closed {
                return Some(batch);
            }
            assert!(connection.phase != Phase::Open || !connection.finished, "the end overtakes a batch");
            let open = connection.phase == Phase::Open;
            let peer = connection.peer.filter(|_| open);
            if let Some(peer) = peer
                && world.connections[peer].phase == Phase::Open
            {
                let bytes = batch.room[..batch.length].iter();
                world.connections[peer].incoming.extend(bytes);
            }
            let status = if open { STATUS_SUCCESS } else { STATUS_CONNECTION_ABORTED };
            world.connections[on.0].back.push_back((batch, status));
            None
        });
        drop(closed);
    }

    fn resume(on: &BoxConnection) {
        with(|world| {
            let connection = &mut world.connections[on.0];
            (connection.short, connection.resumed) = (false, true);
        });
    }

    fn finish(on: &BoxConnection) {
        with(|world| {
            let connection = &mut world.connections[on.0];
            assert!(!connection.finished, "a stream ends once");
            connection.finished = true;
            if let Some(peer) = connection.peer.filter(|_| connection.phase == Phase::Open) {
                world.connections[peer].peer_finished.0 = true;
            }
        });
    }

    fn abort(on: &BoxConnection) {
        with(|world| world.abort(on.0));
    }

    fn segment(_: &BoxConnection) -> u32 {
        1448
    }

    fn open(port: &BoxPort, at: SocketAddr, purpose: Purpose, events: PortEvents<Self>) {
        with(|world| {
            let port = &mut world.ports[port.0];
            (port.at, port.purpose, port.opening) = (Some(at), purpose, true);
            port.events = Some(Arc::new(events));
        });
        act_inline(Action::Open(port.0));
    }

    fn close(port: &BoxPort) {
        with(|world| {
            let port = &mut world.ports[port.0];
            port.closing = true;
            port.opening = false;
            port.open = false;
        });
        act_inline(Action::ClosePort(port.0));
    }
}

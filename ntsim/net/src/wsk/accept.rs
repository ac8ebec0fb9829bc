//! Connections that arrive at a listening socket: inspected, accepted, handed to the driver.
//!
//! <https://learn.microsoft.com/windows-hardware/drivers/network/listening-for-and-accepting-incoming-connections>.

use core::ptr;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ntsim_core::address::Va;
use parking_lot::Mutex;
use sys::sockaddr::{SOCKADDR, SOCKADDR_INET};
use sys::status::*;
use sys::wsk::*;

use super::address::{self, native};
use super::capture;
use super::request::{self, Outcome, Request};
use super::socket::{Callbacks, Connection, Phase, Role, Socket};
use super::stack::{Incoming, Way};
use super::work::Lane;

/// The events of a connection, which a listening socket can enable for those that it accepts.
pub(super) const CONNECTION_EVENTS: u32 = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG;

/// The connections of a listening socket.
#[derive(Default)]
pub(super) struct Listening {
    /// Those whose inspection is pending, by serial number.
    inspected: BTreeMap<u32, Incoming>,
    last: u32,
    /// Those that may be accepted.
    ready: VecDeque<Incoming>,
    /// Calls of WskAccept.
    accepts: VecDeque<Accept>,
    /// Events that accepted sockets get enabled.
    pub(super) inherited: u32,
}

/// A call of WskAccept.
pub(super) struct Accept {
    pub(super) request: Request,
    pub(super) context: Va,
    pub(super) dispatch: Va,
    pub(super) local: Va,
    pub(super) remote: Va,
}

/// Takes the requests that wait, and refuses the connections.
pub(super) fn take_pending(listening: &Mutex<Listening>) -> Vec<Request> {
    let Listening { accepts, .. } = core::mem::take(&mut *listening.lock());
    accepts.into_iter().map(|accept| accept.request).collect()
}

/// Queues a call of WskAccept.
pub(super) fn accept(socket: &Arc<Socket>, listening: &Mutex<Listening>, accept: Accept) -> NTSTATUS {
    let status = accept.request.pend();
    listening.lock().accepts.push_back(accept);
    socket.kick(Lane::Input);
    status
}

/// Decides over a connection whose inspection is pending.
pub(super) fn inspected(
    socket: &Arc<Socket>,
    listening: &Mutex<Listening>,
    serial: u32,
    admitted: bool,
) -> NTSTATUS {
    let incoming = listening.lock().inspected.remove(&serial);
    // One that was aborted meanwhile does not come about, whatever the driver says.
    let Some(incoming) = incoming else { return STATUS_SUCCESS };
    if admitted {
        incoming.end.admit();
        listening.lock().ready.push_back(incoming);
        socket.kick(Lane::Input);
    }
    STATUS_SUCCESS
}

/// Looks at what has arrived.
pub(super) fn run(socket: &Arc<Socket>, listening: &Mutex<Listening>) {
    while let Some(incoming) = socket.end.next() {
        if socket.is_closed() {
            return;
        }
        inspect(socket, listening, incoming);
    }
    abort_inspected(socket, listening);
    while !socket.is_closed() && hand_over(socket, listening) {}
}

/// Asks the driver about a connection, where it wants to be asked.
fn inspect(socket: &Arc<Socket>, listening: &Mutex<Listening>, incoming: Incoming) {
    let callbacks = *socket.callbacks.lock();
    let table = callbacks.dispatch.ptr::<WSK_CLIENT_LISTEN_DISPATCH>();
    // SAFETY: the driver keeps the table of a socket that it has not closed.
    let event = unsafe { table.as_ref() }.and_then(|table| table.WskInspectEvent);
    let Some(event) = event.filter(|_| callbacks.conditional) else {
        incoming.end.admit();
        listening.lock().ready.push_back(incoming);
        return;
    };
    let (serial, local, remote) = {
        let mut listening = listening.lock();
        listening.last += 1;
        (listening.last, native(incoming.local), native(incoming.remote))
    };
    let weak = Arc::downgrade(socket);
    // The peer may give up while it is inspected.
    incoming.end.attach(Arc::new(move |_: Way| {
        if let Some(socket) = weak.upgrade() {
            socket.kick(Lane::Input);
        }
    }));
    // A driver may complete the inspection in another thread before its event has returned.
    listening.lock().inspected.insert(serial, incoming);
    let mut id = WSK_INSPECT_ID { Key: socket.address().get(), SerialNumber: serial };
    // SAFETY: the function is the driver's for this socket; the addresses live during the call.
    let action = request::call_event("WskInspectEvent", || unsafe {
        event(callbacks.context.ptr(), sockaddr(&local), sockaddr(&remote), &raw mut id)
    });
    match action {
        WSK_INSPECT_ACTION::WskInspectPend => {}
        action => {
            inspected(socket, listening, serial, action == WSK_INSPECT_ACTION::WskInspectAccept);
        }
    }
}

/// Tells the driver of connections whose inspection is pending and whose peer has given up.
fn abort_inspected(socket: &Arc<Socket>, listening: &Mutex<Listening>) {
    loop {
        let gone = {
            let mut listening = listening.lock();
            let is_gone = |(_, incoming): &(&u32, &Incoming)| incoming.end.broken().is_some();
            let serial = listening.inspected.iter().find(is_gone).map(|(&serial, _)| serial);
            serial.and_then(|serial| listening.inspected.remove(&serial).map(|_| serial))
        };
        let Some(serial) = gone else { return };
        let callbacks = *socket.callbacks.lock();
        let table = callbacks.dispatch.ptr::<WSK_CLIENT_LISTEN_DISPATCH>();
        // SAFETY: the driver keeps the table of a socket that it has not closed.
        let event = unsafe { table.as_ref() }.and_then(|table| table.WskAbortEvent);
        if let Some(event) = event {
            let mut id = WSK_INSPECT_ID { Key: socket.address().get(), SerialNumber: serial };
            // SAFETY: the function is the driver's for this socket; the identity lives during the call.
            request::call_event("WskAbortEvent", || unsafe { event(callbacks.context.ptr(), &raw mut id) });
        }
    }
}

/// Hands a connection to the driver: a call of WskAccept takes precedence over the event.
fn hand_over(socket: &Arc<Socket>, listening: &Mutex<Listening>) -> bool {
    let event = socket.event(WSK_EVENT_ACCEPT);
    let (incoming, accept, inherited) = {
        let mut listening = listening.lock();
        if listening.ready.is_empty() || listening.accepts.is_empty() && event.is_none() {
            return false;
        }
        let accept = listening.accepts.pop_front();
        let Some(incoming) = listening.ready.pop_front() else { return false };
        (incoming, accept, listening.inherited)
    };
    match accept {
        Some(accept) => by_request(socket, incoming, accept),
        None => {
            if let Some(callbacks) = event {
                by_event(socket, incoming, callbacks, inherited);
            }
        }
    }
    true
}

/// The socket of a connection that was accepted.
fn accepted(socket: &Socket, incoming: Incoming, callbacks: Callbacks) -> Option<Arc<Socket>> {
    let role = Role::Connection(Box::new(Connection { arrived: true, ..Connection::default() }));
    let accepted = Socket::new(Arc::clone(&socket.client), socket.family, incoming.end, role, callbacks)?;
    capture::begin(&*accepted.end, false);
    *accepted.phase.lock() = Phase::Connected;
    Some(accepted)
}

fn by_request(socket: &Arc<Socket>, incoming: Incoming, accept: Accept) {
    let Accept { request, context, dispatch, local, remote } = accept;
    // SAFETY: the driver keeps room for the addresses until the request is completed.
    unsafe { address::write(local.ptr(), incoming.local) };
    // SAFETY: as above.
    unsafe { address::write(remote.ptr(), incoming.remote) };
    let callbacks = Callbacks { context, dispatch, ..Callbacks::default() };
    let outcome = match accepted(socket, incoming, callbacks) {
        Some(accepted) => Outcome { status: STATUS_SUCCESS, information: accepted.address().get() },
        None => STATUS_INSUFFICIENT_RESOURCES.into(),
    };
    request.complete(outcome);
}

fn by_event(socket: &Arc<Socket>, incoming: Incoming, callbacks: Callbacks, inherited: u32) {
    let table = callbacks.dispatch.ptr::<WSK_CLIENT_LISTEN_DISPATCH>();
    // SAFETY: the driver keeps the table of a socket that it has not closed.
    let Some(event) = (unsafe { (*table).WskAcceptEvent }) else { return };
    let (local, remote) = (native(incoming.local), native(incoming.remote));
    let Some(accepted) = accepted(socket, incoming, Callbacks::default()) else { return };
    let (mut context, mut dispatch) = (ptr::null_mut(), ptr::null());
    let object = accepted.address().ptr::<WSK_SOCKET>();
    let flags = Socket::level_flag();
    // SAFETY: the function is the driver's for this socket; all that is passed lives during the call.
    let status = request::call_event("WskAcceptEvent", || unsafe {
        event(
            callbacks.context.ptr(),
            flags,
            sockaddr(&local),
            sockaddr(&remote),
            object,
            &raw mut context,
            &raw mut dispatch,
        )
    });
    if status != STATUS_SUCCESS {
        accepted.discard();
        return;
    }
    {
        let mut own = accepted.callbacks.lock();
        own.context = Va::of(context);
        own.dispatch = Va::of(dispatch);
        own.enabled |= inherited;
    }
    accepted.kick(Lane::Input);
}

fn sockaddr(address: &SOCKADDR_INET) -> *const SOCKADDR {
    ptr::from_ref(address).cast()
}

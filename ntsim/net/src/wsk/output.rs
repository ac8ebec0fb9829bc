//! Bytes that a connection sends, and its disconnect.

use std::collections::VecDeque;
use std::sync::Arc;

use ntsim_core::Settings;
use ntsim_core::sched::Transport;
use sys::status::*;
use sys::wsk::*;

use super::buffer::Pieces;
use super::capture;
use super::choice::choose;
use super::client::found;
use super::connect::finish_connect;
use super::request::{self, Outcome, Request};
use super::socket::{Connection, Phase, Socket};
use super::stack::Sent;
use super::work::Lane;

/// Sends that are completed at a time: others want the processor.
const TURNS: u32 = 16;

/// Pieces that go to the transport at a time.
const PIECES: usize = 512;

/// The sizes between which the ideal backlog of sends moves over the pipe, in bytes.
const IDEAL: [usize; 4] = [256 << 10, 64 << 10, 8 << 10, 1 << 20];

/// The sending side of a connection.
pub(super) struct Output {
    pub(super) connect: Option<(Request, Outcome)>,
    sends: VecDeque<Sending>,
    /// Sends that the transport has taken, and the peer's has not acknowledged.
    taken: VecDeque<Sending>,
    /// The request of a graceful disconnect that waits for what was sent before.
    disconnect: Option<Request>,
    /// Set once the driver has asked for the end.
    finishing: bool,
    ideal: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            connect: None,
            sends: VecDeque::new(),
            taken: VecDeque::new(),
            disconnect: None,
            finishing: false,
            ideal: IDEAL[0],
        }
    }
}

/// A send that is not done.
struct Sending {
    request: Option<Request>,
    pieces: Pieces,
    /// A digest of the bytes, taken when they were passed.
    digest: Option<u64>,
    acknowledged: bool,
}

impl Sending {
    fn new(request: Option<Request>, pieces: Pieces) -> Self {
        // Reading all bytes a second time would cost more than sending them.
        let digest = (!is_host()).then(|| pieces.digest());
        Self { request, pieces, digest, acknowledged: false }
    }

    /// Compares the bytes with those that were passed.
    fn check(&self) {
        if self.digest.is_some_and(|digest| digest != self.pieces.digest()) {
            let text =
                format!("the {} bytes of a send were changed before it was completed", self.pieces.length);
            found("WskBufferTouched", text);
        }
    }
}

/// Takes every request that waits.
pub(super) fn take_pending(connection: &Connection) -> Vec<Request> {
    let mut output = connection.output.lock();
    let mut pending: Vec<_> = output.connect.take().map(|(request, _)| request).into_iter().collect();
    pending.extend(output.taken.drain(..).filter_map(|sending| sending.request));
    pending.extend(output.sends.drain(..).filter_map(|sending| sending.request));
    pending.extend(output.disconnect.take());
    pending
}

/// The ideal backlog of sends, in bytes.
pub(super) fn ideal(connection: &Connection) -> usize {
    connection.output.lock().ideal
}

/// Sends.
pub(super) fn send(
    socket: &Arc<Socket>,
    connection: &Connection,
    request: Request,
    pieces: Pieces,
) -> NTSTATUS {
    if let Some(status) = refusal(socket, connection, "WskSend") {
        return socket.answer(request, status);
    }
    let mut sending = Sending::new(Some(request), pieces);
    let mut output = connection.output.lock();
    let at_once = is_host() && output.sends.is_empty() && !Request::is_completing();
    if at_once
        && send_some(socket, &mut sending.pieces) == Some(STATUS_SUCCESS)
        && !acknowledges()
        && let Some(request) = sending.request.take()
    {
        let information = sending.pieces.length;
        drop(output);
        return request.complete(Outcome { status: STATUS_SUCCESS, information });
    }
    let status = sending.request.as_ref().map_or(STATUS_PENDING, Request::pend);
    output.sends.push_back(sending);
    drop(output);
    socket.kick(Lane::Output);
    status
}

fn is_host() -> bool {
    Settings::current().sockets.transport == Transport::Host
}

/// Returns whether a send is complete only when the peer's transport has acknowledged it.
fn acknowledges() -> bool {
    is_host() && Settings::current().sockets.acknowledged_sends
}

/// The status with which a send or a disconnect is refused.
fn refusal(socket: &Socket, connection: &Connection, function: &'static str) -> Option<NTSTATUS> {
    let phase = *socket.phase.lock();
    match phase {
        Phase::Connected => {}
        Phase::Dead(_) => return Some(STATUS_FILE_FORCED_CLOSED),
        _ => return Some(STATUS_INVALID_DEVICE_STATE),
    }
    if connection.output.lock().finishing {
        found("WskSendAfterDisconnect", format!("{function} is called after WskDisconnect"));
        return Some(STATUS_INVALID_DEVICE_STATE);
    }
    None
}

/// Disconnects gracefully, after sending the last bytes.
pub(super) fn disconnect(
    socket: &Arc<Socket>,
    connection: &Connection,
    request: Request,
    last: Option<Pieces>,
) -> NTSTATUS {
    if let Some(status) = refusal(socket, connection, "WskDisconnect") {
        return socket.answer(request, status);
    }
    let status = request.pend();
    let mut output = connection.output.lock();
    output.finishing = true;
    output.disconnect = Some(request);
    output.sends.extend(last.map(|pieces| Sending::new(None, pieces)));
    drop(output);
    socket.kick(Lane::Output);
    status
}

/// Disconnects at once: what is pending is cancelled.
pub(super) fn abort(socket: &Arc<Socket>, connection: &Connection, request: Request) -> NTSTATUS {
    // Before the phase changes: from then on, the lanes end what they find with the status of that.
    let mut pending = take_pending(connection);
    pending.extend(super::input::take_pending(connection));
    *socket.phase.lock() = Phase::Dead(STATUS_LOCAL_DISCONNECT);
    capture::ended(&*socket.end, true, true);
    socket.end.abort();
    pending.extend(take_pending(connection));
    pending.extend(super::input::take_pending(connection));
    pending.into_iter().for_each(|pending| socket.complete_later(pending, STATUS_CANCELLED));
    socket.answer(request, STATUS_SUCCESS)
}

/// Goes on with what waits.
pub(super) fn run(socket: &Arc<Socket>, connection: &Connection) {
    finish_connect(socket, connection);
    let phase = *socket.phase.lock();
    match phase {
        Phase::Connected => {}
        // What came in while the connection ended.
        Phase::Dead(status) => {
            return take_pending(connection).into_iter().for_each(|request| _ = request.complete(status));
        }
        _ => return,
    }
    for turn in 0.. {
        if turn == TURNS {
            socket.kick(Lane::Output);
            return;
        }
        let done = {
            let mut output = connection.output.lock();
            if let Some(sending) = acknowledged(socket, &mut output) {
                Some((sending, STATUS_SUCCESS))
            } else {
                let Some(sending) = output.sends.front_mut() else { break };
                match send_some(socket, &mut sending.pieces) {
                    None => return,
                    Some(status) => output.sends.pop_front().map(|sending| (sending, status)),
                }
            }
        };
        let Some((sending, mut status)) = done else { break };
        if status == STATUS_SUCCESS && acknowledges() && !sending.acknowledged {
            connection.output.lock().taken.push_back(sending);
            continue;
        }
        if status != STATUS_SUCCESS && (socket.is_closed() || *socket.phase.lock() != Phase::Connected) {
            status = STATUS_CANCELLED;
        }
        sending.check();
        if let Some(request) = sending.request {
            let information = if status == STATUS_SUCCESS { sending.pieces.length } else { 0 };
            // Completions need not come in the order of the sends.
            if choose(3) == 1 {
                socket.complete_later(request, Outcome { status, information });
            } else {
                request.complete(Outcome { status, information });
            }
        }
        if status != STATUS_SUCCESS {
            break_off(socket, connection, status);
            return;
        }
        vary_ideal(socket, connection);
        if socket.is_closed() {
            return;
        }
    }
    if !connection.output.lock().taken.is_empty() {
        super::work::poll(socket);
        return;
    }
    let disconnect = connection.output.lock().disconnect.take();
    if let Some(request) = disconnect {
        capture::ended(&*socket.end, true, false);
        socket.end.finish();
        request.complete(socket.end.broken().unwrap_or(STATUS_SUCCESS));
        // The peer may have ended before, and both directions are over now.
        socket.kick(Lane::Input);
    }
}

/// The oldest send of which the peer's transport has acknowledged all bytes, if it has.
fn acknowledged(socket: &Socket, output: &mut Output) -> Option<Sending> {
    let behind: usize = output.taken.iter().skip(1).map(|sending| sending.pieces.length).sum();
    let partly = output.sends.front().map_or(0, |sending| sending.pieces.length - sending.pieces.left());
    if output.taken.is_empty() || socket.end.unacknowledged() > behind + partly {
        return None;
    }
    let mut sending = output.taken.pop_front()?;
    sending.acknowledged = true;
    Some(sending)
}

/// Sends what the transport takes; `None` if it takes no more now, else the status of the send.
fn send_some(socket: &Socket, pieces: &mut Pieces) -> Option<NTSTATUS> {
    while pieces.left() > 0 {
        let vectors: Vec<_> = pieces
            .rest(PIECES)
            .map(|(start, length)| libc::iovec { iov_base: start.ptr(), iov_len: length })
            .collect();
        match socket.end.send(&vectors) {
            Sent::Taken(bytes) => {
                capture::sent(&*socket.end, &vectors, bytes);
                pieces.advance(bytes);
            }
            Sent::Full => return None,
            Sent::Broken(status) => return Some(status),
        }
    }
    Some(STATUS_SUCCESS)
}

/// Ends a connection that its transport says is broken.
fn break_off(socket: &Arc<Socket>, connection: &Connection, status: NTSTATUS) {
    for request in take_pending(connection) {
        request.complete(status);
    }
    socket.kick(Lane::Input);
}

/// Changes the ideal backlog, where the seed says so, and tells the driver.
fn vary_ideal(socket: &Arc<Socket>, connection: &Connection) {
    if choose(8) != 1 {
        return;
    }
    let ideal = IDEAL[choose(IDEAL.len())];
    connection.output.lock().ideal = ideal;
    let Some(callbacks) = socket.event(WSK_EVENT_SEND_BACKLOG) else { return };
    let table = callbacks.dispatch.ptr::<WSK_CLIENT_CONNECTION_DISPATCH>();
    // SAFETY: the driver keeps the table of a socket that it has not closed.
    if let Some(event) = unsafe { (*table).WskSendBacklogEvent } {
        // SAFETY: the function is the driver's for this socket.
        request::call_event("WskSendBacklogEvent", || unsafe { event(callbacks.context.ptr(), ideal) });
    }
}

//! Bytes that a connection receives, and its end: by requests and by events.
//!
//! <https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_receive_event>.

use std::collections::VecDeque;
use std::sync::Arc;

use ntsim_core::address::Va;
use sys::status::*;
use sys::wsk::*;

use super::buffer::Pieces;
use super::capture;
use super::choice::strikes;
use super::client::found;
use super::event::{call_receive, ended, indicate};
use super::indication::{Indication, LONGEST, is_pooled};
use super::request::{Outcome, Request};
use super::socket::{Callbacks, Connection, Phase, Socket};
use super::stack::Received;
use super::work::Lane;

/// Steps that are done at a time: others want the processor.
const TURNS: u32 = 16;

/// The receiving side of a connection.
#[derive(Default)]
pub(super) struct Input {
    pub(super) receives: VecDeque<Receiving>,
    /// Set if the driver has not taken all that was indicated: nothing is, until it calls WskReceive.
    pub(super) stopped: bool,
    /// Bytes that came from the transport and that the driver has not taken.
    pub(super) kept: Vec<u8>,
    pub(super) shown: Vec<Shown>,
    pub(super) end: Ending,
    /// Requests that disable an event which is being called.
    pub(super) disabling: Vec<Request>,
}

/// A request that waits for bytes.
pub(super) struct Receiving {
    request: Request,
    pieces: Pieces,
    flags: u32,
}

/// Data that the driver has.
pub(super) struct Shown {
    pub(super) indication: Indication,
    pub(super) retained: bool,
}

/// The end of the peer's direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Ending {
    #[default]
    None,
    /// It has come, and the driver was not told.
    Seen(Option<NTSTATUS>),
    Told(Option<NTSTATUS>),
}

/// The next thing to do.
enum Step {
    Complete(Request, Outcome),
    Indicate(Indication, usize, Callbacks),
    Dead(Callbacks),
    Ended(Option<NTSTATUS>, Option<Callbacks>),
    Nothing,
}

/// Takes every request that waits.
pub(super) fn take_pending(connection: &Connection) -> Vec<Request> {
    let mut input = connection.input.lock();
    let mut pending: Vec<_> = input.receives.drain(..).map(|receiving| receiving.request).collect();
    pending.append(&mut input.disabling);
    pending
}

/// Reports data that the driver still retains when the socket is closed.
pub(super) fn check_retained(connection: &Connection) {
    let retained = connection.input.lock().shown.iter().filter(|shown| shown.retained).count();
    if retained > 0 {
        found("WskRetained", format!("a socket is closed with {retained} lists of data retained"));
    }
}

/// Queues a receive, and lets indications go on.
pub(super) fn receive(
    socket: &Arc<Socket>,
    connection: &Connection,
    request: Request,
    pieces: Pieces,
    flags: u32,
) -> NTSTATUS {
    let phase = *socket.phase.lock();
    match phase {
        Phase::Connected => {}
        Phase::Dead(_) => return socket.answer(request, STATUS_FILE_FORCED_CLOSED),
        _ => return socket.answer(request, STATUS_INVALID_DEVICE_STATE),
    }
    let status = request.pend();
    let mut input = connection.input.lock();
    input.receives.push_back(Receiving { request, pieces, flags });
    drop(input);
    socket.kick(Lane::Input);
    status
}

/// Takes back data that the driver retained.
pub(super) fn release(connection: &Connection, first: Va) -> NTSTATUS {
    let mut input = connection.input.lock();
    let Some(at) = input.shown.iter().position(|shown| shown.indication.first() == first) else {
        drop(input);
        let text = format!("WskRelease got {first:#x}, which is not retained, or was released before");
        found("WskReleaseTwice", text);
        return STATUS_INVALID_PARAMETER;
    };
    let shown = input.shown.swap_remove(at);
    drop(input);
    drop(shown);
    STATUS_SUCCESS
}

/// Leaves a request until the event that is being called has returned.
pub(super) fn disable_later(connection: &Connection, request: Request) {
    connection.input.lock().disabling.push(request);
}

/// Goes on with what has arrived.
pub(super) fn run(socket: &Arc<Socket>, connection: &Connection) {
    let mut buffer = Vec::new();
    for turn in 0.. {
        if socket.is_closed() || *socket.phase.lock() != Phase::Connected {
            break;
        }
        if turn == TURNS {
            socket.kick(Lane::Input);
            break;
        }
        match next(socket, connection, &mut buffer) {
            Step::Nothing => break,
            Step::Complete(request, outcome) => {
                request.complete(outcome);
            }
            Step::Indicate(indication, length, callbacks) => {
                indicate(connection, indication, length, callbacks);
            }
            Step::Dead(callbacks) => {
                *socket.phase.lock() = Phase::Dead(STATUS_FILE_FORCED_CLOSED);
                socket.end.abort();
                socket.kick(Lane::Output);
                call_receive(callbacks, Va::NULL, 0, &mut 0);
            }
            Step::Ended(broken, callbacks) => ended(socket, connection, broken, callbacks),
        }
    }
    if let Phase::Dead(status) = phase_of(socket) {
        // What came in while the connection ended.
        let late: Vec<_> = connection.input.lock().receives.drain(..).collect();
        late.into_iter().for_each(|receiving| _ = receiving.request.complete(status));
    }
    let disabling = core::mem::take(&mut connection.input.lock().disabling);
    disabling.into_iter().for_each(|request| {
        request.complete(STATUS_SUCCESS);
    });
}

fn phase_of(socket: &Socket) -> Phase {
    *socket.phase.lock()
}

/// Decides on what is next.
fn next(socket: &Socket, connection: &Connection, buffer: &mut Vec<u8>) -> Step {
    let mut input = connection.input.lock();
    let input = &mut *input;
    let event = socket.event(WSK_EVENT_RECEIVE).filter(|_| !input.stopped);
    // A connection that is broken is so at once where no byte is taken: what was not taken is lost.
    if input.end == Ending::None
        && event.is_none()
        && input.receives.is_empty()
        && let Some(status) = socket.end.broken()
    {
        input.kept.clear();
        input.end = Ending::Seen(Some(status));
    }
    if !input.receives.is_empty() {
        return for_request(socket, input, buffer);
    }
    if let Some(callbacks) = event {
        if strikes(|faults| faults.dead) {
            return Step::Dead(callbacks);
        }
        if is_pooled() && input.kept.is_empty() && input.end == Ending::None {
            if let Some((indication, length)) = fetch_shown(socket, input) {
                return Step::Indicate(indication, length, callbacks);
            }
        } else {
            fetch(socket, input, buffer);
        }
        if !input.kept.is_empty() {
            let Some(indication) = Indication::new(&input.kept) else { return Step::Nothing };
            return Step::Indicate(indication, input.kept.len(), callbacks);
        }
    }
    let disconnect = socket.event(WSK_EVENT_DISCONNECT);
    match input.end {
        // The end of the peer's direction is told once the bytes before it are taken, and the event is enabled.
        Ending::Seen(status) if input.kept.is_empty() && (status.is_some() || disconnect.is_some()) => {
            input.end = Ending::Told(status);
            Step::Ended(status, disconnect)
        }
        Ending::Seen(_) | Ending::Told(_) | Ending::None => Step::Nothing,
    }
}

/// Gets bytes from the transport where none are kept.
fn fetch(socket: &Socket, input: &mut Input, buffer: &mut Vec<u8>) {
    if !input.kept.is_empty() || input.end != Ending::None {
        return;
    }
    buffer.resize(LONGEST, 0);
    match socket.end.receive(buffer) {
        Received::Bytes(count) => {
            capture::received(&*socket.end, &buffer[..count]);
            input.kept.extend_from_slice(&buffer[..count]);
        }
        Received::Nothing => {}
        Received::End => {
            capture::ended(&*socket.end, false, false);
            input.end = Ending::Seen(None);
        }
        Received::Broken(status) => input.end = Ending::Seen(Some(status)),
    }
}

/// Gets bytes from the transport where the driver will see them.
fn fetch_shown(socket: &Socket, input: &mut Input) -> Option<(Indication, usize)> {
    let (indication, received) = Indication::filled(|room| match socket.end.receive(room) {
        Received::Bytes(count) => {
            capture::received(&*socket.end, &room[..count]);
            (count, Received::Bytes(count))
        }
        other => (0, other),
    })?;
    match received {
        Received::Bytes(count) => return Some((indication, count)),
        Received::Nothing => {}
        Received::End => {
            capture::ended(&*socket.end, false, false);
            input.end = Ending::Seen(None);
        }
        Received::Broken(status) => input.end = Ending::Seen(Some(status)),
    }
    None
}

/// Serves the first request that waits for bytes.
fn for_request(socket: &Socket, input: &mut Input, buffer: &mut Vec<u8>) -> Step {
    let (wants, drains) = match input.receives.front() {
        Some(first) => (first.pieces.left() > 0, first.flags & WSK_FLAG_DRAIN != 0),
        None => return Step::Nothing,
    };
    if wants || drains {
        fetch(socket, input, buffer);
    }
    let over = input.end != Ending::None && input.kept.is_empty();
    let Some(first) = input.receives.front_mut() else { return Step::Nothing };
    let taken = if drains { input.kept.len() } else { first.pieces.fill(&input.kept) };
    input.kept.drain(..taken);
    let (left, all) = (first.pieces.left(), first.flags & WSK_FLAG_WAITALL != 0);
    let filled = first.pieces.length - left;
    let is_done = !drains && (left == 0 || filled > 0 && !all);
    if !is_done && !over {
        // What was taken may make room for more.
        return if taken > 0 { for_request(socket, input, buffer) } else { Step::Nothing };
    }
    let Some(receiving) = input.receives.pop_front() else { return Step::Nothing };
    // Indications go on behind it. One that came while the event was being called is served when that has returned, so
    // it counts, too: a driver cannot know when its event has.
    input.stopped = false;
    let status = match input.end {
        Ending::Seen(Some(status)) | Ending::Told(Some(status)) if !is_done => status,
        _ => STATUS_SUCCESS,
    };
    Step::Complete(receiving.request, Outcome { status, information: filled })
}

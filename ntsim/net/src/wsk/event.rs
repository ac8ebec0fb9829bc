//! The events of a connection that receives.

use std::sync::Arc;

use ntsim_core::address::Va;
use sys::status::*;
use sys::wsk::*;

use super::capture;
use super::choice::choose;
use super::client::found;
use super::indication::Indication;
use super::input::{Shown, take_pending};
use super::request;
use super::socket::{Callbacks, Connection, Phase, Socket};

/// Shows data to the driver.
pub(super) fn indicate(connection: &Connection, indication: Indication, length: usize, callbacks: Callbacks) {
    let first = indication.first();
    connection.input.lock().shown.push(Shown { indication, retained: false });
    let mut accepted = length;
    let status = call_receive(callbacks, first, length, &mut accepted);
    let mut input = connection.input.lock();
    let at = input.shown.iter().position(|shown| shown.indication.first() == first);
    match (status, at) {
        (STATUS_PENDING, Some(at)) => {
            input.shown[at].retained = true;
            input.kept.clear();
            return;
        }
        // It was released before the event had returned.
        (STATUS_PENDING, None) => {
            input.kept.clear();
            return;
        }
        _ => {}
    }
    let mut shown = at.map(|at| input.shown.swap_remove(at));
    if let Some(shown) = &mut shown
        && input.kept.is_empty()
    {
        // What is not taken is shown again, in other memory.
        if status == STATUS_SUCCESS && accepted == length {
            return;
        }
        input.kept.extend_from_slice(shown.indication.bytes());
    }
    if shown.is_none() {
        drop(input);
        let text =
            format!("WskRelease got {first:#x}, which the event did not retain: it returned {status:#010X}");
        found("WskReleaseTwice", text);
        input = connection.input.lock();
    }
    let taken = if status == STATUS_SUCCESS { accepted } else { 0 };
    if taken > length {
        drop(input);
        let text = format!("WskReceiveEvent accepted {taken} of {length} bytes");
        found("WskAcceptedTooMuch", text);
        input = connection.input.lock();
    }
    let taken_or_all = taken.min(input.kept.len());
    input.kept.drain(..taken_or_all);
    input.stopped = taken < length;
}

/// Calls the driver's event: with no data, the socket is dead.
pub(super) fn call_receive(callbacks: Callbacks, first: Va, length: usize, accepted: &mut usize) -> NTSTATUS {
    let table = callbacks.dispatch.ptr::<WSK_CLIENT_CONNECTION_DISPATCH>();
    // SAFETY: the driver keeps the table of a socket that it has not closed.
    let Some(event) = (unsafe { (*table).WskReceiveEvent }) else { return STATUS_SUCCESS };
    let entire = if choose(2) == 0 { WSK_FLAG_ENTIRE_MESSAGE } else { 0 };
    let soon = if choose(8) == 1 { WSK_FLAG_RELEASE_ASAP } else { 0 };
    let flags = Socket::level_flag() | entire | soon;
    // SAFETY: the function is the driver's for this socket; the data lives until it is given back.
    request::call_event("WskReceiveEvent", || unsafe {
        event(callbacks.context.ptr(), flags, first.ptr(), length, accepted)
    })
}

/// Tells the driver that the peer has ended.
pub(super) fn ended(
    socket: &Arc<Socket>,
    connection: &Connection,
    broken: Option<NTSTATUS>,
    callbacks: Option<Callbacks>,
) {
    if let Some(status) = broken {
        capture::ended(&*socket.end, false, true);
        *socket.phase.lock() = Phase::Dead(status);
        let mut pending = super::output::take_pending(connection);
        pending.extend(take_pending(connection));
        pending.into_iter().for_each(|request| socket.complete_later(request, status));
    }
    let Some(callbacks) = callbacks else {
        if let Some(callbacks) = broken.and_then(|_| socket.event(WSK_EVENT_RECEIVE)) {
            call_receive(callbacks, Va::NULL, 0, &mut 0);
        }
        return;
    };
    let table = callbacks.dispatch.ptr::<WSK_CLIENT_CONNECTION_DISPATCH>();
    // SAFETY: the driver keeps the table of a socket that it has not closed.
    let Some(event) = (unsafe { (*table).WskDisconnectEvent }) else { return };
    let flags = Socket::level_flag() | if broken.is_some() { WSK_FLAG_ABORTIVE } else { 0 };
    // SAFETY: the function is the driver's for this socket.
    request::call_event("WskDisconnectEvent", || unsafe { event(callbacks.context.ptr(), flags) });
}

//! Options of sockets.
//!
//! <https://learn.microsoft.com/windows-hardware/drivers/network/wsk-socket-options>,
//! <https://learn.microsoft.com/windows-hardware/drivers/network/so-wsk-event-callback>.

use std::sync::Arc;

use sys::status::*;
use sys::wdm::GUID;
use sys::wsk::*;

use super::accept::CONNECTION_EVENTS;
use super::client::found;
use super::input;
use super::output;
use super::request::{Outcome, Request};
use super::socket::{Connection, Phase, Role, Socket};
use super::stack::Setting;
use super::work::Lane;

/// An option that is set or asked for, or a control code.
pub(super) struct Control<'a> {
    pub(super) kind: WSK_CONTROL_SOCKET_TYPE,
    pub(super) code: u32,
    pub(super) level: u32,
    pub(super) input: &'a [u8],
    pub(super) output: &'a mut [u8],
}

/// Performs a control operation.
pub(super) fn control(socket: &Arc<Socket>, control: Control<'_>, request: Option<Request>) -> NTSTATUS {
    let phase = *socket.phase.lock();
    if let Phase::Dead(_) = phase {
        return finish(socket, request, STATUS_FILE_FORCED_CLOSED);
    }
    match (control.kind, control.level, control.code) {
        (WSK_CONTROL_SOCKET_TYPE::WskSetOption, SOL_SOCKET, SO_WSK_EVENT_CALLBACK) => {
            events(socket, control.input, request)
        }
        (WSK_CONTROL_SOCKET_TYPE::WskSetOption, level, code) => {
            let outcome = set(socket, level, code, control.input).err().unwrap_or(STATUS_SUCCESS);
            finish(socket, request, outcome)
        }
        (WSK_CONTROL_SOCKET_TYPE::WskIoctl, _, SIO_WSK_QUERY_IDEAL_SEND_BACKLOG) => {
            ideal(socket, control.output, request)
        }
        _ => finish(socket, request, STATUS_NOT_SUPPORTED),
    }
}

/// Completes the request, if there is one.
fn finish(socket: &Arc<Socket>, request: Option<Request>, outcome: impl Into<Outcome>) -> NTSTATUS {
    let outcome = outcome.into();
    match request {
        Some(request) => socket.answer(request, outcome),
        None => outcome.status,
    }
}

/// Sets an option of TCP or of the socket.
fn set(socket: &Socket, level: u32, code: u32, input: &[u8]) -> Result<(), NTSTATUS> {
    let value = match *input {
        [byte] => u32::from(byte),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        _ => return Err(STATUS_INVALID_PARAMETER),
    };
    let on = value != 0;
    let late = *socket.phase.lock() != Phase::Fresh;
    let before_bind = |name: &str| {
        if late {
            found("WskOptionOrder", format!("{name} is set after the socket was bound"));
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        Ok(())
    };
    match (level, code) {
        (SOL_SOCKET, SO_CONDITIONAL_ACCEPT) if matches!(socket.role, Role::Listen(_)) => {
            before_bind("SO_CONDITIONAL_ACCEPT")?;
            socket.callbacks.lock().conditional = on;
        }
        (SOL_SOCKET, SO_EXCLUSIVEADDRUSE) => {
            before_bind("SO_EXCLUSIVEADDRUSE")?;
            let sharing = &mut socket.callbacks.lock().sharing;
            // The two exclude each other.
            if on && sharing.reuse {
                return Err(STATUS_INVALID_PARAMETER);
            }
            sharing.exclusive = on;
        }
        (SOL_SOCKET, SO_REUSEADDR) => {
            before_bind("SO_REUSEADDR")?;
            let sharing = &mut socket.callbacks.lock().sharing;
            if on && sharing.exclusive {
                return Err(STATUS_INVALID_PARAMETER);
            }
            sharing.reuse = on;
        }
        (SOL_SOCKET, SO_KEEPALIVE) => socket.set(Setting::KeepAlive(on)),
        (IPPROTO_TCP, TCP_NODELAY) => socket.set(Setting::NoDelay(on)),
        (IPPROTO_TCP, TCP_KEEPIDLE) => socket.set(Setting::KeepAliveIdle(value)),
        (IPPROTO_TCP, TCP_KEEPINTVL) => socket.set(Setting::KeepAliveInterval(value)),
        (IPPROTO_TCP, TCP_KEEPCNT) => socket.set(Setting::KeepAliveCount(value)),
        _ => return Err(STATUS_NOT_SUPPORTED),
    }
    Ok(())
}

/// Tells how much a sender should keep outstanding.
fn ideal(socket: &Arc<Socket>, output: &mut [u8], request: Option<Request>) -> NTSTATUS {
    let Some(request) = request else {
        found("WskControlSocket", "the ideal send backlog is asked for without a request".into());
        return STATUS_INVALID_PARAMETER;
    };
    let connected = *socket.phase.lock() == Phase::Connected;
    let (Some(connection), Some(room)) = (socket.connection(), output.first_chunk_mut::<8>()) else {
        return socket.answer(request, STATUS_INVALID_PARAMETER);
    };
    if !connected {
        return socket.answer(request, STATUS_INVALID_DEVICE_STATE);
    }
    *room = output::ideal(connection).to_le_bytes();
    socket.answer(request, Outcome { status: STATUS_SUCCESS, information: size_of::<usize>() })
}

/// Enables events, or disables one.
fn events(socket: &Arc<Socket>, input: &[u8], request: Option<Request>) -> NTSTATUS {
    if input.len() != size_of::<WSK_EVENT_CALLBACK_CONTROL>() {
        return finish(socket, request, STATUS_INVALID_PARAMETER);
    }
    // SAFETY: the driver passes the structure, of which these are the bytes.
    let control = unsafe { input.as_ptr().cast::<WSK_EVENT_CALLBACK_CONTROL>().read_unaligned() };
    // SAFETY: the driver passes the address of an identifier.
    if unsafe { control.NpiId.as_ref() }.is_none_or(|id| !is_wsk(id)) {
        return finish(socket, request, STATUS_NOT_SUPPORTED);
    }
    let mask = control.EventMask & !WSK_EVENT_DISABLE;
    let known = match socket.role {
        Role::Listen(_) => WSK_EVENT_ACCEPT | CONNECTION_EVENTS,
        Role::Connection(_) => CONNECTION_EVENTS,
    };
    if mask == 0 || mask & !known != 0 {
        return finish(socket, request, STATUS_INVALID_PARAMETER);
    }
    if !is_ready(socket) {
        let text = format!(
            "events {mask:#x} are changed before the socket is bound, or connected where it connects"
        );
        found("WskEventBeforeBind", text);
        return finish(socket, request, STATUS_INVALID_DEVICE_STATE);
    }
    if control.EventMask & WSK_EVENT_DISABLE != 0 {
        return disable(socket, mask, request);
    }
    if let Some(request) = request {
        found("WskControlSocket", "events are enabled with a request, which takes none".into());
        return request.complete(STATUS_INVALID_PARAMETER);
    }
    if let Role::Listen(listening) = &socket.role {
        listening.lock().inherited |= mask & CONNECTION_EVENTS;
    }
    let own = if socket.connection().is_some() { mask } else { mask & WSK_EVENT_ACCEPT };
    socket.callbacks.lock().enabled |= own;
    socket.kick(Lane::Input);
    STATUS_SUCCESS
}

/// Returns whether a socket is at the stage at which its events can be enabled: an accepted one is, inside the event
/// that hands it over too.
fn is_ready(socket: &Socket) -> bool {
    match (&socket.role, *socket.phase.lock()) {
        (Role::Listen(_), phase) => phase == Phase::Bound,
        (Role::Connection(_), phase) => phase == Phase::Connected,
    }
}

/// Disables an event.
fn disable(socket: &Arc<Socket>, mask: u32, request: Option<Request>) -> NTSTATUS {
    let inherited = socket.connection().is_none() && mask & CONNECTION_EVENTS != 0;
    if mask.count_ones() != 1 || inherited {
        return finish(socket, request, STATUS_INVALID_PARAMETER);
    }
    socket.callbacks.lock().enabled &= !mask;
    let lane = if mask == WSK_EVENT_SEND_BACKLOG { Lane::Output } else { Lane::Input };
    if !socket.is_running(lane) {
        return finish(socket, request, STATUS_SUCCESS);
    }
    match (request, socket.connection()) {
        (Some(request), Some(connection)) => {
            let status = request.pend();
            later(socket, connection, request);
            status
        }
        (Some(request), None) => {
            let status = request.pend();
            socket.complete_later(request, STATUS_SUCCESS);
            status
        }
        (None, _) => STATUS_EVENT_PENDING,
    }
}

/// Completes a request when the event that is being called has returned.
fn later(socket: &Arc<Socket>, connection: &Connection, request: Request) {
    input::disable_later(connection, request);
    socket.kick(Lane::Input);
}

fn is_wsk(id: &GUID) -> bool {
    let own = &NPI_WSK_INTERFACE_ID;
    (id.Data1, id.Data2, id.Data3, id.Data4) == (own.Data1, own.Data2, own.Data3, own.Data4)
}

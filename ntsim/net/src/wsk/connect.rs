//! Connects.

use std::sync::Arc;

use sys::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE};

use super::capture;
use super::request::{Outcome, Request};
use super::socket::{Connection, Phase, Socket};
use super::work::Lane;

/// Begins to connect; the request gets `success` if it succeeds.
pub(super) fn connect(
    socket: &Arc<Socket>,
    connection: &Connection,
    to: core::net::SocketAddr,
    request: Request,
    success: Outcome,
) -> NTSTATUS {
    {
        let mut phase = socket.phase.lock();
        if *phase != Phase::Bound {
            drop(phase);
            return socket.answer(request, STATUS_INVALID_DEVICE_STATE);
        }
        *phase = Phase::Connecting;
    }
    let status = request.pend();
    connection.output.lock().connect = Some((request, success));
    socket.end.connect(to);
    status
}

/// Completes a connect that is over.
pub(super) fn finish_connect(socket: &Arc<Socket>, connection: &Connection) {
    let outcome = {
        let mut phase = socket.phase.lock();
        if *phase != Phase::Connecting {
            return;
        }
        let Some(outcome) = socket.end.connected() else { return };
        if outcome.is_ok() {
            capture::begin(&*socket.end, true);
        }
        *phase = outcome.map_or_else(Phase::Dead, |()| Phase::Connected);
        outcome
    };
    let connect = connection.output.lock().connect.take();
    if let Some((request, success)) = connect {
        if outcome.is_err() && success.information != 0 {
            // WskSocketConnect: the driver gets no socket.
            socket.discard();
        }
        request.complete(outcome.map_or_else(Outcome::from, |()| success));
        socket.kick(Lane::Input);
    }
}

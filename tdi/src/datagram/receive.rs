//! Receiving: requests that wait on an address object.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use provider::number::usize_from;
use sys::status::{
    NTSTATUS, STATUS_ADDRESS_CLOSED, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_ADDRESS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use sys::tdi::{TDI_RECEIVE_NORMAL, TDI_RECEIVE_PEEK};

use crate::queue::{Queue, Waiting};
use crate::request::{Request, RequestId, Source};
use crate::slab::Id;
use crate::system::System;
use crate::transport::Transport;

/// The flags that a receive may have.
const FLAGS: u32 = TDI_RECEIVE_NORMAL | TDI_RECEIVE_PEEK;

/// The data that a receive wants.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    number: u64,
    from: Source,
    pub(super) length: usize,
    /// The datagram stays for the next receiver.
    pub(super) peek: bool,
}

/// The receives that wait on an address object.
pub(crate) struct Receives<R> {
    waiting: Queue<R, Wanted>,
    next_number: u64,
}

impl<R: Request> Receives<R> {
    pub(crate) const fn new() -> Self {
        Self { waiting: Queue::new(), next_number: 0 }
    }

    /// Returns whether a receive waits.
    #[cfg(test)]
    pub(crate) fn any(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Every receive that comes from now on has this number or a greater one.
    pub(super) const fn next_number(&self) -> u64 {
        self.next_number
    }

    /// The first receive that wants a datagram from there, of those before a number.
    pub(super) fn take(&mut self, from: SocketAddr, before: u64) -> Option<Waiting<R, Wanted>> {
        self.waiting.claim_first(|wanted| wanted.number < before && wanted.from.admits(from))
    }

    /// The first receive that may be completed; the others are left to their cancel routines.
    fn take_any(&mut self) -> Option<Waiting<R, Wanted>> {
        self.waiting.claim_first(|_| true)
    }

    /// The one whose cancel routine has come.
    fn take_cancelled(&mut self, number: u64) -> Option<Waiting<R, Wanted>> {
        self.waiting.cancel(number);
        self.waiting.take_cancelled(|_| true)
    }
}

impl<S: System<Client = Self>> Transport<S> {
    /// `TDI_RECEIVE_DATAGRAM`: waits for a datagram.
    pub(crate) fn receive_datagram(
        &self,
        file: Id,
        from: Source,
        length: usize,
        flags: u32,
        request: S::Request,
    ) {
        if let Err((request, status)) = self.await_datagram(file, from, length, flags, request) {
            request.complete(status, 0);
        }
    }

    fn await_datagram(
        &self,
        file: Id,
        from: Source,
        length: usize,
        flags: u32,
        request: S::Request,
    ) -> Result<(), (S::Request, NTSTATUS)> {
        let length = match wanted_length(length, flags, from, &request) {
            Ok(length) => length,
            Err(status) => return Err((request, status)),
        };
        let mut locked = self.lock();
        let opened = match locked.open_file(file) {
            Ok(opened) => opened,
            Err(status) => return Err((request, status)),
        };
        let outstanding = opened.outstanding;
        let Some(address) = opened.address_mut() else {
            return Err((request, STATUS_INVALID_DEVICE_REQUEST));
        };
        if !address.state.is_live() {
            return Err((request, STATUS_ADDRESS_CLOSED));
        }
        let receives = &mut address.receives;
        let count = usize_from(outstanding).saturating_add(1);
        let (Ok(()), Some(more)) = (receives.waiting.reserve(count), outstanding.checked_add(1)) else {
            return Err((request, STATUS_INSUFFICIENT_RESOURCES));
        };
        let number = receives.next_number;
        let wanted = Wanted { number, from, length, peek: flags & TDI_RECEIVE_PEEK != 0 };
        let waiting = Waiting::arm(request, RequestId { file, number }, wanted)
            .map_err(|request| (request, STATUS_CANCELLED))?;
        receives.next_number = number.wrapping_add(1);
        receives.waiting.push(waiting);
        opened.outstanding = more;
        Ok(())
    }

    /// The cancel routine of a receive has come.
    pub(crate) fn cancel_datagram(&self, request_id: RequestId) {
        let cancelled = self
            .lock()
            .address(request_id.file)
            .and_then(|address| address.receives.take_cancelled(request_id.number));
        if let Some(waiting) = cancelled {
            waiting.request.complete(STATUS_CANCELLED, 0);
            self.release(request_id.file);
        }
    }

    /// Completes with `status` what waits on an address object at which no datagram arrives any more; those whose
    /// cancel routine is on its way complete by that.
    pub(crate) fn end_datagrams(&self, file: Id, status: NTSTATUS) {
        loop {
            let next = self.lock().address(file).and_then(|address| address.receives.take_any());
            let Some(waiting) = next else { break };
            waiting.request.complete(status, 0);
            self.release(file);
        }
    }
}

/// The most bytes that a receive takes: all that its buffer holds, if it says 0.
///
/// # Errors
///
/// The status of a malformed receive.
pub(super) fn wanted_length(
    length: usize,
    flags: u32,
    from: Source,
    request: &impl Request,
) -> Result<usize, NTSTATUS> {
    let room = request.length();
    if flags & !FLAGS != 0 || length > room {
        return Err(STATUS_INVALID_PARAMETER);
    }
    if from == Source::Unknown {
        return Err(STATUS_INVALID_ADDRESS);
    }
    Ok(if length == 0 { room } else { length })
}

/// Completes a receive with a datagram, or the part of it for which there is room.
pub(super) fn complete<R: Request>(mut request: R, length: usize, from: SocketAddr, bytes: &[u8]) {
    let part = bytes.get(..length).unwrap_or(bytes);
    let filled = request.fill(0, part);
    request.return_peer(from);
    let status = if filled < part.len() {
        // The client's memory can't be reached.
        STATUS_INSUFFICIENT_RESOURCES
    } else if part.len() < bytes.len() {
        STATUS_BUFFER_OVERFLOW
    } else {
        STATUS_SUCCESS
    };
    request.complete(status, filled);
}

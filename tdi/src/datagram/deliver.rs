//! Delivering, by a DPC: to each address object that the destination names.

use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr::NonNull;

use provider::kernel::{Dpc as _, Kernel};
use sys::status::STATUS_INVALID_ADDRESS;

use super::receive::Wanted;
use super::{Datagram, MAX_UNDER_WAY};
use crate::call::Call;
use crate::event::{IndicationResult, ReceiveDatagram};
use crate::handler_irp::Given;
use crate::queue::Waiting;
use crate::request::{Command, Request as _};
use crate::slab::Id;
use crate::system::System;
use crate::transport::Transport;

/// The next receiver of a datagram at an address object, which is held meanwhile.
enum DatagramTarget<S: System> {
    Receive(Waiting<S::Request, Wanted>),
    Client(ReceiveDatagram, Call<()>),
}

/// The DPC.
unsafe extern "efiapi" fn deliver<S: System<Client = Transport<S>>>(context: *mut c_void) {
    let Some(raw) = NonNull::new(context) else { return };
    // SAFETY: `defer_delivery` gave a share of the transport to this call.
    let transport = unsafe { Transport::<S>::from_raw(raw) };
    transport.deliver_all();
}

impl<S: System<Client = Self>> Transport<S> {
    /// Makes the DPC ready.
    ///
    /// # Safety
    ///
    /// This was not called for the transport before.
    pub(crate) unsafe fn prepare_delivery(&self) {
        let deferred = NonNull::from(&self.inner().delivery);
        // The context: calls are queued with a share of it.
        let raw = self.clone().into_raw();
        // SAFETY: it was made just now.
        drop(unsafe { Self::from_raw(raw) });
        // SAFETY: the object lies in what all shares have in common, and does not move; the rest is as the
        // caller promises.
        unsafe { <S::Kernel as Kernel>::Dpc::initialise(deferred, deliver::<S>, raw.as_ptr()) }
    }

    /// Queues the DPC, which is neither queued nor running.
    pub(super) fn defer_delivery(&self) {
        // Taken back by `deliver`.
        let _share = self.clone().into_raw();
        let deferred = NonNull::from(&self.inner().delivery);
        // SAFETY: it was initialised with the transport, is not queued, and its call keeps the transport.
        unsafe { <S::Kernel as Kernel>::Dpc::queue(deferred) }
    }

    /// Delivers what is under way. At DISPATCH_LEVEL, with no lock held.
    fn deliver_all(&self) {
        // Clients that answer each other without an end must not keep the processor.
        for _ in 0..MAX_UNDER_WAY {
            let next = {
                let mut locked = self.lock();
                let next = locked.datagrams.queue.pop_front();
                locked.datagrams.delivering = next.is_some();
                next
            };
            match next {
                Some(Datagram { from, to, bytes, sender }) => {
                    drop(sender);
                    self.deliver(from, to, &bytes);
                }
                None => return,
            }
        }
        self.defer_delivery();
    }

    fn deliver(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let mut last = None;
        while let Some((id, before)) = self.next_recipient(last, to) {
            if last.is_none() {
                self.lock().datagrams.received.add(bytes.len());
            }
            self.deliver_to(id, before, from, bytes);
            last = Some(id);
        }
    }

    /// The next open address object that the destination names, and the number up to which its receives are
    /// older than the datagram.
    fn next_recipient(&self, after: Option<Id>, to: SocketAddr) -> Option<(Id, u64)> {
        let locked = self.lock();
        let mut rest = locked.addresses_after(after);
        rest.find_map(|(id, address)| address.covers(to).then(|| (id, address.receives.next_number())))
    }

    fn deliver_to(&self, id: Id, before: u64, from: SocketAddr, bytes: &[u8]) {
        while let Some(connect_target) = self.datagram_target(id, before, from) {
            let more = match connect_target {
                DatagramTarget::Receive(Waiting { request, what, .. }) => {
                    super::receive::complete(request, what.length, from, bytes);
                    self.release(id);
                    what.peek
                }
                DatagramTarget::Client(handler, call) => {
                    self.show_datagram(id, handler, &call, from, bytes);
                    self.over(call);
                    false
                }
            };
            if !more {
                break;
            }
        }
    }

    /// A receive counts already, a handler from here on.
    fn datagram_target(&self, id: Id, before: u64, from: SocketAddr) -> Option<DatagramTarget<S>> {
        let mut locked = self.lock();
        let file = locked.open_file(id).ok()?;
        let address = file.address_mut()?;
        if let Some(waiting) = address.receives.take(from, before) {
            return Some(DatagramTarget::Receive(waiting));
        }
        let handler = address.handlers.receive_datagram()?;
        Some(DatagramTarget::Client(handler, locked.call(id)?))
    }

    /// Shows a datagram to a client, and gives the rest to the receive that it makes.
    fn show_datagram(
        &self,
        id: Id,
        handler: ReceiveDatagram,
        call: &Call<()>,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        let IndicationResult { bytes: taken, irp } = handler.call(call, from, bytes);
        let Some(irp) = irp else { return };
        // SAFETY: the client's handler returned it as a request that it gives away.
        let given = unsafe { self.take_over(irp, STATUS_INVALID_ADDRESS) };
        let Some(Given { request, command, file }) = given else { return };
        let wanted = match (&file, command) {
            (Err(status), _) => Err(*status),
            (Ok(entered), Command::ReceiveDatagram { from: source, length, flags })
                if entered.file() == id =>
            {
                super::receive::wanted_length(length, flags, source, &request)
            }
            (Ok(_), _) => Err(STATUS_INVALID_ADDRESS),
        };
        match wanted {
            Ok(length) => {
                let rest = bytes.get(taken..).unwrap_or_default();
                super::receive::complete(request, length, from, rest);
            }
            Err(status) => request.complete(status, 0),
        }
        drop(file);
    }
}

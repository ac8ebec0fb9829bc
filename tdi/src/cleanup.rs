//! How files end, and what runs over a port that goes.

use alloc::vec::Vec;
use core::net::SocketAddr;

use provider::kernel::Event as _;
use sys::status::{STATUS_ADDRESS_CLOSED, STATUS_CONNECTION_ABORTED};

use crate::access::ListOf;
use crate::endpoint::News;
use crate::event::Handlers;
use crate::network::System;
use crate::slab::Id;
use crate::transport::Transport;
use crate::world::{Listeners, Phase};

impl<S: System> Transport<S> {
    /// `IRP_MJ_CLEANUP`: ends everything in flight on the file, and returns when no request refers to it
    /// any more and no handler runs. PASSIVE_LEVEL, outside any callback of ours.
    pub fn cleanup(&self, id: Id) {
        let Some(begun) = self.begin_cleanup(id) else { return };
        drop(begun);
        self.pump(id);
        self.end_datagrams(id);
        while let Some(listening) = self.next_orphan(id) {
            self.pump(listening);
        }
        let gate = {
            let mut world = self.world();
            world.files.get_mut(id).filter(|file| file.outstanding > 0).map(|file| {
                file.awaited = true;
                file.gate.clone()
            })
        };
        if let Some(gate) = gate {
            gate.wait();
        }
    }

    /// From here on requests are refused. Of an address, the handlers go, and the listeners and the access
    /// list, unless another file shares the address; what is to be dropped without the lock is given back.
    /// `None` if there is no such file, or it was cleaned up before.
    fn begin_cleanup(&self, id: Id) -> Option<(Listeners<S>, Option<ListOf<S>>)> {
        let mut world = self.world();
        let file = world.open_file(id).ok()?;
        file.phase = Phase::CleanedUp;
        if let Some(endpoint) = file.endpoint_mut() {
            endpoint.closing = true;
        }
        let Some(address) = file.address_mut() else { return Some((Vec::new(), None)) };
        address.handlers = Handlers::new();
        let list = address.list.take();
        let (local, listeners) = (address.local, core::mem::take(&mut address.listeners));
        let heir = world.files.iter_mut().find_map(|(_, file)| {
            let open = file.phase == Phase::Open;
            file.address_mut().filter(|other| open && other.local == local)
        });
        match heir {
            Some(heir) if !listeners.is_empty() => {
                heir.listeners = listeners;
                Some((Vec::new(), list))
            }
            _ => Some((listeners, list)),
        }
    }

    /// The next endpoint that listens at an address which was cleaned up: nobody will ever connect.
    fn next_orphan(&self, address: Id) -> Option<Id> {
        let mut world = self.world();
        let orphan = world.address(address)?.listens.pop_front()?;
        if let Some(endpoint) = world.endpoint(orphan) {
            endpoint.listed = false;
        }
        Some(orphan)
    }

    /// `IRP_MJ_CLOSE`: forgets the file. Does not wait; what the network still has to do for a connection it
    /// does without the file.
    pub fn close(&self, id: Id) {
        let over = {
            let mut world = self.world();
            if let Some(file) = world.files.get_mut(id) {
                file.phase = Phase::Closed;
            }
            world.bury(id)
        };
        drop(over);
    }

    /// A port goes: everything that runs over its addresses ends, and the clients of those are told that their
    /// addresses are of no use any more (`TDI_EVENT_ERROR`, `TDI_EVENT_ERROR_EX`). PASSIVE_LEVEL.
    pub fn abandon(&self, goes: impl Fn(SocketAddr) -> bool) {
        loop {
            let listener = self.world().files.iter_mut().find_map(|(_, file)| {
                let listeners = &mut file.address_mut()?.listeners;
                let place = listeners.iter().position(|(at, _)| goes(*at))?;
                (place < listeners.len()).then(|| listeners.swap_remove(place))
            });
            match listener {
                Some(listener) => drop(listener),
                None => break,
            }
        }
        self.pump_all(|endpoint| {
            let affected = endpoint.local().is_some_and(&goes);
            if affected {
                endpoint.news.add(News::FORCED);
                endpoint.lost = STATUS_CONNECTION_ABORTED;
            }
            affected
        });
        let mut after = None;
        while let Some(id) = self.tell_error(after, &goes) {
            after = Some(id);
        }
    }

    /// Tells the client of the next address object over which nothing can go any more.
    fn tell_error(&self, after: Option<Id>, goes: &impl Fn(SocketAddr) -> bool) -> Option<Id> {
        let (id, local, handler) = {
            let mut world = self.world();
            let mut rest = world.addresses_after(after);
            let found = rest.find_map(|(id, address)| {
                let handler = address.handlers.error().filter(|_| goes(address.local))?;
                Some((id, address.local, handler))
            })?;
            drop(rest);
            world.hold(found.0)?;
            found
        };
        handler.call(STATUS_ADDRESS_CLOSED, local);
        self.release(id);
        Some(id)
    }
}

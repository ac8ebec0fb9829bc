//! How files end, and what runs over a port that goes.

use core::net::SocketAddr;

use provider::kernel::Event as _;
use sys::status::{STATUS_ADDRESS_CLOSED, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED};

use crate::address_object::{self, Lost};
use crate::endpoint::News;
use crate::event::Handlers;
use crate::network::System;
use crate::slab::Id;
use crate::transport::Transport;
use crate::world::Phase;

impl<S: System> Transport<S> {
    /// `IRP_MJ_CLEANUP`: ends everything in flight on the file, and returns when no request refers to it
    /// any more and no handler runs. PASSIVE_LEVEL, outside any callback of ours.
    pub fn cleanup(&self, id: Id) {
        let Some(begun) = self.begin_cleanup(id) else { return };
        drop(begun);
        self.pump(id);
        self.end_datagrams(id, STATUS_CANCELLED);
        self.end_listens(id);
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

    /// From here on requests are refused. Of an address, the handlers go, and its shares of listeners and access
    /// list, which are given back to be dropped without the lock. `None` if there is no such file, or it was
    /// cleaned up before.
    fn begin_cleanup(&self, id: Id) -> Option<Option<address_object::State<S>>> {
        let mut world = self.world();
        let file = world.open_file(id).ok()?;
        file.phase = Phase::CleanedUp;
        if let Some(endpoint) = file.endpoint_mut() {
            endpoint.closing = true;
        }
        Some(file.address_mut().map(|address| {
            address.handlers = Handlers::new();
            core::mem::replace(&mut address.state, address_object::State::Closed)
        }))
    }

    /// Ends the listens at an address at which no connection arrives any more: each finds that by itself.
    fn end_listens(&self, address: Id) {
        while let Some(listening) = self.next_orphan(address) {
            self.pump(listening);
        }
    }

    /// The next endpoint that listens at an address.
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

    /// A port goes: everything that runs over its addresses ends. Address objects that are bound to no other port
    /// are of no use any more: what waits on them completes with `STATUS_ADDRESS_CLOSED`, and their clients are told
    /// so (`TDI_EVENT_ERROR`, `TDI_EVENT_ERROR_EX`). PASSIVE_LEVEL.
    pub fn abandon(&self, goes: impl Fn(SocketAddr) -> bool) {
        while let Some((id, lost)) = self.lose_listener(&goes) {
            let gone = lost.rest.is_some();
            drop(lost);
            if gone {
                self.end_listens(id);
                self.end_datagrams(id, STATUS_ADDRESS_CLOSED);
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
        while self.tell_error() {}
    }

    /// The next address object that loses a listener, and all that it loses with it.
    fn lose_listener(&self, goes: &impl Fn(SocketAddr) -> bool) -> Option<(Id, Lost<S>)> {
        let mut world = self.world();
        world.files.iter_mut().find_map(|(id, file)| Some((id, file.address_mut()?.state.lose(goes)?)))
    }

    /// Tells the client of the next address object whose adapter is gone; `false` if there is none that was not
    /// told.
    fn tell_error(&self) -> bool {
        let (id, local, handler) = {
            let mut world = self.world();
            let untold = world.files.iter_mut().find_map(|(id, file)| {
                let address = file.address_mut()?;
                match &mut address.state {
                    address_object::State::AdapterGone { told } if !*told => *told = true,
                    _ => return None,
                }
                Some((id, address.local, address.handlers.error()))
            });
            let Some((id, local, handler)) = untold else { return false };
            let held = handler.and_then(|handler| world.hold(id).map(|()| handler));
            (id, local, held)
        };
        if let Some(handler) = handler {
            handler.call(STATUS_ADDRESS_CLOSED, local);
            self.release(id);
        }
        true
    }
}

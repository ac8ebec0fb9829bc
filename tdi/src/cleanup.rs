//! Cleanup and close of files, and the removal of RNICs.

#![forbid(unsafe_code)]

use provider::kernel::Event as _;
use sys::irql::PassiveLevel;
use sys::status::{STATUS_ADDRESS_CLOSED, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED};

use crate::address_object::{self, Listener, Lost};
use crate::endpoint::Endpoint;
use crate::event::Handlers;
use crate::link_events::LinkEvents;
use crate::network::Network;
use crate::slab::Id;
use crate::state::Phase;
use crate::system::System;
use crate::transport::Transport;

impl<S: System<Client = Self>> Transport<S> {
    /// `IRP_MJ_CLEANUP`: ends everything in flight on the file, and returns when no request refers to it
    /// any more, no handler runs, and the port of an address is free, unless another file or a connection has it. Outside
    /// any callback of ours.
    pub fn cleanup(&self, id: Id, level: PassiveLevel) {
        let Some(mut begun) = self.begin_cleanup(id) else { return };
        let mut listeners = begun.as_mut().and_then(address_object::State::listeners_mut);
        if let Some(listeners) = &mut listeners {
            address_object::close::<S>(listeners);
        }
        self.drive(id);
        self.end_datagrams(id, STATUS_CANCELLED);
        self.end_listens(id);
        let idle_event = {
            let mut locked = self.lock();
            locked.files.get_mut(id).filter(|file| file.outstanding > 0).map(|file| {
                file.has_waiter = true;
                file.idle_event.clone()
            })
        };
        if let Some(idle_event) = idle_event {
            idle_event.wait(level);
        }
        // The client may open the address again as soon as the cleanup is complete.
        if let Some(listeners) = listeners {
            address_object::wait_until_free::<S>(listeners, level);
        }
    }

    /// From here on requests are refused. Of an address, the handlers go, and its shares of listeners and access
    /// list, which are given back to be dropped without the lock. `None` if there is no such file, or it was
    /// cleaned up before.
    fn begin_cleanup(&self, id: Id) -> Option<Option<address_object::State<S>>> {
        let mut locked = self.lock();
        let file = locked.open_file(id).ok()?;
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
        while let Some(listening) = self.next_pending_listen(address) {
            self.drive(listening);
        }
    }

    /// The next endpoint that listens at an address.
    fn next_pending_listen(&self, address: Id) -> Option<Id> {
        let mut locked = self.lock();
        let pending_listen = locked.address(address)?.listens.pop_front()?;
        if let Some(endpoint) = locked.endpoint(pending_listen) {
            endpoint.listed = false;
        }
        Some(pending_listen)
    }

    /// `IRP_MJ_CLOSE`: forgets the file. Does not wait; what the network still has to do for a connection it
    /// does without the file.
    pub fn close(&self, id: Id) {
        let over = {
            let mut locked = self.lock();
            if let Some(file) = locked.files.get_mut(id) {
                file.phase = Phase::Closed;
            }
            locked.remove_if_unreferenced(id)
        };
        drop(over);
    }

    /// Adapter removal: an RNIC is removed (a halt, a surprise removal, OID_NDK_SET_STATE), or has lost addresses. Ends
    /// everything that runs over what the network does not have any more. Address objects that are bound to nothing else are of no use: what waits on them completes
    /// with `STATUS_ADDRESS_CLOSED`, and their clients are told so (`TDI_EVENT_ERROR`, `TDI_EVENT_ERROR_EX`).
    /// Listeners and connections name their RNIC, and the network is asked at the moment in which one is
    /// ended: so none is missed whose address moved, and none is ended that was bound after its address had
    /// returned.
    ///
    /// The port of what is lost is free when this returns, unless a connection that has it ends in another thread.
    pub fn on_adapter_removed(&self, level: PassiveLevel) {
        let goes = |listener: &Listener<S>| self.has_gone(listener);
        while let Some((id, mut lost)) = self.lose_listener(&goes) {
            let (at, gone) = (lost.at(), lost.rest.is_some());
            lost.close();
            if gone {
                self.end_listens(id);
                self.end_datagrams(id, STATUS_ADDRESS_CLOSED);
            }
            // Also if the address has returned meanwhile.
            self.abort_connections(|endpoint| {
                endpoint.address == Some(id)
                    && endpoint.place().is_some_and(|(_, local)| local.ip() == at.ip())
            });
            lost.wait_until_free(level);
        }
        self.abort_connections(|endpoint| {
            endpoint.place().is_some_and(|(rnic, local)| !self.network().serves(rnic, local.ip()))
        });
        while self.tell_error() {}
    }

    /// Returns whether a listener's RNIC has gone, or has lost the listener's address.
    pub(crate) fn has_gone(&self, (at, listener): &Listener<S>) -> bool {
        !self.network().serves(<S::Network as Network<S>>::rnic(listener), at.ip())
    }

    /// Ends the connection of each endpoint for which `affected` holds.
    fn abort_connections(&self, affected: impl Fn(&Endpoint<S>) -> bool) {
        self.drive_all(|endpoint| {
            let affected = affected(endpoint);
            if affected {
                endpoint.link_events.add(LinkEvents::FORCED);
                endpoint.lost = STATUS_CONNECTION_ABORTED;
            }
            affected
        });
    }

    /// The next address object that loses a listener, and all that it loses with it.
    fn lose_listener(&self, goes: &impl Fn(&Listener<S>) -> bool) -> Option<(Id, Lost<S>)> {
        let mut locked = self.lock();
        locked.files.iter_mut().find_map(|(id, file)| Some((id, file.address_mut()?.state.lose(goes)?)))
    }

    /// Tells the client of the next address object whose adapter is gone; `false` if there is none that was not
    /// told.
    fn tell_error(&self) -> bool {
        let (local, told) = {
            let mut locked = self.lock();
            let untold = locked.files.iter_mut().find_map(|(id, file)| {
                let address = file.address_mut()?;
                match &mut address.state {
                    address_object::State::AdapterGone { told } if !*told => *told = true,
                    _ => return None,
                }
                Some((id, address.local(), address.handlers.error()))
            });
            let Some((id, local, handler)) = untold else { return false };
            (local, handler.and_then(|handler| Some((handler, locked.call(id)?))))
        };
        if let Some((handler, call)) = told {
            handler.call(&call, STATUS_ADDRESS_CLOSED, local);
            self.over(call);
        }
        true
    }
}

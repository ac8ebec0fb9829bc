//! All files of the transport: what stands under its one lock.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use provider::{NoMemory, Shared};
use sys::status::{
    NTSTATUS, STATUS_CONNECTION_ACTIVE, STATUS_FILE_CLOSED, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_CONNECTION, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_HANDLE,
};

use crate::address_object::{self, Address};
use crate::call::Call;
use crate::datagram::Datagrams;
use crate::ea::ConnectionContext;
use crate::endpoint::{Action, ConnectRequestOf, Endpoint, IndicateReceive, LinkOf, View};
use crate::request::Command;
use crate::slab::{Id, Slab};
use crate::system::{EventOf, System};

/// The phase of a file's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Not begun.
    Open = 0,
    /// Its last handle was closed: whatever comes is refused.
    CleanedUp = 1,
    /// Its last reference is gone: no request for it exists or comes. What is left goes by itself.
    Closed = 2,
}

/// The state behind a file object.
pub(crate) struct File<S: System> {
    pub(crate) phase: Phase,
    /// Requests that refer to the file, and handlers that run: those of the address, or for the endpoint.
    pub(crate) outstanding: u32,
    /// A cleanup waits until nothing is outstanding.
    pub(crate) has_waiter: bool,
    pub(crate) idle_event: Shared<EventOf<S>>,
    /// The address of the I/O manager's file object, see
    /// [`Transport::set_file_object`](crate::Transport::set_file_object).
    pub(crate) file_object: usize,
    pub(crate) object: Object<S>,
}

/// The kinds of file. A debugger reads it, by the [layout](crate::debugger): a byte that says which, then the contents.
#[repr(C, u8)]
pub(crate) enum Object<S: System> {
    Address(Address<S>) = 0,
    Endpoint(Endpoint<S>) = 1,
    ControlChannel = 2,
}

/// See the module's head.
pub(crate) struct TransportState<S: System> {
    pub(crate) files: Slab<File<S>>,
    pub(crate) datagrams: Datagrams<S>,
}

impl<S: System> File<S> {
    pub(crate) fn endpoint_mut(&mut self) -> Option<&mut Endpoint<S>> {
        match &mut self.object {
            Object::Endpoint(endpoint) => Some(endpoint),
            Object::Address(_) | Object::ControlChannel => None,
        }
    }

    pub(crate) fn address_mut(&mut self) -> Option<&mut Address<S>> {
        match &mut self.object {
            Object::Address(address) => Some(address),
            Object::Endpoint(_) | Object::ControlChannel => None,
        }
    }

    /// Returns whether nothing needs it any more.
    fn is_over(&self) -> bool {
        let idle = match &self.object {
            Object::Endpoint(endpoint) => endpoint.is_idle(),
            Object::Address(address) => address.associations == 0,
            Object::ControlChannel => true,
        };
        self.phase == Phase::Closed && self.outstanding == 0 && idle
    }
}

impl<S: System> TransportState<S> {
    /// An address object by which just this address is in use. Port 0 is never in use.
    pub(crate) fn holder(&self, local: SocketAddr) -> Option<&Address<S>> {
        self.files.iter().find_map(|(_, file)| match &file.object {
            Object::Address(address) if address.state.held().is_some() && address.local() == local => {
                Some(address).filter(|_| local.port() != 0)
            }
            _ => None,
        })
    }

    /// A file that was not cleaned up.
    ///
    /// # Errors
    ///
    /// `STATUS_FILE_CLOSED`.
    pub(crate) fn open_file(&mut self, id: Id) -> Result<&mut File<S>, NTSTATUS> {
        self.files.get_mut(id).filter(|file| file.phase == Phase::Open).ok_or(STATUS_FILE_CLOSED)
    }

    pub(crate) fn endpoint(&mut self, id: Id) -> Option<&mut Endpoint<S>> {
        self.files.get_mut(id)?.endpoint_mut()
    }

    pub(crate) fn address(&mut self, id: Id) -> Option<&mut Address<S>> {
        self.files.get_mut(id)?.address_mut()
    }

    /// The open address objects behind one, in the order of iteration.
    pub(crate) fn addresses_after(&self, after: Option<Id>) -> impl Iterator<Item = (Id, &Address<S>)> {
        let rest = self.files.iter().skip_while(move |(id, _)| after.is_some_and(|after| !id.follows(after)));
        rest.filter(|(_, file)| file.phase == Phase::Open).filter_map(|(id, file)| match &file.object {
            Object::Address(address) => Some((id, address)),
            Object::Endpoint(_) | Object::ControlChannel => None,
        })
    }

    /// Leaves a request for an endpoint's drive loop.
    ///
    /// # Errors
    ///
    /// Request and connect request are given back, with the status for the request.
    pub(crate) fn put(
        &mut self,
        id: Id,
        command: Command,
        request: S::Request,
        connect_request: Option<ConnectRequestOf<S>>,
    ) -> Result<(), Unwanted<S>> {
        let room = self.open_file(id).and_then(|file| {
            let outstanding = file.outstanding;
            let endpoint = file.endpoint_mut().ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
            endpoint.reserve(outstanding).map_err(|NoMemory| STATUS_INSUFFICIENT_RESOURCES)?;
            file.outstanding = outstanding.checked_add(1).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
            Ok(())
        });
        match (room, self.endpoint(id)) {
            (Ok(()), Some(endpoint)) => {
                endpoint.put(command, request, connect_request);
                self.relist(id);
                Ok(())
            }
            (Ok(()), None) => Err((request, connect_request, STATUS_INVALID_DEVICE_REQUEST)),
            (Err(status), _) => Err((request, connect_request, status)),
        }
    }

    /// One thing that referred to the file is over. The event is to be signalled without the lock.
    #[must_use]
    pub(crate) fn release(&mut self, id: Id) -> Option<Shared<EventOf<S>>> {
        let file = self.files.get_mut(id)?;
        file.outstanding = file.outstanding.saturating_sub(1);
        (file.outstanding == 0 && file.has_waiter).then(|| file.idle_event.clone())
    }

    /// Returns the next action of the endpoint's drive loop, with the call of a handler if that is part of
    /// it.
    pub(crate) fn step(&mut self, id: Id) -> Option<(Action<S>, Option<Call<ConnectionContext>>)> {
        let endpoint = self.endpoint(id)?;
        let (address, requested_at) = (endpoint.address, endpoint.requested_at());
        let view = address.and_then(|address| self.view(address, requested_at));
        let action = self.endpoint(id)?.step(id, S::now(), view.as_ref());
        self.relist(id);
        let action = action?;
        let call = match &action {
            Action::Indicate { address, .. } | Action::IndicateReceive(IndicateReceive { address, .. }) => {
                self.call_about(*address, id)
            }
            _ => None,
        };
        Some((action, call))
    }

    /// An address for its endpoint, to which a connection at `requested_at` is offered.
    fn view(&mut self, id: Id, requested_at: Option<SocketAddr>) -> Option<View> {
        let address = self.address(id)?;
        let takes_connect_request = requested_at.is_some_and(|at| address.covers(at));
        let (local, live, handlers) = (address.local(), address.state.is_live(), address.handlers);
        Some(View { id, local, live, takes_connect_request, handlers })
    }

    /// An endpoint has a link now, or has none. Returns whether the adapter of its address is gone.
    pub(crate) fn linked(&mut self, id: Id, link: Result<LinkOf<S>, NTSTATUS>) -> bool {
        let Some(endpoint) = self.endpoint(id) else { return false };
        endpoint.linked(link);
        let address = endpoint.address.and_then(|address| self.address(address));
        address.is_some_and(|address| matches!(address.state, address_object::State::AdapterGone { .. }))
    }

    /// Associates an endpoint with an address.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_HANDLE` if it is none; `STATUS_CONNECTION_ACTIVE` or `STATUS_INVALID_CONNECTION` if
    /// the endpoint is associated already, connected or not.
    pub(crate) fn associate(&mut self, endpoint: Id, address: Id) -> Result<(), NTSTATUS> {
        let file = self.open_file(endpoint)?.endpoint_mut().ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
        if file.address.is_some() {
            let active = file.is_connected();
            return Err(if active { STATUS_CONNECTION_ACTIVE } else { STATUS_INVALID_CONNECTION });
        }
        let opened = self.open_file(address).map_err(|_| STATUS_INVALID_HANDLE)?;
        let opened = opened.address_mut().ok_or(STATUS_INVALID_HANDLE)?;
        let associations = opened.associations.saturating_add(1);
        let room = associations.saturating_sub(opened.listens.len());
        opened.listens.try_reserve(room).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        opened.associations = associations;
        if let Some(endpoint) = self.endpoint(endpoint) {
            endpoint.address = Some(address);
        }
        Ok(())
    }

    /// Takes an association back.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_CONNECTION` if there is none, or the endpoint is active.
    pub(crate) fn disassociate(&mut self, id: Id) -> Result<Option<File<S>>, NTSTATUS> {
        let endpoint = self.open_file(id)?.endpoint_mut().ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
        if endpoint.address.is_none() || !endpoint.is_inactive() {
            return Err(STATUS_INVALID_CONNECTION);
        }
        Ok(self.part(id))
    }

    /// Drops an endpoint's association. The address is given back if this was all that kept it.
    fn part(&mut self, id: Id) -> Option<File<S>> {
        let address = self.endpoint(id)?.address.take()?;
        self.unlist(id, address);
        let opened = self.address(address)?;
        opened.associations = opened.associations.saturating_sub(1);
        self.remove_if_unreferenced(address)
    }

    /// The drive loop has nothing more to do: it stops, and what a cleanup left behind is dropped. What is
    /// given back is to be dropped without the lock.
    pub(crate) fn rest(&mut self, id: Id) -> [Option<File<S>>; 2] {
        let Some(endpoint) = self.endpoint(id) else { return [None, None] };
        endpoint.driving = false;
        let address = if endpoint.closing && endpoint.is_idle() { self.part(id) } else { None };
        [self.remove_if_unreferenced(id), address]
    }

    /// Takes a file out if nothing needs it any more.
    pub(crate) fn remove_if_unreferenced(&mut self, id: Id) -> Option<File<S>> {
        if self.files.get(id)?.is_over() { self.files.remove(id) } else { None }
    }
}

/// A request and a connect request that were not put, and the status for the request.
pub(crate) type Unwanted<S> = (<S as System>::Request, Option<ConnectRequestOf<S>>, NTSTATUS);

//! All files of the transport: what stands under its one lock.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use provider::{NoMemory, Shared};
use sys::status::{
    NTSTATUS, STATUS_CONNECTION_ACTIVE, STATUS_FILE_CLOSED, STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_CONNECTION, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_HANDLE,
};

use crate::endpoint::{Effect, Endpoint, OfferOf, Show, View};
use crate::event::{Connect, Handlers};
use crate::network::{Network, System};
use crate::request::Command;
use crate::slab::{Id, Slab};

pub(crate) type Listeners<S> = Vec<(SocketAddr, <<S as System>::Network as Network<S>>::Listener)>;
pub(crate) type EventOf<S> = <<S as System>::Kernel as provider::Kernel>::Event;

/// How far the closing of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not begun.
    Open,
    /// Its last handle was closed: whatever comes is refused.
    CleanedUp,
    /// Its last reference is gone: no request for it exists or comes. What is left goes by itself.
    Closed,
}

/// What a file object stands for.
pub(crate) struct File<S: System> {
    pub(crate) phase: Phase,
    /// Requests that refer to the file, and handlers of the address that run.
    pub(crate) outstanding: u32,
    /// A cleanup waits until nothing is outstanding.
    pub(crate) awaited: bool,
    pub(crate) gate: Shared<EventOf<S>>,
    /// What carries the file, see [`Transport::set_carrier`](crate::Transport::set_carrier).
    pub(crate) carrier: usize,
    pub(crate) object: Object<S>,
}

/// The kinds of file.
pub(crate) enum Object<S: System> {
    Address(Address<S>),
    Endpoint(Endpoint<S>),
    ControlChannel,
}

/// An address object.
pub(crate) struct Address<S: System> {
    pub(crate) local: SocketAddr,
    /// Others may open the same address.
    pub(crate) shared: bool,
    /// Take connections for this and all others that share the address, each at one address of a host.
    pub(crate) listeners: Listeners<S>,
    /// It is not bound yet; signalled when it is, or can't be.
    pub(crate) binding: Option<Shared<EventOf<S>>>,
    pub(crate) handlers: Handlers,
    /// Endpoints that are associated.
    pub(crate) associations: usize,
    /// Endpoints that listen, in their order.
    pub(crate) listens: VecDeque<Id>,
}

/// See the module's head.
pub(crate) struct World<S: System> {
    pub(crate) files: Slab<File<S>>,
}

/// To whom an offer goes.
pub(crate) enum Taker<S: System> {
    /// The endpoint that listens has it.
    Endpoint(Id),
    /// The client is to be asked; its address is held meanwhile.
    Client { address: Id, handler: Connect, offer: OfferOf<S> },
    /// Nobody.
    Nobody(OfferOf<S>),
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

    /// Whether nothing needs it any more.
    fn is_over(&self) -> bool {
        let idle = match &self.object {
            Object::Endpoint(endpoint) => endpoint.is_idle(),
            Object::Address(address) => address.associations == 0,
            Object::ControlChannel => true,
        };
        self.phase == Phase::Closed && self.outstanding == 0 && idle
    }
}

impl<S: System> Address<S> {
    /// Whether connections to `at` are for this address.
    fn covers(&self, at: SocketAddr) -> bool {
        let Self { local, .. } = self;
        let host = local.ip() == at.ip() || (local.ip().is_unspecified() && local.is_ipv4() == at.is_ipv4());
        host && local.port() == at.port()
    }
}

impl<S: System> World<S> {
    /// An address object that somebody has open with just this address. Port 0 is nobody's.
    pub(crate) fn holder(&self, local: SocketAddr) -> Option<&Address<S>> {
        self.files.iter().find_map(|(_, file)| match &file.object {
            Object::Address(address) if file.phase == Phase::Open && address.local == local => {
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

    /// Leaves a request for an endpoint's pumper.
    ///
    /// # Errors
    ///
    /// Request and offer are given back, with the status for the request.
    pub(crate) fn put(
        &mut self,
        id: Id,
        command: Command,
        request: S::Request,
        offer: Option<OfferOf<S>>,
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
                endpoint.put(command, request, offer);
                Ok(())
            }
            (Ok(()), None) => Err((request, offer, STATUS_INVALID_DEVICE_REQUEST)),
            (Err(status), _) => Err((request, offer, status)),
        }
    }

    /// One thing that referred to the file is over. The event is to be signalled without the lock.
    #[must_use]
    pub(crate) fn release(&mut self, id: Id) -> Option<Shared<EventOf<S>>> {
        let file = self.files.get_mut(id)?;
        file.outstanding = file.outstanding.saturating_sub(1);
        (file.outstanding == 0 && file.awaited).then(|| file.gate.clone())
    }

    /// What the endpoint's pumper does next.
    pub(crate) fn step(&mut self, id: Id) -> Option<Effect<S>> {
        let address = self.endpoint(id)?.address;
        let view = address.and_then(|address| self.view(address));
        let effect = self.endpoint(id)?.step(id, S::now(), view.as_ref())?;
        if let Effect::Tell { address, .. } | Effect::Show(Show { address, .. }) = &effect
            && let Some(file) = self.files.get_mut(*address)
        {
            // As many handlers as processors and waiting threads can run, which fits.
            file.outstanding = file.outstanding.saturating_add(1);
        }
        Some(effect)
    }

    fn view(&mut self, id: Id) -> Option<View> {
        let file = self.files.get_mut(id)?;
        let open = file.phase == Phase::Open;
        file.address_mut().map(|address| View { id, local: address.local, open, handlers: address.handlers })
    }

    /// Associates an endpoint with an address.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_HANDLE` if it is none; `STATUS_CONNECTION_ACTIVE` or `STATUS_INVALID_CONNECTION` if the
    /// endpoint is associated already, connected or not.
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
        if endpoint.address.is_none() || !endpoint.is_idle() {
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
        self.bury(address)
    }

    /// Puts an endpoint at the end of its address's list of listens.
    pub(crate) fn list(&mut self, id: Id) {
        let Some(address) = self.endpoint(id).and_then(|endpoint| endpoint.address) else { return };
        self.unlist(id, address);
        if let Some(address) = self.address(address) {
            // There is room for every endpoint that is associated.
            address.listens.push_back(id);
        }
        if let Some(endpoint) = self.endpoint(id) {
            endpoint.listed = true;
        }
    }

    /// Takes it off that list.
    pub(crate) fn unlist(&mut self, id: Id, address: Id) {
        if let Some(address) = self.address(address) {
            address.listens.retain(|other| *other != id);
        }
        if let Some(endpoint) = self.endpoint(id) {
            endpoint.listed = false;
        }
    }

    /// Finds out to whom an offer at an address goes: to the first that listens, or else to the first
    /// client that has a handler.
    pub(crate) fn taker(&mut self, local: SocketAddr, offer: OfferOf<S>) -> Taker<S> {
        if let Some(id) = self.first_listen(local)
            && let Some(endpoint) = self.endpoint(id)
        {
            endpoint.listed = false;
            endpoint.offer = Some(offer);
            return Taker::Endpoint(id);
        }
        let asked = self.files.iter_mut().find_map(|(id, file)| {
            let handler = match &file.object {
                Object::Address(address) if address.covers(local) => address.handlers.connect()?,
                _ => return None,
            };
            file.outstanding = file.outstanding.checked_add(1)?;
            Some((id, handler))
        });
        match asked {
            Some((address, handler)) => Taker::Client { address, handler, offer },
            None => Taker::Nobody(offer),
        }
    }

    fn first_listen(&mut self, local: SocketAddr) -> Option<Id> {
        loop {
            let next = self.files.iter_mut().find_map(|(_, file)| {
                let open = file.phase == Phase::Open;
                let address = file.address_mut().filter(|address| open && address.covers(local))?;
                address.listens.pop_front()
            })?;
            let endpoint = self.endpoint(next)?;
            endpoint.listed = false;
            if endpoint.is_listening() {
                return Some(next);
            }
        }
    }

    /// The pumper has nothing more to do: it stops, and what a cleanup left behind is dropped. What is
    /// given back is to be dropped without the lock.
    pub(crate) fn rest(&mut self, id: Id) -> [Option<File<S>>; 2] {
        let Some(endpoint) = self.endpoint(id) else { return [None, None] };
        endpoint.pumping = false;
        let address = if endpoint.closing && endpoint.is_idle() { self.part(id) } else { None };
        [self.bury(id), address]
    }

    /// Takes a file out if nothing needs it any more.
    pub(crate) fn bury(&mut self, id: Id) -> Option<File<S>> {
        if self.files.get(id)?.is_over() { self.files.remove(id) } else { None }
    }
}

/// A request and an offer that were not put, and the status for the request.
pub(crate) type Unwanted<S> = (<S as System>::Request, Option<OfferOf<S>>, NTSTATUS);

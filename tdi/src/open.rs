//! Opening files.

#![forbid(unsafe_code)]

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use provider::kernel::Event as _;
use provider::{NoMemory, Shared, Within as _};
use sys::irql::PassiveLevel;
use sys::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_ADDRESS, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER, STATUS_SHARING_VIOLATION, STATUS_TOO_MANY_ADDRESSES,
};

use crate::access::{Obstacle, Sharing};
use crate::address::TransportAddresses;
use crate::address_object::{self, Address, Listeners, State};
use crate::datagram::Receives;
use crate::ea::Opening;
use crate::endpoint::Endpoint;
use crate::event::Handlers;
use crate::network::{BindError, Network};
use crate::slab::Id;
use crate::state::{File, Object, Phase};
use crate::system::{EventOf, Opener as _, System};
use crate::transport::Transport;

/// Errors of opening an address of a list.
enum CreateError {
    /// The next one may do.
    NotLocal,
    Final(NTSTATUS),
}

impl From<BindError> for CreateError {
    fn from(error: BindError) -> Self {
        match error {
            BindError::NotLocal => Self::NotLocal,
            BindError::InUse => Self::Final(STATUS_SHARING_VIOLATION),
            BindError::NoPort => Self::Final(STATUS_TOO_MANY_ADDRESSES),
            BindError::NoMemory => Self::Final(STATUS_INSUFFICIENT_RESOURCES),
            BindError::Failed => Self::Final(STATUS_INVALID_DEVICE_REQUEST),
        }
    }
}

impl From<NoMemory> for CreateError {
    fn from(error: NoMemory) -> Self {
        BindError::from(error).into()
    }
}

/// The outcome of entering an address object.
enum Entry<S: System> {
    /// Not yet.
    Not(Obstacle<S>),
    /// Others have the address, and share it.
    Shares(Id),
    /// No other file has it, so it is to be bound.
    First(Id),
    /// Another create is binding it, and tells then whether it can be shared.
    After(Shared<EventOf<S>>),
}

impl<S: System<Client = Self>> Transport<S> {
    /// Opens a file. `sharing` is who opens it, if others may open the same address.
    ///
    /// TCP/IP tells clients and the driver of a change of addresses at the same time, so a client may name an address
    /// that the network does not have yet. A create is synchronous and may block
    /// (<https://learn.microsoft.com/previous-versions/windows/hardware/network/ff565046(v=vs.85)>), so the one of an
    /// address reads the addresses first.
    ///
    /// # Errors
    ///
    /// The status for the create, after which nothing is left behind.
    pub fn create(
        &self,
        opening: &Opening<'_>,
        sharing: Option<&S::Opener>,
        level: PassiveLevel,
    ) -> Result<Id, NTSTATUS> {
        match opening {
            Opening::ControlChannel => self.insert(Object::ControlChannel),
            Opening::Endpoint(context) => self.insert(Object::Endpoint(Endpoint::new(*context))),
            Opening::Address(list) => {
                let list = TransportAddresses::parse(list).ok_or(STATUS_INVALID_PARAMETER)?;
                let read = self.network().refresh_addresses(level);
                read.map_err(|NoMemory| STATUS_INSUFFICIENT_RESOURCES)?;
                let mut outcome = Err(STATUS_INVALID_PARAMETER);
                for local in list {
                    match self.open_address(local, sharing, level) {
                        Ok(id) => return Ok(id),
                        Err(CreateError::Final(status)) => return Err(status),
                        Err(CreateError::NotLocal) => outcome = Err(STATUS_INVALID_ADDRESS),
                    }
                }
                outcome
            }
        }
    }

    fn open_address(
        &self,
        local: SocketAddr,
        opener: Option<&S::Opener>,
        level: PassiveLevel,
    ) -> Result<Id, CreateError> {
        let mut sharing = if opener.is_some() { Sharing::Wanted } else { Sharing::Exclusive };
        let id = loop {
            match (self.enter_address(local, &sharing)?, opener) {
                (Entry::Shares(id), _) => return Ok(id),
                (Entry::First(id), _) => break id,
                (Entry::After(bound), _) => bound.wait(level),
                (Entry::Not(Obstacle::NoList), Some(opener)) => {
                    let list = opener.assign().map_err(CreateError::Final)?;
                    sharing = Sharing::Own(Shared::new(list)?);
                }
                (Entry::Not(Obstacle::List(list)), Some(opener)) => {
                    opener.admitted_by(&list).map_err(CreateError::Final)?;
                    sharing = Sharing::Theirs(list);
                }
                (Entry::Not(_), _) => return Err(CreateError::Final(STATUS_SHARING_VIOLATION)),
            }
        };
        let bound = self.bind(local, level);
        let outcome = self.settle(id, bound);
        outcome?;
        // The removal of an RNIC, or of its address, has perhaps not seen the listener.
        let missed = self.lock().address(id).is_some_and(|address| address.state.any(|at| self.has_gone(at)));
        if missed {
            self.on_adapter_removed(level);
        }
        Ok(id)
    }

    /// Enters an address object before it is bound, so that another create of the same address finds it meanwhile.
    fn enter_address(&self, local: SocketAddr, sharing: &Sharing<S>) -> Result<Entry<S>, CreateError> {
        let settled = Shared::new(EventOf::<S>::new())?;
        settled.initialise();
        let address = Address {
            local: local.into(),
            state: State::Closed,
            handlers: Handlers::new(),
            associations: 0,
            listens: VecDeque::new(),
            receives: Receives::new(),
        };
        let mut file = Self::file(Object::Address(address))?;
        let mut locked = self.lock();
        let holder = locked.holder(local).map(|holder| &holder.state);
        let list = match sharing.settle(holder.and_then(State::held)) {
            Ok(list) => list,
            Err(obstacle) => {
                drop(locked);
                return Ok(Entry::Not(obstacle));
            }
        };
        let state = match holder {
            Some(State::Binding { settled, .. }) => {
                let others = settled.clone();
                drop(locked);
                return Ok(Entry::After(others));
            }
            Some(State::Live { listeners, .. }) => {
                State::Live { list, listeners: address_object::share::<S>(listeners)? }
            }
            Some(State::AdapterGone { .. } | State::Closed) | None => State::Binding { list, settled },
        };
        let shares = state.is_live();
        if let Some(address) = file.address_mut() {
            address.state = state;
        }
        let inserted = locked.files.insert(file);
        drop(locked);
        match inserted {
            Ok(id) if shares => Ok(Entry::Shares(id)),
            Ok(id) => Ok(Entry::First(id)),
            Err((no_memory, _file)) => Err(no_memory.into()),
        }
    }

    /// Takes the port, on each host address that a wildcard stands for, and waits until the network has it there. Port
    /// 0 picks one. If one can't be had, those that were taken are free again.
    fn bind(
        &self,
        local: SocketAddr,
        level: PassiveLevel,
    ) -> Result<(SocketAddr, Listeners<S>), CreateError> {
        let mut hosts = Vec::new();
        if local.ip().is_unspecified() {
            hosts = self.network().hosts(local.is_ipv4())?;
        } else {
            hosts.try_reserve_exact(1).map_err(|_| NoMemory)?;
            hosts.push_within(local.ip()).map_err(|_| NoMemory)?;
        }
        let mut listeners = Vec::new();
        listeners.try_reserve_exact(hosts.len()).map_err(|_| NoMemory)?;
        let mut port = local.port();
        for host in &hosts {
            match self.network().listen(self, SocketAddr::new(*host, port), level) {
                Ok((listener, at)) => {
                    port = at.port();
                    listeners.push_within((at, listener)).map_err(|_| NoMemory)?;
                }
                Err(error) => {
                    address_object::close::<S>(&mut listeners);
                    address_object::wait_until_free::<S>(&listeners, level);
                    return Err(error.into());
                }
            }
        }
        if listeners.is_empty() {
            Err(CreateError::NotLocal)
        } else {
            Ok((SocketAddr::new(local.ip(), port), listeners))
        }
    }

    /// An address object is bound, or gone if it could not be; those who wait for that go on.
    fn settle(
        &self,
        id: Id,
        bound: Result<(SocketAddr, Listeners<S>), CreateError>,
    ) -> Result<(), CreateError> {
        let mut locked = self.lock();
        let address = locked.address(id);
        let binding = address.map(|address| core::mem::replace(&mut address.state, State::Closed));
        let Some(State::Binding { list, settled }) = binding else {
            // The file is this create's alone until it is bound.
            drop(locked);
            drop((bound, binding));
            return Err(CreateError::Final(STATUS_INSUFFICIENT_RESOURCES));
        };
        let (outcome, unneeded) = match bound {
            Ok((local, listeners)) => {
                if let Some(address) = locked.address(id) {
                    address.local = local.into();
                    address.state = State::Live { list, listeners };
                }
                (Ok(()), (None, None))
            }
            Err(refusal) => (Err(refusal), (locked.files.remove(id), list)),
        };
        drop(locked);
        drop(unneeded);
        settled.signal();
        outcome
    }

    fn file(object: Object<S>) -> Result<File<S>, NoMemory> {
        let idle_event = Shared::new(EventOf::<S>::new())?;
        idle_event.initialise();
        Ok(File { phase: Phase::Open, outstanding: 0, has_waiter: false, idle_event, file_object: 0, object })
    }

    fn insert(&self, object: Object<S>) -> Result<Id, NTSTATUS> {
        let file = Self::file(object).map_err(|NoMemory| STATUS_INSUFFICIENT_RESOURCES)?;
        let inserted = self.lock().files.insert(file);
        inserted.map_err(|(NoMemory, _file)| STATUS_INSUFFICIENT_RESOURCES)
    }
}

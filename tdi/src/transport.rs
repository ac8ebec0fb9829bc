//! The transport: its files, and what clients and the network do with them.

use core::ffi::c_void;
use core::net::SocketAddr;
use core::ptr::NonNull;

use lock_api::MutexGuard;
use provider::kernel::{Dpc, Event as _, Kernel};
use provider::{NoMemory, Shared};
use sys::irql::PassiveLevel;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER};

use crate::datagram::Datagrams;
use crate::endpoint::Endpoint;
use crate::link_events::LinkEvents;
use crate::request::{Command, Request as _, RequestId};
use crate::slab::{Id, Slab};
use crate::state::{Phase, TransportState};
use crate::system::{Client, ConnectRequestOf, System};

type Lock<S, T> = lock_api::Mutex<<<S as System>::Kernel as Kernel>::Lock, T>;
type Guard<'a, S> = MutexGuard<'a, <<S as System>::Kernel as Kernel>::Lock, TransportState<S>>;

/// The state that all clones of a transport share.
pub(crate) struct Inner<S: System> {
    state: Lock<S, TransportState<S>>,
    network: S::Network,
    /// Delivers datagrams.
    pub(crate) delivery: <S::Kernel as Kernel>::Dpc,
}

/// A transport; clones are the same one.
pub struct Transport<S: System>(Shared<Inner<S>>);

impl<S: System> Clone for Transport<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A request for a file is being looked at: the file's cleanup waits until this is dropped, without a lock
/// held.
pub struct Entered<S: System> {
    transport: Transport<S>,
    file: Id,
}

impl<S: System> Entered<S> {
    /// The file.
    pub(crate) const fn file(&self) -> Id {
        self.file
    }
}

impl<S: System> Drop for Entered<S> {
    fn drop(&mut self) {
        self.transport.release(self.file);
    }
}

impl<S: System<Client = Self>> Transport<S> {
    /// A transport without files.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub fn new(network: S::Network) -> Result<Self, NoMemory> {
        let state = lock_api::Mutex::new(TransportState { files: Slab::new(), datagrams: Datagrams::new()? });
        let transport = Self(Shared::new(Inner { state, network, delivery: Dpc::new() })?);
        // SAFETY: the transport is new.
        unsafe { transport.prepare_delivery() };
        Ok(transport)
    }

    pub(crate) fn inner(&self) -> &Inner<S> {
        &self.0
    }

    /// The transport as the context of a call.
    pub(crate) fn into_raw(self) -> NonNull<c_void> {
        self.0.into_raw()
    }

    /// # Safety
    ///
    /// `raw` is what [`Transport::into_raw`] gave, and was not taken back yet.
    pub(crate) unsafe fn from_raw(raw: NonNull<c_void>) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { Shared::from_raw(raw) })
    }

    /// The network below.
    #[must_use]
    pub fn network(&self) -> &S::Network {
        &self.0.network
    }

    /// Notes what carries a file (a file object's address), by which [`Transport::by_file_object`] finds it.
    pub fn set_file_object(&self, file: Id, file_object: usize) {
        if let Some(file) = self.lock().files.get_mut(file) {
            file.file_object = file_object;
        }
    }

    /// The file that something carries, unless it was closed.
    #[must_use]
    pub fn by_file_object(&self, file_object: usize) -> Option<Id> {
        let locked = self.lock();
        let mut open = locked.files.iter().filter(|(_, file)| file.phase != Phase::Closed);
        open.find(|(_, file)| file.file_object == file_object).map(|(id, _)| id)
    }

    /// A request for a file has come.
    ///
    /// # Errors
    ///
    /// `STATUS_FILE_CLOSED` once the file was cleaned up.
    pub fn enter(&self, file: Id) -> Result<Entered<S>, NTSTATUS> {
        let mut locked = self.lock();
        let opened = locked.open_file(file)?;
        opened.outstanding = opened.outstanding.checked_add(1).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        drop(locked);
        Ok(Entered { transport: self.clone(), file })
    }

    /// Begins a request; it is completed in any case, perhaps before this returns. Up to DISPATCH_LEVEL.
    pub fn submit(&self, file: Id, command: Command, request: S::Request) {
        let on_address = self.lock().address(file).is_some();
        match command {
            Command::SendDatagram { to, length } if on_address => {
                self.send_datagram(file, to, length, request);
            }
            Command::ReceiveDatagram { from, length, flags } if on_address => {
                self.receive_datagram(file, from, length, flags, request);
            }
            command => {
                let put = self.lock().put(file, command, request, None);
                match put {
                    Ok(()) => self.drive(file),
                    Err((request, _, status)) => request.complete(status, 0),
                }
            }
        }
    }

    /// The cancel routine of a request that was armed with this request ID. Up to DISPATCH_LEVEL.
    pub fn cancel(&self, request_id: RequestId) {
        if let Some(endpoint) = self.lock().endpoint(request_id.file) {
            endpoint.cancel(request_id.number);
        }
        self.drive(request_id.file);
        self.cancel_datagram(request_id);
    }

    /// Associates an endpoint with an address object.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_HANDLE` if `address` is none; `STATUS_CONNECTION_ACTIVE` or
    /// `STATUS_INVALID_CONNECTION` if the endpoint is associated already, connected or not.
    pub fn associate(&self, endpoint: Id, address: Id) -> Result<(), NTSTATUS> {
        self.lock().associate(endpoint, address)
    }

    /// Takes the association of an endpoint back.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_CONNECTION` if there is none, or the endpoint is active.
    pub fn disassociate(&self, endpoint: Id) -> Result<(), NTSTATUS> {
        let parted = self.lock().disassociate(endpoint);
        parted.map(drop)
    }

    /// Registers an event handler of an address object, or takes it back if `function` is null. What has
    /// arrived before is shown to a new handler at once, perhaps before this returns. Up to DISPATCH_LEVEL.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` for an unknown event, or a file that is no address.
    pub fn set_event(
        &self,
        file: Id,
        event: i32,
        function: *mut c_void,
        context: *mut c_void,
    ) -> Result<(), NTSTATUS> {
        {
            let mut locked = self.lock();
            let address = locked.open_file(file)?.address_mut().ok_or(STATUS_INVALID_PARAMETER)?;
            address.handlers.set(event, function, context)?;
        }
        if !function.is_null() {
            self.drive_all(|endpoint| endpoint.address == Some(file));
        }
        Ok(())
    }

    /// The network has events for an endpoint. Up to DISPATCH_LEVEL, with no lock held.
    pub fn note(&self, endpoint: Id, link_events: LinkEvents) {
        if let Some(endpoint) = self.lock().endpoint(endpoint) {
            endpoint.link_events.add(link_events);
        }
        self.drive(endpoint);
    }

    /// The connection of an endpoint did not come about, or has broken. As [`Transport::note`].
    pub fn lost(&self, endpoint: Id, status: NTSTATUS) {
        if let Some(endpoint) = self.lock().endpoint(endpoint) {
            endpoint.lost = status;
            endpoint.link_events.add(LinkEvents::LOST);
        }
        self.drive(endpoint);
    }

    /// Ends what took too long. Called a few times a second. Up to DISPATCH_LEVEL, with no lock held.
    pub fn tick(&self) {
        let now = S::now();
        self.drive_all(|endpoint| endpoint.is_late(now));
    }

    /// Pumps each endpoint for which `wanted` holds.
    pub(crate) fn drive_all(&self, wanted: impl Fn(&mut Endpoint<S>) -> bool) {
        let mut after = None;
        while let Some(id) = self.next_endpoint(after, &wanted) {
            self.drive(id);
            after = Some(id);
        }
    }

    fn next_endpoint(&self, after: Option<Id>, wanted: impl Fn(&mut Endpoint<S>) -> bool) -> Option<Id> {
        let mut locked = self.lock();
        let mut rest =
            locked.files.iter_mut().skip_while(|(id, _)| after.is_some_and(|after| !id.follows(after)));
        rest.find_map(|(id, file)| file.endpoint_mut().is_some_and(&wanted).then_some(id))
    }
}

impl<S: System> Transport<S> {
    /// The place of the state, for a debugger.
    pub(crate) fn state(&self) -> *const TransportState<S> {
        self.0.state.data_ptr()
    }

    pub(crate) fn lock(&self) -> Guard<'_, S> {
        self.0.state.lock()
    }

    /// Something that referred to a file is over.
    pub(crate) fn release(&self, id: Id) {
        let idle_event = self.lock().release(id);
        if let Some(idle_event) = idle_event {
            idle_event.signal();
        }
    }
}

impl<S: System<Client = Self>> Client<S> for Transport<S> {
    fn note(&self, endpoint: Id, events: LinkEvents) {
        self.note(endpoint, events);
    }

    fn lost(&self, endpoint: Id, status: NTSTATUS) {
        self.lost(endpoint, status);
    }

    fn connect_event(&self, local: SocketAddr, connect_request: ConnectRequestOf<S>) {
        self.connect_event(local, connect_request);
    }

    fn on_adapter_removed(&self, level: PassiveLevel) {
        self.on_adapter_removed(level);
    }

    fn trace_endpoints(&self) {
        self.trace_endpoints();
    }
}

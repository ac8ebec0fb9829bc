//! The count of handlers that run, and the requests that they give away.

use core::ptr::NonNull;

use sys::status::NTSTATUS;
use sys::wdm::IRP;

use crate::call::Call;
use crate::ea::ConnectionContext;
use crate::request::Command;
use crate::slab::Id;
use crate::state::TransportState;
use crate::system::{HandlerIrp, System};
use crate::transport::{Entered, Transport};

impl<S: System> TransportState<S> {
    /// Begins the call of a handler of an address. `None` once the address was cleaned up.
    pub(crate) fn call(&mut self, address: Id) -> Option<Call<()>> {
        self.hold(address)?;
        Some(Call::new(address, None, ()))
    }

    /// Begins the call of a handler of an address about an endpoint. `None` once either was cleaned up.
    pub(crate) fn call_about(&mut self, address: Id, endpoint: Id) -> Option<Call<ConnectionContext>> {
        let context = self.endpoint(endpoint)?.context;
        self.open_file(address).ok()?;
        self.hold(endpoint)?;
        self.hold(address)?;
        Some(Call::new(address, Some(endpoint), context))
    }

    /// Holds a file until [`TransportState::release`].
    fn hold(&mut self, id: Id) -> Option<()> {
        let file = self.open_file(id).ok()?;
        // As many as processors and waiting threads can call, which fits.
        file.outstanding = file.outstanding.saturating_add(1);
        Some(())
    }
}

/// A request that a handler gave away, counted by its file while it is in hand.
pub(crate) struct Given<S: System> {
    pub(crate) request: S::Request,
    pub(crate) command: Command,
    /// The file that it is for, or the status with which it is refused.
    pub(crate) file: Result<Entered<S>, NTSTATUS>,
}

impl<S: System<Client = Self>> Transport<S> {
    /// A handler has returned, and what it returned was taken over.
    pub(crate) fn over<C>(&self, call: Call<C>) {
        let (address, endpoint) = call.into_files();
        if let Some(endpoint) = endpoint {
            self.release(endpoint);
        }
        self.release(address);
    }

    /// Takes over what a handler gave away: from here on its file counts it. It is to be refused with
    /// `STATUS_FILE_CLOSED` if its file was cleaned up, and with `foreign` if that is none of this transport's.
    /// `None` if it was no request, and is complete.
    ///
    /// # Safety
    ///
    /// `irp` is what a handler of the client returned with `STATUS_MORE_PROCESSING_REQUIRED`.
    pub(crate) unsafe fn take_over(&self, irp: NonNull<IRP>, foreign: NTSTATUS) -> Option<Given<S>> {
        // SAFETY: as the caller promises.
        let HandlerIrp { request, file, command } = unsafe { S::accept_irp(irp) }?;
        let file = file.ok_or(foreign).and_then(|file| self.enter(file));
        Some(Given { request, command, file })
    }
}

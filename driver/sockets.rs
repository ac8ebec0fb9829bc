//! The driver as a client of Winsock Kernel, from loading to unloading.

#![forbid(unsafe_code)]

use alloc::boxed::Box;
use core::ptr::NonNull;

use sys::irql::PassiveLevel;
use sys::ndis::NDIS_HANDLE;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

use crate::heap::boxed;
use crate::work_item::WorkItem;
use crate::wsk::Client;

static CLIENT: Client = Client;

/// The registration, and the work item that waits for the provider: tcpip.sys may come later than this driver, and may
/// itself wait for what this driver's loading holds up (WSK-1).
#[must_use = "the registration lasts until it is ended"]
pub(crate) struct Sockets(Box<WorkItem<Client>>);

impl Sockets {
    /// Registers the driver with this handle of NDIS.
    ///
    /// # Errors
    ///
    /// `STATUS_INSUFFICIENT_RESOURCES`; those of Winsock Kernel.
    pub(crate) fn register(driver: NDIS_HANDLE, level: PassiveLevel) -> Result<Self, NTSTATUS> {
        let wait = WorkItem::new(driver, Client::wait_for_provider, level);
        let wait = wait.and_then(boxed).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        Client::register(level)?;
        wait.initialise(NonNull::from(&CLIENT));
        wait.request();
        Ok(Self(wait))
    }

    /// Ends the registration: all sockets are closed, and no adapter is left.
    pub(crate) fn deregister(self, level: PassiveLevel) {
        Client::end_wait();
        self.0.finish(level);
        Client::deregister(level);
    }
}

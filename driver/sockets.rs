//! The driver as a client of Winsock Kernel, from loading to unloading.

#![forbid(unsafe_code)]

use alloc::boxed::Box;
use core::ptr::NonNull;

use provider::NoMemory;
use sys::irql::PassiveLevel;
use sys::ndis::NDIS_HANDLE;
use sys::status::{STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY};

use crate::heap::boxed;
use crate::step::Step;
use crate::work_item::WorkItem;
use crate::wsk::Client;

static CLIENT: Client = Client;

/// The registration, and the work item that waits for the provider: tcpip.sys may come later than this driver, and may
/// itself wait for what this driver's loading holds up (WSK-1).
#[must_use = "the registration lasts until it is ended"]
pub(crate) struct Sockets(Box<WorkItem<Client>>);

impl Sockets {
    /// Registers the driver with this handle of NDIS, without waiting for the provider. `None` if Winsock Kernel does not
    /// register it, which the debugger is told: the adapters have loopback alone then.
    ///
    /// # Errors
    ///
    /// [`NoMemory`], also where Winsock Kernel has none: that passes, so the driver may be loaded later.
    pub(crate) fn register(driver: NDIS_HANDLE, level: PassiveLevel) -> Result<Option<Self>, NoMemory> {
        let wait = WorkItem::new(driver, Client::wait_for_provider, level);
        let wait = wait.and_then(boxed).ok_or(NoMemory)?;
        match Client::register(level) {
            Ok(()) => {
                wait.initialise(NonNull::from(&CLIENT));
                wait.request();
                Ok(Some(Self(wait)))
            }
            Err(STATUS_INSUFFICIENT_RESOURCES | STATUS_NO_MEMORY) => Err(NoMemory),
            Err(status) => {
                Step::Sockets.failed(status).print();
                Ok(None)
            }
        }
    }

    /// Ends the registration: all sockets are closed, and no adapter is left.
    pub(crate) fn deregister(self, level: PassiveLevel) {
        Client::end_wait();
        self.0.finish(level);
        Client::deregister(level);
    }
}

//! The driver's registrations: with the framework and NDIS, and the fabric of its adapters.

#![expect(unsafe_code, reason = "NDIS is called")]

use lock_api::RawMutex as _;
use provider::rnic::Fabric;
use sys::irql::PassiveLevel;
use sys::ndis::{self, NDIS_HANDLE, NDIS_MINIPORT_DRIVER_CHARACTERISTICS};
use sys::status::{NDIS_STATUS, NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};

use crate::framework::{Device, Framework, Stack};
use crate::kernel::events::CaptureState;
use crate::kernel::{Lock, SpinLock, Windows};
use crate::nt;
use crate::sockets::Sockets;

/// The driver while it is loaded. MiniportDriverUnload gets no context, so it lives here.
static LOADED: Lock<Option<Loaded>> = Lock::const_new(SpinLock::INIT, None);

/// The parts of a loaded driver.
pub(crate) struct Loaded {
    pub(crate) registration: Registration,
    /// None if Winsock Kernel did not register the driver.
    pub(crate) sockets: Option<Sockets>,
    pub(crate) fabric: Fabric<Windows>,
    pub(crate) framework: Framework,
}

/// Keeps the parts of the driver until [`take`].
pub(crate) fn keep(loaded: Loaded) {
    *LOADED.lock() = Some(loaded);
}

/// Takes the parts of the driver, which is being unloaded; `None` if it is not loaded.
pub(crate) fn take() -> Option<Loaded> {
    LOADED.lock().take()
}

/// The fabric that connects the RDMA sides of the driver's adapters; `None` if the driver is not loaded.
pub(crate) fn fabric() -> Option<Fabric<Windows>> {
    LOADED.lock().as_ref().map(|driver| driver.fabric.clone())
}

/// Returns true if the driver is a client of Winsock Kernel.
pub(crate) fn has_sockets() -> bool {
    LOADED.lock().as_ref().is_some_and(|driver| driver.sockets.is_some())
}

/// The state of the driver, for a trace session: the objects of all RNICs.
pub(crate) struct Objects;

impl CaptureState for Objects {
    fn write() {
        if let Some(fabric) = fabric() {
            fabric.write_state();
        }
    }
}

/// NDIS's handle of the driver; `None` if the driver is not loaded.
pub(crate) fn handle() -> Option<NDIS_HANDLE> {
    LOADED.lock().as_ref().map(|driver| driver.registration.handle())
}

/// Creates the framework's device for an adapter.
///
/// # Errors
///
/// The framework's.
///
/// # Safety
///
/// `stack` is that of an adapter that is being initialised.
pub(crate) unsafe fn device(stack: &Stack, level: PassiveLevel) -> Result<Device, NTSTATUS> {
    // The handle is copied out: the framework must not be called with a lock held.
    let framework = LOADED.lock().as_ref().map(|driver| driver.framework);
    let framework = framework.ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    // SAFETY: as the caller promises; the driver object lives as long as the driver is loaded.
    unsafe { framework.device(stack, level) }
}

/// The driver's registration with NDIS. Dropped at PASSIVE_LEVEL.
pub(crate) struct Registration(NDIS_HANDLE);

// SAFETY: NDIS's handles may be used on any thread.
unsafe impl Send for Registration {}

impl Registration {
    /// Registers the driver with its handlers. Inside the call NDIS calls the set-options handler.
    ///
    /// # Errors
    ///
    /// Those of NDIS.
    ///
    /// # Safety
    ///
    /// Object and path are those of the driver's entry point, which is running, and the characteristics are complete.
    pub(crate) unsafe fn new(
        object: *mut nt::DRIVER_OBJECT,
        registry_path: nt::PCUNICODE_STRING,
        characteristics: &NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
        _: PassiveLevel,
    ) -> Result<Self, NDIS_STATUS> {
        let mut handle = core::ptr::null_mut();
        // SAFETY: as the caller promises.
        let status = unsafe {
            ndis::NdisMRegisterMiniportDriver(
                object.cast(),
                registry_path.cast_mut().cast(),
                core::ptr::null_mut(),
                &raw const *characteristics,
                &raw mut handle,
            )
        };
        if status == STATUS_SUCCESS { Ok(Self(handle)) } else { Err(status) }
    }

    /// NDIS's handle of the driver.
    pub(crate) const fn handle(&self) -> NDIS_HANDLE {
        self.0
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the handle is that of the driver's own registration, which ends here.
        unsafe { ndis::NdisMDeregisterMiniportDriver(self.0) };
    }
}

//! The driver as a whole: loading and unloading.

use lock_api::RawMutex as _;
use provider::port::Segment;
use sys::ndis::{self, NDIS_HANDLE};
use sys::status::{NDIS_STATUS, NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};

use crate::failure::{Failure, Step};
use crate::framework::{Device, Framework, Stack};
use crate::kernel::{Lock, SpinLock, Windows};
use crate::{miniport, nt, tdi};

/// The driver while it is loaded. MiniportDriverUnload gets no context, so it lives here.
static LOADED: Lock<Option<Driver>> = Lock::const_new(SpinLock::INIT, None);

/// The parts of the driver, which are dropped in the order of the fields.
struct Driver {
    registration: Registration,
    segment: Segment<Windows>,
    framework: Framework,
}

/// Loads the driver. PASSIVE_LEVEL.
///
/// # Errors
///
/// The step that failed, with the framework's status, NDIS's or `STATUS_INSUFFICIENT_RESOURCES`; everything is undone
/// then.
///
/// # Safety
///
/// The arguments are those of the driver's entry point, which is running.
pub(crate) unsafe fn load(
    object: *mut nt::DRIVER_OBJECT,
    registry_path: nt::PCUNICODE_STRING,
) -> Result<(), Failure> {
    // SAFETY: as the caller promises.
    let framework = unsafe { Framework::create(object, registry_path) };
    let framework = framework.map_err(|status| Step::Framework.failed(status))?;
    let segment = Segment::new().map_err(|_| Step::Segment.starved())?;
    // SAFETY: as the caller promises.
    let registration = unsafe { Registration::new(object, registry_path) };
    let registration = registration.map_err(|status| Step::Registration.failed(status))?;
    tdi::load(registration.0).map_err(|_| Step::LegacyTransport.starved())?;
    *LOADED.lock() = Some(Driver { registration, segment, framework });
    Ok(())
}

/// Unloads the driver. PASSIVE_LEVEL.
///
/// # Safety
///
/// NDIS unloads the driver: it has no adapter left.
pub(crate) unsafe fn unload() {
    let Some(Driver { registration, segment, framework }) = LOADED.lock().take() else { return };
    tdi::unload();
    drop(registration);
    // What the last closes deferred has begun, but may not have returned from the driver's code yet.
    // SAFETY: the level is PASSIVE_LEVEL.
    unsafe { nt::KeFlushQueuedDpcs() };
    drop(segment);
    // SAFETY: with the last adapter its device went; nothing else of the driver is left.
    unsafe { framework.unload() };
}

/// The segment that connects the RDMA sides of the driver's adapters; `None` if the driver is not loaded.
pub(crate) fn segment() -> Option<Segment<Windows>> {
    LOADED.lock().as_ref().map(|driver| driver.segment.clone())
}

/// NDIS's handle of the driver; `None` if the driver is not loaded.
pub(crate) fn handle() -> Option<NDIS_HANDLE> {
    LOADED.lock().as_ref().map(|driver| driver.registration.0)
}

/// Creates the framework's device for an adapter. PASSIVE_LEVEL.
///
/// # Errors
///
/// The framework's.
///
/// # Safety
///
/// `stack` is that of an adapter that is being initialised.
pub(crate) unsafe fn device(stack: &Stack) -> Result<Device, NTSTATUS> {
    // The handle is copied out: the framework must not be called with a lock held.
    let framework = LOADED.lock().as_ref().map(|driver| driver.framework);
    let framework = framework.ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    // SAFETY: as the caller promises; the driver object lives as long as the driver is loaded.
    unsafe { framework.device(stack) }
}

/// The driver's registration with NDIS.
struct Registration(NDIS_HANDLE);

// SAFETY: NDIS's handles may be used on any thread.
unsafe impl Send for Registration {}

impl Registration {
    /// Registers. Inside the call NDIS calls the set-options handler.
    ///
    /// # Safety
    ///
    /// As [`load`].
    unsafe fn new(
        object: *mut nt::DRIVER_OBJECT,
        registry_path: nt::PCUNICODE_STRING,
    ) -> Result<Self, NDIS_STATUS> {
        let characteristics = miniport::characteristics();
        let mut handle = core::ptr::null_mut();
        // SAFETY: object and path are the entry point's, and the characteristics complete.
        let status = unsafe {
            ndis::NdisMRegisterMiniportDriver(
                object.cast(),
                registry_path.cast_mut().cast(),
                core::ptr::null_mut(),
                &raw const characteristics,
                &raw mut handle,
            )
        };
        if status == STATUS_SUCCESS { Ok(Self(handle)) } else { Err(status) }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the handle is that of the driver's own registration, which ends here.
        unsafe { ndis::NdisMDeregisterMiniportDriver(self.0) };
    }
}

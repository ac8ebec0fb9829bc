//! The driver as a whole: loading and unloading.

#![expect(
    unsafe_code,
    reason = "the functions of loading and unloading demand that the system loads and unloads"
)]

use provider::rnic::Fabric;
use sys::irql::PassiveLevel;
use sys::ndis::NDIS_MINIPORT_DRIVER_CHARACTERISTICS;

use crate::framework::Framework;
use crate::kernel::{events, flush_dpcs};
use crate::registration::{self, Loaded, Objects, Registration};
use crate::sockets::Sockets;
use crate::step::{Step, StepError};
use crate::{nt, tdi};

/// Loads the driver, whose handlers the characteristics name.
///
/// # Errors
///
/// The step that failed, with the framework's status, NDIS's or `STATUS_INSUFFICIENT_RESOURCES`; everything is undone
/// then.
///
/// # Safety
///
/// Object and path are those of the driver's entry point, which is running, and the characteristics are complete.
pub(crate) unsafe fn load(
    object: *mut nt::DRIVER_OBJECT,
    registry_path: nt::PCUNICODE_STRING,
    characteristics: &NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    level: PassiveLevel,
) -> Result<(), StepError> {
    // SAFETY: as the caller promises.
    let framework = unsafe { Framework::create(object, registry_path, level) };
    let framework = framework.map_err(|status| Step::Framework.failed(status))?;
    let fabric = Fabric::new().map_err(|_| Step::Fabric.out_of_memory())?;
    // SAFETY: as the caller promises.
    let registration = unsafe { Registration::new(object, registry_path, characteristics, level) };
    let registration = registration.map_err(|status| Step::Registration.failed(status))?;
    let sockets = Sockets::register(registration.handle(), level);
    let sockets = sockets.map_err(|_| Step::Sockets.out_of_memory())?;
    if tdi::load(registration.handle(), level).is_err() {
        if let Some(sockets) = sockets {
            sockets.deregister(level);
        }
        return Err(Step::LegacyTransport.out_of_memory());
    }
    registration::keep(Loaded { registration, sockets, fabric, framework });
    events::register::<Objects>(level);
    Ok(())
}

/// Unloads the driver.
///
/// # Safety
///
/// NDIS unloads the driver: it has no adapter left.
pub(crate) unsafe fn unload(level: PassiveLevel) {
    let Some(Loaded { registration, sockets, fabric, framework }) = registration::take() else { return };
    tdi::unload(level);
    // With the last adapter the last socket has gone: a halt waits for the closes of its adapter's.
    if let Some(sockets) = sockets {
        sockets.deregister(level);
    }
    drop(registration);
    // What the last closes deferred has begun, but may not have returned from the driver's code yet.
    flush_dpcs(level);
    events::unregister(level);
    drop(fabric);
    // SAFETY: with the last adapter its device went; nothing else of the driver is left.
    unsafe { framework.unload(level) };
}

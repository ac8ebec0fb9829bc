//! Miniport drivers: registration, optional handlers, deregistration, unloading.

use core::ptr;
use std::sync::Arc;

use nt::fault;
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::number::ToU64;
use parking_lot::Mutex;
use sys::ndis::*;
use sys::status::{
    NDIS_STATUS, NDIS_STATUS_BAD_CHARACTERISTICS, NDIS_STATUS_BAD_VERSION, NDIS_STATUS_INVALID_PARAMETER,
    NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS,
};
use sys::wdm::{DRIVER_OBJECT, UNICODE_STRING};

use super::header::{self, Expected};
use super::{ndis, violation};

/// A registered miniport driver.
pub(super) struct MiniportDriver {
    pub(super) handle: Va,
    pub(super) context: Va,
    pub(super) object: *mut DRIVER_OBJECT,
    pub(super) handlers: NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    options: Mutex<Options>,
}

// SAFETY: the driver object outlives its registration, and the handlers are functions.
unsafe impl Send for MiniportDriver {}
// SAFETY: as above.
unsafe impl Sync for MiniportDriver {}

#[derive(Default)]
struct Options {
    /// Set if the driver's set-options handler runs, the only place to set optional handlers.
    open: bool,
    ndk: Option<NDIS_NDK_PROVIDER_CHARACTERISTICS>,
}

const CHARACTERISTICS: Expected = Expected {
    name: "NDIS_MINIPORT_DRIVER_CHARACTERISTICS",
    kind: NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
    revisions: &[
        (1, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1),
        (2, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2),
        (3, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3),
    ],
};

const NDK: Expected = Expected {
    name: "NDIS_NDK_PROVIDER_CHARACTERISTICS",
    kind: NDIS_OBJECT_TYPE_NDK_PROVIDER_CHARACTERISTICS,
    revisions: &[(1, NDIS_SIZEOF_NDK_PROVIDER_CHARACTERISTICS_REVISION_1)],
};

/// The versions of NDIS 6 that a miniport driver may be for, from Windows Vista to the version that [`NdisGetVersion()`] has:
/// <https://learn.microsoft.com/windows-hardware/drivers/network/overview-of-ndis-versions>.
const VERSIONS: &[(u8, u8)] = &[
    (6, 0),
    (6, 1),
    (6, 20),
    (6, 30),
    (6, 40),
    (6, 50),
    (6, 51),
    (6, 60),
    (6, 70),
    (6, 80),
    (6, 81),
    (6, 82),
    (6, 83),
    (6, 84),
    (6, 85),
    (6, 86),
    (6, 87),
    (6, 88),
    (6, 89),
];

impl MiniportDriver {
    /// The RDMA handlers, if the driver set any.
    pub(super) fn ndk(&self) -> Option<NDIS_NDK_PROVIDER_CHARACTERISTICS> {
        self.options.lock().ndk
    }

    pub(super) fn never_deregistered(&self) {
        let parameters = [0x0A, self.handle.bits(), Va::of(self.object).bits(), 0];
        violation(
            "NdisMDeregisterMiniportDriver",
            parameters,
            "a miniport driver was never deregistered".into(),
        );
    }
}

/// The registered driver of a driver object.
pub(super) fn of_object(object: *mut DRIVER_OBJECT) -> Option<Arc<MiniportDriver>> {
    ndis().drivers.lock().values().find(|driver| ptr::eq(driver.object, object)).cloned()
}

exports! {
    "ndis.sys", signature;

    /// Registers a miniport driver.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisMRegisterMiniportDriver(
        object: *mut DRIVER_OBJECT,
        _path: *mut UNICODE_STRING,
        context: NDIS_HANDLE,
        characteristics: *const NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
        out: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS {
        // SAFETY: the driver passes its characteristics.
        let handlers = match unsafe { read(characteristics) } {
            Ok(handlers) => handlers,
            Err(status) => return status,
        };
        if fault::strikes() {
            return NDIS_STATUS_RESOURCES;
        }
        let handle = ndis().new_handle();
        let options = Mutex::default();
        let driver =
            Arc::new(MiniportDriver { handle, context: Va::of(context), object, handlers, options });
        ndis().drivers.lock().insert(handle, Arc::clone(&driver));
        // SAFETY: the driver passes its driver object.
        unsafe { (*object).DriverUnload = Some(unload) };
        // SAFETY: the driver passes room for the handle.
        unsafe { out.write(handle.ptr()) };
        let status = set_options(&driver);
        if status != NDIS_STATUS_SUCCESS {
            ndis().drivers.lock().remove(&handle);
        }
        status
    }

    /// Deregisters a miniport driver.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisMDeregisterMiniportDriver(handle: NDIS_HANDLE) {
        let Some(driver) = ndis().drivers.lock().remove(&Va::of(handle)) else {
            let text = format!("{handle:p} is no driver, or was deregistered before");
            violation("NdisMDeregisterMiniportDriver", [0x0A, Va::of(handle).bits(), 0, 0], text);
            return;
        };
        let left =
            ndis().adapters.lock().values().filter(|adapter| Arc::ptr_eq(&adapter.driver, &driver)).count();
        if left > 0 {
            let text = format!("the driver is deregistered while {left} of its adapters are not halted");
            let parameters = [0x0A, Va::of(handle).bits(), Va::of(driver.object).bits(), left.to_u64()];
            violation("NdisMDeregisterMiniportDriver", parameters, text);
        }
    }

    /// Sets optional handlers, from inside the driver's set-options handler.
    #[irql(PASSIVE..=PASSIVE)]
    fn NdisSetOptionalHandlers(
        handle: NDIS_HANDLE,
        handlers: *const NDIS_DRIVER_OPTIONAL_HANDLERS,
    ) -> NDIS_STATUS {
        let Some(driver) = ndis().drivers.lock().get(&Va::of(handle)).cloned() else {
            return NDIS_STATUS_INVALID_PARAMETER;
        };
        if !driver.options.lock().open {
            let text = "NdisSetOptionalHandlers called outside the set-options handler".into();
            violation("NdisSetOptionalHandlers", [0x1F, Va::of(handle).bits(), 0, 0], text);
            return NDIS_STATUS_NOT_SUPPORTED;
        }
        // SAFETY: the driver passes handlers, which begin with their head.
        match unsafe { (*handlers).Header.Type } {
            NDIS_OBJECT_TYPE_NDK_PROVIDER_CHARACTERISTICS => {
                // SAFETY: the type says which structure it is.
                unsafe { set_ndk(&driver, handlers.cast()) }
            }
            NDIS_OBJECT_TYPE_MINIPORT_PNP_CHARACTERISTICS => NDIS_STATUS_SUCCESS,
            _ => NDIS_STATUS_NOT_SUPPORTED,
        }
    }

    /// The version of NDIS: 6.89, which came with Windows Server 2022.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisGetVersion() -> u32 {
        0x0006_0059
    }
}

/// Copies a driver's characteristics, which end earlier in lower revisions, and checks them.
///
/// # Safety
/// They begin with their head, whose size they have.
unsafe fn read(
    characteristics: *const NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
) -> Result<NDIS_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_STATUS> {
    // SAFETY: the caller's contract.
    if !unsafe { header::check(characteristics.cast(), &CHARACTERISTICS) } {
        return Err(NDIS_STATUS_BAD_CHARACTERISTICS);
    }
    // SAFETY: the caller's contract.
    let size = usize::from(unsafe { (*characteristics).Header.Size });
    let mut copy = core::mem::MaybeUninit::<NDIS_MINIPORT_DRIVER_CHARACTERISTICS>::zeroed();
    let length = size.min(size_of::<NDIS_MINIPORT_DRIVER_CHARACTERISTICS>());
    // SAFETY: so many bytes are there by the caller's contract, and fit.
    unsafe { ptr::copy_nonoverlapping(characteristics.cast::<u8>(), copy.as_mut_ptr().cast(), length) };
    // SAFETY: all zero is a valid value, and what was copied over it is one by the caller's contract.
    let handlers = unsafe { copy.assume_init() };
    if !VERSIONS.contains(&(handlers.MajorNdisVersion, handlers.MinorNdisVersion)) {
        return Err(NDIS_STATUS_BAD_VERSION);
    }
    let mandatory = [
        ("InitializeHandlerEx", handlers.InitializeHandlerEx.is_some()),
        ("HaltHandlerEx", handlers.HaltHandlerEx.is_some()),
        ("UnloadHandler", handlers.UnloadHandler.is_some()),
        ("PauseHandler", handlers.PauseHandler.is_some()),
        ("RestartHandler", handlers.RestartHandler.is_some()),
        ("OidRequestHandler", handlers.OidRequestHandler.is_some()),
        ("SendNetBufferListsHandler", handlers.SendNetBufferListsHandler.is_some()),
        ("ReturnNetBufferListsHandler", handlers.ReturnNetBufferListsHandler.is_some()),
        ("CancelSendHandler", handlers.CancelSendHandler.is_some()),
        ("DevicePnPEventNotifyHandler", handlers.DevicePnPEventNotifyHandler.is_some()),
        ("ShutdownHandlerEx", handlers.ShutdownHandlerEx.is_some()),
        ("CancelOidRequestHandler", handlers.CancelOidRequestHandler.is_some()),
    ];
    if let Some((missing, _)) = mandatory.iter().find(|(_, there)| !there) {
        let text = format!("the miniport driver has no {missing}");
        violation("NdisMRegisterMiniportDriver", [0, 0, Va::of(characteristics).bits(), 0], text);
        return Err(NDIS_STATUS_BAD_CHARACTERISTICS);
    }
    Ok(handlers)
}

fn set_options(driver: &MiniportDriver) -> NDIS_STATUS {
    let Some(handler) = driver.handlers.SetOptionsHandler else { return NDIS_STATUS_SUCCESS };
    driver.options.lock().open = true;
    let (handle, context) = (driver.handle.ptr(), driver.context.ptr());
    // SAFETY: the handler is the driver's own, with its own context.
    let status = boundary::call_driver("MiniportSetOptions", || unsafe { handler(handle, context) });
    driver.options.lock().open = false;
    status
}

/// # Safety
/// `handlers` begins with its head.
unsafe fn set_ndk(
    driver: &MiniportDriver,
    handlers: *const NDIS_NDK_PROVIDER_CHARACTERISTICS,
) -> NDIS_STATUS {
    // SAFETY: the caller's contract.
    if !unsafe { header::check(handlers.cast(), &NDK) } {
        return NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    // SAFETY: the head says that the structure has this size.
    let handlers = unsafe { handlers.read() };
    let direct = driver.handlers.DirectOidRequestHandler.is_some()
        && driver.handlers.CancelDirectOidRequestHandler.is_some();
    if handlers.OpenNDKAdapterHandler.is_none() || handlers.CloseNDKAdapterHandler.is_none() || !direct {
        let text = "an RDMA provider needs open, close and direct OID request handlers".into();
        violation("NdisSetOptionalHandlers", [0, driver.handle.bits(), 0, 0], text);
        return NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    driver.options.lock().ndk = Some(handlers);
    NDIS_STATUS_SUCCESS
}

/// The unload routine that NDIS puts into the driver object: calls the miniport's own.
unsafe extern "efiapi" fn unload(object: *mut DRIVER_OBJECT) {
    let Some(driver) = of_object(object) else { return };
    if let Some(handler) = driver.handlers.UnloadHandler {
        // SAFETY: the handler is the driver's own, with its own object.
        boundary::call_driver("MiniportDriverUnload", || unsafe { handler(object) });
    }
    if ndis().drivers.lock().remove(&driver.handle).is_some() {
        driver.never_deregistered();
    }
}

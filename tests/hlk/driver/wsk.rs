//! The way to an NDK adapter: WSK, its control code 'NDKD', and `WskOpenNdkAdapter` by interface index.

#![expect(unsafe_code, reason = "functions of WSK are called")]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::null_mut;

use protocol::Kind;
use sys::ndk::{NDK_ADAPTER, NDK_VERSION, NDK_VERSION_1_2, NDK_VERSION_2_0, NDK_VERSION_2_1};
use sys::status::{NDIS_STATUS_BAD_VERSION, NTSTATUS, STATUS_NOINTERFACE, STATUS_SUCCESS};
use sys::wsk::{
    WSK_CLIENT, WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_PROVIDER_DISPATCH, WSK_PROVIDER_NDK_DISPATCH,
    WSK_PROVIDER_NPI, WSK_REGISTRATION, WSKNDK_GET_WSK_PROVIDER_NDK_DISPATCH, WskCaptureProviderNPI,
    WskDeregister, WskRegister, WskReleaseProviderNPI,
};

use crate::call_log::{CallLog, Object};
use crate::ndk::Handle;

/// Version 1.0, as `MAKE_WSK_VERSION` makes it: major in the high byte (wsk.h).
const WSK_VERSION_1_0: u16 = 0x0100;
/// The time, in milliseconds, to wait for WSK.
const WAIT: u32 = 10_000;

static CLIENT_DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: WSK_VERSION_1_0, Reserved: 0, WskClientEvent: None };

/// The driver's registration with WSK; it stays in place from DriverEntry to unload.
pub(crate) struct Registration(UnsafeCell<MaybeUninit<WSK_REGISTRATION>>);

// SAFETY: WSK synchronises access to the structure, which is opaque to its clients.
unsafe impl Sync for Registration {}

/// The one registration.
pub(crate) static REGISTRATION: Registration = Registration(UnsafeCell::new(MaybeUninit::zeroed()));

impl Registration {
    /// Registers the driver. IRQL = PASSIVE_LEVEL. To be called once, before anything else here.
    pub(crate) fn register(&'static self) -> Result<(), NTSTATUS> {
        let mut npi = WSK_CLIENT_NPI { ClientContext: null_mut(), Dispatch: &raw const CLIENT_DISPATCH };
        // SAFETY: the registration and the dispatch are static; the NPI is only read during the call.
        match unsafe { WskRegister(&raw mut npi, self.0.get().cast()) } {
            STATUS_SUCCESS => Ok(()),
            failure => Err(failure),
        }
    }

    /// Ends the registration, after waiting for every [`Provider`] to be released. IRQL = PASSIVE_LEVEL.
    pub(crate) fn deregister(&'static self) {
        // SAFETY: the registration was made, and nothing captures it any more.
        unsafe { WskDeregister(self.0.get().cast()) };
    }
}

/// WSK's provider interface, captured, with its NDK functions.
pub(crate) struct Provider {
    npi: WSK_PROVIDER_NPI,
    ndk: WSK_PROVIDER_NDK_DISPATCH,
}

impl Provider {
    /// Captures the provider and asks it for its NDK functions. IRQL = PASSIVE_LEVEL.
    pub(crate) fn capture() -> Result<Self, NTSTATUS> {
        let mut npi = MaybeUninit::<WSK_PROVIDER_NPI>::zeroed();
        // SAFETY: the driver is registered, and the out parameter lives through the call.
        let status = unsafe { WskCaptureProviderNPI(REGISTRATION.0.get().cast(), WAIT, npi.as_mut_ptr()) };
        if status != STATUS_SUCCESS {
            return Err(status);
        }
        // SAFETY: zero is a valid value, and the call has filled it in.
        let npi = unsafe { npi.assume_init() };
        let ndk = WSK_PROVIDER_NDK_DISPATCH { WskOpenNdkAdapter: None, WskCloseNdkAdapter: None };
        // From here on, dropping releases the capture.
        let mut provider = Self { npi, ndk };
        provider.fetch_ndk()?;
        Ok(provider)
    }

    /// The identity under which the provider knows the driver.
    pub(crate) const fn client(&self) -> *mut WSK_CLIENT {
        self.npi.Client
    }

    /// The provider's functions.
    pub(crate) const fn dispatch(&self) -> &WSK_PROVIDER_DISPATCH {
        // SAFETY: WSK's dispatch table lives as long as the capture.
        unsafe { &*self.npi.Dispatch }
    }

    fn fetch_ndk(&mut self) -> Result<(), NTSTATUS> {
        // SAFETY: WSK's dispatch table lives as long as the capture.
        let control = unsafe { (*self.npi.Dispatch).WskControlClient }.ok_or(STATUS_NOINTERFACE)?;
        // SAFETY: this control code takes no input, no IRP, and fills in this structure.
        let status = unsafe {
            control(
                self.npi.Client,
                WSKNDK_GET_WSK_PROVIDER_NDK_DISPATCH,
                0,
                null_mut(),
                size_of::<WSK_PROVIDER_NDK_DISPATCH>(),
                (&raw mut self.ndk).cast(),
                null_mut(),
                null_mut(),
            )
        };
        if status == STATUS_SUCCESS { Ok(()) } else { Err(status) }
    }

    /// Opens the adapter of an interface in the newest version that it speaks (VER-2). IRQL =
    /// PASSIVE_LEVEL.
    pub(crate) fn open<'l>(
        &self,
        call_log: &'l CallLog,
        if_index: u32,
    ) -> Result<Handle<'l, NDK_ADAPTER>, NTSTATUS> {
        for version in [NDK_VERSION_2_1, NDK_VERSION_2_0] {
            match self.open_as(call_log, if_index, version) {
                Err(NDIS_STATUS_BAD_VERSION) => {}
                opened => return opened,
            }
        }
        self.open_as(call_log, if_index, NDK_VERSION_1_2)
    }

    /// Opens the adapter of an interface in one version. IRQL = PASSIVE_LEVEL.
    ///
    /// # Errors
    /// The status of the open.
    pub(crate) fn open_as<'l>(
        &self,
        call_log: &'l CallLog,
        if_index: u32,
        version: NDK_VERSION,
    ) -> Result<Handle<'l, NDK_ADAPTER>, NTSTATUS> {
        let open = self.ndk.WskOpenNdkAdapter.ok_or(STATUS_NOINTERFACE)?;
        let object = call_log.object(Kind::Adapter, &[])?;
        let mut adapter: *mut NDK_ADAPTER = null_mut();
        // SAFETY: the client is registered, and the out parameter lives through the call.
        match unsafe { open(self.npi.Client, version, if_index, &raw mut adapter) } {
            STATUS_SUCCESS => {
                object.exists(adapter.cast());
                Ok(Handle::new(call_log, object))
            }
            failure => Err(failure),
        }
    }

    /// Closes an adapter, which waits until everything that was made from it is closed (CL-10). IRQL =
    /// PASSIVE_LEVEL.
    pub(crate) fn close(&self, adapter: &Object) {
        let Some(close) = self.ndk.WskCloseNdkAdapter else { return };
        adapter.closed_by(|| {
            // SAFETY: the adapter is open, this is its one close, and its use has ended.
            unsafe { close(self.npi.Client, adapter.pointer().cast()) };
        });
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // SAFETY: the NPI was captured from this registration, and its adapters are closed.
        unsafe { WskReleaseProviderNPI(REGISTRATION.0.get().cast()) };
    }
}

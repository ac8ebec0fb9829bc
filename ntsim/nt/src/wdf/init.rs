//! The properties of a device that is about to be made.

use core::ptr;
use core::str::FromStr;
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_INVALID_SECURITY_DESCR, STATUS_SUCCESS};
use sys::wdf::{
    PFN_WDF_DEVICE_SHUTDOWN_NOTIFICATION, PFN_WDF_IO_IN_CALLER_CONTEXT, WDF_DEVICE_IO_TYPE,
    WDF_DRIVER_GLOBALS, WDF_FILEOBJECT_CONFIG, WDF_OBJECT_ATTRIBUTES, WDF_PNPPOWER_EVENT_CALLBACKS,
    WDFDEVICE_INIT, WDFDRIVER, signature,
};
use sys::wdm::{DEVICE_OBJECT, GUID, UNICODE_STRING};

use super::client::{Client, framework};
use super::object::next_handle;
use super::violation;
use crate::fault;
use crate::rtl;
use crate::se::Descriptor;

/// `FILE_DEVICE_UNKNOWN`.
const UNKNOWN: u32 = 0x22;

/// The properties of a device, before it is made and of one that was.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) security: Descriptor,
    pub(super) kind: u32,
    pub(super) characteristics: u32,
    pub(super) exclusive: bool,
    pub(super) buffers: WDF_DEVICE_IO_TYPE,
    pub(super) life: Option<WDF_PNPPOWER_EVENT_CALLBACKS>,
    pub(super) files: Option<WDF_FILEOBJECT_CONFIG>,
    pub(super) file_attributes: Option<WDF_OBJECT_ATTRIBUTES>,
    pub(super) request_attributes: Option<WDF_OBJECT_ATTRIBUTES>,
    pub(super) caller_context: Option<PFN_WDF_IO_IN_CALLER_CONTEXT>,
}

// SAFETY: the pointers in the attributes are to descriptions in the driver's image.
unsafe impl Send for Settings {}
// SAFETY: as above.
unsafe impl Sync for Settings {}

/// A device that is about to be made.
pub(super) struct Init {
    pub(super) client: Arc<Client>,
    /// The device at the bottom of its stack; null for a control device.
    pub(super) physical: Va,
    pub(super) settings: Settings,
}

/// Begins a device; returns its handle.
pub(super) fn begin(client: &Arc<Client>, physical: *mut DEVICE_OBJECT) -> *mut WDFDEVICE_INIT {
    let settings = Settings {
        name: String::new(),
        security: Descriptor::default(),
        kind: UNKNOWN,
        characteristics: 0,
        exclusive: false,
        buffers: WDF_DEVICE_IO_TYPE::WdfDeviceIoBuffered,
        life: None,
        files: None,
        file_attributes: None,
        request_attributes: None,
        caller_context: None,
    };
    let init = Init { client: Arc::clone(client), physical: Va::of(physical), settings };
    let handle = next_handle();
    framework().inits.lock().insert(handle, init);
    handle.ptr()
}

/// Takes what was begun, for the device to be made; `None` if there is none.
pub(super) fn take(init: *mut WDFDEVICE_INIT) -> Option<Init> {
    let taken = framework().inits.lock().remove(&Va::of(init));
    if taken.is_none() {
        no_init(init);
    }
    taken
}

fn no_init(init: *mut WDFDEVICE_INIT) {
    violation("WdfDeviceInit", Va::of(init), format!("{init:p} is no device that is about to be made"));
}

fn change(init: *mut WDFDEVICE_INIT, change: impl FnOnce(&mut Settings)) {
    match framework().inits.lock().get_mut(&Va::of(init)) {
        Some(init) => change(&mut init.settings),
        None => no_init(init),
    }
}

/// The access that a text gives; a finding where it is none that is known.
fn security(text: *const UNICODE_STRING) -> Result<Descriptor, NTSTATUS> {
    // SAFETY: the driver passes a valid string.
    let text = unsafe { rtl::from_counted(text) };
    Descriptor::from_str(&text).map_err(|error| {
        violation("WdfDeviceInit", Va::NULL, format!("{text:?} is no security descriptor: {error}"));
        STATUS_INVALID_SECURITY_DESCR
    })
}

exports! {
    "(KMDF)", signature;

    /// Begins a control device.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfControlDeviceInitAllocate(
        globals: *mut WDF_DRIVER_GLOBALS,
        driver: WDFDRIVER,
        sddl: *const UNICODE_STRING,
    ) -> *mut WDFDEVICE_INIT {
        let Some(client) = Client::of(globals) else { return ptr::null_mut() };
        if client.driver() != Va::of(driver) {
            violation("WdfHandle", Va::of(driver), format!("{driver:p} is not the driver"));
            return ptr::null_mut();
        }
        let Ok(security) = security(sddl) else { return ptr::null_mut() };
        if fault::strikes() {
            return ptr::null_mut();
        }
        let init = begin(&client, ptr::null_mut());
        change(init, |settings| settings.security = security);
        init
    }

    /// Has a control device told of the shutdown, which does not come here.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfControlDeviceInitSetShutdownNotification(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        _notification: Option<PFN_WDF_DEVICE_SHUTDOWN_NOTIFICATION>,
        _flags: u8,
    ) {
        change(init, |_| ());
    }

    /// Gives it up.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitFree(_globals: *mut WDF_DRIVER_GLOBALS, init: *mut WDFDEVICE_INIT) {
        take(init);
    }

    /// Sets the callbacks of its life.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetPnpPowerEventCallbacks(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        callbacks: *mut WDF_PNPPOWER_EVENT_CALLBACKS,
    ) {
        // SAFETY: the driver passes callbacks, of this version or an older one, which begin with their size.
        let size = unsafe { (*callbacks).Size }.to_usize();
        let whole = size_of::<WDF_PNPPOWER_EVENT_CALLBACKS>();
        if size != whole && size != whole - 8 {
            violation("WdfDeviceInit", Va::of(init), format!("the callbacks say that they have {size} bytes"));
            return;
        }
        // SAFETY: all-zero is a valid value: integers, null pointers and no callbacks.
        let mut copied: WDF_PNPPOWER_EVENT_CALLBACKS = unsafe { core::mem::zeroed() };
        // SAFETY: there are so many bytes at both.
        unsafe { ptr::copy_nonoverlapping(callbacks.cast::<u8>(), (&raw mut copied).cast(), size) };
        change(init, |settings| settings.life = Some(copied));
    }

    /// Says that it decides about its power, which is always on here.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetPowerPolicyOwnership(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        _is_owner: u8,
    ) {
        change(init, |_| ());
    }

    /// Chooses the buffers of reads and writes.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetIoType(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        buffers: WDF_DEVICE_IO_TYPE,
    ) {
        change(init, |settings| settings.buffers = buffers);
    }

    /// One file at a time.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetExclusive(_globals: *mut WDF_DRIVER_GLOBALS, init: *mut WDFDEVICE_INIT, exclusive: u8) {
        change(init, |settings| settings.exclusive = exclusive != 0);
    }

    /// Power requests may come above PASSIVE_LEVEL; none does here.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetPowerNotPageable(_globals: *mut WDF_DRIVER_GLOBALS, init: *mut WDFDEVICE_INIT) {
        change(init, |_| ());
    }

    /// Power requests come at PASSIVE_LEVEL; none does here.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetPowerPageable(_globals: *mut WDF_DRIVER_GLOBALS, init: *mut WDFDEVICE_INIT) {
        change(init, |_| ());
    }

    /// Sets its kind.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetDeviceType(_globals: *mut WDF_DRIVER_GLOBALS, init: *mut WDFDEVICE_INIT, kind: u32) {
        change(init, |settings| settings.kind = kind);
    }

    /// Sets its name; none without one.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceInitAssignName(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        name: *const UNICODE_STRING,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a valid string or null.
        let name = unsafe { rtl::from_counted(name) };
        change(init, |settings| settings.name = name);
        STATUS_SUCCESS
    }

    /// Sets the access to it.
    #[irql(PASSIVE..=PASSIVE)]
    fn WdfDeviceInitAssignSDDLString(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        sddl: *const UNICODE_STRING,
    ) -> NTSTATUS {
        let made = if sddl.is_null() { Ok(Descriptor::default()) } else { security(sddl) };
        match made {
            Ok(made) => {
                change(init, |settings| settings.security = made);
                STATUS_SUCCESS
            }
            Err(_) => STATUS_INVALID_PARAMETER,
        }
    }

    /// Sets the class whose settings may override the access to it; there are none here.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetDeviceClass(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        _class: *const GUID,
    ) {
        change(init, |_| ());
    }

    /// Sets its characteristics, or adds to them.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetCharacteristics(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        characteristics: u32,
        adds: u8,
    ) {
        change(init, |settings| {
            let before = if adds != 0 { settings.characteristics } else { 0 };
            settings.characteristics = before | characteristics;
        });
    }

    /// Sets the callbacks of its files.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetFileObjectConfig(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        config: *mut WDF_FILEOBJECT_CONFIG,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
    ) {
        // SAFETY: the driver passes a valid configuration.
        let config = unsafe { *config };
        // SAFETY: the driver passes valid attributes or null.
        let attributes = unsafe { attributes.as_ref() }.copied();
        change(init, |settings| (settings.files, settings.file_attributes) = (Some(config), attributes));
    }

    /// Sets the attributes of its requests.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetRequestAttributes(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        attributes: *mut WDF_OBJECT_ATTRIBUTES,
    ) {
        // SAFETY: the driver passes valid attributes.
        let attributes = unsafe { attributes.as_ref() }.copied();
        change(init, |settings| settings.request_attributes = attributes);
    }

    /// Has requests seen in the context of their sender.
    #[irql(PASSIVE..=DISPATCH)]
    fn WdfDeviceInitSetIoInCallerContextCallback(
        _globals: *mut WDF_DRIVER_GLOBALS,
        init: *mut WDFDEVICE_INIT,
        callback: Option<PFN_WDF_IO_IN_CALLER_CONTEXT>,
    ) {
        change(init, |settings| settings.caller_context = callback);
    }
}

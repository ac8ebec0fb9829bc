//! The device that clients open.

#![expect(unsafe_code, reason = "NDIS is called")]

use alloc::boxed::Box;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use lifecycle::SharedDevice;
use provider::NoMemory;
use sys::irql::PassiveLevel;
use sys::ndis::{self, NDIS_DEVICE_OBJECT_ATTRIBUTES, NDIS_HANDLE, NDIS_STRING};
use sys::status::{NDIS_STATUS, NDIS_STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{DEVICE_OBJECT, UNICODE_STRING};

use super::{dispatch, tick_timer};
use crate::heap::boxed;
use crate::identity::header;
use crate::kernel::Mutex;
use crate::registration;
use crate::work_item::WorkItem;

/// The device, and what keeps it. Adapters start and halt, and files are opened and closed, at the same time in
/// several threads; the lock is held while NDIS makes or deletes the device, as in Microsoft's sample
/// (<https://github.com/microsoft/Windows-driver-samples/blob/main/network/ndis/mux/driver/60/mux.c>).
static DEVICE: Mutex<Device> = Mutex::new(Device::new());

/// Removes the device after the last close: NDIS may be in that request still, and no page says that the device
/// may go below it.
static REMOVAL: AtomicPtr<WorkItem<Mutex<Device>>> = AtomicPtr::new(null_mut());

type Device = SharedDevice<Registered>;

/// The device, as NDIS and the I/O manager know it.
struct Registered {
    handle: NDIS_HANDLE,
    object: *mut DEVICE_OBJECT,
}

// SAFETY: the pointers are names only, good on any thread.
unsafe impl Send for Registered {}

/// Deregisters the device if it is not needed.
fn remove_unused(device: &mut Device, level: PassiveLevel) {
    let Some(Registered { handle, .. }) = device.take_unused() else { return };
    tick_timer::stop(level);
    // SAFETY: the handle is that of the device, on which no file is open.
    unsafe { ndis::NdisDeregisterDeviceEx(handle) };
}

/// Makes ready what the device needs. Once per loading, before adapters start.
///
/// # Errors
///
/// [`NoMemory`].
pub(super) fn load(driver: NDIS_HANDLE, level: PassiveLevel) -> Result<(), NoMemory> {
    // SAFETY: the mutex is in a static, and there are no adapters yet.
    unsafe { DEVICE.initialise() };
    let remove = |device: &Mutex<Device>, level| device.with(level, |device| remove_unused(device, level));
    let removal = WorkItem::new(driver, remove, level);
    let removal = Box::leak(boxed(removal.ok_or(NoMemory)?).ok_or(NoMemory)?);
    removal.initialise(NonNull::from(&DEVICE));
    REMOVAL.store(removal, Ordering::Release);
    Ok(())
}

/// Undoes [`load`], when there are neither adapters nor files.
pub(super) fn unload(level: PassiveLevel) {
    let Some(removal) = NonNull::new(REMOVAL.swap(null_mut(), Ordering::AcqRel)) else { return };
    // SAFETY: the address is that of the box which `load` leaked, and is known nowhere else any more.
    let removal = unsafe { Box::from_raw(removal.as_ptr()) };
    removal.finish(level);
}

/// Counts a file that is being opened on a device; `false` if that device is going.
pub(super) fn file_opens(object: *mut DEVICE_OBJECT, level: PassiveLevel) -> bool {
    DEVICE.with(level, |device| device.file_opens(|registered| registered.object == object))
}

/// Counts a file as closed, or as not opened after all; its request must have been completed.
pub(super) fn file_is_closed(level: PassiveLevel) {
    let unused = DEVICE.with(level, SharedDevice::file_closes);
    if unused && let Some(removal) = NonNull::new(REMOVAL.load(Ordering::Acquire)) {
        // SAFETY: `unload` comes after the device has gone, and the I/O manager has a reference to it until this dispatch
        // routine has returned, whichever thread deregisters it.
        unsafe { removal.as_ref() }.request();
    }
}

/// A string literal in UTF-16, with a null character behind it.
macro_rules! utf16 {
    ($text:literal) => {{
        const TEXT: &[u8] = $text;
        const UNITS: [u16; TEXT.len() + 1] = {
            let mut units = [0; TEXT.len() + 1];
            let mut index = 0;
            while index < TEXT.len() {
                #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
                {
                    units[index] = u16::from_le_bytes([TEXT[index], 0]);
                }
                index = index.wrapping_add(1);
            }
            units
        };
        static PLACE: [u16; TEXT.len() + 1] = UNITS;
        const BYTES: u16 = {
            let [low, high, ..] = size_of::<[u16; TEXT.len()]>().to_le_bytes();
            u16::from_le_bytes([low, high])
        };
        const ALL: u16 = {
            let [low, high, ..] = size_of::<[u16; TEXT.len() + 1]>().to_le_bytes();
            u16::from_le_bytes([low, high])
        };
        UNICODE_STRING { Length: BYTES, MaximumLength: ALL, Buffer: (&raw const PLACE).cast_mut().cast() }
    }};
}

/// One adapter's reference to the device, which exists while there is one.
#[must_use = "the device stays until it is released"]
pub(super) struct DeviceRef(());

impl DeviceRef {
    /// Takes a reference.
    ///
    /// # Errors
    ///
    /// NDIS's, if the device can't be made.
    pub(super) fn new(level: PassiveLevel) -> Result<Self, NDIS_STATUS> {
        DEVICE.with(level, |device| {
            device.adapter_comes(STATUS_INSUFFICIENT_RESOURCES, || {
                let registered = register(level)?;
                tick_timer::start(level);
                Ok(registered)
            })?;
            Ok(Self(()))
        })
    }

    /// Gives the reference back.
    pub(super) fn release(self, level: PassiveLevel) {
        DEVICE.with(level, |device| {
            device.adapter_goes();
            remove_unused(device, level);
        });
    }
}

/// Lets NDIS make the device.
fn register(_: PassiveLevel) -> Result<Registered, NDIS_STATUS> {
    let driver = registration::handle().ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    let name: NDIS_STRING = utf16!(b"\\Device\\Softndk");
    let link: NDIS_STRING = utf16!(b"\\DosDevices\\Softndk");
    // All access to the system and to administrators, none to others.
    let security = utf16!(b"D:P(A;;GA;;;SY)(A;;GA;;;BA)");
    let functions = dispatch::table();
    let attributes = NDIS_DEVICE_OBJECT_ATTRIBUTES {
        Header: header(
            ndis::NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
            ndis::NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
            ndis::NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
        ),
        DeviceName: &raw const name,
        SymbolicName: &raw const link,
        MajorFunctions: functions.as_ptr(),
        ExtensionSize: 0,
        DefaultSDDLString: &raw const security,
        DeviceClassGuid: core::ptr::null(),
    };
    let (mut object, mut handle) = (null_mut(), null_mut());
    // SAFETY: the driver is registered, the attributes are complete, and NDIS copies what they point to.
    let status = unsafe {
        ndis::NdisRegisterDeviceEx(driver, &raw const attributes, &raw mut object, &raw mut handle)
    };
    if status != NDIS_STATUS_SUCCESS {
        return Err(status);
    }
    Ok(Registered { handle, object })
}

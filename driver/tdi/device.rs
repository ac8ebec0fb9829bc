//! The device that clients open.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use sys::ndis::{self, NDIS_DEVICE_OBJECT_ATTRIBUTES, NDIS_STRING};
use sys::status::{NDIS_STATUS, NDIS_STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{UNICODE_STRING, VOID};

use super::{dispatch, ticker};
use crate::driver;
use crate::miniport::header;

/// Adapters that share the device. The plug and play manager starts and removes devices one at a time, so
/// no two of them make or delete the device at once.
static SHARES: AtomicUsize = AtomicUsize::new(0);
/// NDIS's handle of the device, while there is one.
static HANDLE: AtomicPtr<VOID> = AtomicPtr::new(null_mut());

/// A string literal in UTF-16.
macro_rules! utf16 {
    ($text:literal) => {{
        const TEXT: &[u8] = $text;
        const UNITS: [u16; TEXT.len()] = {
            let mut units = [0; TEXT.len()];
            let mut index = 0;
            while index < TEXT.len() {
                #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
                {
                    units[index] = TEXT[index] as u16;
                }
                index = index.wrapping_add(1);
            }
            units
        };
        static PLACE: [u16; TEXT.len()] = UNITS;
        const BYTES: u16 = {
            let [low, high, ..] = size_of::<[u16; TEXT.len()]>().to_le_bytes();
            u16::from_le_bytes([low, high])
        };
        UNICODE_STRING { Length: BYTES, MaximumLength: BYTES, Buffer: (&raw const PLACE).cast_mut().cast() }
    }};
}

/// One adapter's share; the device exists while there is one. PASSIVE_LEVEL.
pub(super) struct Share;

impl Share {
    /// Takes a share.
    ///
    /// # Errors
    ///
    /// NDIS's, if the device can't be made.
    pub(super) fn new() -> Result<Self, NDIS_STATUS> {
        if SHARES.fetch_add(1, Ordering::AcqRel) == 0
            && let Err(status) = register()
        {
            SHARES.fetch_sub(1, Ordering::AcqRel);
            return Err(status);
        }
        Ok(Self)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if SHARES.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        ticker::stop();
        let handle = HANDLE.swap(null_mut(), Ordering::AcqRel);
        // SAFETY: the handle is that of the device which the first share registered. Files that are open
        // keep the device's memory and this driver, and their requests go on to be dispatched.
        unsafe { ndis::NdisDeregisterDeviceEx(handle) };
    }
}

fn register() -> Result<(), NDIS_STATUS> {
    let driver = driver::handle().ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    let name: NDIS_STRING = utf16!(b"\\Device\\Softndk");
    let link: NDIS_STRING = utf16!(b"\\DosDevices\\Softndk");
    // Everything to the system and to administrators, nothing to anybody else.
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
    let (mut device, mut handle) = (null_mut(), null_mut());
    // SAFETY: the driver is registered, the attributes are complete, and NDIS copies what they point to.
    let status = unsafe {
        ndis::NdisRegisterDeviceEx(driver, &raw const attributes, &raw mut device, &raw mut handle)
    };
    if status != NDIS_STATUS_SUCCESS {
        return Err(status);
    }
    HANDLE.store(handle, Ordering::Release);
    ticker::start();
    Ok(())
}

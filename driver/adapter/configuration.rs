//! The configuration of an adapter, as an administrator has set it (NDIS-5).

#![expect(unsafe_code, reason = "NDIS is called")]

use core::ptr::{NonNull, null_mut};

use sys::irql::PassiveLevel;
use sys::ndis::{self, NDIS_CONFIGURATION_OBJECT, NDIS_HANDLE, NDIS_PARAMETER_TYPE, NDIS_STRING};
use sys::status::{NDIS_STATUS, NDIS_STATUS_SUCCESS};

use crate::identity::header;
use vswitch::Address;

/// The `*NetworkDirectTechnology` that the provider speaks: iWARP.
const IWARP: u32 = 1;

/// An adapter's settings.
pub(crate) struct Configuration {
    /// True if RDMA may be enabled: `*NetworkDirect` is 1 and `*NetworkDirectTechnology`, if there is
    /// one, iWARP.
    pub(super) network_direct: bool,
    /// True if a notification may come inside the call that causes it: `ImmediateNotification` is 1.
    pub(super) immediate_notification: bool,
    /// The Ethernet address to use in place of the adapter's own, if it is a legal one.
    pub(super) address: Option<Address>,
}

impl Configuration {
    /// Reads the settings; what is not there is as the INF sets it.
    ///
    /// # Errors
    ///
    /// Those of NDIS.
    ///
    /// # Safety
    ///
    /// NDIS is initialising the adapter with this handle.
    pub(super) unsafe fn read(adapter: NDIS_HANDLE, level: PassiveLevel) -> Result<Self, NDIS_STATUS> {
        // SAFETY: as the caller promises.
        let open = unsafe { Open::new(adapter, level) }?;
        Ok(Self {
            network_direct: open.network_direct(),
            immediate_notification: open.integer(b"ImmediateNotification\0").is_some_and(|value| value == 1),
            address: open.network_address(),
        })
    }
}

/// Returns whether the configuration lets RDMA be enabled now.
///
/// # Errors
///
/// Those of NDIS.
///
/// # Safety
///
/// The handle is that of an adapter that is not halted.
pub(super) unsafe fn may_be_enabled(adapter: NDIS_HANDLE, level: PassiveLevel) -> Result<bool, NDIS_STATUS> {
    // SAFETY: as the caller promises.
    unsafe { Open::new(adapter, level) }.map(|open| open.network_direct())
}

/// An adapter's open configuration. All that can be done with it, and its close, is for PASSIVE_LEVEL, so it keeps that.
struct Open {
    handle: NDIS_HANDLE,
    _level: PassiveLevel,
}

impl Open {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// Those of NDIS.
    ///
    /// # Safety
    ///
    /// The handle is that of an adapter that is not halted.
    unsafe fn new(adapter: NDIS_HANDLE, level: PassiveLevel) -> Result<Self, NDIS_STATUS> {
        let object = NDIS_CONFIGURATION_OBJECT {
            Header: header(
                ndis::NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
                ndis::NDIS_CONFIGURATION_OBJECT_REVISION_1,
                ndis::NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1,
            ),
            NdisHandle: adapter,
            Flags: 0,
        };
        let mut handle = null_mut();
        // SAFETY: the handle is an adapter's, as the caller promises; the place for the result is a local.
        let status = unsafe { ndis::NdisOpenConfigurationEx(&raw const object, &raw mut handle) };
        if status == NDIS_STATUS_SUCCESS { Ok(Self { handle, _level: level }) } else { Err(status) }
    }

    /// Returns whether RDMA may be enabled.
    fn network_direct(&self) -> bool {
        let enabled = self.integer(b"*NetworkDirect\0").is_none_or(|value| value != 0);
        enabled && self.integer(b"*NetworkDirectTechnology\0").is_none_or(|value| value == IWARP)
    }

    /// The value of a keyword, which ends with a null character, if it is there and an integer.
    fn integer<const N: usize>(&self, keyword: &[u8; N]) -> Option<u32> {
        let mut text = keyword.map(u16::from);
        let whole = u16::try_from(size_of_val(&text)).ok()?;
        let length = whole.checked_sub(2)?;
        let keyword = NDIS_STRING { Length: length, MaximumLength: whole, Buffer: text.as_mut_ptr() };
        let (mut status, mut value) = (0, null_mut());
        // SAFETY: the handle is open; the places for the results are locals.
        unsafe {
            ndis::NdisReadConfiguration(
                &raw mut status,
                &raw mut value,
                self.handle,
                &raw const keyword,
                NDIS_PARAMETER_TYPE::NdisParameterInteger,
            );
        }
        let value = NonNull::new(value).filter(|_| status == NDIS_STATUS_SUCCESS)?;
        // SAFETY: the value lives until the configuration is closed.
        let value = unsafe { value.as_ref() };
        // SAFETY: an integer was asked for.
        Some(unsafe { value.ParameterData.IntegerData })
    }

    /// The Ethernet address that the administrator has set, if an adapter may have it.
    fn network_address(&self) -> Option<Address> {
        let (mut status, mut bytes, mut length) = (0, null_mut(), 0);
        // SAFETY: the handle is open; the places for the results are locals.
        unsafe {
            ndis::NdisReadNetworkAddress(&raw mut status, &raw mut bytes, &raw mut length, self.handle);
        }
        let bytes = NonNull::new(bytes).filter(|_| status == NDIS_STATUS_SUCCESS && length == 6)?;
        // SAFETY: the address has as many bytes as was said, and lives until the configuration is closed.
        let address = Address(unsafe { bytes.cast().read() });
        address.is_local_unicast().then_some(address)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and no value that was read from it is used any more.
        unsafe { ndis::NdisCloseConfiguration(self.handle) };
    }
}

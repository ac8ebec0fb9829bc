//! The configuration of an adapter, as an administrator has set it (NDIS-5).

#![expect(unsafe_code, reason = "NDIS is called")]

use core::ops::RangeInclusive;
use core::ptr::{NonNull, null_mut};

use provider::Kernel;
use provider::rnic::WireSettings;
use sys::irql::PassiveLevel;
use sys::ndis::{
    self, NDIS_CONFIGURATION_OBJECT, NDIS_CONFIGURATION_PARAMETER, NDIS_HANDLE, NDIS_PARAMETER_TYPE,
    NDIS_STRING,
};
use sys::status::{NDIS_STATUS, NDIS_STATUS_SUCCESS};

use crate::identity::header;
use crate::kernel::Windows;
use vswitch::Address;

/// The `*NetworkDirectTechnology` that the provider speaks: iWARP.
const IWARP: u32 = 1;

/// The lengths of an FPDU that can be set; 0 is none.
const FPDU_SIZES: RangeInclusive<u32> = 0..=65_535;

/// An adapter's settings.
pub(crate) struct Configuration {
    /// True if RDMA may be enabled: `*NetworkDirect` is 1 and `*NetworkDirectTechnology`, if there is
    /// one, iWARP.
    pub(super) network_direct: bool,
    /// True if a notification may come inside the call that causes it: `ImmediateNotification` is 1.
    pub(super) immediate_notification: bool,
    /// Connections to other machines (UP-2): `ForceWire` 1 has those within this machine go over TCP, too (AD-9); `MpaCrc`
    /// 0 wants no sums (MPA-4); `FpduSize` is the length of an FPDU in bytes, 0 that of a segment of TCP (FP-2).
    pub(super) wire: WireSettings,
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
            wire: WireSettings {
                force: open.number(b"ForceWire\0", 0..=1).is_some_and(|value| value == 1),
                crc: open.number(b"MpaCrc\0", 0..=1).is_none_or(|value| value != 0),
                fpdu_size: open.number(b"FpduSize\0", FPDU_SIZES).filter(|value| *value != 0),
            },
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

    /// The value of a keyword, which ends with a null character, if it is there and within `range`. One that is there and
    /// is not is traced.
    fn number<const N: usize>(&self, keyword: &[u8; N], range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.integer(keyword);
        let taken = value.filter(|value| range.contains(value));
        if taken.is_none() && self.value(keyword, NDIS_PARAMETER_TYPE::NdisParameterString).is_some() {
            let name = core::str::from_utf8(keyword).unwrap_or_default().trim_end_matches('\0');
            let (from, to) = (range.start(), range.end());
            <Windows as Kernel>::trace(format_args!(
                "the value of {name} is no number from {from} to {to}: the default counts"
            ));
        }
        taken
    }

    /// The value of a keyword, which ends with a null character, if it is there and an integer.
    fn integer<const N: usize>(&self, keyword: &[u8; N]) -> Option<u32> {
        let value = self.value(keyword, NDIS_PARAMETER_TYPE::NdisParameterInteger)?;
        // SAFETY: the value lives until the configuration is closed.
        let value = unsafe { value.as_ref() };
        // SAFETY: an integer was asked for.
        Some(unsafe { value.ParameterData.IntegerData })
    }

    /// The value of a keyword, which ends with a null character, as this type, if it is there and can be.
    fn value<const N: usize>(
        &self,
        keyword: &[u8; N],
        kind: NDIS_PARAMETER_TYPE,
    ) -> Option<NonNull<NDIS_CONFIGURATION_PARAMETER>> {
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
                kind,
            );
        }
        NonNull::new(value).filter(|_| status == NDIS_STATUS_SUCCESS)
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

//! An address that arrives while a test runs.

#![expect(unsafe_code, reason = "functions of Windows and of the provider are called with addresses")]

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ptr::null_mut;

use protocol::Endpoint;
use sys::netioapi::{
    CancelMibChangeNotify2, CreateUnicastIpAddressEntry, DeleteUnicastIpAddressEntry,
    InitializeUnicastIpAddressEntry, MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW, NL_DAD_STATE,
    NotifyUnicastIpAddressChange,
};
use sys::sockaddr::{AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_INET};
use sys::status::{NTSTATUS, STATUS_IO_TIMEOUT, STATUS_SUCCESS};
use sys::wdm::{FALSE, HANDLE};

use crate::heap::try_box;
use crate::kernel::{Event, Reset};

/// The time that TCP/IP has to find out that no other machine has the address.
const MILLISECONDS: u32 = 60_000;

/// The prefix lengths of the networks that tests are in.
const IPV4_PREFIX: u8 = 24;
const IPV6_PREFIX: u8 = 64;

/// An address that this driver has given to an interface, and takes away when this is dropped. The owner has nothing
/// left at the address then.
pub(crate) struct Arrival {
    row: MIB_UNICASTIPADDRESS_ROW,
    is_there: bool,
}

/// The context of a registration: the address that is to come, and the event for it.
struct Expected {
    address: Option<IpAddr>,
    usable: Event,
}

impl Arrival {
    /// Gives the interface of an end its address; returns when TCP/IP tells that the address may be used. IRQL =
    /// PASSIVE_LEVEL.
    ///
    /// # Errors
    /// The status with which TCP/IP refuses, or `STATUS_IO_TIMEOUT` if it tells of nothing.
    pub(crate) fn of(end: &Endpoint) -> Result<Self, NTSTATUS> {
        let row = row(end);
        let expected = try_box(Expected { address: ip_address(&row.Address), usable: Event::unplaced() })?;
        expected.usable.place(Reset::Never);
        let watch = Watch::new(&expected)?;
        // SAFETY: the row lives through the call.
        let status = unsafe { CreateUnicastIpAddressEntry(&raw const row) };
        if status != STATUS_SUCCESS {
            return Err(status);
        }
        let arrival = Self { row, is_there: true };
        let told = expected.usable.wait(MILLISECONDS);
        drop(watch);
        if told { Ok(arrival) } else { Err(STATUS_IO_TIMEOUT) }
    }

    /// Takes the address away. IRQL = PASSIVE_LEVEL.
    pub(crate) fn end(mut self) -> NTSTATUS {
        self.delete()
    }

    fn delete(&mut self) -> NTSTATUS {
        self.is_there = false;
        // SAFETY: the row lives through the call.
        unsafe { DeleteUnicastIpAddressEntry(&raw const self.row) }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if self.is_there {
            // A test that ended early has said why.
            let _ = self.delete();
        }
    }
}

/// A registration for changes of addresses. The box that it tells outlives it.
struct Watch(HANDLE);

impl Watch {
    fn new(expected: &Expected) -> Result<Self, NTSTATUS> {
        let context = core::ptr::from_ref::<Expected>(expected).cast_mut().cast();
        let mut handle = null_mut();
        // SAFETY: the callback gets the box, which outlives the registration.
        let status = unsafe {
            NotifyUnicastIpAddressChange(AF_UNSPEC, Some(changed), context, FALSE, &raw mut handle)
        };
        if status == STATUS_SUCCESS { Ok(Self(handle)) } else { Err(status) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: the handle is that of a registration, which ends here.
        let _there_is_such_a_registration = unsafe { CancelMibChangeNotify2(self.0) };
    }
}

unsafe extern "efiapi" fn changed(
    context: *mut c_void,
    row: *const MIB_UNICASTIPADDRESS_ROW,
    _: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is what the registration was made for, which outlives it.
    let expected = unsafe { &*context.cast::<Expected>() };
    // SAFETY: the row is null or valid during the call.
    let Some(row) = (unsafe { row.as_ref() }) else { return };
    if row.DadState == NL_DAD_STATE::IpDadStatePreferred && ip_address(&row.Address) == expected.address {
        expected.usable.set();
    }
}

/// A row for the interface and address of an end.
fn row(end: &Endpoint) -> MIB_UNICASTIPADDRESS_ROW {
    let mut row = MaybeUninit::<MIB_UNICASTIPADDRESS_ROW>::zeroed();
    // SAFETY: there is room for a row.
    unsafe { InitializeUnicastIpAddressEntry(row.as_mut_ptr()) };
    // SAFETY: zero is a valid row, and the call has filled it in.
    let mut row = unsafe { row.assume_init() };
    // SAFETY: a socket address of either family fits into the union, whose bytes are all integers.
    row.Address = unsafe { end.with_port(0).address.as_ptr().cast::<SOCKADDR_INET>().read_unaligned() };
    row.InterfaceIndex = end.if_index;
    row.OnLinkPrefixLength = if end.address_length == 16 { IPV4_PREFIX } else { IPV6_PREFIX };
    row
}

/// The IP address of a socket address; `None` for another family.
fn ip_address(address: &SOCKADDR_INET) -> Option<IpAddr> {
    // SAFETY: the family comes first in every member.
    match unsafe { address.si_family } {
        AF_INET => {
            // SAFETY: the family says which member is meant.
            let ipv4 = unsafe { address.Ipv4 };
            Some(Ipv4Addr::from(ipv4.sin_addr.S_addr.to_ne_bytes()).into())
        }
        AF_INET6 => {
            // SAFETY: the family says which member is meant.
            let ipv6 = unsafe { address.Ipv6 };
            Some(Ipv6Addr::from(ipv6.sin6_addr.Byte).into())
        }
        _ => None,
    }
}

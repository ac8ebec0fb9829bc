//! The IP addresses of an adapter, as TCP/IP sees them.

#![expect(unsafe_code, reason = "TCP/IP is called, and calls back with an address")]

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ptr::{NonNull, null_mut};

use provider::number::usize_from;
use sys::irql::PassiveLevel;
use sys::netioapi::{
    self, MIB_NOTIFICATION_TYPE, MIB_UNICASTIPADDRESS_ROW, MIB_UNICASTIPADDRESS_TABLE, NET_LUID, NL_DAD_STATE,
};
use sys::sockaddr::{AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_INET};
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY};
use sys::wdm::{FALSE, HANDLE, PVOID};
use wdk::nt_success;

use crate::heap;

/// A subject of a [`Watch`].
pub(crate) trait Watched {
    /// The interface whose addresses it has.
    fn interface(&self) -> NET_LUID;

    /// Takes note that these have changed. Up to DISPATCH_LEVEL.
    fn addresses_changed(&self);
}

/// A registration for changes of the machine's addresses; its subject is told of those of its interface. It ends with
/// [`Watch::cancel`].
#[must_use = "it lasts until it is cancelled"]
pub(crate) struct Watch(HANDLE);

// SAFETY: the handle may be used on any thread.
unsafe impl Send for Watch {}
// SAFETY: the handle is only kept.
unsafe impl Sync for Watch {}

impl Watch {
    /// Begins to watch; `None` if TCP/IP does not let it.
    ///
    /// # Errors
    ///
    /// `STATUS_NO_MEMORY`, `STATUS_INSUFFICIENT_RESOURCES`.
    ///
    /// # Safety
    ///
    /// The subject may be used in any thread, and stays where it is until the watch is cancelled.
    pub(crate) unsafe fn new<T: Watched>(
        subject: NonNull<T>,
        _: PassiveLevel,
    ) -> Result<Option<Self>, NTSTATUS> {
        let mut handle = null_mut();
        // SAFETY: the callback gets the subject, which outlives the registration, as the caller promises.
        let status = unsafe {
            netioapi::NotifyUnicastIpAddressChange(
                AF_UNSPEC,
                Some(changed::<T>),
                subject.as_ptr().cast(),
                FALSE,
                &raw mut handle,
            )
        };
        if nt_success(status) { Ok(Some(Self(handle))) } else { unless_short(status).map(|()| None) }
    }

    /// Ends the registration, and waits for a callback that is running. The callback itself waits for nothing.
    pub(crate) fn cancel(self, _: PassiveLevel) {
        // SAFETY: the handle is that of a registration, which ends here.
        let _there_is_such_a_registration = unsafe { netioapi::CancelMibChangeNotify2(self.0) };
    }
}

/// Passes on a shortage of memory; every other failure is borne. TCP/IP may not be there, or not be bound
/// to any interface, or have no addresses yet
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/getunicastipaddresstable>); the adapter works
/// without them.
const fn unless_short(status: NTSTATUS) -> Result<(), NTSTATUS> {
    match status {
        STATUS_NO_MEMORY | STATUS_INSUFFICIENT_RESOURCES => Err(status),
        _ => Ok(()),
    }
}

/// Some interface's address has come, gone or changed.
unsafe extern "efiapi" fn changed<T: Watched>(
    context: PVOID,
    row: *const MIB_UNICASTIPADDRESS_ROW,
    _kind: MIB_NOTIFICATION_TYPE,
) {
    // SAFETY: the context is the subject that the registration was made for, which outlives it.
    let subject = unsafe { &*context.cast::<T>() };
    // SAFETY: the row is null or valid during the call.
    let interface = unsafe { row.as_ref() }.map(|row| row.InterfaceLuid);
    if interface.is_none_or(|interface| interface == subject.interface()) {
        subject.addresses_changed();
    }
}

/// The addresses that an interface has and may use now; none if TCP/IP does not tell.
///
/// # Errors
///
/// `STATUS_NO_MEMORY`, `STATUS_INSUFFICIENT_RESOURCES`.
pub(crate) fn of(interface: NET_LUID, level: PassiveLevel) -> Result<Vec<IpAddr>, NTSTATUS> {
    let mut addresses = Vec::new();
    let Some(table) = Table::read(level)? else { return Ok(addresses) };
    let own = table.rows().iter().filter(|row| row.InterfaceLuid == interface && usable(row));
    for address in own.filter_map(|row| ip_address(&row.Address)) {
        heap::push(&mut addresses, address).ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
    }
    Ok(addresses)
}

/// Returns whether the address is known to be unique.
fn usable(row: &MIB_UNICASTIPADDRESS_ROW) -> bool {
    matches!(row.DadState, NL_DAD_STATE::IpDadStatePreferred | NL_DAD_STATE::IpDadStateDeprecated)
}

/// The address of a socket address; `None` for another family.
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

/// The machine's table of addresses.
struct Table(NonNull<MIB_UNICASTIPADDRESS_TABLE>);

impl Table {
    fn read(_: PassiveLevel) -> Result<Option<Self>, NTSTATUS> {
        let mut table = null_mut();
        // SAFETY: the place for the result is a local's.
        let status = unsafe { netioapi::GetUnicastIpAddressTable(AF_UNSPEC, &raw mut table) };
        if !nt_success(status) {
            return unless_short(status).map(|()| None);
        }
        Ok(NonNull::new(table).map(Self))
    }

    fn rows(&self) -> &[MIB_UNICASTIPADDRESS_ROW] {
        // SAFETY: the table is ours until it is freed.
        let count = unsafe { (*self.0.as_ptr()).NumEntries };
        // SAFETY: as above. No reference is made: it would end with the one row that the type has.
        let first = unsafe { &raw const (*self.0.as_ptr()).Table };
        // SAFETY: as many rows as the table says follow each other from the first on.
        unsafe { core::slice::from_raw_parts(first.cast(), usize_from(count)) }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: the table came from the call that says to free it so, and is not used any more.
        unsafe { netioapi::FreeMibTable(self.0.as_ptr().cast()) };
    }
}

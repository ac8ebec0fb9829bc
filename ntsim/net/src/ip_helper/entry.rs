//! Addresses that drivers give to interfaces and take away again.

use core::mem::MaybeUninit;
use core::net::IpAddr;

use nt::ex::queue_work;
use nt::fault;
use sys::netioapi::MIB_UNICASTIPADDRESS_ROW;
use sys::sockaddr::{AF_INET, AF_INET6};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY, STATUS_NOT_FOUND, STATUS_SUCCESS};

use super::{add_tentative, prefer, present, refusal, withdraw};

/// From winerror.h, what the page of [`create`] lists for an address that the interface has.
const ERROR_OBJECT_ALREADY_EXISTS: NTSTATUS = 5010;

/// `IpPrefixOriginUnchanged` and `IpSuffixOriginUnchanged` of nldef.h.
const UNCHANGED: i32 = 1 << 4;

/// A row with defaults
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/initializeunicastipaddressentry>). The prefix length
/// is none that is valid.
pub(super) fn blank() -> MIB_UNICASTIPADDRESS_ROW {
    // SAFETY: all zero is a valid row: integers only.
    let mut row: MIB_UNICASTIPADDRESS_ROW = unsafe { MaybeUninit::zeroed().assume_init() };
    (row.PrefixOrigin, row.SuffixOrigin) = (UNCHANGED, UNCHANGED);
    (row.ValidLifetime, row.PreferredLifetime) = (u32::MAX, u32::MAX);
    row.OnLinkPrefixLength = u8::MAX;
    row
}

/// Adds an address. It is tentative when this returns; a worker makes it preferred
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/createunicastipaddressentry>).
pub(super) fn create(row: &MIB_UNICASTIPADDRESS_ROW) -> NTSTATUS {
    let Some(address) = address(row) else { return STATUS_INVALID_PARAMETER };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let origins_agree = (row.PrefixOrigin == UNCHANGED) == (row.SuffixOrigin == UNCHANGED);
    if row.OnLinkPrefixLength > longest || row.ValidLifetime < row.PreferredLifetime || !origins_agree {
        return STATUS_INVALID_PARAMETER;
    }
    if let Some(status) = refusal() {
        return status;
    }
    let index = match interface(row) {
        Ok(index) => index,
        Err(status) => return status,
    };
    if has(index, address) {
        return ERROR_OBJECT_ALREADY_EXISTS;
    }
    if fault::strikes() {
        return STATUS_NO_MEMORY;
    }
    add_tentative(index, (address, row.OnLinkPrefixLength));
    queue_work(move || prefer(index, address));
    STATUS_SUCCESS
}

/// Removes an address
/// (<https://learn.microsoft.com/windows-hardware/drivers/network/deleteunicastipaddressentry>).
pub(super) fn delete(row: &MIB_UNICASTIPADDRESS_ROW) -> NTSTATUS {
    let Some(address) = address(row) else { return STATUS_INVALID_PARAMETER };
    let index = match interface(row) {
        Ok(index) => index,
        Err(status) => return status,
    };
    if !has(index, address) {
        return STATUS_NOT_FOUND;
    }
    withdraw(index, address);
    STATUS_SUCCESS
}

fn has(index: u32, address: IpAddr) -> bool {
    let interfaces = present();
    let interface = interfaces.iter().find(|interface| interface.index == index);
    interface.is_some_and(|interface| interface.addresses.iter().any(|known| known.address == address))
}

/// The index of the interface that a row names: by its identity, or else by its index.
fn interface(row: &MIB_UNICASTIPADDRESS_ROW) -> Result<u32, NTSTATUS> {
    if row.InterfaceLuid.Value == 0 && row.InterfaceIndex == 0 {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let named = |index, luid| {
        if row.InterfaceLuid.Value == 0 { index == row.InterfaceIndex } else { luid == row.InterfaceLuid }
    };
    let interfaces = present();
    let interface = interfaces.iter().find(|interface| named(interface.index, interface.luid()));
    interface.map(|interface| interface.index).ok_or(STATUS_NOT_FOUND)
}

/// The unicast address of a row.
fn address(row: &MIB_UNICASTIPADDRESS_ROW) -> Option<IpAddr> {
    // SAFETY: the family is a member of every address.
    let address: IpAddr = match unsafe { row.Address.si_family } {
        // SAFETY: the family says which member is meant.
        AF_INET => IpAddr::from(unsafe { row.Address.Ipv4.sin_addr.S_addr }.to_ne_bytes()),
        // SAFETY: the family says which member is meant.
        AF_INET6 => IpAddr::from(unsafe { row.Address.Ipv6.sin6_addr.Byte }),
        _ => return None,
    };
    (!address.is_unspecified() && !address.is_multicast()).then_some(address)
}

#[cfg(test)]
mod tests {
    use sys::netioapi::NL_DAD_STATE;

    use super::*;
    use crate::ip_helper::{Interface, socket_address};

    fn row(address: &str) -> MIB_UNICASTIPADDRESS_ROW {
        let mut row = blank();
        row.Address = socket_address(address.parse().unwrap());
        (row.InterfaceIndex, row.OnLinkPrefixLength) = (12, 24);
        row
    }

    #[test]
    fn address_that_a_driver_creates_is_tentative_then_preferred_and_deleted_once() {
        let machine = crate::testing::builder().boot();
        crate::ip_helper::add(Interface { index: 12, alias: "Ethernet 12".into(), addresses: Vec::new() });
        let state = || present()[0].addresses.first().map(|known| known.state);
        let held = nt::ex::hold_work();
        assert_eq!(create(&row("10.0.0.1")), STATUS_SUCCESS);
        assert_eq!(create(&row("10.0.0.1")), ERROR_OBJECT_ALREADY_EXISTS);
        assert_eq!(state(), Some(NL_DAD_STATE::IpDadStateTentative));
        drop(held);
        nt::ex::settle();
        assert_eq!(state(), Some(NL_DAD_STATE::IpDadStatePreferred));
        assert_eq!(delete(&row("10.0.0.1")), STATUS_SUCCESS);
        assert_eq!(delete(&row("10.0.0.1")), STATUS_NOT_FOUND);
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn row_that_is_not_filled_in_is_refused() {
        let machine = crate::testing::builder().boot();
        crate::ip_helper::add(Interface { index: 12, alias: "Ethernet 12".into(), addresses: Vec::new() });
        assert_eq!(create(&blank()), STATUS_INVALID_PARAMETER);
        let spoils: [fn(&mut MIB_UNICASTIPADDRESS_ROW); 5] = [
            |row| row.OnLinkPrefixLength = 33,
            |row| row.ValidLifetime = 1,
            |row| row.PrefixOrigin = 1,
            |row| row.InterfaceIndex = 0,
            |row| row.Address = socket_address("224.0.0.1".parse().unwrap()),
        ];
        for spoil in spoils {
            let mut row = row("10.0.0.1");
            spoil(&mut row);
            assert_eq!(create(&row), STATUS_INVALID_PARAMETER);
        }
        let mut elsewhere = row("10.0.0.1");
        elsewhere.InterfaceIndex = 13;
        assert_eq!(create(&elsewhere), STATUS_NOT_FOUND);
        assert!(machine.shutdown().is_clean());
    }
}

//! The IP Helper functions of `netio.sys`.

use core::ffi::c_void;
use core::mem::{offset_of, size_of};
use std::collections::HashMap;

use nt::fault;
use nt::mm::Block;
use ntsim_core::address::Va;
use ntsim_core::exports;
use ntsim_core::number::narrow;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::netioapi::{
    MIB_UNICASTIPADDRESS_ROW, MIB_UNICASTIPADDRESS_TABLE, NET_LUID, UNICAST_IPADDRESS_CHANGE_CALLBACK,
    signature,
};
use sys::sockaddr::{ADDRESS_FAMILY, AF_INET, AF_INET6, AF_UNSPEC};
use sys::status::{
    NTSTATUS, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER, STATUS_NO_MEMORY, STATUS_NOT_FOUND,
    STATUS_SUCCESS,
};
use sys::wdm::HANDLE;

use super::{Interface, entry, notify, present, refusal};

/// The tables that were handed out and not returned, by address.
#[derive(Default)]
struct Tables {
    live: Mutex<HashMap<Va, Block>>,
}

static TABLES: PerMachine<Tables> = PerMachine::new();

/// Reports what drivers left behind.
pub(super) fn inspect() {
    TABLES.get().inspect();
}

impl Tables {
    fn inspect(&self) {
        let left = self.live.lock().len();
        if left > 0 {
            verifier::report(Finding::new("FreeMibTable").text(format!("{left} tables were never returned")));
        }
    }
}

fn tables() -> &'static Tables {
    TABLES.get()
}

exports! {
    "netio.sys", signature;

    /// The identity of the interface with an index.
    #[irql(PASSIVE..=PASSIVE)]
    fn ConvertInterfaceIndexToLuid(index: u32, luid: *mut NET_LUID) -> NTSTATUS {
        found(luid, |interface| interface.index == index, Interface::luid)
    }

    /// The index of the interface with an identity.
    #[irql(PASSIVE..=PASSIVE)]
    fn ConvertInterfaceLuidToIndex(luid: *const NET_LUID, index: *mut u32) -> NTSTATUS {
        // SAFETY: the driver passes an identity or null.
        let Some(luid) = (unsafe { luid.as_ref() }) else { return STATUS_INVALID_PARAMETER };
        found(index, |interface| interface.luid() == *luid, |interface| interface.index)
    }

    /// The name that an administrator gave an interface; `length` is in characters.
    #[irql(PASSIVE..=PASSIVE)]
    fn ConvertInterfaceLuidToAlias(luid: *const NET_LUID, alias: *mut u16, length: usize) -> NTSTATUS {
        // SAFETY: the driver passes an identity or null.
        let Some(luid) = (unsafe { luid.as_ref() }) else { return STATUS_INVALID_PARAMETER };
        let Some(interface) = present().into_iter().find(|interface| interface.luid() == *luid) else {
            return STATUS_INVALID_PARAMETER;
        };
        let name: Vec<u16> = interface.alias.encode_utf16().chain([0]).collect();
        if alias.is_null() || name.len() > length {
            return STATUS_NO_MEMORY;
        }
        // SAFETY: the driver vouches for so many characters.
        unsafe { core::ptr::copy_nonoverlapping(name.as_ptr(), alias, name.len()) };
        STATUS_SUCCESS
    }

    /// The unicast addresses of a family.
    #[irql(PASSIVE..=PASSIVE)]
    fn GetUnicastIpAddressTable(
        family: ADDRESS_FAMILY,
        table: *mut *mut MIB_UNICASTIPADDRESS_TABLE,
    ) -> NTSTATUS {
        if table.is_null() || ![AF_UNSPEC, AF_INET, AF_INET6].contains(&family) {
            return STATUS_INVALID_PARAMETER;
        }
        if let Some(status) = refusal() {
            return status;
        }
        let interfaces = present();
        let rows: Vec<_> = interfaces
            .iter()
            .flat_map(Interface::rows)
            .filter(|row| {
                // SAFETY: the family is a member of every address.
                family == AF_UNSPEC || unsafe { row.Address.si_family } == family
            })
            .collect();
        if rows.is_empty() {
            return STATUS_NOT_FOUND;
        }
        if fault::strikes() {
            return STATUS_NO_MEMORY;
        }
        let Some(made) = make_table(&rows) else { return STATUS_NO_MEMORY };
        // SAFETY: the driver passes room for the pointer.
        unsafe { table.write(made.cast()) };
        STATUS_SUCCESS
    }

    /// Frees a table.
    #[irql(PASSIVE..=DISPATCH)]
    fn FreeMibTable(memory: *mut c_void) {
        if tables().live.lock().remove(&Va::of(memory)).is_none() && !memory.is_null() {
            verifier::report(
                Finding::new("FreeMibTable").text(format!("{memory:p} is no table, or was returned before")),
            );
        }
    }

    /// Fills a row with the defaults of a new address.
    #[irql(PASSIVE..=PASSIVE)]
    fn InitializeUnicastIpAddressEntry(row: *mut MIB_UNICASTIPADDRESS_ROW) {
        // SAFETY: the driver passes room for a row.
        unsafe { row.write(entry::blank()) };
    }

    /// Gives an interface an address.
    #[irql(PASSIVE..=PASSIVE)]
    fn CreateUnicastIpAddressEntry(row: *const MIB_UNICASTIPADDRESS_ROW) -> NTSTATUS {
        // SAFETY: the driver passes a row or null.
        unsafe { row.as_ref() }.map_or(STATUS_INVALID_PARAMETER, entry::create)
    }

    /// Takes an address away from an interface.
    #[irql(PASSIVE..=PASSIVE)]
    fn DeleteUnicastIpAddressEntry(row: *const MIB_UNICASTIPADDRESS_ROW) -> NTSTATUS {
        // SAFETY: the driver passes a row or null.
        unsafe { row.as_ref() }.map_or(STATUS_INVALID_PARAMETER, entry::delete)
    }

    /// Asks to be told of changes to unicast addresses.
    #[irql(PASSIVE..=PASSIVE)]
    fn NotifyUnicastIpAddressChange(
        family: ADDRESS_FAMILY,
        callback: Option<UNICAST_IPADDRESS_CHANGE_CALLBACK>,
        context: *mut c_void,
        initial: u8,
        handle: *mut HANDLE,
    ) -> NTSTATUS {
        let Some(callback) = callback.filter(|_| [AF_UNSPEC, AF_INET, AF_INET6].contains(&family)) else {
            return STATUS_INVALID_PARAMETER;
        };
        if let Some(status) = refusal() {
            return status;
        }
        if fault::strikes() {
            return STATUS_NO_MEMORY;
        }
        let registered = notify::register(family, callback, Va::of(context), initial != 0);
        // SAFETY: the driver passes room for the handle.
        unsafe { handle.write(registered as HANDLE) };
        STATUS_SUCCESS
    }

    /// Ends a registration, after waiting for a callback that runs.
    #[irql(PASSIVE..=PASSIVE)]
    fn CancelMibChangeNotify2(handle: HANDLE) -> NTSTATUS {
        match notify::cancel(handle.addr()) {
            Some(true) => STATUS_SUCCESS,
            Some(false) => {
                verifier::report(
                    Finding::new("CancelMibChangeNotify2")
                        .text("a notification is cancelled from inside its own callback, which deadlocks"),
                );
                STATUS_INVALID_PARAMETER
            }
            None => STATUS_INVALID_HANDLE,
        }
    }
}

/// Writes what `what` yields of the interface for which `wanted` holds.
fn found<T>(to: *mut T, wanted: impl Fn(&Interface) -> bool, what: impl FnOnce(&Interface) -> T) -> NTSTATUS {
    let interfaces = present();
    let Some(interface) = interfaces.iter().find(|interface| wanted(interface)) else {
        return STATUS_INVALID_PARAMETER;
    };
    if to.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: the driver passes room for the result.
    unsafe { to.write(what(interface)) };
    STATUS_SUCCESS
}

/// A table of `rows`, in memory that the driver returns.
fn make_table(rows: &[MIB_UNICASTIPADDRESS_ROW]) -> Option<*mut MIB_UNICASTIPADDRESS_TABLE> {
    let start = offset_of!(MIB_UNICASTIPADDRESS_TABLE, Table);
    let block = Block::new(start + size_of_val(rows).max(size_of::<MIB_UNICASTIPADDRESS_ROW>()))?;
    let table = block.as_ptr::<MIB_UNICASTIPADDRESS_TABLE>();
    // SAFETY: the block has room for the head and the rows.
    unsafe { (*table).NumEntries = narrow(rows.len()) };
    let first = table.wrapping_byte_add(start).cast();
    // SAFETY: as above.
    unsafe { core::ptr::copy_nonoverlapping(rows.as_ptr(), first, rows.len()) };
    tables().live.lock().insert(Va::of(table), block);
    Some(table)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use nt::io::StatusError;
    use sys::netioapi::MIB_NOTIFICATION_TYPE;
    use sys::status::STATUS_NOT_SUPPORTED;

    use super::*;

    /// An interface that has its addresses.
    fn add() {
        crate::ip_helper::add(Interface { index: 12, alias: "Ethernet 12".into(), addresses: Vec::new() });
        crate::ip_helper::assign(12, &[("10.0.0.1".parse().unwrap(), 24), ("fe80::1".parse().unwrap(), 64)]);
    }

    #[test]
    fn index_identity_and_name_lead_to_each_other() {
        let machine = crate::testing::builder().boot();
        add();
        let (mut luid, mut index, mut alias) = (NET_LUID { Value: 0 }, 0, [0u16; 32]);
        unsafe {
            assert_eq!(ConvertInterfaceIndexToLuid(12, &mut luid), STATUS_SUCCESS);
            assert_eq!(ConvertInterfaceLuidToIndex(&luid, &mut index), STATUS_SUCCESS);
            assert_eq!(ConvertInterfaceLuidToAlias(&luid, alias.as_mut_ptr(), 32), STATUS_SUCCESS);
            assert_eq!(ConvertInterfaceLuidToAlias(&luid, alias.as_mut_ptr(), 11), STATUS_NO_MEMORY);
            assert_eq!(ConvertInterfaceIndexToLuid(13, &mut luid), STATUS_INVALID_PARAMETER);
        }
        assert_eq!(index, 12);
        assert_eq!(String::from_utf16_lossy(&alias[..11]), "Ethernet 12");
        assert!(machine.shutdown().is_clean());
    }

    #[test]
    fn table_holds_the_addresses_of_its_family_and_must_be_returned() {
        let machine = crate::testing::builder().boot();
        add();
        let mut table = core::ptr::null_mut();
        unsafe {
            assert_eq!(GetUnicastIpAddressTable(AF_INET6, &mut table), STATUS_SUCCESS);
            assert_eq!(((*table).NumEntries, (*table).Table[0].Address.si_family), (1, AF_INET6));
            FreeMibTable(table.cast());
            assert_eq!(GetUnicastIpAddressTable(AF_UNSPEC, &mut table), STATUS_SUCCESS);
            assert_eq!((*table).NumEntries, 2);
        }
        assert_eq!(machine.shutdown().findings[0].rule, "FreeMibTable");
    }

    #[test]
    fn table_without_entries_is_not_found_and_without_a_stack_not_supported() {
        let machine = crate::testing::builder().boot();
        let mut table = core::ptr::null_mut();
        unsafe {
            assert_eq!(GetUnicastIpAddressTable(AF_UNSPEC, &mut table), STATUS_NOT_FOUND);
            add();
            super::super::refuse_addresses(Some(StatusError(STATUS_NOT_SUPPORTED)));
            assert_eq!(GetUnicastIpAddressTable(AF_UNSPEC, &mut table), STATUS_NOT_SUPPORTED);
            let mut handle = core::ptr::null_mut();
            let status =
                NotifyUnicastIpAddressChange(AF_UNSPEC, Some(changed), core::ptr::null_mut(), 0, &mut handle);
            assert_eq!(status, STATUS_NOT_SUPPORTED);
        }
        assert!(machine.shutdown().is_clean());
    }

    unsafe extern "efiapi" fn changed(
        context: *mut c_void,
        row: *const MIB_UNICASTIPADDRESS_ROW,
        kind: MIB_NOTIFICATION_TYPE,
    ) {
        let told = unsafe { &*context.cast::<mpsc::Sender<(bool, i32)>>() };
        told.send((row.is_null(), kind.0)).unwrap();
    }

    #[test]
    fn driver_is_told_of_addresses_that_come_and_go() {
        let machine = crate::testing::builder().boot();
        let (send, told) = mpsc::channel::<(bool, i32)>();
        let mut handle = core::ptr::null_mut();
        unsafe {
            let context = (&raw const send).cast_mut().cast();
            let status = NotifyUnicastIpAddressChange(AF_INET, Some(changed), context, 1, &mut handle);
            assert_eq!(status, STATUS_SUCCESS);
        }
        assert_eq!(told.recv().unwrap(), (true, 3));
        add();
        // It comes tentative, and becomes preferred.
        assert_eq!([told.recv().unwrap(), told.recv().unwrap()], [(false, 1), (false, 0)]);
        crate::ip_helper::remove(12);
        assert_eq!(told.recv().unwrap(), (false, 2));
        unsafe {
            assert_eq!(CancelMibChangeNotify2(handle), STATUS_SUCCESS);
            assert_eq!(CancelMibChangeNotify2(handle), STATUS_INVALID_HANDLE);
        }
        assert!(machine.shutdown().is_clean());
    }

    unsafe extern "efiapi" fn cancels_itself(
        context: *mut c_void,
        _row: *const MIB_UNICASTIPADDRESS_ROW,
        _kind: MIB_NOTIFICATION_TYPE,
    ) {
        let told = unsafe { &*context.cast::<(mpsc::Receiver<usize>, mpsc::Sender<NTSTATUS>)>() };
        let status = unsafe { CancelMibChangeNotify2(told.0.recv().unwrap() as HANDLE) };
        told.1.send(status).unwrap();
    }

    #[test]
    fn notification_that_is_cancelled_inside_itself_is_found() {
        let machine = crate::testing::builder().boot();
        let (send, handles) = mpsc::channel::<usize>();
        let (statuses, told) = mpsc::channel::<NTSTATUS>();
        let context = (handles, statuses);
        let mut handle = core::ptr::null_mut();
        unsafe {
            let context = (&raw const context).cast_mut().cast();
            NotifyUnicastIpAddressChange(AF_INET, Some(cancels_itself), context, 1, &mut handle);
            send.send(handle.addr()).unwrap();
            assert_eq!(told.recv().unwrap(), STATUS_INVALID_PARAMETER);
            CancelMibChangeNotify2(handle);
        }
        assert_eq!(machine.shutdown().findings[0].rule, "CancelMibChangeNotify2");
    }

    #[test]
    fn table_that_is_returned_twice_is_found() {
        let machine = crate::testing::builder().boot();
        add();
        let mut table = core::ptr::null_mut();
        unsafe {
            GetUnicastIpAddressTable(AF_INET, &mut table);
            FreeMibTable(table.cast());
            FreeMibTable(table.cast());
        }
        assert_eq!(machine.shutdown().findings[0].rule, "FreeMibTable");
    }

    #[test]
    fn notification_that_is_never_cancelled_is_found() {
        let machine = crate::testing::builder().boot();
        let mut handle = core::ptr::null_mut();
        unsafe {
            NotifyUnicastIpAddressChange(AF_INET, Some(changed), core::ptr::null_mut(), 0, &mut handle)
        };
        assert_eq!(machine.shutdown().findings[0].rule, "MibChangeNotify");
    }
}

//! The IP Helper interface: which interfaces there are and which addresses they have.
//!
//! Layouts: computed with the x64 C rules from the documented members (pages of `netioapi.h`,
//! `nldef.h` and `ifdef.h` at <https://learn.microsoft.com/windows/win32/api/netioapi/>).

use crate::sockaddr::{ADDRESS_FAMILY, SOCKADDR_INET};
use crate::status::NTSTATUS;
use crate::wdm::{BOOLEAN, HANDLE, PVOID, SIZE_T, ULONG, WCHAR};

/// The index of an interface, as a consumer names it; it may change when the adapter is disabled.
pub type NET_IFINDEX = ULONG;

layout! {
    /// The identity of an interface, which persists.
    #[derive(Debug, Default, Eq, Hash, PartialEq)]
    struct NET_LUID: 0x8 {
        /// All 64 bits: reserved 0..24, index within the type 24..48, interface type 48..64.
        0x0 => Value: u64,
    }

    /// A unicast address of an interface.
    struct MIB_UNICASTIPADDRESS_ROW: 0x50 {
        /// The address; its port is 0.
        0x00 => Address: SOCKADDR_INET,
        /// The identity of its interface.
        0x20 => InterfaceLuid: NET_LUID,
        /// The index of its interface.
        0x28 => InterfaceIndex: NET_IFINDEX,
        /// The origin of the network part, `NL_PREFIX_ORIGIN`.
        0x2C => PrefixOrigin: i32,
        /// The origin of the host part, `NL_SUFFIX_ORIGIN`.
        0x30 => SuffixOrigin: i32,
        /// Seconds for which the address is valid.
        0x34 => ValidLifetime: ULONG,
        /// Seconds for which the address is preferred.
        0x38 => PreferredLifetime: ULONG,
        /// Bits of the network part.
        0x3C => OnLinkPrefixLength: u8,
        /// Not chosen as a source unless named.
        0x3D => SkipAsSource: BOOLEAN,
        /// Result of duplicate address detection.
        0x40 => DadState: NL_DAD_STATE,
        /// The scope of an IPv6 address, `SCOPE_ID`.
        0x44 => ScopeId: ULONG,
        /// The time at which the address was made, in 100 ns since 1601.
        0x48 => CreationTimeStamp: i64,
    }

    /// Unicast addresses, to be returned to [`signature::FreeMibTable`]; more rows follow the first.
    struct MIB_UNICASTIPADDRESS_TABLE: 0x58 {
        /// The number of rows.
        0x0 => NumEntries: ULONG,
        /// The first row.
        0x8 => Table: [MIB_UNICASTIPADDRESS_ROW; 1],
    }
}

open_enum! {
    /// Result of duplicate address detection.
    enum NL_DAD_STATE: i32 {
        /// No valid state.
        IpDadStateInvalid = 0,
        /// Detection is under way; the address may not be used yet.
        IpDadStateTentative = 1,
        /// Another host has the address.
        IpDadStateDuplicate = 2,
        /// Valid, but not for new connections.
        IpDadStateDeprecated = 3,
        /// Usable.
        IpDadStatePreferred = 4,
    }

    /// The kinds of notifications about a row.
    enum MIB_NOTIFICATION_TYPE: i32 {
        /// A member changed.
        MibParameterNotification = 0,
        /// The row is new.
        MibAddInstance = 1,
        /// The row is gone.
        MibDeleteInstance = 2,
        /// Nothing happened: the registration is in effect. Row is null.
        MibInitialNotification = 3,
    }
}

/// Called for each change; calls of one registration never overlap.
pub type UNICAST_IPADDRESS_CHANGE_CALLBACK = unsafe extern "efiapi" fn(
    CallerContext: PVOID,
    Row: *const MIB_UNICASTIPADDRESS_ROW,
    NotificationType: MIB_NOTIFICATION_TYPE,
);

imports! {
    "netio.sys", "netio";

    /// The identity of the interface with an index.
    fn ConvertInterfaceIndexToLuid(
        InterfaceIndex: NET_IFINDEX,
        InterfaceLuid: *mut NET_LUID,
    ) -> NTSTATUS;

    /// The index of the interface with an identity.
    fn ConvertInterfaceLuidToIndex(
        InterfaceLuid: *const NET_LUID,
        InterfaceIndex: *mut NET_IFINDEX,
    ) -> NTSTATUS;

    /// The name that an administrator gave the interface; `Length` is in characters, NUL included.
    fn ConvertInterfaceLuidToAlias(
        InterfaceLuid: *const NET_LUID,
        InterfaceAlias: *mut WCHAR,
        Length: SIZE_T,
    ) -> NTSTATUS;

    /// All unicast addresses of a family, or of both with `AF_UNSPEC`.
    fn GetUnicastIpAddressTable(
        Family: ADDRESS_FAMILY,
        Table: *mut *mut MIB_UNICASTIPADDRESS_TABLE,
    ) -> NTSTATUS;

    /// Returns the memory of a table.
    fn FreeMibTable(Memory: PVOID);

    /// Fills a row with the defaults of a new address. Its prefix length is none that is valid.
    fn InitializeUnicastIpAddressEntry(Row: *mut MIB_UNICASTIPADDRESS_ROW);

    /// Gives an interface an address, which may be used once it is preferred.
    fn CreateUnicastIpAddressEntry(Row: *const MIB_UNICASTIPADDRESS_ROW) -> NTSTATUS;

    /// Takes an address, which the row names with its interface, away from that.
    fn DeleteUnicastIpAddressEntry(Row: *const MIB_UNICASTIPADDRESS_ROW) -> NTSTATUS;

    /// Asks to be told of changes to unicast addresses.
    fn NotifyUnicastIpAddressChange(
        Family: ADDRESS_FAMILY,
        Callback: Option<UNICAST_IPADDRESS_CHANGE_CALLBACK>,
        CallerContext: PVOID,
        InitialNotification: BOOLEAN,
        NotificationHandle: *mut HANDLE,
    ) -> NTSTATUS;

    /// Ends a registration, after waiting for a callback that is running.
    fn CancelMibChangeNotify2(NotificationHandle: HANDLE) -> NTSTATUS;
}

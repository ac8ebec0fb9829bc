//! Conversion between IP addresses and their text, exported by the kernel.
//!
//! Prototypes: <https://learn.microsoft.com/windows/win32/api/ip2string/>. Ports are in network byte
//! order. `A` functions take bytes, `W` functions UTF-16; all texts are NUL-terminated.

use crate::sockaddr::{IN_ADDR, IN6_ADDR};
use crate::status::NTSTATUS;
use crate::wdm::{BOOLEAN, CHAR, ULONG, USHORT, WCHAR};

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Reads an address; with `Strict` only four decimal parts. `Terminator` gets where the text ended.
    fn RtlIpv4StringToAddressA(
        S: *const CHAR,
        Strict: BOOLEAN,
        Terminator: *mut *const CHAR,
        Addr: *mut IN_ADDR,
    ) -> NTSTATUS;

    /// Reads an address; with `Strict` only four decimal parts. `Terminator` gets where the text ended.
    fn RtlIpv4StringToAddressW(
        S: *const WCHAR,
        Strict: BOOLEAN,
        Terminator: *mut *const WCHAR,
        Addr: *mut IN_ADDR,
    ) -> NTSTATUS;

    /// Reads `address` or `address:port`.
    fn RtlIpv4StringToAddressExA(
        AddressString: *const CHAR,
        Strict: BOOLEAN,
        Address: *mut IN_ADDR,
        Port: *mut USHORT,
    ) -> NTSTATUS;

    /// Reads `address` or `address:port`.
    fn RtlIpv4StringToAddressExW(
        AddressString: *const WCHAR,
        Strict: BOOLEAN,
        Address: *mut IN_ADDR,
        Port: *mut USHORT,
    ) -> NTSTATUS;

    /// Writes an address into room for 16 characters; returns where its NUL stands.
    fn RtlIpv4AddressToStringA(Addr: *const IN_ADDR, S: *mut CHAR) -> *mut CHAR;

    /// Writes an address into room for 16 characters; returns where its NUL stands.
    fn RtlIpv4AddressToStringW(Addr: *const IN_ADDR, S: *mut WCHAR) -> *mut WCHAR;

    /// Writes an address, with its port unless that is 0; the length counts characters with the NUL.
    fn RtlIpv4AddressToStringExA(
        Address: *const IN_ADDR,
        Port: USHORT,
        AddressString: *mut CHAR,
        AddressStringLength: *mut ULONG,
    ) -> NTSTATUS;

    /// Writes an address, with its port unless that is 0; the length counts characters with the NUL.
    fn RtlIpv4AddressToStringExW(
        Address: *const IN_ADDR,
        Port: USHORT,
        AddressString: *mut WCHAR,
        AddressStringLength: *mut ULONG,
    ) -> NTSTATUS;

    /// Reads an address. `Terminator` gets where the text ended.
    fn RtlIpv6StringToAddressA(
        S: *const CHAR,
        Terminator: *mut *const CHAR,
        Addr: *mut IN6_ADDR,
    ) -> NTSTATUS;

    /// Reads an address. `Terminator` gets where the text ended.
    fn RtlIpv6StringToAddressW(
        S: *const WCHAR,
        Terminator: *mut *const WCHAR,
        Addr: *mut IN6_ADDR,
    ) -> NTSTATUS;

    /// Reads `address`, `address%scope` or either as `[…]:port`.
    fn RtlIpv6StringToAddressExA(
        AddressString: *const CHAR,
        Address: *mut IN6_ADDR,
        ScopeId: *mut ULONG,
        Port: *mut USHORT,
    ) -> NTSTATUS;

    /// Reads `address`, `address%scope` or either as `[…]:port`.
    fn RtlIpv6StringToAddressExW(
        AddressString: *const WCHAR,
        Address: *mut IN6_ADDR,
        ScopeId: *mut ULONG,
        Port: *mut USHORT,
    ) -> NTSTATUS;

    /// Writes an address into room for 46 characters; returns where its NUL stands.
    fn RtlIpv6AddressToStringA(Addr: *const IN6_ADDR, S: *mut CHAR) -> *mut CHAR;

    /// Writes an address into room for 46 characters; returns where its NUL stands.
    fn RtlIpv6AddressToStringW(Addr: *const IN6_ADDR, S: *mut WCHAR) -> *mut WCHAR;

    /// Writes an address with the scope and port that are not 0; the length counts the NUL too.
    fn RtlIpv6AddressToStringExA(
        Address: *const IN6_ADDR,
        ScopeId: ULONG,
        Port: USHORT,
        AddressString: *mut CHAR,
        AddressStringLength: *mut ULONG,
    ) -> NTSTATUS;

    /// Writes an address with the scope and port that are not 0; the length counts the NUL too.
    fn RtlIpv6AddressToStringExW(
        Address: *const IN6_ADDR,
        ScopeId: ULONG,
        Port: USHORT,
        AddressString: *mut WCHAR,
        AddressStringLength: *mut ULONG,
    ) -> NTSTATUS;
}

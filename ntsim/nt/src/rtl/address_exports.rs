//! `RtlIpv4…` and `RtlIpv6…`: addresses from text and back, in both character widths.

use core::net::{Ipv4Addr, Ipv6Addr};

use ntsim_core::exports;
use ntsim_core::number::narrow;
use sys::ip2string::signature;
use sys::sockaddr::{IN_ADDR, IN6_ADDR};
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use super::address::{self, AddressError, Endpoint6, Parsed};
use super::character::{Character, read_text, write_text};

exports! {
    "ntoskrnl.exe", signature;

    /// Reads an IPv4 address.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv4StringToAddressA(
        text: *const i8,
        strict: u8,
        end: *mut *const i8,
        out: *mut IN_ADDR,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a NUL-terminated text and room for the results.
        unsafe { read(text, |bytes| address::parse_v4(bytes, strict != 0), end, out) }
    }

    /// Reads an IPv4 address.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv4StringToAddressW(
        text: *const u16,
        strict: u8,
        end: *mut *const u16,
        out: *mut IN_ADDR,
    ) -> NTSTATUS {
        // SAFETY: as for the A function.
        unsafe { read(text, |bytes| address::parse_v4(bytes, strict != 0), end, out) }
    }

    /// Reads an IPv4 address and a port.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv4StringToAddressExA(text: *const i8, strict: u8, out: *mut IN_ADDR, port: *mut u16) -> NTSTATUS {
        // SAFETY: the driver passes a NUL-terminated text and room for the results.
        unsafe { read_endpoint4(text, strict, out, port) }
    }

    /// Reads an IPv4 address and a port.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv4StringToAddressExW(
        text: *const u16,
        strict: u8,
        out: *mut IN_ADDR,
        port: *mut u16,
    ) -> NTSTATUS {
        // SAFETY: as for the A function.
        unsafe { read_endpoint4(text, strict, out, port) }
    }

    /// Writes an IPv4 address.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv4AddressToStringA(from: *const IN_ADDR, to: *mut i8) -> *mut i8 {
        // SAFETY: the driver passes an address and room for the longest text.
        unsafe { write(from, to) }
    }

    /// Writes an IPv4 address.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv4AddressToStringW(from: *const IN_ADDR, to: *mut u16) -> *mut u16 {
        // SAFETY: as for the A function.
        unsafe { write(from, to) }
    }

    /// Writes an IPv4 address and a port.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv4AddressToStringExA(from: *const IN_ADDR, port: u16, to: *mut i8, length: *mut u32) -> NTSTATUS {
        // SAFETY: the driver passes an address and room for `length` characters.
        unsafe { write_endpoint4(from, port, to, length) }
    }

    /// Writes an IPv4 address and a port.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv4AddressToStringExW(
        from: *const IN_ADDR,
        port: u16,
        to: *mut u16,
        length: *mut u32,
    ) -> NTSTATUS {
        // SAFETY: as for the A function.
        unsafe { write_endpoint4(from, port, to, length) }
    }

    /// Reads an IPv6 address.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv6StringToAddressA(text: *const i8, end: *mut *const i8, out: *mut IN6_ADDR) -> NTSTATUS {
        // SAFETY: the driver passes a NUL-terminated text and room for the results.
        unsafe { read(text, address::parse_v6, end, out) }
    }

    /// Reads an IPv6 address.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv6StringToAddressW(text: *const u16, end: *mut *const u16, out: *mut IN6_ADDR) -> NTSTATUS {
        // SAFETY: as for the A function.
        unsafe { read(text, address::parse_v6, end, out) }
    }

    /// Reads an IPv6 address, a scope and a port.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv6StringToAddressExA(
        text: *const i8,
        out: *mut IN6_ADDR,
        scope: *mut u32,
        port: *mut u16,
    ) -> NTSTATUS {
        // SAFETY: the driver passes a NUL-terminated text and room for the results.
        unsafe { read_endpoint6(text, out, scope, port) }
    }

    /// Reads an IPv6 address, a scope and a port.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv6StringToAddressExW(
        text: *const u16,
        out: *mut IN6_ADDR,
        scope: *mut u32,
        port: *mut u16,
    ) -> NTSTATUS {
        // SAFETY: as for the A function.
        unsafe { read_endpoint6(text, out, scope, port) }
    }

    /// Writes an IPv6 address.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv6AddressToStringA(from: *const IN6_ADDR, to: *mut i8) -> *mut i8 {
        // SAFETY: the driver passes an address and room for the longest text.
        unsafe { write(from, to) }
    }

    /// Writes an IPv6 address.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv6AddressToStringW(from: *const IN6_ADDR, to: *mut u16) -> *mut u16 {
        // SAFETY: as for the A function.
        unsafe { write(from, to) }
    }

    /// Writes an IPv6 address, its scope and a port.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv6AddressToStringExA(
        from: *const IN6_ADDR,
        scope: u32,
        port: u16,
        to: *mut i8,
        length: *mut u32,
    ) -> NTSTATUS {
        // SAFETY: the driver passes an address and room for `length` characters.
        unsafe { write_endpoint6(from, scope, port, to, length) }
    }

    /// Writes an IPv6 address, its scope and a port.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlIpv6AddressToStringExW(
        from: *const IN6_ADDR,
        scope: u32,
        port: u16,
        to: *mut u16,
        length: *mut u32,
    ) -> NTSTATUS {
        // SAFETY: as for the A function.
        unsafe { write_endpoint6(from, scope, port, to, length) }
    }
}

/// An address type of the interface and the one of the standard library that it stands for.
pub(super) trait Address {
    type Rust: core::fmt::Display;
    fn to_rust(&self) -> Self::Rust;
    fn from_rust(address: Self::Rust) -> Self;
}

impl Address for IN_ADDR {
    type Rust = Ipv4Addr;
    fn to_rust(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from_be(self.S_addr))
    }
    fn from_rust(address: Ipv4Addr) -> Self {
        Self { S_addr: u32::from(address).to_be() }
    }
}

impl Address for IN6_ADDR {
    type Rust = Ipv6Addr;
    fn to_rust(&self) -> Ipv6Addr {
        Ipv6Addr::from(self.Byte)
    }
    fn from_rust(address: Ipv6Addr) -> Self {
        Self { Byte: address.octets() }
    }
}

/// Reads an address off the start of `text`, and says where it ended.
///
/// # Safety
/// `text` is NUL-terminated; `end` and `out` may be written.
unsafe fn read<C: Character, A: Address>(
    text: *const C,
    parse: impl FnOnce(&[u8]) -> Result<Parsed<A::Rust>, AddressError>,
    end: *mut *const C,
    out: *mut A,
) -> NTSTATUS {
    // SAFETY: the caller's contract.
    let bytes = unsafe { read_text(text) };
    let (status, length) = match parse(&bytes) {
        Ok(Parsed { address, length }) => {
            // SAFETY: the caller's contract.
            unsafe { out.write_unaligned(A::from_rust(address)) };
            (STATUS_SUCCESS, length)
        }
        Err(AddressError(length)) => (STATUS_INVALID_PARAMETER, length),
    };
    // SAFETY: the parser looked at no more than the text, so this is within it or at its NUL.
    unsafe { end.write_unaligned(text.wrapping_add(length)) };
    status
}

/// # Safety
/// `text` is NUL-terminated; `out` and `port` may be written.
unsafe fn read_endpoint4<C: Character>(
    text: *const C,
    strict: u8,
    out: *mut IN_ADDR,
    port: *mut u16,
) -> NTSTATUS {
    // SAFETY: the caller's contract.
    let bytes = unsafe { read_text(text) };
    let Ok((address, number)) = address::parse_v4_endpoint(&bytes, strict != 0) else {
        return STATUS_INVALID_PARAMETER;
    };
    // SAFETY: the caller's contract.
    unsafe { out.write_unaligned(IN_ADDR::from_rust(address)) };
    // SAFETY: the caller's contract.
    unsafe { port.write_unaligned(number.to_be()) };
    STATUS_SUCCESS
}

/// # Safety
/// `text` is NUL-terminated; `out`, `scope` and `port` may be written.
unsafe fn read_endpoint6<C: Character>(
    text: *const C,
    out: *mut IN6_ADDR,
    scope: *mut u32,
    port: *mut u16,
) -> NTSTATUS {
    // SAFETY: the caller's contract.
    let bytes = unsafe { read_text(text) };
    let Ok(endpoint) = address::parse_v6_endpoint(&bytes) else {
        return STATUS_INVALID_PARAMETER;
    };
    // SAFETY: the caller's contract.
    unsafe { out.write_unaligned(IN6_ADDR::from_rust(endpoint.address)) };
    // SAFETY: the caller's contract.
    unsafe { scope.write_unaligned(endpoint.scope) };
    // SAFETY: the caller's contract.
    unsafe { port.write_unaligned(endpoint.port.to_be()) };
    STATUS_SUCCESS
}

/// Writes an address with its NUL and returns where the NUL stands.
///
/// # Safety
/// `from` is readable, and there is room for the longest text of its kind at `to`.
unsafe fn write<C: Character, A: Address>(from: *const A, to: *mut C) -> *mut C {
    // SAFETY: the caller's contract.
    let text = unsafe { from.read_unaligned() }.to_rust().to_string();
    // SAFETY: the caller's contract.
    unsafe { write_text(text.as_bytes(), to) };
    // SAFETY: the NUL that was just written stands there.
    unsafe { to.add(text.len()) }
}

/// # Safety
/// As for [`write_sized`]; `from` is readable.
unsafe fn write_endpoint4<C: Character>(
    from: *const IN_ADDR,
    port: u16,
    to: *mut C,
    length: *mut u32,
) -> NTSTATUS {
    // SAFETY: the caller's contract.
    let address = unsafe { from.read_unaligned() }.to_rust();
    // SAFETY: the caller's contract.
    unsafe { write_sized(&address::format_v4_endpoint(address, u16::from_be(port)), to, length) }
}

/// # Safety
/// As for [`write_sized`]; `from` is readable.
unsafe fn write_endpoint6<C: Character>(
    from: *const IN6_ADDR,
    scope: u32,
    port: u16,
    to: *mut C,
    length: *mut u32,
) -> NTSTATUS {
    // SAFETY: the caller's contract.
    let address = unsafe { from.read_unaligned() }.to_rust();
    let endpoint = Endpoint6 { address, scope, port: u16::from_be(port) };
    // SAFETY: the caller's contract.
    unsafe { write_sized(&address::format_v6_endpoint(&endpoint), to, length) }
}

/// Writes a text if it fits, and sets `length` to the characters that it takes with its NUL.
///
/// # Safety
/// `length` may be written, and there is room for as many characters at `to`.
unsafe fn write_sized<C: Character>(text: &str, to: *mut C, length: *mut u32) -> NTSTATUS {
    let needed = narrow::<u32, _>(text.len()) + 1;
    // SAFETY: the caller's contract.
    let room = unsafe { length.replace(needed) };
    if room < needed || to.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: it fits into the room that the caller vouches for.
    unsafe { write_text(text.as_bytes(), to) };
    STATUS_SUCCESS
}

//! Socket addresses in and out.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sys::sockaddr::{AF_INET, AF_INET6, IN_ADDR, IN6_ADDR, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6};
use sys::status::{NTSTATUS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::ULONG;

use super::ulong;
use crate::number::usize_from;
use crate::status::StatusError;

/// Reads an IPv4 or IPv6 address.
///
/// # Errors
///
/// STATUS_INVALID_PARAMETER for a null pointer, another family, or too short a length.
///
/// # Safety
///
/// `address` is null or points to `length` readable bytes.
pub(super) unsafe fn read(address: *const SOCKADDR, length: ULONG) -> Result<SocketAddr, StatusError> {
    let length = usize_from(length);
    if address.is_null() || length < size_of::<u16>() {
        return Err(StatusError::PARAMETER);
    }
    // SAFETY: at least two readable bytes; they may be unaligned.
    let family = unsafe { address.cast::<u16>().read_unaligned() };
    match family {
        AF_INET if length >= size_of::<SOCKADDR_IN>() => {
            // SAFETY: as many readable bytes; they may be unaligned.
            let v4 = unsafe { address.cast::<SOCKADDR_IN>().read_unaligned() };
            let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.S_addr));
            Ok(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        AF_INET6 if length >= size_of::<SOCKADDR_IN6>() => {
            // SAFETY: as many readable bytes; they may be unaligned.
            let v6 = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
            let ip = Ipv6Addr::from_octets(v6.sin6_addr.Byte);
            // The flow label is no part of an endpoint; the scope belongs to the interface, which the
            // adapter is.
            Ok(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, 0).into())
        }
        _ => Err(StatusError::PARAMETER),
    }
}

/// Writes an address to a consumer's buffer; the length is what there is room for, and then what it took
/// or would take.
///
/// STATUS_BUFFER_TOO_SMALL leaves the buffer alone.
///
/// # Safety
///
/// `length` is null or points to a length, and `buffer` to as many writable bytes.
pub(crate) unsafe fn write(address: SocketAddr, buffer: *mut SOCKADDR, length: *mut ULONG) -> NTSTATUS {
    if length.is_null() {
        return STATUS_INVALID_PARAMETER;
    }
    let needed = match address {
        SocketAddr::V4(_) => size_of::<SOCKADDR_IN>(),
        SocketAddr::V6(_) => size_of::<SOCKADDR_IN6>(),
    };
    // SAFETY: not null, and points to a length.
    let room = usize_from(unsafe { length.replace(ulong(needed)) });
    if buffer.is_null() || room < needed {
        return STATUS_BUFFER_TOO_SMALL;
    }
    match address {
        SocketAddr::V4(v4) => {
            let raw = SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: v4.port().to_be(),
                sin_addr: IN_ADDR { S_addr: v4.ip().to_bits().to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: there is room for it; the buffer may be unaligned.
            unsafe { buffer.cast::<SOCKADDR_IN>().write_unaligned(raw) };
        }
        SocketAddr::V6(v6) => {
            let raw = SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: IN6_ADDR { Byte: v6.ip().octets() },
                sin6_scope_id: 0,
            };
            // SAFETY: there is room for it; the buffer may be unaligned.
            unsafe { buffer.cast::<SOCKADDR_IN6>().write_unaligned(raw) };
        }
    }
    STATUS_SUCCESS
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::number::u32_from;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_address_is_read_back(address: SocketAddr) {
            let mut buffer = [0_u8; 64];
            let mut length = 64;
            let address = match address {
                SocketAddr::V6(v6) => SocketAddrV6::new(*v6.ip(), v6.port(), 0, 0).into(),
                v4 @ SocketAddr::V4(_) => v4,
            };
            // An odd place: a consumer's address need not be aligned.
            let place = buffer[1..].as_mut_ptr().cast::<SOCKADDR>();
            // SAFETY: the buffer has room for `length` bytes from here.
            prop_assert_eq!(unsafe { write(address, place, &mut length) }, STATUS_SUCCESS);
            // SAFETY: so many bytes were just written.
            prop_assert_eq!(unsafe { read(place, length) }, Ok(address));
            // SAFETY: the length is shorter than what is there.
            prop_assert_eq!(unsafe { read(place, length - 1) }, Err(StatusError::PARAMETER));
        }

        #[test]
        fn any_bytes_are_an_address_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            // SAFETY: so many bytes are there.
            let read = unsafe { read(bytes.as_ptr().cast(), u32_from(bytes.len())) };
            if let Ok(address) = read {
                prop_assert_eq!(address.is_ipv4(), u16::from_ne_bytes([bytes[0], bytes[1]]) == AF_INET);
            }
        }
    }

    #[test]
    fn address_written_to_a_short_buffer_returns_the_needed_length() {
        let mut buffer = [0_u8; 15];
        let mut length = 15;
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        // SAFETY: the buffer has `length` bytes.
        let status = unsafe { write(address, buffer.as_mut_ptr().cast(), &mut length) };
        assert_eq!((status, length, buffer), (STATUS_BUFFER_TOO_SMALL, 16, [0; 15]));
    }
}

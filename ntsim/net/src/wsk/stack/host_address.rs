//! The host's form of addresses, options and errors.

use core::mem;
use core::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::io;
use std::os::fd::RawFd;

use ntsim_core::number::narrow;
use sys::status::*;

/// The status that stands for an error of the host.
pub(super) fn status_of(error: libc::c_int) -> NTSTATUS {
    match error {
        libc::ECONNREFUSED => STATUS_CONNECTION_REFUSED,
        libc::ETIMEDOUT => STATUS_IO_TIMEOUT,
        libc::ENETUNREACH | libc::ENETDOWN => STATUS_NETWORK_UNREACHABLE,
        libc::EHOSTUNREACH | libc::EHOSTDOWN => STATUS_HOST_UNREACHABLE,
        libc::ECONNRESET | libc::EPIPE => STATUS_CONNECTION_RESET,
        libc::ECONNABORTED => STATUS_CONNECTION_ABORTED,
        libc::EADDRINUSE => STATUS_ADDRESS_ALREADY_EXISTS,
        libc::EADDRNOTAVAIL => STATUS_INVALID_ADDRESS_COMPONENT,
        libc::EACCES | libc::EPERM => STATUS_ACCESS_DENIED,
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => STATUS_INSUFFICIENT_RESOURCES,
        _ => STATUS_UNSUCCESSFUL,
    }
}

/// The result of a call of the host, or its error.
pub(super) fn check(result: libc::c_int) -> Result<libc::c_int, libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { Ok(result) }
}

/// An address as the host takes it.
pub(super) struct Native {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl Native {
    pub(super) fn new(address: SocketAddr) -> Self {
        // SAFETY: all zero is a valid address.
        let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
        let length = match address {
            SocketAddr::V4(v4) => {
                let full = libc::sockaddr_in {
                    sin_family: narrow(u32::try_from(libc::AF_INET).unwrap_or(0)),
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                    sin_zero: [0; 8],
                };
                // SAFETY: the storage has room for an address of any family.
                unsafe { (&raw mut storage).cast::<libc::sockaddr_in>().write(full) };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                let full = libc::sockaddr_in6 {
                    sin6_family: narrow(u32::try_from(libc::AF_INET6).unwrap_or(0)),
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: as above.
                unsafe { (&raw mut storage).cast::<libc::sockaddr_in6>().write(full) };
                size_of::<libc::sockaddr_in6>()
            }
        };
        Self { storage, length: narrow(length) }
    }

    pub(super) fn pointer(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    pub(super) fn length(&self) -> libc::socklen_t {
        self.length
    }

    /// The local address of a descriptor.
    pub(super) fn local(fd: RawFd) -> Result<Option<SocketAddr>, libc::c_int> {
        Self::asked(|address, length| {
            // SAFETY: the caller below passes room for an address.
            unsafe { libc::getsockname(fd, address, length) }
        })
    }

    /// The peer's address of a descriptor.
    pub(super) fn remote(fd: RawFd) -> Result<Option<SocketAddr>, libc::c_int> {
        Self::asked(|address, length| {
            // SAFETY: the caller below passes room for an address.
            unsafe { libc::getpeername(fd, address, length) }
        })
    }

    fn asked(
        ask: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int,
    ) -> Result<Option<SocketAddr>, libc::c_int> {
        // SAFETY: all zero is a valid address.
        let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
        let mut length: libc::socklen_t = narrow(size_of::<libc::sockaddr_storage>());
        check(ask((&raw mut storage).cast(), &raw mut length))?;
        let at = &raw const storage;
        Ok(match i32::from(storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says what the storage holds.
                let v4 = unsafe { at.cast::<libc::sockaddr_in>().read() };
                let ip = u32::from_be(v4.sin_addr.s_addr).into();
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { at.cast::<libc::sockaddr_in6>().read() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(
                    SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), v6.sin6_flowinfo, v6.sin6_scope_id)
                        .into(),
                )
            }
            _ => None,
        })
    }
}

/// Options of four bytes.
pub(super) mod option {
    use core::ffi::c_int;
    use std::os::fd::RawFd;

    use ntsim_core::number::narrow;

    pub(in super::super) fn set(fd: RawFd, level: c_int, name: c_int, value: c_int) {
        let length = narrow(size_of::<c_int>());
        // SAFETY: the value is as long as it says.
        unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length) };
    }

    pub(in super::super) fn get(fd: RawFd, level: c_int, name: c_int) -> c_int {
        let (mut value, mut length): (c_int, libc::socklen_t) = (0, narrow(size_of::<c_int>()));
        // SAFETY: there is room for the value.
        unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut length) };
        value
    }
}

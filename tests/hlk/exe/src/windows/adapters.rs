//! The network interfaces of this machine.

#![expect(unsafe_code, reason = "functions of Windows are called")]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ptr::null;

use runner::{Error, Taken};
use windows_sys::Win32::Foundation::{ERROR_BUFFER_OVERFLOW, ERROR_NO_DATA, ERROR_SUCCESS};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GAA_FLAG_SKIP_ANYCAST, GAA_FLAG_SKIP_DNS_SERVER, GAA_FLAG_SKIP_MULTICAST, GetAdaptersAddresses,
    IP_ADAPTER_ADDRESSES_LH, IP_ADAPTER_UNICAST_ADDRESS_LH,
};
use windows_sys::Win32::NetworkManagement::Ndis::IfOperStatusUp;
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, AF_UNSPEC, IpDadStatePreferred, SOCKADDR_IN, SOCKADDR_IN6,
};

use super::text::{failed, text_at};

/// The beginning of the description that the INF gives.
const DESCRIPTION: &str = "softndk";

/// An interface.
pub(super) struct Interface {
    pub(super) if_index: u32,
    /// The identifier in braces.
    pub(super) identifier: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) up: bool,
    pub(super) addresses: Vec<Address>,
}

/// An address of an interface.
pub(super) struct Address {
    pub(super) ip: IpAddr,
    pub(super) prefix: u8,
    /// Set if it may be used: no other machine has it, as far as this one can tell.
    pub(super) preferred: bool,
}

impl Interface {
    /// Returns whether it is an adapter of softndk.
    pub(super) fn is_ours(&self) -> bool {
        let start = self.description.get(..DESCRIPTION.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(DESCRIPTION))
    }

    /// The addresses that a connection may come from or go to: without those that are valid on one link, which only
    /// name an interface together with its index.
    pub(super) fn usable(&self) -> Vec<IpAddr> {
        let usable = self.addresses.iter().filter(|address| address.preferred).map(|address| address.ip);
        usable
            .filter(|ip| match ip {
                IpAddr::V4(ip) => !ip.is_link_local(),
                IpAddr::V6(ip) => !ip.is_unicast_link_local(),
            })
            .collect()
    }

    /// The networks that it is in.
    pub(super) fn networks(&self) -> impl Iterator<Item = Taken> + '_ {
        self.addresses.iter().filter_map(|address| match address.ip {
            IpAddr::V4(ip) => Some(Taken { address: ip, prefix: address.prefix }),
            IpAddr::V6(_) => None,
        })
    }
}

/// All interfaces, by index.
pub(super) fn interfaces() -> Result<Vec<Interface>, Error> {
    let flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    // The page's own advice for a first try; in units that are aligned as the structures are.
    let mut buffer = vec![0_u64; 15_000 / 8];
    loop {
        let mut length = size_of_val(&buffer[..]) as u32;
        let start = buffer.as_mut_ptr().cast();
        // SAFETY: the buffer has that many bytes.
        match unsafe { GetAdaptersAddresses(AF_UNSPEC.into(), flags, null(), start, &raw mut length) } {
            ERROR_SUCCESS => break,
            ERROR_BUFFER_OVERFLOW => buffer.resize(length as usize / 8 + 1, 0),
            ERROR_NO_DATA => return Ok(Vec::new()),
            error => return Err(failed("list the interfaces", format!("error {error}"))),
        }
    }
    let mut found = Vec::new();
    let mut next: *const IP_ADAPTER_ADDRESSES_LH = buffer.as_ptr().cast();
    // SAFETY: the function has filled the buffer with a list that ends with null.
    while let Some(interface) = unsafe { next.as_ref() } {
        // SAFETY: an entry of the list has what it points to in the buffer.
        found.push(unsafe { read(interface) });
        next = interface.Next;
    }
    found.sort_by_key(|interface| interface.if_index);
    Ok(found)
}

/// # Safety
/// The entry is one of a list that GetAdaptersAddresses has made and that is still there.
unsafe fn read(entry: &IP_ADAPTER_ADDRESSES_LH) -> Interface {
    // SAFETY: both members of the union are plain data.
    let head = unsafe { entry.Anonymous1.Anonymous };
    let identifier = if entry.AdapterName.is_null() {
        String::new()
    } else {
        // SAFETY: the name is ended by a zero.
        unsafe { core::ffi::CStr::from_ptr(entry.AdapterName.cast()) }.to_string_lossy().into_owned()
    };
    let mut addresses = Vec::new();
    let mut next: *const IP_ADAPTER_UNICAST_ADDRESS_LH = entry.FirstUnicastAddress;
    // SAFETY: the list ends with null.
    while let Some(unicast) = unsafe { next.as_ref() } {
        // SAFETY: the entry has its address in the buffer.
        addresses.extend(unsafe { address(unicast) });
        next = unicast.Next;
    }
    Interface {
        // An interface without IPv4 has an index for IPv6 alone, which is the same where there are both.
        if_index: if head.IfIndex == 0 { entry.Ipv6IfIndex } else { head.IfIndex },
        identifier,
        // SAFETY: the name is null or ended by a zero.
        name: unsafe { text_at(entry.FriendlyName) },
        // SAFETY: as above.
        description: unsafe { text_at(entry.Description) },
        up: entry.OperStatus == IfOperStatusUp,
        addresses,
    }
}

/// # Safety
/// As for [`read`].
unsafe fn address(entry: &IP_ADAPTER_UNICAST_ADDRESS_LH) -> Option<Address> {
    let socket = entry.Address.lpSockaddr;
    if socket.is_null() {
        return None;
    }
    // SAFETY: each socket address begins with its family.
    let ip = match unsafe { (*socket).sa_family } {
        AF_INET => {
            // SAFETY: the family says what it is; nothing is promised of its alignment.
            let socket = unsafe { socket.cast::<SOCKADDR_IN>().read_unaligned() };
            // SAFETY: each member of the union is the same four bytes.
            let octets = unsafe { socket.sin_addr.S_un.S_addr }.to_ne_bytes();
            IpAddr::V4(Ipv4Addr::from(octets))
        }
        AF_INET6 => {
            // SAFETY: as above.
            let socket = unsafe { socket.cast::<SOCKADDR_IN6>().read_unaligned() };
            // SAFETY: each member of the union is the same sixteen bytes.
            IpAddr::V6(Ipv6Addr::from(unsafe { socket.sin6_addr.u.Byte }))
        }
        _ => return None,
    };
    let preferred = entry.DadState == IpDadStatePreferred;
    Some(Address { ip, prefix: entry.OnLinkPrefixLength, preferred })
}

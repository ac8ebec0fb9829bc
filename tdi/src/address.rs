//! Transport addresses: a count, and so many of length, family and bytes, which need not be aligned.

#![forbid(unsafe_code)]

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use sys::tdi::{TDI_ADDRESS_TYPE_IP, TDI_ADDRESS_TYPE_IP6};

/// `TDI_ADDRESS_IP`: port, address, eight zero bytes.
const IP_LENGTH: usize = 14;
/// `TDI_ADDRESS_IP6`: port, flow label, address, scope.
const IP6_LENGTH: usize = 26;
/// Length and family.
const HEAD: usize = 4;
/// The most bytes of a `TRANSPORT_ADDRESS` with one IP address.
pub const MAX_LENGTH: usize = 4 + HEAD + IP6_LENGTH;

/// The IP addresses of a `TRANSPORT_ADDRESS`, in their order; those of other families are passed over.
/// The iteration ends where the list is truncated.
#[derive(Clone, Debug)]
pub struct TransportAddresses<'a> {
    left: u32,
    bytes: &'a [u8],
}

impl<'a> TransportAddresses<'a> {
    /// Reads the head of a list; `None` if it is too short to have one, or its count is negative.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (count, bytes) = bytes.split_first_chunk::<4>()?;
        let left = u32::try_from(i32::from_le_bytes(*count)).ok()?;
        Some(Self { left, bytes })
    }

    fn take(&mut self) -> Option<(u16, &'a [u8])> {
        self.left = self.left.checked_sub(1)?;
        let (head, rest) = self.bytes.split_first_chunk::<HEAD>()?;
        let [l0, l1, f0, f1] = *head;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([l0, l1])))?;
        self.bytes = rest;
        Some((u16::from_le_bytes([f0, f1]), value))
    }
}

impl Iterator for TransportAddresses<'_> {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        loop {
            let (family, value) = self.take()?;
            let address = match family {
                TDI_ADDRESS_TYPE_IP => v4(value),
                TDI_ADDRESS_TYPE_IP6 => v6(value),
                _ => None,
            };
            if address.is_some() {
                return address;
            }
        }
    }
}

fn v4(value: &[u8]) -> Option<SocketAddr> {
    let (port, rest) = value.split_first_chunk()?;
    let address = rest.first_chunk::<4>().filter(|_| value.len() >= IP_LENGTH)?;
    Some(SocketAddrV4::new(Ipv4Addr::from_octets(*address), u16::from_be_bytes(*port)).into())
}

/// The flow label is no part of an endpoint, and the scope belongs to the interface.
fn v6(value: &[u8]) -> Option<SocketAddr> {
    let (port, rest) = value.split_first_chunk()?;
    let (_flow, rest) = rest.split_first_chunk::<4>()?;
    let address = rest.first_chunk::<16>().filter(|_| value.len() >= IP6_LENGTH)?;
    Some(SocketAddrV6::new(Ipv6Addr::from_octets(*address), u16::from_be_bytes(*port), 0, 0).into())
}

/// A `TRANSPORT_ADDRESS` with one address, as it is written to a client.
#[derive(Clone, Copy, Debug)]
pub struct TransportAddress {
    bytes: [u8; MAX_LENGTH],
    length: usize,
}

impl TransportAddress {
    /// Writes `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let mut bytes = [0; MAX_LENGTH];
        let (family, value) = match address {
            SocketAddr::V4(_) => (TDI_ADDRESS_TYPE_IP, IP_LENGTH),
            SocketAddr::V6(_) => (TDI_ADDRESS_TYPE_IP6, IP6_LENGTH),
        };
        let count = 1_i32.to_le_bytes().into_iter();
        // A value's length is 14 or 26.
        let [low, high, ..] = value.to_le_bytes();
        let head = [low, high].into_iter().chain(family.to_le_bytes());
        let port = address.port().to_be_bytes().into_iter();
        let mut places = bytes.iter_mut();
        let mut put = |from: &mut dyn Iterator<Item = u8>| {
            for (byte, place) in from.zip(&mut places) {
                *place = byte;
            }
        };
        match address {
            SocketAddr::V4(v4) => put(&mut count.chain(head).chain(port).chain(v4.ip().octets())),
            SocketAddr::V6(v6) => {
                put(&mut count.chain(head).chain(port).chain([0; 4]).chain(v6.ip().octets()));
            }
        }
        Self { bytes, length: value.saturating_add(HEAD).saturating_add(4) }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The bytes, for one who may write to them.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }
}

/// The body of the fuzz target: whatever the bytes, the iteration ends, and what it yields reads the same
/// when it is written and read again.
pub fn fuzz(bytes: &[u8]) {
    for address in TransportAddresses::parse(bytes).into_iter().flatten() {
        let written = TransportAddress::new(address);
        let again = TransportAddresses::parse(written.bytes()).and_then(|mut all| all.next());
        assert_eq!(again, Some(address), "what is written is read");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Vec<SocketAddr> {
        TransportAddresses::parse(bytes).into_iter().flatten().collect()
    }

    #[test]
    fn address_has_the_layout_of_the_binding() {
        let v4 = TransportAddress::new("10.1.2.3:258".parse().unwrap());
        assert_eq!(v4.bytes().len(), size_of::<sys::tdi::TA_IP_ADDRESS>());
        assert_eq!(v4.bytes()[..14], [1, 0, 0, 0, 14, 0, 2, 0, 1, 2, 10, 1, 2, 3]);
        let v6 = TransportAddress::new("[fe80::7]:80".parse().unwrap());
        assert_eq!(v6.bytes().len(), size_of::<sys::tdi::TA_IP6_ADDRESS>());
    }

    #[test]
    fn addresses_of_other_families_are_passed_over() {
        let mut bytes = vec![3, 0, 0, 0, 2, 0, 17, 0, 9, 9];
        for address in ["10.0.0.1:7", "10.0.0.2:8"] {
            bytes.extend(&TransportAddress::new(address.parse().unwrap()).bytes()[4..]);
        }
        assert_eq!(read(&bytes), ["10.0.0.1:7".parse().unwrap(), "10.0.0.2:8".parse().unwrap()]);
    }

    #[test]
    fn count_of_zero_or_less_is_no_address() {
        let whole = TransportAddress::new("10.0.0.1:7".parse().unwrap());
        for count in [0_i32, -1, i32::MIN] {
            let mut bytes = whole.bytes().to_vec();
            bytes[..4].copy_from_slice(&count.to_le_bytes());
            assert_eq!(read(&bytes), []);
        }
    }

    #[test]
    fn count_beyond_the_bytes_ends_with_them() {
        let mut bytes = TransportAddress::new("10.0.0.1:7".parse().unwrap()).bytes().to_vec();
        bytes[..4].copy_from_slice(&i32::MAX.to_le_bytes());
        assert_eq!(read(&bytes).len(), 1);
    }

    #[test]
    fn address_truncated_at_any_byte_is_none() {
        for address in ["10.0.0.1:7", "[fe80::7]:80"] {
            let whole = TransportAddress::new(address.parse().unwrap());
            for length in 0..whole.bytes().len() {
                assert_eq!(read(&whole.bytes()[..length]), []);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
            fuzz(&bytes);
        }

        #[test]
        fn written_address_is_read_back(ip: core::net::IpAddr, port: u16) {
            let address = SocketAddr::new(ip, port);
            prop_assert_eq!(read(TransportAddress::new(address).bytes()), [address]);
        }
    }
}

//! Addresses of a machine's own: two machines that are set up alike do not claim the same.

use core::net::Ipv4Addr;

use sha2::{Digest, Sha256};

/// The bits of an address that the two adapters share.
pub const PREFIX: u8 = 30;

/// A network that the machine has already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    /// An address in it.
    pub address: Ipv4Addr,
    /// The bits of the address that the network's members share.
    pub prefix: u8,
}

/// The addresses of the two adapters: neighbours in a network of [`PREFIX`] bits in 10.0.0.0/8, which follows from what
/// tells the machine from others, and is none that it has already. Nothing if every one of a million is taken.
#[must_use]
pub fn own_addresses(identity: &[u8], taken: &[Taken]) -> Option<[Ipv4Addr; 2]> {
    (0..1_000_000_u32).find_map(|attempt| {
        let hash = Sha256::new().chain_update(identity).chain_update(attempt.to_le_bytes()).finalize();
        let [a, b, c, ..] = hash[..] else { return None };
        let network = Ipv4Addr::new(10, a, b, c & 0b1111_1100);
        let free = taken.iter().all(|taken| !overlap(network, *taken));
        free.then(|| [1, 2].map(|host| Ipv4Addr::from_bits(network.to_bits() | host)))
    })
}

fn overlap(network: Ipv4Addr, taken: Taken) -> bool {
    let bits = u32::from(taken.prefix.min(PREFIX));
    let differing = network.to_bits() ^ taken.address.to_bits();
    differing.checked_shr(u32::BITS - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_gets_the_same_addresses_each_time_and_others_get_others() {
        let [near, far] = own_addresses(b"one machine", &[]).unwrap();
        assert_eq!(Some([near, far]), own_addresses(b"one machine", &[]));
        assert_eq!(far.to_bits(), near.to_bits() + 1);
        assert_eq!((near.octets()[0], near.octets()[3] % 4), (10, 1));
        let machines: std::collections::BTreeSet<_> =
            (0..1000_u32).map(|machine| own_addresses(&machine.to_le_bytes(), &[])).collect();
        assert!(machines.len() > 990, "{}", machines.len());
    }

    #[test]
    fn addresses_are_in_no_network_that_the_machine_has() {
        let [near, far] = own_addresses(b"one machine", &[]).unwrap();
        let taken =
            [Taken { address: far, prefix: 24 }, Taken { address: [192, 168, 0, 1].into(), prefix: 16 }];
        let [other, _] = own_addresses(b"one machine", &taken).unwrap();
        assert_ne!(other.octets()[..3], near.octets()[..3]);
        assert_eq!(own_addresses(b"one machine", &taken[1..]), Some([near, far]));
        let all = [Taken { address: [10, 1, 2, 3].into(), prefix: 8 }];
        assert_eq!(own_addresses(b"one machine", &all[..1]).map(|_| ()), None);
    }

    #[test]
    fn default_route_takes_no_network() {
        let route = [Taken { address: [0, 0, 0, 0].into(), prefix: 32 }];
        assert!(own_addresses(b"one machine", &route).is_some());
    }
}

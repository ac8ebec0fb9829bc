//! The two ends of a connection, chosen among a machine's adapters.

use core::net::IpAddr;

use protocol::Endpoint;
use thiserror::Error;

use crate::Adapter;

/// SMB Direct's port over iWARP, on which the far end listens.
pub const PORT: u16 = 5445;

/// The reason for which there is no pair.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum NoPair {
    /// Fewer than two adapters run.
    #[error("two adapters are needed and {0} run: see `install`")]
    Adapters(usize),
    /// RDMA is not operational on two adapters.
    #[error("RDMA is operational on {with} of {of} adapters, and on two it has to be: see `diagnose`")]
    Rdma {
        /// Adapters with RDMA.
        with: usize,
        /// Adapters.
        of: usize,
    },
    /// No two of them have addresses of one family.
    #[error("no two adapters have addresses of one family: see `diagnose`")]
    Addresses,
}

/// Two adapters, each with an address: both of one family.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pair {
    /// The end that connects.
    pub near: (Adapter, IpAddr),
    /// The end that listens.
    pub far: (Adapter, IpAddr),
}

impl Pair {
    /// The first two of `adapters` that can be connected.
    ///
    /// # Errors
    /// The reason for which no two can.
    pub fn among(adapters: &[Adapter]) -> Result<Self, NoPair> {
        if adapters.len() < 2 {
            return Err(NoPair::Adapters(adapters.len()));
        }
        let able: Vec<&Adapter> = adapters.iter().filter(|adapter| adapter.rdma).collect();
        if able.len() < 2 {
            return Err(NoPair::Rdma { with: able.len(), of: adapters.len() });
        }
        let pairs = able.iter().enumerate().flat_map(|(at, near)| {
            able.iter().skip(at + 1).filter_map(move |far| {
                let (from, to) = same_family(near, far)?;
                Some(Self { near: ((*near).clone(), from), far: ((*far).clone(), to) })
            })
        });
        let mut pairs = pairs;
        pairs.next().ok_or(NoPair::Addresses)
    }

    /// The ends that the harness driver is told of.
    #[must_use]
    pub fn ends(&self) -> [Endpoint; 2] {
        let (near, far) = (&self.near, &self.far);
        [Endpoint::new(near.0.if_index, near.1, 0), Endpoint::new(far.0.if_index, far.1, PORT)]
    }
}

fn same_family(near: &Adapter, far: &Adapter) -> Option<(IpAddr, IpAddr)> {
    near.addresses.iter().find_map(|from| {
        let to = far.addresses.iter().find(|to| to.is_ipv4() == from.is_ipv4())?;
        Some((*from, *to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(if_index: u32, rdma: bool, addresses: &[&str]) -> Adapter {
        Adapter {
            if_index,
            name: format!("Ethernet {if_index}"),
            description: "softndk RDMA adapter".to_owned(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            rdma,
        }
    }

    #[test]
    fn pair_is_of_the_first_two_adapters_with_addresses_of_one_family() {
        let adapters = [
            adapter(4, false, &["10.0.0.1"]),
            adapter(5, true, &["fe80::1"]),
            adapter(6, true, &["10.0.0.2"]),
            adapter(7, true, &["fd00::2", "10.0.0.3"]),
        ];
        let pair = Pair::among(&adapters).unwrap();
        assert_eq!((pair.near.0.if_index, pair.far.0.if_index), (5, 7));
        let [near, far] = pair.ends();
        assert_eq!((near.port(), far.port()), (0, PORT));
        assert_eq!((near.if_index, far.if_index), (5, 7));
    }

    #[test]
    fn adapters_that_can_not_be_connected_say_why() {
        let one = [adapter(4, true, &["10.0.0.1"])];
        assert_eq!(Pair::among(&one), Err(NoPair::Adapters(1)));
        let disabled = [adapter(4, true, &["10.0.0.1"]), adapter(5, false, &["10.0.0.2"])];
        assert_eq!(Pair::among(&disabled), Err(NoPair::Rdma { with: 1, of: 2 }));
        let foreign = [adapter(4, true, &["10.0.0.1"]), adapter(5, true, &["fd00::1"])];
        assert_eq!(Pair::among(&foreign), Err(NoPair::Addresses));
    }
}

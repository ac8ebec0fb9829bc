//! Shared by the integration tests: networks, booting, and the text of findings.

#![allow(dead_code, reason = "each test uses a part")]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use protocol::{Endpoint, Outcome};
use runner::{Fixture, Images, Place};

/// The interface index of the adapter that connects.
pub(crate) const NEAR: u32 = 12;
/// The interface index of the adapter that listens.
pub(crate) const FAR: u32 = 15;
/// SMB Direct's port.
pub(crate) const PORT: u16 = 5445;

/// The addresses of the two adapters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network([IpAddr; 2]);

/// IPv4 on both adapters.
pub(crate) const IPV4: Network =
    Network([IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2))]);

/// IPv6 on both adapters.
pub(crate) const IPV6: Network = Network([
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)),
]);

/// IPv4 addresses of the host's loopback interface.
pub(crate) const HOST_IPV4: Network =
    Network([IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))]);

impl Network {
    /// The end that connects and the end that listens.
    pub(crate) fn ends(self) -> [Endpoint; 2] {
        let Self([near, far]) = self;
        [Endpoint::new(NEAR, near, 0), Endpoint::new(FAR, far, PORT)]
    }

    /// The adapters.
    pub(crate) fn places(self) -> [Place; 2] {
        let Self([near, far]) = self;
        [Place::new(NEAR, near), Place::new(FAR, far)]
    }
}

/// The built images.
pub(crate) fn images() -> Images {
    Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|error| panic!("{error}"))
}

/// A machine with both drivers, running.
pub(crate) fn boot(network: Network) -> Fixture {
    Fixture::boot(&images(), &network.places()).unwrap_or_else(|error| panic!("{error}"))
}

/// The consumer's findings, a line each.
pub(crate) fn broken(outcome: &Outcome) -> String {
    let listed = outcome.listed().map(|finding| format!("{finding}\n")).collect::<String>();
    let found = usize::try_from(outcome.found).unwrap_or(usize::MAX);
    let unlisted = found.saturating_sub(outcome.listed().count());
    if unlisted == 0 { listed } else { format!("{listed}and {unlisted} more\n") }
}

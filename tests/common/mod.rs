//! What the integration tests share: networks, booting, and how findings are told.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use protocol::{Endpoint, Outcome};
use runner::{Bench, Images, Place};

/// The interface index of the adapter that connects.
pub const NEAR: u32 = 12;
/// The interface index of the adapter that listens.
pub const FAR: u32 = 15;
/// SMB Direct's port.
const PORT: u16 = 5445;

/// The addresses of the two adapters.
#[derive(Clone, Copy, Debug)]
pub struct Network([IpAddr; 2]);

/// IPv4 on both adapters.
pub const IPV4: Network =
    Network([IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2))]);

/// IPv6 on both adapters.
pub const IPV6: Network = Network([
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)),
]);

impl Network {
    /// The end that connects and the end that listens.
    pub fn ends(self) -> [Endpoint; 2] {
        let Self([near, far]) = self;
        [Endpoint::new(NEAR, near, 0), Endpoint::new(FAR, far, PORT)]
    }

    /// The adapters.
    pub fn places(self) -> [Place; 2] {
        let Self([near, far]) = self;
        [Place::new(NEAR, near), Place::new(FAR, far)]
    }
}

/// The built images.
pub fn images() -> Images {
    Images::built(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|error| panic!("{error}"))
}

/// A machine with both drivers, running.
pub fn boot(network: Network) -> Bench {
    Bench::boot(&images(), &network.places()).unwrap_or_else(|error| panic!("{error}"))
}

/// What the consumer found, a line each.
pub fn broken(outcome: &Outcome) -> String {
    let listed = outcome.listed().map(|finding| format!("{finding}\n")).collect::<String>();
    let unlisted = usize::try_from(outcome.found).unwrap_or(usize::MAX) - outcome.listed().count();
    if unlisted == 0 { listed } else { format!("{listed}and {unlisted} more\n") }
}

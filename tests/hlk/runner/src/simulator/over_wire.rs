//! The way that the connections of a scenario go.

use ntsim::sched::SocketFaults;
use protocol::Link;
use serde::{Deserialize, Serialize};

use super::Place;

/// The way that connections between two adapters of the driver go.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// By copies from memory to memory.
    #[default]
    Loopback,
    /// Over TCP by Winsock Kernel, over the simulator's pipe, whose choices follow from the machine's seed.
    Wire,
    /// As [`Wire`](Self::Wire), with sends that TCP takes in parts and with windows that are closed for a while.
    FaultyWire,
}

impl Route {
    /// The way as a scenario sees it.
    #[must_use]
    pub const fn link(self) -> Link {
        match self {
            Self::Loopback => Link::Loopback,
            Self::Wire | Self::FaultyWire => Link::Wire,
        }
    }

    /// The adapter, with what the driver reads at its start set for this way.
    #[must_use]
    pub const fn place(self, place: Place) -> Place {
        match self {
            Self::Loopback => place,
            Self::Wire | Self::FaultyWire => place.wire(),
        }
    }

    /// The faults of the pipe: those that a connection survives, so that a scenario can be passed in spite of them.
    #[must_use]
    pub fn faults(self) -> SocketFaults {
        match self {
            Self::Loopback | Self::Wire => SocketFaults::default(),
            Self::FaultyWire => SocketFaults { partial: 100, closed_window: 100, ..SocketFaults::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_route_leave_its_connections() {
        assert_eq!(Route::Wire.faults(), SocketFaults::default());
        let SocketFaults { reset, early_end, address_in_use, dead, partial, closed_window } =
            Route::FaultyWire.faults();
        assert_eq!([reset, early_end, address_in_use, dead], [0; 4]);
        assert!(partial > 0 && closed_window > 0);
    }
}

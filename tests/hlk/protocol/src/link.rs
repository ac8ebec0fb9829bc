//! The way of a scenario's connections, and what a consumer sees otherwise over TCP.

use crate::Scenario;

/// The way between the two adapters of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Link {
    /// By copies from memory to memory, or by a network of the adapters' own.
    #[default]
    Loopback = 0,
    /// Over TCP, which the adapters are forced to.
    Wire = 1,
}

impl TryFrom<u32> for Link {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            0 => Ok(Self::Loopback),
            1 => Ok(Self::Wire),
            other => Err(other),
        }
    }
}

/// A difference that a consumer sees over TCP: a row of docs/wire.md, "What a consumer sees". A scenario states no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A Write that has completed is on its way: a later Send is what tells that it is at the peer.
    WriteOnItsWay,
    /// A Write that the peer does not admit may have completed when the peer ends the connection.
    RefusedWrite,
    /// A Send completes without a receive, and the connection breaks when the peer has waited in vain.
    SendUnreceived,
    /// A connect reaches its listener some time after NdkConnect has returned.
    ConnectOnItsWay,
    /// The end of a peer reaches a consumer some time after it, NdkCompleteConnect may succeed meanwhile.
    EndOnItsWay,
}

impl Difference {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::WriteOnItsWay,
        Self::RefusedWrite,
        Self::SendUnreceived,
        Self::ConnectOnItsWay,
        Self::EndOnItsWay,
    ];

    /// The scenarios that state it, and no others.
    #[must_use]
    pub const fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::WriteOnItsWay => &[
                Scenario::FastRegistration,
                Scenario::KeptToken,
                Scenario::Largest,
                Scenario::LargestMemory,
                Scenario::ListsOfMappings,
                Scenario::ListsOfRegions,
                Scenario::Mebibyte,
                Scenario::ReadAndInvalidate,
                Scenario::RemoteAccess,
                Scenario::Windows,
            ],
            Self::RefusedWrite => &[
                Scenario::FastRegistration,
                Scenario::KeptToken,
                Scenario::PrivilegedMemory,
                Scenario::RemoteAccess,
            ],
            Self::SendUnreceived => {
                &[Scenario::DeepestQueues, Scenario::ReceiverNotReady, Scenario::SharedWaiters]
            }
            Self::ConnectOnItsWay => &[Scenario::PauseWithOffers],
            Self::EndOnItsWay => &[Scenario::AcceptOutstanding],
        }
    }

    /// Returns whether `scenario` sees it over `link`.
    #[must_use]
    pub fn is_seen_by(self, scenario: Scenario, link: Link) -> bool {
        link == Link::Wire && self.scenarios().contains(&scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_is_seen_over_the_wire_by_those_that_state_it() {
        for difference in Difference::ALL {
            for scenario in Scenario::ALL {
                assert!(!difference.is_seen_by(*scenario, Link::Loopback));
                let states = difference.scenarios().contains(scenario);
                assert_eq!(difference.is_seen_by(*scenario, Link::Wire), states);
            }
        }
    }
}

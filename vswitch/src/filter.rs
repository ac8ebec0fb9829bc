//! The packet filter of a port
//! (<https://learn.microsoft.com/windows-hardware/drivers/network/oid-gen-current-packet-filter>).

use sys::ndis;

use crate::address::{Address, AddressClass, LENGTH};

/// The number of multicast addresses that a port can list.
pub const MULTICAST_ADDRESSES: u32 = 32;

/// The `NDIS_PACKET_TYPE_…` that a filter may have.
pub const SUPPORTED: u32 = ndis::NDIS_PACKET_TYPE_DIRECTED
    | ndis::NDIS_PACKET_TYPE_MULTICAST
    | ndis::NDIS_PACKET_TYPE_ALL_MULTICAST
    | ndis::NDIS_PACKET_TYPE_BROADCAST
    | ndis::NDIS_PACKET_TYPE_PROMISCUOUS;

/// The length of a multicast list.
#[expect(clippy::as_conversions, reason = "From is not const, and the number is small")]
const GROUPS: usize = MULTICAST_ADDRESSES as usize;

/// A port's packet filter and multicast list.
pub struct Filter {
    /// The port's own address.
    address: Address,
    /// `NDIS_PACKET_TYPE_…`.
    types: u32,
    groups: [Address; GROUPS],
    group_count: usize,
}

impl Filter {
    /// The filter of a port with this address, which accepts no frame.
    pub const fn closed(address: Address) -> Self {
        Self { address, types: 0, groups: [Address([0; LENGTH]); GROUPS], group_count: 0 }
    }

    /// The `NDIS_PACKET_TYPE_…` that are accepted.
    pub const fn types(&self) -> u32 {
        self.types
    }

    /// Accepts frames of `types`; `false`, without a change, if one of them is not supported.
    pub const fn set_types(&mut self, types: u32) -> bool {
        let supported = types & !SUPPORTED == 0;
        if supported {
            self.types = types;
        }
        supported
    }

    /// The multicast list.
    pub fn groups(&self) -> &[Address] {
        self.groups.get(..self.group_count).unwrap_or_default()
    }

    /// Replaces the multicast list; `false`, without a change, if there are too many addresses.
    pub fn set_groups(&mut self, groups: &[Address]) -> bool {
        let Some(room) = self.groups.get_mut(..groups.len()) else { return false };
        room.copy_from_slice(groups);
        self.group_count = groups.len();
        true
    }

    /// Returns whether a frame with this destination is accepted.
    pub fn accepts(&self, destination: Address) -> bool {
        let has = |types| self.types & types != 0;
        has(ndis::NDIS_PACKET_TYPE_PROMISCUOUS)
            || match destination.class() {
                AddressClass::Unicast => has(ndis::NDIS_PACKET_TYPE_DIRECTED) && destination == self.address,
                AddressClass::Broadcast => has(ndis::NDIS_PACKET_TYPE_BROADCAST),
                AddressClass::Multicast => {
                    has(ndis::NDIS_PACKET_TYPE_ALL_MULTICAST)
                        || has(ndis::NDIS_PACKET_TYPE_MULTICAST) && self.groups().contains(&destination)
                }
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Address = Address([2, 0, 0, 0, 0, 1]);
    const OTHER: Address = Address([2, 0, 0, 0, 0, 2]);
    const GROUP: Address = Address([0x01, 0, 0x5E, 0, 0, 1]);
    const UNLISTED: Address = Address([0x01, 0, 0x5E, 0, 0, 2]);
    const ALL: Address = Address([0xFF; LENGTH]);

    /// The destinations above that a filter of `types` accepts, with GROUP listed.
    fn accepted(types: u32) -> [bool; 5] {
        let mut filter = Filter::closed(OWN);
        assert!(filter.set_groups(&[GROUP]) && filter.set_types(types));
        [OWN, OTHER, GROUP, UNLISTED, ALL].map(|destination| filter.accepts(destination))
    }

    #[test]
    fn each_packet_type_accepts_its_destinations_only() {
        for (types, expected) in [
            (0, [false; 5]),
            (ndis::NDIS_PACKET_TYPE_DIRECTED, [true, false, false, false, false]),
            (ndis::NDIS_PACKET_TYPE_MULTICAST, [false, false, true, false, false]),
            (ndis::NDIS_PACKET_TYPE_ALL_MULTICAST, [false, false, true, true, false]),
            (ndis::NDIS_PACKET_TYPE_BROADCAST, [false, false, false, false, true]),
            (ndis::NDIS_PACKET_TYPE_PROMISCUOUS, [true; 5]),
            (
                ndis::NDIS_PACKET_TYPE_DIRECTED | ndis::NDIS_PACKET_TYPE_BROADCAST,
                [true, false, false, false, true],
            ),
        ] {
            assert_eq!(accepted(types), expected, "{types:#x}");
        }
    }

    #[test]
    fn unsupported_packet_type_leaves_the_filter() {
        let mut filter = Filter::closed(OWN);
        assert!(filter.set_types(ndis::NDIS_PACKET_TYPE_DIRECTED));
        for bit in (0..u32::BITS).map(|shift| 1_u32 << shift).filter(|bit| bit & SUPPORTED == 0) {
            assert!(!filter.set_types(bit | ndis::NDIS_PACKET_TYPE_BROADCAST), "{bit:#x}");
        }
        assert_eq!(filter.types(), ndis::NDIS_PACKET_TYPE_DIRECTED);
    }

    #[test]
    fn multicast_list_that_is_too_long_leaves_the_one_before() {
        let mut filter = Filter::closed(OWN);
        let room = GROUPS;
        assert!(filter.set_groups(&std::vec![GROUP; room]));
        assert!(!filter.set_groups(&std::vec![UNLISTED; room.saturating_add(1)]));
        assert_eq!(filter.groups(), std::vec![GROUP; room]);
        assert!(filter.set_groups(&[UNLISTED]));
        assert_eq!(filter.groups(), [UNLISTED]);
    }

    #[test]
    fn address_of_an_earlier_list_is_not_accepted() {
        let mut filter = Filter::closed(OWN);
        assert!(filter.set_types(ndis::NDIS_PACKET_TYPE_MULTICAST));
        assert!(filter.set_groups(&[UNLISTED, GROUP]) && filter.set_groups(&[UNLISTED]));
        assert!(filter.accepts(UNLISTED) && !filter.accepts(GROUP));
    }
}

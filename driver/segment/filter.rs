//! Which frames a station wants.

use sys::ndis;

use super::address::{Address, Reach};

/// How many multicast addresses a station can list.
pub(crate) const MULTICAST_ADDRESSES: u32 = 32;

/// What a station may ask for, `NDIS_PACKET_TYPE_…`.
pub(crate) const SUPPORTED: u32 = ndis::NDIS_PACKET_TYPE_DIRECTED
    | ndis::NDIS_PACKET_TYPE_MULTICAST
    | ndis::NDIS_PACKET_TYPE_ALL_MULTICAST
    | ndis::NDIS_PACKET_TYPE_BROADCAST
    | ndis::NDIS_PACKET_TYPE_PROMISCUOUS;

/// A station's packet filter.
pub(crate) struct Filter {
    /// The station's own address.
    address: Address,
    /// `NDIS_PACKET_TYPE_…`.
    types: u32,
    groups: [Address; MULTICAST_ADDRESSES as usize],
    group_count: usize,
}

impl Filter {
    /// A filter that lets nothing through.
    pub(crate) const fn closed(address: Address) -> Self {
        Self { address, types: 0, groups: [Address([0; 6]); MULTICAST_ADDRESSES as usize], group_count: 0 }
    }

    /// What the station asked for.
    pub(crate) const fn types(&self) -> u32 {
        self.types
    }

    /// Asks for frames of `types`; `false` if one of them is not supported.
    pub(crate) const fn set_types(&mut self, types: u32) -> bool {
        let supported = types & !SUPPORTED == 0;
        if supported {
            self.types = types;
        }
        supported
    }

    /// The multicast addresses listed.
    pub(crate) fn groups(&self) -> &[Address] {
        self.groups.get(..self.group_count).unwrap_or_default()
    }

    /// Lists multicast addresses; `false` if they are too many.
    pub(crate) fn set_groups(&mut self, groups: &[Address]) -> bool {
        let Some(room) = self.groups.get_mut(..groups.len()) else { return false };
        room.copy_from_slice(groups);
        self.group_count = groups.len();
        true
    }

    /// Whether the station wants a frame with this destination.
    pub(crate) fn accepts(&self, destination: Address) -> bool {
        let asked = |types| self.types & types != 0;
        asked(ndis::NDIS_PACKET_TYPE_PROMISCUOUS)
            || match destination.reach() {
                Reach::Unicast => asked(ndis::NDIS_PACKET_TYPE_DIRECTED) && destination == self.address,
                Reach::Broadcast => asked(ndis::NDIS_PACKET_TYPE_BROADCAST),
                Reach::Multicast => {
                    asked(ndis::NDIS_PACKET_TYPE_ALL_MULTICAST)
                        || asked(ndis::NDIS_PACKET_TYPE_MULTICAST) && self.groups().contains(&destination)
                }
            }
    }
}

//! Ethernet addresses.

/// Length of an Ethernet address, in bytes.
pub const LENGTH: usize = 6;

/// An Ethernet address, in the order of the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Address(pub [u8; LENGTH]);

/// The class of a destination address (IEEE 802, clause 8.4: the lowest bit of the first byte marks a group).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AddressClass {
    /// One port.
    Unicast,
    /// A group of ports.
    Multicast,
    /// All ports.
    Broadcast,
}

impl Address {
    /// A locally administered address that follows from the number of an interface: it is unique on the machine and
    /// stays the same when the adapter comes back.
    pub const fn local(interface: u32) -> Self {
        let [_, a, b, c] = interface.to_be_bytes();
        Self([0x02, b'S', b'N', a, b, c])
    }

    /// Returns whether an administrator may give this address to an adapter: locally administered, no group's.
    pub const fn is_local_unicast(self) -> bool {
        let [first, ..] = self.0;
        first & 0b11 == 0b10
    }

    /// Returns whether this is a group's address; the broadcast address is one.
    pub const fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }

    /// The class of this address as a destination.
    pub fn class(self) -> AddressClass {
        if self.0 == [0xFF; LENGTH] {
            AddressClass::Broadcast
        } else if self.is_group() {
            AddressClass::Multicast
        } else {
            AddressClass::Unicast
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_bit_and_all_ones_decide_the_class() {
        for (first, rest, class) in [
            (0x02, 0, AddressClass::Unicast),
            (0x01, 0x5E, AddressClass::Multicast),
            (0x33, 0x33, AddressClass::Multicast),
            (0xFF, 0xFE, AddressClass::Multicast),
            (0xFF, 0xFF, AddressClass::Broadcast),
        ] {
            assert_eq!(Address([first, rest, rest, rest, rest, rest]).class(), class, "{first:#x} {rest:#x}");
        }
    }

    #[test]
    fn addresses_of_interfaces_differ_and_may_be_given() {
        let all = [0, 1, 0xFF, 0x100, 0xFF_FFFF].map(Address::local);
        for (place, address) in all.iter().enumerate() {
            assert!(address.is_local_unicast());
            assert!(!all.iter().skip(place).skip(1).any(|other| other == address));
        }
    }

    #[test]
    fn universal_and_group_addresses_are_not_given() {
        assert!(!Address([0x00, 0x15, 0x5D, 0, 0, 1]).is_local_unicast());
        assert!(!Address([0x03, 0, 0, 0, 0, 1]).is_local_unicast());
        assert!(!Address([0xFF; LENGTH]).is_local_unicast());
    }
}

//! Ethernet addresses.

/// Length of an Ethernet address, in bytes.
pub(crate) const LENGTH: usize = 6;

/// An Ethernet address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Address(pub(crate) [u8; LENGTH]);

/// To whom a frame goes. (IEEE 802, clause 8.4: the lowest bit of the first byte marks a group.)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// To one station.
    Unicast,
    /// To a group.
    Multicast,
    /// To everybody.
    Broadcast,
}

impl Address {
    /// A locally administered address that follows from the number of an interface, so that it is unique
    /// on the machine and stays the same when the adapter comes back.
    pub(crate) const fn local(interface: u32) -> Self {
        let [_, a, b, c] = interface.to_be_bytes();
        Self([0x02, b'S', b'N', a, b, c])
    }

    /// Whether this is an address that an administrator may give to a station: a locally administered one,
    /// and not a group's.
    pub(crate) const fn is_local_station(self) -> bool {
        let [first, ..] = self.0;
        first & 0b11 == 0b10
    }

    /// Whether this is a group's address; everybody is one.
    pub(crate) const fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }

    /// To whom a frame with this destination goes.
    pub(crate) fn reach(self) -> Reach {
        if self.0 == [0xFF; LENGTH] {
            Reach::Broadcast
        } else if self.is_group() {
            Reach::Multicast
        } else {
            Reach::Unicast
        }
    }
}

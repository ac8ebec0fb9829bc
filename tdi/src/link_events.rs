//! Events of a link, as its endpoint's drive loop is told of them.

#![forbid(unsafe_code)]

/// The events of a link, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkEvents(u8);

impl LinkEvents {
    /// The connection is established.
    pub const CONNECTED: Self = Self(1);
    /// [`Link::next`](crate::network::Link::next) has something.
    pub const COMPLETED: Self = Self(2);
    /// The link is closed, and uses no memory of a request any more.
    pub const GONE: Self = Self(4);
    /// The end that [`Link::disconnect`](crate::network::Link::disconnect) began is over, on both sides.
    pub const DISCONNECTED: Self = Self(32);
    /// The connection did not come about, or has broken.
    pub(crate) const LOST: Self = Self(8);
    /// The link has to go, as its RNIC does.
    pub(crate) const FORCED: Self = Self(16);

    pub(crate) fn add(&mut self, events: Self) {
        self.0 |= events.0;
    }

    /// Returns whether `events` were there; they are not any more.
    pub(crate) fn take(&mut self, events: Self) -> bool {
        let had = self.0 & events.0 != 0;
        self.0 &= !events.0;
        had
    }
}

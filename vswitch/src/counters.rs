//! Counters of a port, as NDIS_STATISTICS_INFO has them
//! (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddndis/ns-ntddndis-_ndis_statistics_info>).

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::address::AddressClass;

/// Frames of one direction. Counted without a lock; a reader may see a frame whose octets are not counted yet.
#[derive(Default)]
pub struct FrameCounters {
    /// Frames to one port.
    pub unicast: ClassCounters,
    /// Frames to a group.
    pub multicast: ClassCounters,
    /// Frames to all ports.
    pub broadcast: ClassCounters,
    discards: AtomicU64,
    errors: AtomicU64,
}

/// Frames to one class of addresses, and their octets, headers included.
#[derive(Default)]
pub struct ClassCounters {
    frames: AtomicU64,
    octets: AtomicU64,
}

impl FrameCounters {
    /// Counts one frame of so many octets.
    pub fn count(&self, class: AddressClass, octets: u32) {
        let counters = match class {
            AddressClass::Unicast => &self.unicast,
            AddressClass::Multicast => &self.multicast,
            AddressClass::Broadcast => &self.broadcast,
        };
        counters.frames.fetch_add(1, Relaxed);
        counters.octets.fetch_add(octets.into(), Relaxed);
    }

    /// Counts a frame that is lost for want of a buffer.
    pub fn count_discard(&self) {
        self.discards.fetch_add(1, Relaxed);
    }

    /// Counts a malformed frame.
    pub fn count_error(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// Frames that were lost for want of a buffer.
    pub fn discards(&self) -> u64 {
        self.discards.load(Relaxed)
    }

    /// Malformed frames.
    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// Frames of all classes.
    pub fn frames(&self) -> u64 {
        self.classes().iter().fold(0, |sum, class| sum.wrapping_add(class.frames()))
    }

    /// Octets of the frames of all classes.
    pub fn octets(&self) -> u64 {
        self.classes().iter().fold(0, |sum, class| sum.wrapping_add(class.octets()))
    }

    const fn classes(&self) -> [&ClassCounters; 3] {
        [&self.unicast, &self.multicast, &self.broadcast]
    }
}

impl ClassCounters {
    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// Octets so far.
    pub fn octets(&self) -> u64 {
        self.octets.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_counts_in_its_class_and_in_the_sum() {
        let counters = FrameCounters::default();
        counters.count(AddressClass::Unicast, 60);
        counters.count(AddressClass::Unicast, 1514);
        counters.count(AddressClass::Multicast, 100);
        counters.count(AddressClass::Broadcast, 42);
        let classes = counters.classes().map(|class| (class.frames(), class.octets()));
        assert_eq!(classes, [(2, 1574), (1, 100), (1, 42)]);
        assert_eq!((counters.frames(), counters.octets()), (4, 1716));
    }

    #[test]
    fn discards_and_errors_are_no_frames() {
        let counters = FrameCounters::default();
        counters.count_discard();
        counters.count_error();
        counters.count_error();
        assert_eq!((counters.discards(), counters.errors()), (1, 2));
        assert_eq!((counters.frames(), counters.octets()), (0, 0));
    }
}

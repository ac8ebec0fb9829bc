//! What a station has sent and received.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::address::Reach;

/// Frames of one direction.
#[derive(Default)]
pub(crate) struct Traffic {
    /// To one station.
    pub(crate) unicast: Tally,
    /// To a group.
    pub(crate) multicast: Tally,
    /// To everybody.
    pub(crate) broadcast: Tally,
    discards: AtomicU64,
    errors: AtomicU64,
}

/// Frames and their bytes, headers included.
#[derive(Default)]
pub(crate) struct Tally {
    frames: AtomicU64,
    octets: AtomicU64,
}

impl Traffic {
    /// Counts one frame.
    pub(crate) fn count(&self, reach: Reach, octets: u32) {
        let tally = match reach {
            Reach::Unicast => &self.unicast,
            Reach::Multicast => &self.multicast,
            Reach::Broadcast => &self.broadcast,
        };
        tally.frames.fetch_add(1, Relaxed);
        tally.octets.fetch_add(octets.into(), Relaxed);
    }

    /// Counts a frame that is lost for want of a buffer.
    pub(crate) fn discard(&self) {
        self.discards.fetch_add(1, Relaxed);
    }

    /// Counts a frame that is none.
    pub(crate) fn error(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// Frames lost for want of a buffer.
    pub(crate) fn discards(&self) -> u64 {
        self.discards.load(Relaxed)
    }

    /// Frames that are none.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// All frames.
    pub(crate) fn frames(&self) -> u64 {
        let all = [&self.unicast, &self.multicast, &self.broadcast];
        all.iter().fold(0, |sum, tally| sum.wrapping_add(tally.frames()))
    }

    /// The bytes of all frames.
    pub(crate) fn octets(&self) -> u64 {
        let all = [&self.unicast, &self.multicast, &self.broadcast];
        all.iter().fold(0, |sum, tally| sum.wrapping_add(tally.octets()))
    }
}

impl Tally {
    /// Frames so far.
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// Bytes so far.
    pub(crate) fn octets(&self) -> u64 {
        self.octets.load(Relaxed)
    }
}

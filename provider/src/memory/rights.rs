//! What a registration permits.

use sys::ndk::{
    NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ, NDK_MR_FLAG_ALLOW_REMOTE_WRITE,
    NDK_MR_FLAG_RDMA_READ_SINK,
};
use sys::wdm::ULONG;

bitflags::bitflags! {
    /// Kinds of access. Reading locally is always permitted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Rights: u32 {
        /// Receives and RDMA Reads may write here.
        const LOCAL_WRITE = 1;
        /// The peer may read here.
        const REMOTE_READ = 2;
        /// The peer may write here.
        const REMOTE_WRITE = 4;
    }
}

impl Rights {
    /// From what NdkRegisterMr was given; `None` if a bit is unknown. The value for remote write contains
    /// that for local write (WR-4). The read sink flag grants nothing of its own: an RDMA Read needs no
    /// more than local write here, as the adapter's flags say.
    pub(crate) fn from_ndk(flags: ULONG) -> Option<Self> {
        const KNOWN: ULONG = NDK_MR_FLAG_ALLOW_LOCAL_WRITE
            | NDK_MR_FLAG_ALLOW_REMOTE_READ
            | NDK_MR_FLAG_ALLOW_REMOTE_WRITE
            | NDK_MR_FLAG_RDMA_READ_SINK;
        if flags & !KNOWN != 0 {
            return None;
        }
        let mut rights = Self::empty();
        rights.set(Self::LOCAL_WRITE, flags & NDK_MR_FLAG_ALLOW_LOCAL_WRITE != 0);
        rights.set(Self::REMOTE_READ, flags & NDK_MR_FLAG_ALLOW_REMOTE_READ != 0);
        let remote_write = NDK_MR_FLAG_ALLOW_REMOTE_WRITE & !NDK_MR_FLAG_ALLOW_LOCAL_WRITE;
        rights.set(Self::REMOTE_WRITE, flags & remote_write != 0);
        Some(rights)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn remote_write_is_a_value_that_contains_local_write() {
        assert_eq!(Rights::from_ndk(5), Some(Rights::REMOTE_WRITE | Rights::LOCAL_WRITE));
        assert_eq!(Rights::from_ndk(1), Some(Rights::LOCAL_WRITE));
        assert_eq!(Rights::from_ndk(2), Some(Rights::REMOTE_READ));
        assert_eq!(Rights::from_ndk(0), Some(Rights::empty()));
    }

    #[test]
    fn every_documented_flag_together_is_accepted_and_an_unknown_one_is_not() {
        assert_eq!(Rights::from_ndk(0xF), Some(Rights::all()));
        assert_eq!(Rights::from_ndk(0x10), None);
    }
}

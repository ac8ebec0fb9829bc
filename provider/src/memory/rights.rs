//! Access rights of a registration.

#![forbid(unsafe_code)]

use sys::ndk::{
    NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ, NDK_MR_FLAG_ALLOW_REMOTE_WRITE,
    NDK_MR_FLAG_RDMA_READ_SINK, NDK_OP_FLAG_ALLOW_LOCAL_WRITE, NDK_OP_FLAG_ALLOW_REMOTE_READ,
    NDK_OP_FLAG_ALLOW_REMOTE_WRITE,
};
use sys::wdm::ULONG;

use crate::flags::is_made_of;

bitflags::bitflags! {
    /// Kinds of access.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Rights: u32 {
        /// Receives and RDMA Reads may write here.
        const LOCAL_WRITE = 1;
        /// The peer may read here.
        const REMOTE_READ = 2;
        /// The peer may write here.
        const REMOTE_WRITE = 4;
        /// Sends and RDMA Writes may read here: everywhere but in a window.
        const LOCAL_READ = 8;
    }
}

impl Rights {
    /// From what NdkRegisterMr was given; `None` if that is not made of the values that its page lists. The value
    /// for remote write contains that for local write (WR-4). The read sink flag grants nothing of its own: an RDMA
    /// Read needs no more than local write here, as the adapter's flags say.
    pub(crate) fn from_ndk(flags: ULONG) -> Option<Self> {
        const LISTED: &[ULONG] = &[
            NDK_MR_FLAG_ALLOW_LOCAL_WRITE,
            NDK_MR_FLAG_ALLOW_REMOTE_READ,
            NDK_MR_FLAG_ALLOW_REMOTE_WRITE,
            NDK_MR_FLAG_RDMA_READ_SINK,
        ];
        if !is_made_of(flags, LISTED) {
            return None;
        }
        let mut rights = Self::LOCAL_READ;
        rights.set(Self::LOCAL_WRITE, flags & NDK_MR_FLAG_ALLOW_LOCAL_WRITE != 0);
        rights.set(Self::REMOTE_READ, flags & NDK_MR_FLAG_ALLOW_REMOTE_READ != 0);
        let remote_write = NDK_MR_FLAG_ALLOW_REMOTE_WRITE & !NDK_MR_FLAG_ALLOW_LOCAL_WRITE;
        rights.set(Self::REMOTE_WRITE, flags & remote_write != 0);
        Some(rights)
    }

    /// From the flags of a fast registration. The value for remote write contains that for local write.
    pub(crate) fn of_registration(flags: ULONG) -> Self {
        let remote = Self::of_window(flags);
        let mut rights = remote | Self::LOCAL_READ;
        rights.set(Self::LOCAL_WRITE, flags & NDK_OP_FLAG_ALLOW_LOCAL_WRITE != 0);
        rights
    }

    /// From the flags of a bind: a window is for peers only.
    pub(crate) fn of_window(flags: ULONG) -> Self {
        let mut rights = Self::empty();
        rights.set(Self::REMOTE_READ, flags & NDK_OP_FLAG_ALLOW_REMOTE_READ != 0);
        let remote_write = NDK_OP_FLAG_ALLOW_REMOTE_WRITE & !NDK_OP_FLAG_ALLOW_LOCAL_WRITE;
        rights.set(Self::REMOTE_WRITE, flags & remote_write != 0);
        rights
    }

    /// Returns true if the rights include a remote one.
    pub(crate) fn is_remote(self) -> bool {
        self.intersects(Self::REMOTE_READ | Self::REMOTE_WRITE)
    }

    /// Returns the rights that the region must have for a window with these rights (the page of NdkBind).
    pub(crate) fn behind_window(self) -> Self {
        if self.contains(Self::REMOTE_WRITE) { Self::LOCAL_WRITE } else { Self::LOCAL_READ }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn remote_write_is_a_value_that_contains_local_write() {
        let read = Rights::LOCAL_READ;
        assert_eq!(Rights::from_ndk(5), Some(read | Rights::REMOTE_WRITE | Rights::LOCAL_WRITE));
        assert_eq!(Rights::from_ndk(1), Some(read | Rights::LOCAL_WRITE));
        assert_eq!(Rights::from_ndk(2), Some(read | Rights::REMOTE_READ));
        assert_eq!(Rights::from_ndk(0), Some(read));
        assert_eq!(Rights::of_registration(0x30), read | Rights::REMOTE_WRITE | Rights::LOCAL_WRITE);
        assert_eq!(Rights::of_registration(0x10), read | Rights::LOCAL_WRITE);
        assert_eq!(Rights::of_registration(0x8), read | Rights::REMOTE_READ);
    }

    #[test]
    fn window_admits_peers_only() {
        assert_eq!(Rights::of_window(0x38), Rights::REMOTE_READ | Rights::REMOTE_WRITE);
        assert_eq!(Rights::of_window(0x10), Rights::empty());
        assert_eq!(Rights::REMOTE_READ.behind_window(), Rights::LOCAL_READ);
        assert_eq!(Rights::of_window(0x38).behind_window(), Rights::LOCAL_WRITE);
    }

    #[test]
    fn every_documented_flag_together_is_accepted_and_an_unknown_one_is_not() {
        assert_eq!(Rights::from_ndk(0xF), Some(Rights::all()));
        assert_eq!(Rights::from_ndk(0x10), None);
    }

    #[test]
    fn remote_write_without_local_write_is_no_listed_value() {
        for flags in [4, 6, 0xC, 0xE] {
            assert_eq!(Rights::from_ndk(flags), None, "{flags:#x}");
        }
    }
}

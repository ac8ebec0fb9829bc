//! The version of Windows.

use core::mem::size_of;

use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS};
use sys::wdm::{OSVERSIONINFOW, signature};

/// The version that the simulator reports: Windows Server 2022, whose build number is 20348.
const VERSION: (u32, u32, u32) = (10, 0, BUILD);

/// The number of the build.
pub(super) const BUILD: u32 = 20348;

/// `VER_PLATFORM_WIN32_NT`.
const PLATFORM_NT: u32 = 2;

/// Size of `OSVERSIONINFOEXW`.
const EXTENDED: usize = 284;

/// Value and offset of `wProductType` in `OSVERSIONINFOEXW`: `VER_NT_SERVER`.
const PRODUCT_TYPE: (usize, u8) = (282, 3);

exports! {
    "ntoskrnl.exe", signature;

    /// Says which version of Windows this is; the driver sets the structure's size first.
    #[irql(PASSIVE..=PASSIVE)]
    fn RtlGetVersion(to: *mut OSVERSIONINFOW) -> NTSTATUS {
        // SAFETY: the structure begins with its size, which the driver has set.
        let size = unsafe { (*to).dwOSVersionInfoSize };
        if size.to_usize() != size_of::<OSVERSIONINFOW>() && size.to_usize() != EXTENDED {
            return STATUS_INVALID_PARAMETER;
        }
        let (major, minor, build) = VERSION;
        let version = OSVERSIONINFOW {
            dwOSVersionInfoSize: size,
            dwMajorVersion: major,
            dwMinorVersion: minor,
            dwBuildNumber: build,
            dwPlatformId: PLATFORM_NT,
            szCSDVersion: [0; 128],
        };
        // SAFETY: both sizes have room for these members.
        unsafe { to.write(version) };
        if size.to_usize() == EXTENDED {
            let (offset, server) = PRODUCT_TYPE;
            // SAFETY: the offset is within the size.
            unsafe { to.wrapping_byte_add(offset).cast::<u8>().write(server) };
        }
        STATUS_SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_of_unknown_size_is_refused() {
        let machine = crate::testing::builder().boot();
        let mut info = [0u32; 71];
        // SAFETY: the structure's size is its first member.
        assert_eq!(unsafe { RtlGetVersion(info.as_mut_ptr().cast()) }, STATUS_INVALID_PARAMETER);
        info[0] = 284;
        // SAFETY: as above, and there is room for all of it.
        assert_eq!(unsafe { RtlGetVersion(info.as_mut_ptr().cast()) }, STATUS_SUCCESS);
        assert_eq!(info[1..5], [10, 0, 20348, 2]);
        assert!(machine.shutdown().is_clean());
    }
}

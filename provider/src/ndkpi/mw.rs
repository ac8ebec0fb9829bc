//! The memory window's table.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use sys::ndk::{NDK_MW, NDK_MW_DISPATCH};
use sys::wdm::UINT32;

use super::{close, object, query_extension};
use crate::adapter::Mw;
use crate::kernel::Kernel;

/// The functions of a memory window.
pub(super) fn table<K: Kernel>() -> &'static NDK_MW_DISPATCH {
    const {
        &NDK_MW_DISPATCH {
            NdkCloseMw: Some(close::<K, Mw<K>>),
            NdkQueryExtension: Some(query_extension),
            NdkGetRemoteTokenFromMw: Some(token::<K>),
        }
    }
}

/// NdkGetRemoteTokenFromMw.
unsafe extern "efiapi" fn token<K: Kernel>(mw: *mut NDK_MW) -> UINT32 {
    // SAFETY: the consumer passes a window that it has not closed.
    unsafe { object::<K, Mw<K>, _>(mw) }.map_or(0, |mw| mw.token())
}

//! Opening and closing: how a consumer gets its adapter from an RNIC, and gives it back.

#![expect(unsafe_code, reason = "consumers call these functions with addresses, and are called back")]

use core::ptr::NonNull;

use sys::irql::PassiveLevel;
use sys::ndk::{NDK_ADAPTER, NDK_VERSION};

use super::adapter;
use crate::adapter::Adapter;
use crate::kernel::Kernel;
use crate::object::Object;
use crate::rnic::{OpenError, Rnic};

/// The newest minor version of each major version that is spoken (VER-1, VER-2).
const VERSIONS: [NDK_VERSION; 2] = [sys::ndk::NDK_VERSION_1_2, sys::ndk::NDK_VERSION_2_1];

impl<K: Kernel> Rnic<K> {
    /// Opens the RNIC for a consumer that asks for `version` (VER-2). The caller owns the adapter until
    /// [`Rnic::close`].
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(&self, version: NDK_VERSION) -> Result<NonNull<NDK_ADAPTER>, OpenError> {
        let spoken = VERSIONS
            .into_iter()
            .find(|spoken| spoken.Major == version.Major && version.Minor <= spoken.Minor)
            .ok_or(OpenError::Version)?;
        if !self.enabled() {
            return Err(OpenError::NotReady);
        }
        let adapter = Adapter::new(self.state().clone())?;
        let adapter = Object::create(spoken, adapter::table::<K>(), adapter)?;
        Ok(adapter.cast())
    }

    /// Closes an opened adapter and waits until all of its descendants have gone and every callback on
    /// them has returned (CL-10). Not inside a callback. While that takes long, it traces
    /// every few seconds which closes are pending, and why.
    ///
    /// # Safety
    ///
    /// `adapter` came from [`Rnic::open`] and is not used any more.
    pub unsafe fn close(adapter: NonNull<NDK_ADAPTER>, level: PassiveLevel) {
        let adapter = adapter.cast::<Object<K, Adapter<K>>>();
        // SAFETY: the adapter is open, as the caller promises.
        let rnic = unsafe { adapter.as_ref() }.rnic().clone();
        // SAFETY: as the caller promises.
        unsafe { Object::close_and_wait(adapter, level, || rnic.objects().trace_pending()) }
    }
}

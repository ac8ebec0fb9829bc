//! Reading an RNIC's addresses anew, for a client that may have heard of a change before the driver has.

use core::ffi::c_void;
use core::ptr::null_mut;

use provider::{NoMemory, Shared};
use sys::irql::PassiveLevel;

use super::Ndk;
use super::rnic::Use;
use crate::network::RnicId;
use crate::system::System;

/// Reads the addresses that TCP/IP has on an RNIC's interface, and passes them to
/// [`Ndk::set_addresses`]. PASSIVE_LEVEL, with no lock held. `false` if there is no memory for that.
pub type RefreshFunction = unsafe extern "efiapi" fn(context: *mut c_void) -> bool;

/// A [`RefreshFunction`] with its context.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    function: Option<RefreshFunction>,
    context: *mut c_void,
}

// SAFETY: the function may be called with its context in any thread, as `new` demands.
unsafe impl Send for Refresh {}
// SAFETY: as above, in several threads at once.
unsafe impl Sync for Refresh {}

impl Refresh {
    /// Reads nothing: the addresses are always up to date.
    pub const NONE: Self = Self { function: None, context: null_mut() };

    /// The function with its context.
    ///
    /// # Safety
    ///
    /// The function may be called with the context at PASSIVE_LEVEL in any thread, also in several at once, until
    /// [`Ndk::remove`] has returned for each RNIC that it was given for.
    pub const unsafe fn new(function: RefreshFunction, context: *mut c_void) -> Self {
        Self { function: Some(function), context }
    }

    fn call(self, _: PassiveLevel) -> Result<(), NoMemory> {
        let Some(function) = self.function else { return Ok(()) };
        // SAFETY: the caller has the RNIC in use, so that its removal has not returned.
        if unsafe { function(self.context) } { Ok(()) } else { Err(NoMemory) }
    }
}

impl<S: System> Ndk<S> {
    /// Reads the addresses of all RNICs anew.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(super) fn refresh_all(&self, level: PassiveLevel) -> Result<(), NoMemory> {
        let mut after = None;
        while let Some(rnic) = self.rnic_after(after) {
            after = Some(rnic.id);
            rnic.refresh.call(level)?;
        }
        Ok(())
    }

    /// The RNIC with the next name.
    fn rnic_after(&self, after: Option<RnicId>) -> Option<Shared<Use<S>>> {
        self.find_rnic(|id| after.is_none_or(|after| id > after))
    }
}

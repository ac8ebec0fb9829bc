//! Raising the IRQL, and what may be called at one level only.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::marker::PhantomData;

use sys::irql::{DispatchLevel, PassiveLevel};
use sys::wdm;

use crate::nt;

/// A raised IRQL: the processor is at DISPATCH_LEVEL until the value is dropped.
pub(crate) struct RaisedIrql {
    previous: wdm::KIRQL,
    /// The level is the processor's that raised it.
    not_send: PhantomData<*const ()>,
}

impl RaisedIrql {
    /// Raises to DISPATCH_LEVEL. Up to DISPATCH_LEVEL.
    ///
    /// # Safety
    ///
    /// The level is DISPATCH_LEVEL at most, and raised levels are lowered in the opposite order.
    pub(crate) unsafe fn raise() -> Self {
        // SAFETY: as the caller promises.
        let previous = unsafe { wdm::KeRaiseIrqlToDpcLevel() };
        Self { previous, not_send: PhantomData }
    }

    /// The level until this is dropped.
    pub(crate) const fn level(&self) -> DispatchLevel<'_> {
        // SAFETY: the value has raised the level, and lowers it when it is not borrowed any more.
        unsafe { DispatchLevel::assume() }
    }

    /// The level before.
    pub(crate) const fn previous(&self) -> wdm::KIRQL {
        self.previous
    }

    /// Leaves the level raised; the caller has it lowered to the one that is returned.
    pub(crate) fn keep(self) -> wdm::KIRQL {
        let previous = self.previous;
        core::mem::forget(self);
        previous
    }
}

impl Drop for RaisedIrql {
    fn drop(&mut self) {
        // SAFETY: the level was raised from this one, on this processor.
        unsafe { wdm::KeLowerIrql(self.previous) };
    }
}

/// Waits until all DPCs that are queued have run.
pub(crate) fn flush_dpcs(_: PassiveLevel) {
    // SAFETY: the level is PASSIVE_LEVEL.
    unsafe { nt::KeFlushQueuedDpcs() };
}

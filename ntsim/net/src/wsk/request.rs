//! Requests of drivers that WSK completes.

use core::cell::Cell;
use nt::io::{self, LendError};
use nt::ke;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use sys::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_PENDING};
use sys::wdm::IRP;

use super::client::found;

/// The rule that a driver breaks that waits in an event or in the completion of a request:
/// <https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_receive_event>.
const WAITS: &str = "WskWaits";

/// Calls an event of a driver's.
pub(super) fn call_event<R: 'static>(name: &'static str, call: impl FnOnce() -> R) -> R {
    ke::without_waits(WAITS, name, || boundary::call_driver(name, call))
}

std::thread_local! {
    /// Completions that the thread is inside of. Of the process, as its threads are; zero between two machines.
    static COMPLETING: Cell<u32> = const { Cell::new(0) };
}

/// A request that WSK has, until it is completed.
#[must_use]
pub(super) struct Request {
    irp: Va,
}

/// An outcome: a status, and the additional result.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    pub(super) status: NTSTATUS,
    pub(super) information: usize,
}

impl From<NTSTATUS> for Outcome {
    fn from(status: NTSTATUS) -> Self {
        Self { status, information: 0 }
    }
}

impl Request {
    /// Takes the request that a driver passes to `function`.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER with a finding, if it is none that can be taken; it is not completed then.
    ///
    /// # Safety
    /// `irp` is null or a request of the driver's.
    pub(super) unsafe fn take(irp: *mut IRP, function: &'static str) -> Result<Self, NTSTATUS> {
        // SAFETY: the caller's contract.
        let lent = unsafe { io::lend(irp) };
        match lent {
            Ok(()) => {}
            Err(LendError::NoRoutine) => {
                found(
                    "WskIrpNoRoutine",
                    format!("{function} got {irp:p} without a completion routine for every outcome"),
                );
            }
            Err(LendError::InUse) => {
                found(
                    "WskIrpReused",
                    format!("{function} got {irp:p}, which is in use or was not initialised again"),
                );
                return Err(STATUS_INVALID_PARAMETER);
            }
            Err(error @ (LendError::NoRequest | LendError::NoLocation)) => {
                found("WskIrp", format!("{function} got {irp:p}: {error:?}"));
                return Err(STATUS_INVALID_PARAMETER);
            }
        }
        Ok(Self { irp: Va::of(irp) })
    }

    /// Notes that the function returns before the request is completed.
    pub(super) fn pend(&self) -> NTSTATUS {
        // SAFETY: the request was taken, and this is its owner.
        unsafe { io::mark_lent_pending(self.irp.ptr::<IRP>()) };
        STATUS_PENDING
    }

    /// Completes it.
    pub(super) fn complete(self, outcome: impl Into<Outcome>) -> NTSTATUS {
        let Outcome { status, information } = outcome.into();
        COMPLETING.with(|depth| depth.set(depth.get() + 1));
        // SAFETY: the request was taken, and is given back once, by its owner.
        let give_back = || unsafe { io::give_back(self.irp.ptr::<IRP>(), status, information) };
        ke::without_waits(WAITS, boundary::COMPLETION, give_back);
        COMPLETING.with(|depth| depth.set(depth.get() - 1));
        status
    }

    /// Returns whether the calling thread is inside of the completion of a request: another completion there would use up
    /// the kernel's stack, where each leads to the next.
    pub(super) fn is_completing() -> bool {
        COMPLETING.with(Cell::get) > 0
    }
}

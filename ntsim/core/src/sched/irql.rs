//! Interrupt request levels.

#![forbid(unsafe_code)]

use core::fmt;

use super::{local, processor};
use crate::pageable;

/// An interrupt request level.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Irql(pub u8);

impl Irql {
    /// Ordinary thread execution.
    pub const PASSIVE: Self = Self(0);
    /// Normal APCs are held off.
    pub const APC: Self = Self(1);
    /// The processor is owned: no thread switch, no DPC.
    pub const DISPATCH: Self = Self(2);
    /// The highest level.
    pub const HIGH: Self = Self(15);
}

impl fmt::Display for Irql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PASSIVE => f.write_str("PASSIVE_LEVEL"),
            Self::APC => f.write_str("APC_LEVEL"),
            Self::DISPATCH => f.write_str("DISPATCH_LEVEL"),
            Self::HIGH => f.write_str("HIGH_LEVEL"),
            Self(level) => write!(f, "IRQL {level}"),
        }
    }
}

/// The calling thread's level.
#[inline]
pub fn irql() -> Irql {
    local::with(|local| local.irql.get())
}

/// Raises the calling thread to `to` and returns the level before.
///
/// Reaching [`Irql::DISPATCH`] means owning the processor, so this may block while another thread does.
/// A level below the present one leaves it unchanged (callers report that as a finding).
#[inline]
pub fn raise(to: Irql) -> Irql {
    local::with(|local| {
        let old = local.irql.get();
        if to >= Irql::DISPATCH && old < Irql::DISPATCH {
            processor::acquire_cpu(local);
            local.thread.get().inspect(|thread| thread.stays.raised.enter());
            pageable::page_out();
        }
        if to > old {
            local.irql.set(to);
        }
        old
    })
}

/// Lowers the calling thread to `to`.
///
/// On the way below [`Irql::DISPATCH`] the processor's queued DPCs run first, in this thread.
/// A level above the present one leaves it unchanged (callers report that as a finding).
#[inline]
pub fn lower(to: Irql) {
    local::with(|local| {
        let old = local.irql.get();
        if old >= Irql::DISPATCH && to < Irql::DISPATCH {
            local.irql.set(Irql::DISPATCH);
            processor::release_cpu(local, to);
            local.thread.get().inspect(|thread| thread.stays.raised.leave());
        } else if to < old {
            local.irql.set(to);
        }
    });
}

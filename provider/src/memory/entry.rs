//! The memory of one scatter/gather entry, which is what most requests name.
//!
//! A [`PinnedSgl`](super::PinnedSgl) has room for sixteen entries, each with a window and any number of segments; it passes
//! through memory, and each copy looks for its runs. An entry whose memory is contiguous needs none of that: an
//! address, and a pin. What does not fit this takes the other way, which decides everything anew: the same table admits
//! both, with the same checks in the same order.

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

use super::run::copy_run;
use super::slot::Registration;
use super::transfer::{Run, Runs, Sge};
use super::{Domain, ProtectionDomain, Rights, Table, Token};
use crate::kernel::Kernel;
use crate::number::usize_from;
use crate::rundown::{Pin, Shard};

/// An entry that was admitted; its memory stays registered until this is dropped.
pub(crate) struct PinnedEntry<'t, K: Kernel, P: ProtectionDomain<K>> {
    start: *mut u8,
    length: usize,
    /// Of memory that the privileged token admits there is none, and of an entry of no bytes.
    #[expect(dead_code, reason = "it is kept to be dropped")]
    pin: Option<Pin<'t, Registration<K, P>>>,
}

impl<'t, K: Kernel, P: ProtectionDomain<K>> PinnedEntry<'t, K, P> {
    /// Admits a consumer's own entry, which one of its queue pairs works on or a peer. `None` if it is refused, or is of a
    /// window or of several segments.
    #[inline(always)]
    pub(crate) fn local(
        table: &'t Table<K, P>,
        domain: Domain,
        needed: (Rights, Shard),
        sge: Sge,
    ) -> Option<Self> {
        // Neither has a registration. An entry of no bytes touches nothing, so its token does not matter.
        if sge.length == 0 || Token(sge.token) == Token::PRIVILEGED {
            let start = core::ptr::with_exposed_provenance_mut(sge.address);
            return Some(Self { start, length: usize_from(sge.length), pin: None });
        }
        Self::registered(table, domain, needed, sge)
    }

    /// Admits what a peer names. `None` if it is refused, has no bytes, or is of a window or of several segments. The
    /// privileged token is refused like any that does not exist (WR-8).
    #[inline(always)]
    pub(crate) fn remote(table: &'t Table<K, P>, domain: Domain, needed: Rights, sge: Sge) -> Option<Self> {
        if sge.length == 0 { None } else { Self::registered(table, domain, (needed, Shard::Target), sge) }
    }

    #[inline(always)]
    fn registered(table: &'t Table<K, P>, domain: Domain, needed: (Rights, Shard), sge: Sge) -> Option<Self> {
        let length = usize_from(sge.length);
        let (pin, start) = table.admit_run(Token(sge.token), domain, needed, sge.address, length)?;
        Some(Self { start, length, pin: Some(pin) })
    }

    /// Bytes.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Copies to `sink`, which has as many bytes at least. The consumers on both sides may touch the memory meanwhile, and
    /// the two may overlap.
    #[inline(always)]
    pub(crate) fn copy_to(&self, sink: &Self) {
        let length = self.length.min(sink.length);
        // SAFETY: both lie within memory that the table found registered and mapped, and the pins keep it so; with the
        // privileged token the consumer vouches for its own address.
        unsafe { copy_run(self.start, sink.start, length) };
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Runs for PinnedEntry<'_, K, P> {
    fn length(&self) -> usize {
        self.length
    }

    fn run_at(&self, skip: usize) -> Option<Run> {
        let length = self.length.checked_sub(skip).filter(|length| *length != 0)?;
        Some(Run { start: self.start.wrapping_add(skip), length })
    }
}

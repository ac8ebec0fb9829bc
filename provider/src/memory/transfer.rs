//! The copy: from the memory that one list names to the memory that another names, once.

#![expect(unsafe_code, reason = "memory of consumers is named by its address")]

use arrayvec::ArrayVec;

use super::run::copy_run;
use super::slot::Segment;
use super::table::{Admitted, Table};
use super::{AccessError, Domain, MAX_SGE, ProtectionDomain, Rights, Token};
use crate::kernel::Kernel;
use crate::number::usize_from;
use crate::rundown::Shard;

/// One scatter/gather entry, copied from the consumer's list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sge {
    /// The virtual address by which the region knows the memory, or the logical (here: system) address.
    pub(crate) address: usize,
    /// In bytes.
    pub(crate) length: u32,
    pub(crate) token: u32,
}

enum Part<'t, K: Kernel, P: ProtectionDomain<K>> {
    Registered(Admitted<'t, K, P>),
    /// System memory that the privileged token admits.
    Direct,
}

/// A list whose every entry was admitted; its memory stays registered until this is dropped.
pub(crate) struct PinnedSgl<'t, K: Kernel, P: ProtectionDomain<K>> {
    parts: ArrayVec<(Sge, Part<'t, K, P>), MAX_SGE>,
    length: usize,
}

impl<'t, K: Kernel, P: ProtectionDomain<K>> PinnedSgl<'t, K, P> {
    /// No memory yet. A list is gathered in its place, as it is too large to be moved about.
    pub(crate) fn new() -> Self {
        Self { parts: ArrayVec::new_const(), length: 0 }
    }

    /// Admits a consumer's own list, which one of its queue pairs works on or a peer.
    ///
    /// # Errors
    ///
    /// The first [`AccessError`].
    pub(crate) fn local(
        &mut self,
        table: &'t Table<K, P>,
        domain: Domain,
        (needed, by): (Rights, Shard),
        list: &[Sge],
    ) -> Result<(), AccessError> {
        self.gather(list, |sge| {
            if Token(sge.token) == Token::PRIVILEGED {
                return Ok(Part::Direct);
            }
            table
                .admit(Token(sge.token), domain, (needed, by), sge.address, usize_from(sge.length))
                .map(Part::Registered)
        })
    }

    /// Admits what a peer names. The privileged token is refused like any that does not exist (WR-8).
    ///
    /// # Errors
    ///
    /// The [`AccessError`].
    pub(crate) fn remote(
        &mut self,
        table: &'t Table<K, P>,
        domain: Domain,
        needed: Rights,
        sge: Sge,
    ) -> Result<(), AccessError> {
        self.gather(&[sge], |sge| {
            table
                .admit(Token(sge.token), domain, (needed, Shard::Target), sge.address, usize_from(sge.length))
                .map(Part::Registered)
        })
    }

    fn gather(
        &mut self,
        list: &[Sge],
        admit: impl Fn(&Sge) -> Result<Part<'t, K, P>, AccessError>,
    ) -> Result<(), AccessError> {
        // An entry of no bytes touches nothing, so its token does not matter (RFC 5040, section 5.4).
        for sge in list.iter().filter(|sge| sge.length != 0) {
            let part = admit(sge)?;
            // There is room: no list has more entries.
            self.parts.try_push((*sge, part)).map_err(|_| AccessError::Bounds)?;
            self.length = self.length.saturating_add(usize_from(sge.length));
        }
        Ok(())
    }

    /// Bytes in the whole list.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Copies from byte `at` of the list on into `to`; returns how many bytes of it were filled, fewer only at the end
    /// of the list. The consumer may write to the memory meanwhile.
    pub(crate) fn copy_out(&self, at: usize, to: &mut [u8]) -> usize {
        self.each_run(at, to.len(), |run, done| {
            let Some(to) = to.get_mut(done..).and_then(|rest| rest.get_mut(..run.length)) else { return };
            // SAFETY: the run lies within memory that `admit` found registered and mapped, and the pins keep it so;
            // with the privileged token the consumer vouches for its own address.
            unsafe { core::ptr::copy(run.start, to.as_mut_ptr(), run.length) };
        })
    }

    /// Copies `from` to byte `at` of the list and those behind it; returns how many bytes had room. The consumer may
    /// use the memory meanwhile.
    pub(crate) fn copy_in(&self, from: &[u8], at: usize) -> usize {
        self.each_run(at, from.len(), |run, done| {
            let Some(from) = from.get(done..).and_then(|rest| rest.get(..run.length)) else { return };
            // SAFETY: as in `copy_out`.
            unsafe { core::ptr::copy(from.as_ptr(), run.start, run.length) };
        })
    }

    /// Shows `copy` the runs of `length` bytes from byte `at` of the list on, each with the number of bytes before it.
    /// Returns the number of bytes in all of them.
    fn each_run(&self, at: usize, length: usize, mut copy: impl FnMut(Run, usize)) -> usize {
        let mut done = 0_usize;
        while done < length
            && let Some(run) = self.run_from(at.saturating_add(done))
        {
            let part = run.length.min(length.saturating_sub(done));
            copy(Run { start: run.start, length: part }, done);
            done = done.saturating_add(part);
        }
        done
    }

    /// The runs of system memory from byte `skip` of the list on, in order.
    fn run_from(&self, mut skip: usize) -> Option<Run> {
        for (sge, part) in &self.parts {
            let length = usize_from(sge.length);
            if skip >= length {
                skip = skip.saturating_sub(length);
                continue;
            }
            let left = length.saturating_sub(skip);
            return match part {
                Part::Direct => Some(Run {
                    start: core::ptr::with_exposed_provenance_mut::<u8>(sge.address).wrapping_add(skip),
                    length: left,
                }),
                Part::Registered(registration) => {
                    let offset = sge.address.saturating_sub(registration.base).saturating_add(skip);
                    run_in(&registration.memory.segments, offset, left)
                }
            };
        }
        None
    }
}

/// Contiguous system memory.
pub(crate) struct Run {
    pub(super) start: *mut u8,
    pub(super) length: usize,
}

/// Memory that was admitted, and stays registered while this exists.
pub(crate) trait Runs {
    /// Bytes in all of it.
    fn length(&self) -> usize;

    /// The run of system memory that begins at byte `skip`.
    fn run_at(&self, skip: usize) -> Option<Run>;
}

/// The run at `offset` of a region, at most `left` bytes. The segments are in order.
fn run_in(segments: &[Segment], offset: usize, left: usize) -> Option<Run> {
    let index = segments.partition_point(|segment| segment.offset <= offset).checked_sub(1)?;
    let segment = segments.get(index)?;
    let within = offset.checked_sub(segment.offset).filter(|within| *within < segment.length)?;
    let length = left.min(segment.length.saturating_sub(within));
    Some(Run { start: segment.system.wrapping_add(within), length })
}

/// Copies `length` bytes (at most what each list has). The consumers on both sides may touch the memory
/// meanwhile, and the two ranges may overlap; so no reference to it is ever made.
pub(crate) fn copy(from: &impl Runs, to: &impl Runs, length: usize) {
    let mut done = 0_usize;
    while done < length {
        let (Some(source), Some(sink)) = (from.run_at(done), to.run_at(done)) else { return };
        let run = source.length.min(sink.length).min(length.saturating_sub(done));
        // SAFETY: both runs lie within memory that `admit` found registered and mapped, and the pins keep
        // it so; with the privileged token the consumer vouches for its own address.
        unsafe { copy_run(source.start, sink.start, run) };
        done = done.saturating_add(run);
    }
}

impl<K: Kernel, P: ProtectionDomain<K>> Runs for PinnedSgl<'_, K, P> {
    fn length(&self) -> usize {
        self.length
    }

    fn run_at(&self, skip: usize) -> Option<Run> {
        self.run_from(skip)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::adapter::Pd;
    use crate::number::u32_from;
    use proptest::prelude::*;
    use test_kernel::Manual;

    type Pinned<'t> = PinnedSgl<'t, Manual, Pd<Manual>>;

    /// Lists over `parts`, and what `work` does with them.
    fn pinned<R>(parts: &mut [Vec<u8>], work: impl FnOnce(&Pinned<'_>) -> R) -> R {
        let sge = |part: &mut Vec<u8>| Sge {
            address: part.as_mut_ptr().expose_provenance(),
            length: u32_from(part.len()),
            token: Token::PRIVILEGED.0,
        };
        let list: Vec<_> = parts.iter_mut().map(sge).collect();
        let (table, mut pinned) = (Table::new().unwrap(), Pinned::new());
        pinned.local(&table, Domain(1), (Rights::LOCAL_READ, Shard::Initiator), &list).unwrap();
        work(&pinned)
    }

    proptest! {
        #[test]
        fn bytes_from_any_offset_are_those_of_the_list(
            lengths in prop::collection::vec(0_usize..9, 1..MAX_SGE),
            at in 0_usize..40,
            length in 0_usize..40,
        ) {
            let mut next = 0_u8..;
            let mut parts: Vec<Vec<u8>> =
                lengths.iter().map(|length| next.by_ref().take(*length).collect()).collect();
            let mut all = parts.concat();
            let rest = all.get(at..).unwrap_or_default();
            let expected = rest.get(..length).unwrap_or(rest).to_vec();
            let mut copy = vec![0xEE; length];
            let copied = pinned(&mut parts, |list| list.copy_out(at, &mut copy));
            prop_assert_eq!(copied, expected.len());
            prop_assert_eq!(&copy[..copied], &expected);
            let fresh: Vec<u8> = (0..length).map(|byte| 200 + u8::try_from(byte).unwrap()).collect();
            prop_assert_eq!(pinned(&mut parts, |list| list.copy_in(&fresh, at)), expected.len());
            if copied > 0 {
                all[at..at + copied].copy_from_slice(&fresh[..copied]);
            }
            prop_assert_eq!(parts.concat(), all);
        }
    }
}

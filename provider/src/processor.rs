//! The processor on which a notification runs.
//!
//! A network adapter notifies by an interrupt, whose vector belongs to a processor; so the callback of a CQ or
//! SRQ runs on one of the consumer's preferred processors, and never inside the post that it is about. A software
//! provider is called by the very thread that posts, and a DPC that this thread queues to its own processor runs
//! before the post returns, if the thread is below DISPATCH_LEVEL
//! ([Organization of DPC Queues](https://learn.microsoft.com/windows-hardware/drivers/kernel/organization-of-dpc-queues)).

#![forbid(unsafe_code)]

use sys::wdm::{GROUP_AFFINITY, KAFFINITY, PROCESSOR_NUMBER};

/// Target processor of a notification's DPC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// To this processor: another one than the caller's, or the caller's where that is at DISPATCH_LEVEL, so that
    /// the DPC runs after the caller has returned below it.
    To(PROCESSOR_NUMBER),
    /// To this processor, which queues it to the caller's own, the only one that is preferred.
    Through(PROCESSOR_NUMBER),
    /// There is no other processor: the DPC waits for a tick of the clock. It is not queued with LowImportance
    /// instead: that is processed at once where the request rate is low (page as above).
    AtTick,
}

/// The active processors of the machine, as the caller sees them at DISPATCH_LEVEL.
pub trait Topology {
    /// The caller's processor.
    fn here(&self) -> PROCESSOR_NUMBER;

    /// The number of groups.
    fn groups(&self) -> u16;

    /// The active processors of a group; none if there is no such group.
    fn active(&self, group: u16) -> KAFFINITY;
}

/// Chooses the target processor of a notification. `affinity`: the processors that the consumer prefers;
/// those that are not active do not count, and without any all are as good. `within_call`: whether a DPC on the
/// caller's own processor would run before the caller's function returns, as its level is below DISPATCH_LEVEL.
pub fn route(topology: &impl Topology, affinity: Option<GROUP_AFFINITY>, within_call: bool) -> Route {
    let here = topology.here();
    let preferred = affinity.and_then(|affinity| {
        let mask = affinity.Mask & topology.active(affinity.Group);
        (mask != 0).then_some((affinity.Group, mask))
    });
    let (group, mask) = preferred.unwrap_or((here.Group, topology.active(here.Group)));
    if !within_call && group == here.Group && mask & bit(here.Number) != 0 {
        return Route::To(here);
    }
    if let Some(other) = next(group, mask, here) {
        return Route::To(other);
    }
    let groups = core::iter::once(here.Group).chain(0..topology.groups());
    let other = groups.into_iter().find_map(|group| next(group, topology.active(group), here));
    match other {
        Some(other) if preferred.is_some() => Route::Through(other),
        Some(other) => Route::To(other),
        None => Route::AtTick,
    }
}

fn bit(number: u8) -> KAFFINITY {
    KAFFINITY::from(1_u8).checked_shl(u32::from(number)).unwrap_or(0)
}

/// The first processor of the group after `here` that is in the mask, all others counting as before it.
fn next(group: u16, mask: KAFFINITY, here: PROCESSOR_NUMBER) -> Option<PROCESSOR_NUMBER> {
    let own = if group == here.Group { bit(here.Number) } else { 0 };
    let others = mask & !own;
    let above = others & !own.wrapping_sub(1);
    let chosen = if own != 0 && above != 0 { above } else { others };
    let number = u8::try_from(chosen.trailing_zeros()).ok().filter(|_| chosen != 0)?;
    Some(PROCESSOR_NUMBER { Group: group, Number: number, Reserved: 0 })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Machine {
        here: (u16, u8),
        groups: &'static [KAFFINITY],
    }

    impl Topology for Machine {
        fn here(&self) -> PROCESSOR_NUMBER {
            number(self.here)
        }

        fn groups(&self) -> u16 {
            u16::try_from(self.groups.len()).unwrap()
        }

        fn active(&self, group: u16) -> KAFFINITY {
            self.groups.get(usize::from(group)).copied().unwrap_or(0)
        }
    }

    fn number((group, number): (u16, u8)) -> PROCESSOR_NUMBER {
        PROCESSOR_NUMBER { Group: group, Number: number, Reserved: 0 }
    }

    fn to(processor: (u16, u8)) -> Route {
        Route::To(number(processor))
    }

    fn prefers(group: u16, mask: KAFFINITY) -> Option<GROUP_AFFINITY> {
        Some(GROUP_AFFINITY { Mask: mask, Group: group, Reserved: [0; 3] })
    }

    #[test]
    fn notification_from_below_dispatch_level_goes_to_another_processor() {
        let on = |here| Machine { here: (0, here), groups: &[0b1011] };
        assert_eq!([0, 1, 3].map(|here| route(&on(here), None, true)), [(0, 1), (0, 3), (0, 0)].map(to));
        assert_eq!([0, 1, 3].map(|here| route(&on(here), None, false)), [(0, 0), (0, 1), (0, 3)].map(to));
    }

    #[test]
    fn notification_goes_to_a_preferred_processor() {
        let machine = Machine { here: (0, 1), groups: &[0b1111, 0b1111] };
        assert_eq!(route(&machine, prefers(0, 0b1000), true), to((0, 3)));
        assert_eq!(route(&machine, prefers(0, 0b1000), false), to((0, 3)));
        assert_eq!(route(&machine, prefers(0, 0b0011), true), to((0, 0)));
        assert_eq!(route(&machine, prefers(0, 0b0011), false), to((0, 1)));
        assert_eq!(route(&machine, prefers(1, 0b0110), true), to((1, 1)));
        assert_eq!(route(&machine, prefers(1, 0b0110), false), to((1, 1)));
    }

    #[test]
    fn notification_for_the_callers_processor_alone_goes_through_another_one() {
        let prefers_own = |groups| route(&Machine { here: (0, 0), groups }, prefers(0, 1), true);
        assert_eq!(prefers_own(&[0b11]), Route::Through(number((0, 1))));
        assert_eq!(prefers_own(&[0b1, 0b10]), Route::Through(number((1, 1))));
        assert_eq!(prefers_own(&[0b1]), Route::AtTick);
    }

    #[test]
    fn notification_on_a_single_processor_waits_for_a_tick_below_dispatch_level() {
        let machine = Machine { here: (0, 0), groups: &[1] };
        assert_eq!(route(&machine, None, true), Route::AtTick);
        assert_eq!(route(&machine, None, false), to((0, 0)));
    }

    #[test]
    fn affinity_without_an_active_processor_counts_as_none() {
        let machine = Machine { here: (0, 63), groups: &[1 << 63 | 1] };
        for affinity in [prefers(0, 0), prefers(0, 0b10), prefers(7, 1)] {
            assert_eq!(route(&machine, affinity, true), to((0, 0)));
            assert_eq!(route(&machine, affinity, false), to((0, 63)));
        }
    }
}

//! Executive resources: locks that one thread has exclusively, or several share
//! (<https://learn.microsoft.com/windows-hardware/drivers/kernel/introduction-to-eresource-routines>).
//!
//! The driver's memory is only the lock's name; its state is kept here, so what is not initialised is found. Codes of
//! findings: bug check 0xC4, 0x37, 0x38, 0xD0 to 0xD2, 0x1000, 0x1002, 0x1007.

use core::ops::Range;
use std::collections::HashMap;

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::exports;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{self, Irql, Thread, local};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use sys::wdm::{ERESOURCE, signature};

/// A resource.
#[derive(Default)]
struct Resource {
    /// The thread that has it exclusively, and how often.
    owner: Option<(u64, usize)>,
    /// The threads that share it, and how often each does.
    shared: HashMap<u64, usize>,
    /// Threads that wait to have it exclusively.
    wanted: usize,
    waiting: Vec<&'static Thread>,
}

/// The resources of one machine, by address.
#[derive(Default)]
struct Resources(Mutex<HashMap<Va, Resource>>);

static RESOURCES: PerMachine<Resources> = PerMachine::new();

/// The way in which a resource is asked for.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Way {
    Exclusive,
    Shared,
    /// Shared, before those that wait for it exclusively.
    StarveExclusive,
}

exports! {
    "ntoskrnl.exe", signature;

    /// Initialises a resource.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExInitializeResourceLite(resource: *mut ERESOURCE) -> NTSTATUS {
        crate::ke::resident::check(0xE1, "a resource", Va::of(resource));
        let before = RESOURCES.get().0.lock().insert(Va::of(resource), Resource::default());
        if before.is_some() {
            found(0xD0, resource, "is initialised again");
        }
        STATUS_SUCCESS
    }

    /// Makes it one no more, so that its memory can be freed.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExDeleteResourceLite(resource: *mut ERESOURCE) -> NTSTATUS {
        match RESOURCES.get().0.lock().remove(&Va::of(resource)) {
            None => found(0xD1, resource, "is deleted, and was not initialised"),
            Some(known) if known.owner.is_some() || !known.shared.is_empty() => {
                found(0, resource, "is deleted while a thread has it");
            }
            Some(_) => {}
        }
        STATUS_SUCCESS
    }

    /// Takes it exclusively; without `wait`, only if it is free.
    #[irql(PASSIVE..=APC)]
    fn ExAcquireResourceExclusiveLite(resource: *mut ERESOURCE, wait: u8) -> u8 {
        acquire(resource, Way::Exclusive, wait != 0)
    }

    /// Shares it; without `wait`, only if that can be at once.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExAcquireResourceSharedLite(resource: *mut ERESOURCE, wait: u8) -> u8 {
        acquire(resource, Way::Shared, wait != 0)
    }

    /// Shares it, before those that wait for it exclusively.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExAcquireSharedStarveExclusive(resource: *mut ERESOURCE, wait: u8) -> u8 {
        acquire(resource, Way::StarveExclusive, wait != 0)
    }

    /// Gives it back.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExReleaseResourceLite(resource: *mut ERESOURCE) {
        if !apcs_are_disabled() {
            found(0x38, resource, "is released, and normal kernel APCs are not disabled");
        }
        release(resource);
    }

    /// Returns whether the calling thread has it exclusively.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExIsResourceAcquiredExclusiveLite(resource: *mut ERESOURCE) -> u8 {
        let own = this_thread().id;
        let all = RESOURCES.get().0.lock();
        u8::from(all.get(&Va::of(resource)).is_some_and(|known| known.owner.is_some_and(|(id, _)| id == own)))
    }

    /// Returns how often the calling thread has it, in either way.
    #[irql(PASSIVE..=DISPATCH)]
    fn ExIsResourceAcquiredSharedLite(resource: *mut ERESOURCE) -> u32 {
        let own = this_thread().id;
        let all = RESOURCES.get().0.lock();
        let Some(known) = all.get(&Va::of(resource)) else { return 0 };
        let exclusive = known.owner.filter(|(id, _)| *id == own).map_or(0, |(_, count)| count);
        ntsim_core::number::narrow(exclusive + known.shared.get(&own).copied().unwrap_or(0))
    }
}

fn this_thread() -> &'static Thread {
    sched::current().expect("a driver runs on a thread of the machine")
}

/// Normal kernel APCs "must be disabled before calling this routine".
fn apcs_are_disabled() -> bool {
    sched::irql() >= Irql::APC
        || local::with(|local| local.critical_regions.get() + local.guarded_regions.get() > 0)
}

fn acquire(resource: *mut ERESOURCE, way: Way, wait: bool) -> u8 {
    if !apcs_are_disabled() {
        found(0x37, resource, "is acquired, and normal kernel APCs are not disabled");
    }
    let own = this_thread();
    let mut counted = false;
    loop {
        {
            let mut all = RESOURCES.get().0.lock();
            let Some(known) = all.get_mut(&Va::of(resource)) else {
                drop(all);
                found(0x1002, resource, "is acquired, and was not initialised");
                return 0;
            };
            if known.take(own.id, way) {
                known.wanted -= usize::from(counted);
                known.waiting.retain(|thread| thread.id != own.id);
                return 1;
            }
            if !wait {
                return 0;
            }
            if way == Way::Exclusive && known.shared.contains_key(&own.id) {
                drop(all);
                found(0x1000, resource, "is acquired exclusively by a thread that shares it");
                return 0;
            }
            if way == Way::Exclusive && !core::mem::replace(&mut counted, true) {
                known.wanted += 1;
            }
            if !known.waiting.iter().any(|thread| thread.id == own.id) {
                known.waiting.push(own);
            }
        }
        sched::block(None);
    }
}

impl Resource {
    /// Gives it to a thread, if that may be.
    fn take(&mut self, own: u64, way: Way) -> bool {
        match &mut self.owner {
            Some((id, count)) if *id == own => {
                *count += 1;
                return true;
            }
            Some(_) => return false,
            None => {}
        }
        match way {
            Way::Exclusive if self.shared.is_empty() => self.owner = Some((own, 1)),
            Way::Exclusive => return false,
            Way::Shared if self.wanted > 0 && !self.shared.contains_key(&own) => return false,
            Way::Shared | Way::StarveExclusive => *self.shared.entry(own).or_insert(0) += 1,
        }
        true
    }

    /// Takes it back; `false` if the thread has it not.
    fn give_back(&mut self, own: u64) -> bool {
        if let Some((id, count)) = &mut self.owner {
            if *id != own {
                return false;
            }
            *count -= 1;
            if *count == 0 {
                self.owner = None;
            }
            return true;
        }
        let Some(count) = self.shared.get_mut(&own) else { return false };
        *count -= 1;
        if *count == 0 {
            self.shared.remove(&own);
        }
        true
    }
}

fn release(resource: *mut ERESOURCE) {
    let own = this_thread().id;
    let mut all = RESOURCES.get().0.lock();
    let released = all.get_mut(&Va::of(resource)).is_some_and(|known| {
        let released = known.give_back(own);
        known.waiting.iter().copied().for_each(sched::wake);
        released
    });
    drop(all);
    if !released {
        found(0x1007, resource, "is released by a thread that has it not");
    }
}

/// Takes the resources within a range, whose memory goes.
pub(super) fn take_within(range: &Range<Va>) -> Vec<Va> {
    let mut all = RESOURCES.get().0.lock();
    let found: Vec<_> = all.keys().filter(|address| range.contains(address)).copied().collect();
    for address in &found {
        all.remove(address);
    }
    found
}

#[cold]
fn found(code: u64, resource: *const ERESOURCE, text: &str) {
    let address = Va::of(resource);
    let mut finding = Finding::new("Resource");
    if code != 0 {
        finding = finding.bugcheck(Bugcheck { code: 0xC4, parameters: [code, address.bits(), 0, 0] });
    }
    verifier::report(finding.text(format!("the resource at {address:#x} {text}")));
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicBool, Ordering};
    use std::sync::Arc;

    use super::*;
    use crate::ex::{ExAllocatePool2, ExFreePool};
    use crate::ke::{KeEnterCriticalRegion, KeLeaveCriticalRegion};

    fn boxed() -> Box<ERESOURCE> {
        Box::new(ERESOURCE { Opaque: [0; 13] })
    }

    #[test]
    fn resource_is_shared_or_exclusive_and_counted() {
        let machine = crate::testing::builder().boot();
        let mut resource = boxed();
        let at: *mut ERESOURCE = &mut *resource;
        let other = Va::of(at);
        let refused = Arc::new(AtomicBool::new(false));
        let tried = refused.clone();
        unsafe {
            KeEnterCriticalRegion();
            ExInitializeResourceLite(at);
            assert_eq!(ExAcquireResourceSharedLite(at, 1), 1);
            assert_eq!((ExIsResourceAcquiredSharedLite(at), ExIsResourceAcquiredExclusiveLite(at)), (1, 0));
            let thread = sched::spawn("exclusive", move || {
                KeEnterCriticalRegion();
                assert_eq!(ExAcquireResourceExclusiveLite(other.ptr(), 0), 0);
                tried.store(true, Ordering::Release);
                assert_eq!(ExAcquireResourceExclusiveLite(other.ptr(), 1), 1);
                ExReleaseResourceLite(other.ptr());
                KeLeaveCriticalRegion();
            });
            while !refused.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            ExReleaseResourceLite(at);
            assert!(thread.unwrap().ends_within(core::time::Duration::from_secs(20)));
            assert_eq!(ExAcquireResourceExclusiveLite(at, 1), 1);
            assert_eq!(ExAcquireResourceSharedLite(at, 1), 1);
            ExReleaseResourceLite(at);
            ExReleaseResourceLite(at);
            ExDeleteResourceLite(at);
            KeLeaveCriticalRegion();
        }
        let report = machine.shutdown();
        assert!(report.is_clean(), "{report}");
    }

    #[test]
    fn misuse_of_resources_is_found() {
        let machine = crate::testing::builder().boot();
        let mut resource = boxed();
        let at: *mut ERESOURCE = &mut *resource;
        unsafe {
            ExDeleteResourceLite(at);
            ExInitializeResourceLite(at);
            ExAcquireResourceSharedLite(at, 1);
            KeEnterCriticalRegion();
            ExAcquireResourceExclusiveLite(at, 1);
            ExReleaseResourceLite(at);
            ExReleaseResourceLite(at);
            ExInitializeResourceLite(at);
            ExDeleteResourceLite(at);
            ExAcquireResourceSharedLite(at, 1);
            let block = ExAllocatePool2(0x40, 0x68, u32::from_le_bytes(*b"Reso"));
            ExInitializeResourceLite(block.cast());
            ExFreePool(block);
            KeLeaveCriticalRegion();
        }
        assert_eq!(machine.shutdown().codes(), [0xD1, 0x37, 0x1000, 0x1007, 0xD0, 0x1002, 0xD2]);
    }
}

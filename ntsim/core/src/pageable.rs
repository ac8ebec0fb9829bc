//! Pageable memory: paged pool, and the sections of images whose names begin with `PAGE`.
//!
//! Data that the kernel uses at DISPATCH_LEVEL must not lie in it: locks, events, timers, DPCs, work items.
//!
//! With Driver Verifier's option to force IRQL checking, all of it is paged out whenever a thread comes to
//! DISPATCH_LEVEL. Here it is made inaccessible then, if the machine's builder asks for that. A touch below
//! that level brings it back, unseen; a touch at it is what a page fault there is on Windows, and stops the
//! machine.

use core::ffi::c_void;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeMap;

use libc::c_int;
use parking_lot::Mutex;

use crate::address::Va;
use crate::per_machine::PerMachine;

/// The pageable memory of one machine.
#[derive(Default)]
struct Pageable {
    /// Set if it is paged out.
    forced: bool,
    /// By where it begins.
    areas: Mutex<BTreeMap<Va, Area>>,
    /// The number of areas that can be paged out.
    resident: AtomicUsize,
}

/// Whole pages.
#[derive(Clone, Copy)]
struct Area {
    length: usize,
    protection: c_int,
    resident: bool,
}

impl Area {
    /// # Safety
    /// The area is memory of the process.
    unsafe fn protect(self, start: Va, protection: c_int) {
        // SAFETY: the caller's promise. What loses access here gets it back in `bring_back`.
        let done = unsafe { libc::mprotect(start.ptr::<c_void>(), self.length, protection) };
        assert_eq!(done, 0, "mprotect of pageable memory failed");
    }
}

static PAGEABLE: PerMachine<Pageable> = PerMachine::new();

/// Adds an area of whole pages, accessible now.
///
/// # Safety
/// It is memory of the process until [`forget`] is called for it.
pub unsafe fn add(start: Va, length: usize, protection: c_int) {
    // SAFETY: the caller's promise.
    unsafe { PAGEABLE.get().add(start, length, protection) };
}

/// Forgets the areas that begin in `range`, and leaves them accessible.
pub fn forget(range: &Range<Va>) {
    PAGEABLE.get().forget(range);
}

/// Pages everything out.
#[inline]
pub(crate) fn page_out() {
    PAGEABLE.get().page_out();
}

/// Brings the memory at `address` back, if it is pageable.
pub fn bring_back(address: Va) {
    PAGEABLE.get().bring_back(address);
}

/// Returns whether the memory at `address` is pageable. (Blocks that the pool took from the host's heap are not
/// here.)
pub fn contains(address: Va) -> bool {
    PAGEABLE.get().contains(address)
}

/// Returns whether the memory at `address` may have been paged out when an access to it failed; another thread
/// may have brought it back since.
pub fn may_be_out(address: Va) -> bool {
    PAGEABLE.made().is_some_and(|pageable| pageable.forced && pageable.contains(address))
}

/// Begins without pageable memory; what comes is paged out at DISPATCH_LEVEL if `forced`.
pub(crate) fn boot(forced: bool) {
    PAGEABLE.set(Pageable { forced, ..Pageable::default() });
}

impl Pageable {
    /// # Safety
    /// As for [`add`].
    unsafe fn add(&self, start: Va, length: usize, protection: c_int) {
        self.areas.lock().insert(start, Area { length, protection, resident: true });
        self.resident.fetch_add(usize::from(self.forced), Ordering::Release);
    }

    fn forget(&self, range: &Range<Va>) {
        let mut areas = self.areas.lock();
        let inside: Vec<_> = areas.range(range.clone()).map(|(start, _)| *start).collect();
        for start in inside {
            self.enter(start, areas.get_mut(&start));
            areas.remove(&start);
            self.resident.fetch_sub(usize::from(self.forced), Ordering::Release);
        }
    }

    #[inline]
    fn page_out(&self) {
        if self.resident.load(Ordering::Acquire) > 0 {
            self.page_out_all();
        }
    }

    #[cold]
    fn page_out_all(&self) {
        for (start, area) in self.areas.lock().iter_mut().filter(|(_, area)| area.resident) {
            // SAFETY: an area is memory of the process for as long as it is here.
            unsafe { area.protect(*start, libc::PROT_NONE) };
            area.resident = false;
            self.resident.fetch_sub(1, Ordering::Release);
        }
    }

    fn bring_back(&self, address: Va) {
        if !self.forced {
            return;
        }
        let mut areas = self.areas.lock();
        let area = areas.range_mut(..=address).next_back();
        if let Some((start, area)) = area.filter(|(start, area)| address - **start < area.length) {
            self.enter(*start, Some(area));
        }
    }

    /// Makes an area accessible.
    fn enter(&self, start: Va, area: Option<&mut Area>) {
        if let Some(area) = area.filter(|area| !area.resident) {
            // SAFETY: an area is memory of the process for as long as it is here.
            unsafe { area.protect(start, area.protection) };
            area.resident = true;
            self.resident.fetch_add(1, Ordering::Release);
        }
    }

    fn contains(&self, address: Va) -> bool {
        // A crash may happen while the areas are being changed; then it does without.
        let Some(areas) = self.areas.try_lock_for(core::time::Duration::from_secs(1)) else { return false };
        let area = areas.range(..=address).next_back();
        area.is_some_and(|(start, area)| address - *start < area.length)
    }
}

//! An image in memory.

use core::fmt;
use core::ops::Range;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::absent::Absent;
use super::atomics::Plan;
use super::symbols::Symbols;
use crate::address::Va;
use crate::number::{ToUsize, narrow};
use crate::pageable;

/// A loaded driver image.
pub struct Image {
    /// Its file name.
    pub name: String,
    /// The file that it was loaded from.
    pub path: PathBuf,
    /// Its address.
    pub base: Va,
    /// The number of bytes of address space it takes.
    pub size: usize,
    /// Its entry point, relative to the base.
    pub entry: u32,
    /// The table of functions, as an address range relative to the base.
    pub(super) functions: Range<u32>,
    pub(super) symbols: Option<&'static Symbols>,
    /// The texts of its message table, by code.
    pub messages: BTreeMap<u32, String>,
    /// The plan that made its atomics points, if any; the thunks are the end of its address space.
    pub(super) atomics: Option<&'static Plan>,
    /// The imports that the simulator does not have, where the machine lets them be missing.
    pub(super) absent: Option<Absent>,
    /// Pages of sections that Windows frees once the entry point has succeeded, relative to the base.
    pub(super) discardable: Vec<Range<usize>>,
    pub(super) discarded: AtomicBool,
    pub(super) loaded: AtomicBool,
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}..{:#x}", self.name, self.base, self.base + self.size)
    }
}

impl Image {
    /// Returns whether `address` lies within the image.
    pub fn contains(&self, address: Va) -> bool {
        address.checked_offset_from(self.base).is_some_and(|offset| offset < self.size)
    }

    /// The offset from the image's base at which an address of the image lies.
    pub fn rva(&self, address: Va) -> u32 {
        narrow(address - self.base)
    }

    /// The address at an offset from the image's base.
    pub fn at(&self, rva: u32) -> Va {
        self.base + rva.to_usize()
    }

    /// Returns whether the image has not been unloaded.
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Bytes of the image itself, without what the simulator adds behind it.
    pub fn own_size(&self) -> usize {
        self.size - self.atomics.map_or(0, |plan| plan.size)
    }

    /// The address of the instruction for which the code at `address` stands: for most, itself.
    pub fn origin(&self, address: Va) -> Va {
        let rva = self.rva(address);
        let origin = self.atomics.and_then(|plan| plan.origin(rva));
        self.at(origin.unwrap_or(rva))
    }

    /// The imports that the simulator does not have, as `module!function`: none, unless the machine
    /// [allows it](crate::boot::Builder::allow_missing_imports).
    pub fn missing_imports(&self) -> &[String] {
        self.absent.as_ref().map_or(&[], Absent::names)
    }

    /// The name without its extension, as debuggers write it in front of a function.
    pub fn module(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(stem, _)| stem)
    }

    /// The image's memory from `rva` on; empty if it has been unloaded or `rva` lies outside.
    pub fn memory(&self, rva: u32) -> &[u8] {
        if !self.is_loaded() || rva.to_usize() >= self.size {
            return &[];
        }
        let start = rva.to_usize();
        let discarded = self.discarded.load(Ordering::Acquire).then_some(&*self.discardable);
        let gone = discarded.unwrap_or_default().iter().filter(|place| place.end > start);
        let end = gone.map(|place| place.start).min().unwrap_or(self.size);
        if end <= start {
            return &[];
        }
        // A stack is unwound at any level, through functions that may be paged out.
        pageable::bring_back(self.at(rva));
        // SAFETY: a loaded image is mapped readable from its base for its whole size. What is read here
        // (headers, unwind tables, code) is not written to after it has been bound.
        unsafe { slice::from_raw_parts((self.base + start).ptr::<u8>(), end - start) }
    }

    /// Makes inaccessible what is needed during initialisation only: the sections that are marked as discardable
    /// (<https://learn.microsoft.com/windows-hardware/drivers/kernel/making-drivers-pageable>).
    pub fn discard(&self) {
        self.discarded.store(true, Ordering::Release);
        for place in &self.discardable {
            let (start, size) = (self.base + place.start, place.len());
            pageable::forget(&(start..start + size));
            // SAFETY: the range is the image's own, and of no use any more, so its linker says.
            unsafe { libc::mprotect(start.ptr::<libc::c_void>(), size, libc::PROT_NONE) };
        }
    }

    /// Returns whether `address` lies in what was discarded.
    pub fn is_discarded(&self, address: Va) -> bool {
        let rva = address.wrapping_offset_from(self.base);
        self.discarded.load(Ordering::Acquire) && self.discardable.iter().any(|place| place.contains(&rva))
    }

    /// The table of functions from which stacks are unwound.
    pub(super) fn function_table(&self) -> &[u8] {
        self.memory(self.functions.start).get(..self.functions.len()).unwrap_or_default()
    }
}

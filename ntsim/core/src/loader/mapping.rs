//! Address space for what a driver has of its own: its image, its driver object.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::address::Va;
use crate::number::ToUsize;

/// Size of a page: what sections have to be aligned to.
pub(super) const PAGE: usize = 0x1000;

/// The address of the first image: far from all that the host maps by itself, and each this far from the next, twice as
/// far as an instruction reaches.
const PLACE: usize = 0x2000_0000_0000;
const DISTANCE: usize = 1 << 32;
/// The number of places.
const PLACES: usize = 0x1000;
/// All addresses that are reserved for images.
pub const IMAGES: core::ops::Range<Va> = Va::new(PLACE)..Va::new(PLACE + PLACES * DISTANCE);

/// Address space for one image; given back when dropped.
pub(super) struct Mapping {
    pub(super) base: Va,
    size: usize,
}

impl Mapping {
    /// Room for an image, with nothing else of the process within the reach of its relative jumps and accesses:
    /// a wild one of a driver is to find nothing, as on Windows, and not the simulator.
    pub(super) fn new(size: usize) -> std::io::Result<Self> {
        Self::with(size, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// Room that nothing may touch.
    pub(super) fn inaccessible(size: usize) -> std::io::Result<Self> {
        Self::with(size, libc::PROT_NONE)
    }

    fn with(size: usize, protection: libc::c_int) -> std::io::Result<Self> {
        /// Of the process, as its addresses are.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        for _ in 0..PLACES {
            let place = Va::new(PLACE + NEXT.fetch_add(1, Ordering::Relaxed) % PLACES * DISTANCE);
            let flags = flags | libc::MAP_FIXED_NOREPLACE;
            // SAFETY: the mapping is new, or refused where there is one already.
            let base = unsafe { libc::mmap(place.ptr(), size, protection, flags, -1, 0) };
            if Va::of(base) == place {
                return Ok(Self { base: place, size });
            }
            let error = std::io::Error::last_os_error();
            if base != libc::MAP_FAILED || error.raw_os_error() != Some(libc::EEXIST) {
                return Err(error);
            }
        }
        Err(std::io::Error::from_raw_os_error(libc::ENOMEM))
    }

    fn check(&self, rva: u32, length: usize) -> Result<Va, String> {
        let end = rva.to_usize().checked_add(length);
        if end.is_none_or(|end| end > self.size) {
            return Err(format!("{length} bytes at {rva:#x} lie outside of the image"));
        }
        Ok(self.base + rva.to_usize())
    }

    pub(super) fn write(&self, rva: u32, content: &[u8]) -> Result<(), String> {
        let address = self.check(rva, content.len())?;
        // SAFETY: the range was checked to lie within this mapping, which is writable until `protect`,
        // known to no other code, and no part of `content`.
        unsafe { ptr::copy_nonoverlapping(content.as_ptr(), address.ptr(), content.len()) };
        Ok(())
    }

    pub(super) fn read(&self, rva: u32) -> Result<u64, String> {
        let address = self.check(rva, 8)?;
        // SAFETY: the range was checked to lie within this mapping, which is readable.
        Ok(unsafe { ptr::read_unaligned(address.ptr::<u64>()) })
    }

    pub(super) fn protect(&self, rva: u32, size: usize, protection: libc::c_int) -> Result<(), String> {
        let size = size.next_multiple_of(PAGE);
        let address = self.check(rva, size)?;
        // SAFETY: the range lies within this mapping, and what is at it now is not in use yet.
        match unsafe { libc::mprotect(address.ptr(), size, protection) } {
            0 => Ok(()),
            _ => Err(format!("mprotect: {}", std::io::Error::last_os_error())),
        }
    }

    pub(super) fn keep(self) -> Va {
        let base = self.base;
        core::mem::forget(self);
        base
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made; an image that is in use was kept instead.
        unsafe { libc::munmap(self.base.ptr::<libc::c_void>(), self.size) };
    }
}

/// A value in pages of its own, with nothing else of the process near: a driver that writes beyond it, or below it,
/// faults.
pub struct Alone<T> {
    mapping: Mapping,
    value: core::marker::PhantomData<T>,
}

impl<T> Alone<T> {
    /// Moves a value into pages of its own.
    ///
    /// # Errors
    /// The host's, if it has no memory.
    pub fn new(value: T) -> std::io::Result<Self> {
        let mapping = Mapping::new(size_of::<T>().next_multiple_of(PAGE))?;
        // SAFETY: the mapping is new, writable, page-aligned and large enough.
        unsafe { mapping.base.ptr::<T>().write(value) };
        Ok(Self { mapping, value: core::marker::PhantomData })
    }
}

// SAFETY: it owns its value, as a box does; driver objects are shared with drivers in any case.
unsafe impl<T> Send for Alone<T> {}

impl<T> core::ops::Deref for Alone<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `new` wrote the value, and it is taken out when this is dropped.
        unsafe { &*self.mapping.base.ptr::<T>() }
    }
}

impl<T> core::ops::DerefMut for Alone<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.mapping.base.ptr::<T>() }
    }
}

impl<T> Drop for Alone<T> {
    fn drop(&mut self) {
        // SAFETY: as above; nothing uses it after this.
        unsafe { ptr::drop_in_place(self.mapping.base.ptr::<T>()) };
    }
}

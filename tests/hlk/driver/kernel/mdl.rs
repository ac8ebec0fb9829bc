//! Memory descriptor lists, and their mappings.

#![expect(unsafe_code, reason = "the kernel is called")]

use core::ptr::{NonNull, null_mut};

use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{
    MDL, MDL_MAPPED_TO_SYSTEM_VA, MDL_PARTIAL_HAS_BEEN_MAPPED, MDL_SOURCE_IS_NONPAGED_POOL, PVOID,
};
use wdk_sys::ntddk::{
    IoAllocateMdl, IoBuildPartialMdl, IoFreeMdl, MmBuildMdlForNonPagedPool, MmMapLockedPagesSpecifyCache,
    MmProbeAndLockPages, MmUnlockPages, MmUnmapLockedPages,
};

use crate::number::usize_from;

/// An MDL over nonpaged memory.
pub(crate) struct PoolMdl(*mut MDL);

impl PoolMdl {
    /// Describes `length` bytes at `address`.
    ///
    /// # Safety
    /// They are nonpaged and stay allocated as long as the MDL.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) unsafe fn new(address: *mut u8, length: u32) -> Result<Self, NTSTATUS> {
        let mdl = allocate(address, length)?;
        // SAFETY: the MDL was just allocated for this memory, which the caller says is nonpaged.
        unsafe { MmBuildMdlForNonPagedPool(mdl.cast()) };
        Ok(Self(mdl))
    }

    pub(crate) const fn as_ptr(&self) -> *mut MDL {
        self.0
    }
}

impl Drop for PoolMdl {
    fn drop(&mut self) {
        // SAFETY: the MDL came from IoAllocateMdl and was not locked.
        unsafe { IoFreeMdl(self.0.cast()) };
    }
}

/// An MDL over nonpaged memory that is locked as any other memory would be, and so has no system address.
pub(crate) struct LockedMdl(*mut MDL);

impl LockedMdl {
    /// Describes `length` bytes at `address`, and locks their pages.
    ///
    /// # Safety
    /// They are nonpaged and stay allocated as long as the MDL.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) unsafe fn new(address: *mut u8, length: u32) -> Result<Self, NTSTATUS> {
        let mdl = allocate(address, length)?;
        // SAFETY: the MDL was just allocated for this memory, which is resident, so that no exception is raised.
        unsafe { MmProbeAndLockPages(mdl.cast(), 0, wdk_sys::_LOCK_OPERATION::IoModifyAccess) };
        Ok(Self(mdl))
    }

    pub(crate) const fn as_ptr(&self) -> *mut MDL {
        self.0
    }
}

impl Drop for LockedMdl {
    fn drop(&mut self) {
        // SAFETY: the pages were locked by `new`.
        unsafe { MmUnlockPages(self.0.cast()) };
        // SAFETY: the MDL came from IoAllocateMdl, and is not locked any more.
        unsafe { IoFreeMdl(self.0.cast()) };
    }
}

/// An MDL over a part of what another one describes, which must outlive it.
pub(crate) struct PartialMdl(NonNull<MDL>);

impl PartialMdl {
    /// Describes `length` bytes from `offset` on of what `source` describes.
    ///
    /// # Safety
    /// `source` is an MDL over locked or nonpaged memory with that many bytes.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(crate) unsafe fn new(source: *mut MDL, offset: u32, length: u32) -> Result<Self, NTSTATUS> {
        // SAFETY: the caller passes an MDL.
        let address = unsafe { mdl_address(source) }.wrapping_add(usize_from(offset));
        let mdl = allocate(core::ptr::without_provenance_mut(address), length)?;
        let part = Self(NonNull::new(mdl).ok_or(STATUS_INSUFFICIENT_RESOURCES)?);
        // SAFETY: the caller's contract; the new MDL has room for its pages.
        unsafe { part.build(source, address, length) };
        Ok(part)
    }

    /// Describes another part, which is no longer than the first one.
    ///
    /// # Safety
    /// As for [`Self::new`]; the MDL is not in use.
    pub(crate) unsafe fn reuse(&self, source: *mut MDL, offset: u32, length: u32) {
        // MmPrepareMdlForReuse, an inline function.
        // SAFETY: the MDL is this one's own.
        let list = unsafe { self.0.read() };
        if list.MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED != 0 {
            // SAFETY: the flag says that the MDL has this mapping of its own.
            unsafe { MmUnmapLockedPages(list.MappedSystemVa, self.0.as_ptr().cast()) };
        }
        // SAFETY: the caller passes an MDL.
        let address = unsafe { mdl_address(source) }.wrapping_add(usize_from(offset));
        // SAFETY: the caller's contract.
        unsafe { self.build(source, address, length) };
    }

    /// # Safety
    /// As for [`Self::new`].
    unsafe fn build(&self, source: *mut MDL, address: usize, length: u32) {
        let address: PVOID = core::ptr::without_provenance_mut(address);
        // SAFETY: the caller's contract.
        unsafe { IoBuildPartialMdl(source.cast(), self.0.as_ptr().cast(), address, length) };
    }

    pub(crate) const fn as_ptr(&self) -> *mut MDL {
        self.0.as_ptr()
    }

    /// Makes `next` the rest of the chain that this MDL heads.
    pub(crate) fn chain(&self, next: &Self) {
        // SAFETY: the MDL is this one's own, and is not in use.
        unsafe { (*self.as_ptr()).Next = next.as_ptr() };
    }
}

impl Drop for PartialMdl {
    fn drop(&mut self) {
        // SAFETY: the MDL came from IoAllocateMdl; its pages are locked by its source.
        unsafe { IoFreeMdl(self.0.as_ptr().cast()) };
    }
}

/// The state of an MDL that a provider must leave alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    flags: i16,
    mapped: PVOID,
}

impl Look {
    /// That of the MDL as it is now.
    ///
    /// # Safety
    /// `mdl` is an MDL.
    pub(crate) unsafe fn at(mdl: *const MDL) -> Self {
        // SAFETY: the caller's contract.
        let list = unsafe { &*mdl };
        Self { flags: list.MdlFlags, mapped: list.MappedSystemVa }
    }
}

fn allocate(address: *mut u8, length: u32) -> Result<*mut MDL, NTSTATUS> {
    // SAFETY: the function only computes from the address.
    let mdl = unsafe { IoAllocateMdl(address.cast(), length, 0, 0, null_mut()) };
    if mdl.is_null() { Err(STATUS_INSUFFICIENT_RESOURCES) } else { Ok(mdl.cast()) }
}

/// The virtual address that an MDL's buffer begins with: what SGEs count from when they go through a
/// region registered with it, whether or not it is mapped here (`MmGetMdlVirtualAddress`).
///
/// # Safety
/// `mdl` is an MDL.
pub(crate) unsafe fn mdl_address(mdl: *const MDL) -> usize {
    // SAFETY: the caller's contract.
    let mdl = unsafe { &*mdl };
    mdl.StartVa.addr().saturating_add(usize_from(mdl.ByteOffset))
}

/// The system address of an MDL's memory, as `MmGetSystemAddressForMdlSafe` finds it (an inline function,
/// which wdk-sys does not bind).
///
/// # Safety
/// `mdl` describes locked or nonpaged memory.
///
/// # Errors
/// `STATUS_INSUFFICIENT_RESOURCES` when the memory can't be mapped.
pub(crate) unsafe fn system_address(mdl: *mut MDL) -> Result<*mut u8, NTSTATUS> {
    // From wdm.h: normal page priority, and no code in the mapping.
    const NORMAL_PAGE_PRIORITY_NO_EXECUTE: u32 = 16 | 0x4000_0000;
    // SAFETY: the caller passes an MDL.
    let flags = unsafe { (*mdl).MdlFlags };
    let address = if flags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) == 0 {
        // SAFETY: the MDL's pages are locked; a mapping in system space may fail with null only.
        unsafe {
            MmMapLockedPagesSpecifyCache(
                mdl.cast(),
                0,
                wdk_sys::_MEMORY_CACHING_TYPE::MmCached,
                null_mut(),
                0,
                NORMAL_PAGE_PRIORITY_NO_EXECUTE,
            )
        }
    } else {
        // SAFETY: the caller passes an MDL; the flags say that it has a system address.
        unsafe { (*mdl).MappedSystemVa }
    };
    if address.is_null() { Err(STATUS_INSUFFICIENT_RESOURCES) } else { Ok(address.cast()) }
}

/// Undoes the mapping that [`system_address`] made for an MDL that had none.
///
/// # Safety
/// `mdl` has a mapping of its own at `address`, which is out of use.
pub(crate) unsafe fn unmap(mdl: *mut MDL, address: *mut u8) {
    // SAFETY: the caller's contract.
    unsafe { MmUnmapLockedPages(address.cast(), mdl.cast()) };
}

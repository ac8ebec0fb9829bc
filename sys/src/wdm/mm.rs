//! Exports of `ntoskrnl.exe` under the prefix Mm: memory descriptor lists and mappings.
//!
//! `MmGetSystemAddressForMdlSafe`, `MmGetMdlVirtualAddress` and the like are inline over the list's members.

use super::*;

open_enum! {
    /// The operations that pages are locked for.
    enum LOCK_OPERATION: i32 {
        /// To be read.
        IoReadAccess = 0,
        /// To be written.
        IoWriteAccess = 1,
        /// To be changed.
        IoModifyAccess = 2,
    }

    /// Cache types of mappings.
    enum MEMORY_CACHING_TYPE: i32 {
        /// Not cached.
        MmNonCached = 0,
        /// Cached.
        MmCached = 1,
        /// Writes are combined.
        MmWriteCombined = 2,
    }
}

constants! { ULONG:
    /// The mapping may fail first.
    LowPagePriority = 0;
    /// The usual.
    NormalPagePriority = 16;
    /// The mapping fails last.
    HighPagePriority = 32;
    /// Flag: the mapping is read only.
    MdlMappingNoWrite = 0x8000_0000;
    /// Flag: the mapping is not executable.
    MdlMappingNoExecute = 0x4000_0000;
}

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Fills in a list over nonpaged pool. ≤ DISPATCH_LEVEL.
    fn MmBuildMdlForNonPagedPool(MemoryDescriptorList: PMDL);
    /// Locks a list's pages; raises an exception if it cannot. ≤ APC_LEVEL, or ≤ DISPATCH_LEVEL if resident.
    fn MmProbeAndLockPages(
        MemoryDescriptorList: PMDL,
        AccessMode: KPROCESSOR_MODE,
        Operation: LOCK_OPERATION,
    );
    /// Unlocks a list's pages. ≤ DISPATCH_LEVEL.
    fn MmUnlockPages(MemoryDescriptorList: PMDL);
    /// Maps a list's pages; null on failure unless that is to be a bug check. ≤ DISPATCH_LEVEL.
    fn MmMapLockedPagesSpecifyCache(
        MemoryDescriptorList: PMDL,
        AccessMode: KPROCESSOR_MODE,
        CacheType: MEMORY_CACHING_TYPE,
        RequestedAddress: PVOID,
        BugCheckOnFailure: ULONG,
        Priority: ULONG,
    ) -> PVOID;
    /// Removes a mapping. ≤ DISPATCH_LEVEL.
    fn MmUnmapLockedPages(BaseAddress: PVOID, MemoryDescriptorList: PMDL);
    /// Size of a list over a buffer, with its page frame numbers, in bytes. Any level.
    fn MmSizeOfMdl(Base: PVOID, Length: SIZE_T) -> SIZE_T;
    /// The physical address behind a nonpaged address. Any level.
    fn MmGetPhysicalAddress(BaseAddress: PVOID) -> PHYSICAL_ADDRESS;
    /// Checks that a range is a user's and can be read; raises an exception if not. ≤ APC_LEVEL.
    fn ProbeForRead(Address: *const VOID, Length: SIZE_T, Alignment: ULONG);
    /// Checks that a range is a user's and can be written; raises an exception if not. ≤ APC_LEVEL.
    fn ProbeForWrite(Address: PVOID, Length: SIZE_T, Alignment: ULONG);
    /// Returns whether an address can be read without a page fault. ≤ DISPATCH_LEVEL.
    fn MmIsAddressValid(VirtualAddress: PVOID) -> BOOLEAN;
    /// The address of an exported routine by its name. PASSIVE_LEVEL.
    fn MmGetSystemRoutineAddress(SystemRoutineName: PUNICODE_STRING) -> PVOID;
}

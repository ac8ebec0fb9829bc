//! Pool memory, lookaside lists and interlocked lists.
//!
//! Flag values: <https://learn.microsoft.com/windows-hardware/drivers/kernel/pool_flags>. Lookaside lists:
//! compiled from mingw-w64's `wdm.h`, whose inline functions show which members a driver touches.

use super::{LIST_ENTRY, PVOID, SIZE_T, ULONG, ULONG64, USHORT};

/// Flags of [`ExAllocatePool2`](super::signature::ExAllocatePool2), `POOL_FLAG_…`.
pub type POOL_FLAGS = ULONG64;

constants! { POOL_FLAGS:
    /// Charge the process that asks.
    POOL_FLAG_USE_QUOTA = 0x0000_0001;
    /// Do not zero the memory.
    POOL_FLAG_UNINITIALIZED = 0x0000_0002;
    /// Memory of this session.
    POOL_FLAG_SESSION = 0x0000_0004;
    /// Align to a cache line.
    POOL_FLAG_CACHE_ALIGNED = 0x0000_0008;
    /// Raise an exception in place of returning null.
    POOL_FLAG_RAISE_ON_FAILURE = 0x0000_0020;
    /// Nonpaged, not executable.
    POOL_FLAG_NON_PAGED = 0x0000_0040;
    /// Nonpaged, executable.
    POOL_FLAG_NON_PAGED_EXECUTE = 0x0000_0080;
    /// Paged.
    POOL_FLAG_PAGED = 0x0000_0100;
}

open_enum! {
    /// The pool types of the older allocation functions.
    enum POOL_TYPE: i32 {
        /// Nonpaged, executable.
        NonPagedPool = 0,
        /// Paged.
        PagedPool = 1,
        /// Nonpaged, executable, aligned to a cache line.
        NonPagedPoolCacheAligned = 4,
        /// Paged, aligned to a cache line.
        PagedPoolCacheAligned = 5,
        /// Nonpaged, not executable.
        NonPagedPoolNx = 512,
        /// Nonpaged, not executable, aligned to a cache line.
        NonPagedPoolNxCacheAligned = 516,
    }

    /// Priorities of an allocation.
    enum EX_POOL_PRIORITY: i32 {
        /// May fail first.
        LowPoolPriority = 0,
        /// The usual.
        NormalPoolPriority = 16,
        /// Fails last.
        HighPoolPriority = 32,
    }
}

/// Allocates for a lookaside list.
pub type PALLOCATE_FUNCTION =
    unsafe extern "efiapi" fn(PoolType: POOL_TYPE, NumberOfBytes: SIZE_T, Tag: ULONG) -> PVOID;
/// Frees for a lookaside list.
pub type PFREE_FUNCTION = unsafe extern "efiapi" fn(Buffer: PVOID);
/// Allocates for an extended lookaside list.
pub type PALLOCATE_FUNCTION_EX = unsafe extern "efiapi" fn(
    PoolType: POOL_TYPE,
    NumberOfBytes: SIZE_T,
    Tag: ULONG,
    Lookaside: *mut LOOKASIDE_LIST_EX,
) -> PVOID;
/// Frees for an extended lookaside list.
pub type PFREE_FUNCTION_EX = unsafe extern "efiapi" fn(Buffer: PVOID, Lookaside: *mut LOOKASIDE_LIST_EX);

layout! {
    /// The head of an interlocked list.
    #[repr(align(16))]
    struct SLIST_HEADER: 0x10 {
        /// Depth in the lowest 16 bits, sequence number above.
        0x0 => Alignment: ULONG64,
        /// The first entry, whose lowest four bits are reserved.
        0x8 => Region: ULONG64,
    }

    /// A link of an interlocked list.
    #[repr(align(16))]
    struct SLIST_ENTRY: 0x10 {
        /// The next entry, or null.
        0x0 => Next: *mut SLIST_ENTRY,
    }

    /// A lookaside list: a list of free blocks of one size.
    struct GENERAL_LOOKASIDE_POOL: 0x60 {
        /// The free blocks.
        0x00 => ListHead: SLIST_HEADER,
        /// The number that it keeps.
        0x10 => Depth: USHORT,
        /// The number that it keeps at most.
        0x12 => MaximumDepth: USHORT,
        /// Allocations, from the list or not.
        0x14 => TotalAllocates: ULONG,
        /// Allocations that found the list empty.
        0x18 => AllocateMisses: ULONG,
        /// Frees, to the list or not.
        0x1C => TotalFrees: ULONG,
        /// Frees that found the list full.
        0x20 => FreeMisses: ULONG,
        /// The type of pool.
        0x24 => Type: POOL_TYPE,
        /// The pool tag.
        0x28 => Tag: ULONG,
        /// Size of a block, in bytes.
        0x2C => Size: ULONG,
        /// Allocates a block when the list is empty.
        0x30 => Allocate: LOOKASIDE_ALLOCATE,
        /// Frees a block when the list is full.
        0x38 => Free: LOOKASIDE_FREE,
        /// Links all lookaside lists.
        0x40 => ListEntry: LIST_ENTRY,
        /// For the kernel's tuning.
        0x50 => LastTotalAllocates: ULONG,
        /// For the kernel's tuning.
        0x54 => LastAllocateMisses: ULONG,
        /// Reserved.
        0x58 => Future: [ULONG; 2],
    }

    /// An unnamed union in C.
    union LOOKASIDE_ALLOCATE: 0x8 {
        /// Of an extended list.
        0x0 => AllocateEx: Option<PALLOCATE_FUNCTION_EX>,
        /// Of the others.
        0x0 => Allocate: Option<PALLOCATE_FUNCTION>,
    }

    /// An unnamed union in C.
    union LOOKASIDE_FREE: 0x8 {
        /// Of an extended list.
        0x0 => FreeEx: Option<PFREE_FUNCTION_EX>,
        /// Of the others.
        0x0 => Free: Option<PFREE_FUNCTION>,
    }

    /// A lookaside list of nonpaged blocks, on cache lines of its own.
    #[repr(align(64))]
    struct NPAGED_LOOKASIDE_LIST: 0x80 {
        /// The list.
        0x0 => L: GENERAL_LOOKASIDE_POOL,
    }

    /// A lookaside list of paged blocks, on cache lines of its own.
    #[repr(align(64))]
    struct PAGED_LOOKASIDE_LIST: 0x80 {
        /// The list.
        0x0 => L: GENERAL_LOOKASIDE_POOL,
    }

    /// An extended lookaside list.
    struct LOOKASIDE_LIST_EX: 0x60 {
        /// The list.
        0x0 => L: GENERAL_LOOKASIDE_POOL,
    }
}

//! Memory descriptor lists: the pages behind a range of virtual memory.

use super::{CSHORT, PVOID, ULONG, USHORT};

/// A pointer to a memory descriptor list.
pub type PMDL = *mut MDL;

layout! {
    /// Describes a range of memory by its pages; the page frame numbers follow it in memory.
    struct MDL: 0x30 {
        /// The next list of a chain, or null.
        0x00 => Next: *mut MDL,
        /// Size of this structure with its page frame numbers, in bytes.
        0x08 => Size: CSHORT,
        /// State, `MDL_…`.
        0x0A => MdlFlags: CSHORT,
        /// The processor whose lookaside list it came from.
        0x0C => AllocationProcessorNumber: USHORT,
        /// Reserved.
        0x0E => Reserved: USHORT,
        /// The process that owns the memory.
        0x10 => Process: PVOID,
        /// The range's address in system space, valid only with the flags that say so.
        0x18 => MappedSystemVa: PVOID,
        /// The virtual address of the first page; an index only, not to be dereferenced.
        0x20 => StartVa: PVOID,
        /// Length of the range, in bytes.
        0x28 => ByteCount: ULONG,
        /// Offset of the range in the first page.
        0x2C => ByteOffset: ULONG,
    }
}

constants! { CSHORT:
    /// `MappedSystemVa` holds a mapping that was made for this list.
    MDL_MAPPED_TO_SYSTEM_VA = 0x0001;
    /// The pages are locked in memory.
    MDL_PAGES_LOCKED = 0x0002;
    /// The list was built over nonpaged pool; `MappedSystemVa` is the range itself.
    MDL_SOURCE_IS_NONPAGED_POOL = 0x0004;
    /// The list came from a lookaside list of a fixed size.
    MDL_ALLOCATED_FIXED_SIZE = 0x0008;
    /// The list describes a part of another.
    MDL_PARTIAL = 0x0010;
    /// The partial list has a mapping of its own.
    MDL_PARTIAL_HAS_BEEN_MAPPED = 0x0020;
    /// The pages were read from a paging device.
    MDL_IO_PAGE_READ = 0x0040;
    /// The pages are written to a paging device; the range was locked for writing.
    MDL_WRITE_OPERATION = 0x0080;
    /// Mapping failure returns null in place of a bug check.
    MDL_MAPPING_CAN_FAIL = 0x2000;
}

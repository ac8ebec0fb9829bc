//! Basic types of every kernel interface.

pub use core::ffi::c_void as VOID;

/// An untyped pointer.
pub type PVOID = *mut VOID;
/// An object handle.
pub type HANDLE = *mut VOID;
/// A signed byte.
pub type CHAR = i8;
/// A signed byte.
pub type CCHAR = i8;
/// A byte.
pub type UCHAR = u8;
/// A 16-bit integer.
pub type SHORT = i16;
/// A 16-bit integer.
pub type CSHORT = i16;
/// An unsigned 16-bit integer.
pub type USHORT = u16;
/// A UTF-16 code unit.
pub type WCHAR = u16;
/// A 32-bit integer.
pub type LONG = i32;
/// An unsigned 32-bit integer.
pub type ULONG = u32;
/// An unsigned 32-bit integer.
pub type UINT = u32;
/// An unsigned 32-bit integer.
pub type UINT32 = u32;
/// A 64-bit integer.
pub type LONGLONG = i64;
/// An unsigned 64-bit integer.
pub type ULONGLONG = u64;
/// An unsigned 64-bit integer.
pub type ULONG64 = u64;
/// An unsigned 64-bit integer.
pub type UINT64 = u64;
/// An unsigned integer of pointer size.
pub type ULONG_PTR = usize;
/// A length of memory, in bytes.
pub type SIZE_T = usize;
/// A signed 64-bit integer; C declares it as a union over its two halves.
pub type LARGE_INTEGER = i64;
/// An unsigned 64-bit integer; C declares it as a union over its two halves.
pub type ULARGE_INTEGER = u64;
/// A physical address.
pub type PHYSICAL_ADDRESS = LARGE_INTEGER;
/// A truth value: [`FALSE`], or anything else for true.
pub type BOOLEAN = u8;
/// An interrupt request level.
pub type KIRQL = u8;
/// A set of processors within one group.
pub type KAFFINITY = usize;
/// The boost of a thread's priority.
pub type KPRIORITY = i32;
/// The rights asked for on an object.
pub type ACCESS_MASK = u32;

constants! { BOOLEAN:
    /// False.
    FALSE = 0;
    /// True.
    TRUE = 1;
}

constants! { KIRQL:
    /// Ordinary threads: everything is allowed, page faults included.
    PASSIVE_LEVEL = 0;
    /// Asynchronous procedure calls are held off.
    APC_LEVEL = 1;
    /// No thread switch on this processor: spin locks, deferred procedure calls.
    DISPATCH_LEVEL = 2;
    /// The lowest device interrupt.
    DEVICE_LEVEL = 3;
    /// The clock interrupt (x64).
    CLOCK_LEVEL = 13;
    /// Everything is held off (x64).
    HIGH_LEVEL = 15;
}

constants! { usize:
    /// The size of a page, in bytes.
    PAGE_SIZE = 0x1000;
}

layout! {
    /// A globally unique identifier.
    #[derive(Debug, Eq, Hash, PartialEq)]
    struct GUID: 0x10 {
        /// The first eight hexadecimal digits.
        0x00 => Data1: u32,
        /// The first group of four digits.
        0x04 => Data2: u16,
        /// The second group of four digits.
        0x06 => Data3: u16,
        /// The third group of four digits and the final twelve.
        0x08 => Data4: [u8; 8],
    }

    /// A counted UTF-16 string, not necessarily terminated.
    struct UNICODE_STRING: 0x10 {
        /// Length in bytes, without a terminator.
        0x00 => Length: USHORT,
        /// Size of the buffer, in bytes.
        0x02 => MaximumLength: USHORT,
        /// The string.
        0x08 => Buffer: *mut WCHAR,
    }

    /// A counted string of bytes, not necessarily terminated.
    struct ANSI_STRING: 0x10 {
        /// Length in bytes, without a terminator.
        0x00 => Length: USHORT,
        /// Size of the buffer, in bytes.
        0x02 => MaximumLength: USHORT,
        /// The string.
        0x08 => Buffer: *mut CHAR,
    }

    /// A link of a doubly linked list, or its head.
    struct LIST_ENTRY: 0x10 {
        /// The next entry; of an empty list's head, the head itself.
        0x00 => Flink: *mut LIST_ENTRY,
        /// The entry before.
        0x08 => Blink: *mut LIST_ENTRY,
    }

    /// A link of a singly linked list.
    struct SINGLE_LIST_ENTRY: 0x8 {
        /// The next entry, or null.
        0x0 => Next: *mut SINGLE_LIST_ENTRY,
    }

    /// A set of processors of one group.
    #[derive(Debug, Eq, PartialEq)]
    struct GROUP_AFFINITY: 0x10 {
        /// The processors, one bit each.
        0x00 => Mask: KAFFINITY,
        /// The group's number.
        0x08 => Group: USHORT,
        /// Zero.
        0x0A => Reserved: [USHORT; 3],
    }

    /// A processor, by its group and its number in it.
    #[derive(Debug, Eq, PartialEq)]
    struct PROCESSOR_NUMBER: 0x4 {
        /// The group.
        0x0 => Group: USHORT,
        /// The number within the group.
        0x2 => Number: UCHAR,
        /// Zero.
        0x3 => Reserved: UCHAR,
    }
}

/// A pointer to a counted string.
pub type PUNICODE_STRING = *mut UNICODE_STRING;
/// A pointer to a counted string that is only read.
pub type PCUNICODE_STRING = *const UNICODE_STRING;

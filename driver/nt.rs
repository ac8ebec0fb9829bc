//! Everything that the driver uses of `wdk-sys`, in one place, so that it can be compared with the bindings
//! of a real WDK.
//!
//! Structures of these types are only passed on and never looked into: where the published headers and
//! others name their members differently, nothing here notices.

#![forbid(unsafe_code)]

pub(crate) use wdk_sys::ntddk::{
    DbgPrint, IoAllocateMdl, IoFreeMdl, KeAcquireSpinLockRaiseToDpc, KeClearEvent, KeFlushQueuedDpcs,
    KeInitializeDpc, KeInitializeEvent, KeInsertQueueDpc, KeReleaseSpinLock, KeSetEvent,
    KeWaitForSingleObject, MmBuildMdlForNonPagedPool, MmMapLockedPagesSpecifyCache, MmUnmapLockedPages,
};
pub(crate) use wdk_sys::{
    _EVENT_TYPE::NotificationEvent, _KWAIT_REASON::Executive, _MEMORY_CACHING_TYPE::MmCached, BOOLEAN,
    DRIVER_OBJECT, KDPC, KEVENT, KPROCESSOR_MODE, KSPIN_LOCK, LARGE_INTEGER, PCUNICODE_STRING, WDFFUNC,
    WdfDriverGlobals, WdfDriverMiniportUnloadOverride, WdfFunctions,
};

/// False.
pub(crate) const FALSE: BOOLEAN = 0;

/// A wait or mapping of the kernel's own. (The bindings have it in another type than its users.)
pub(crate) const KERNEL_MODE: KPROCESSOR_MODE = 0;

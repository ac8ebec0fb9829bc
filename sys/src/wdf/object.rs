//! Objects: handles, attributes, contexts, memory.

use crate::status::NTSTATUS;
use crate::wdm::{CHAR, GUID, LONG, POOL_TYPE, PVOID, SIZE_T, ULONG, VOID};

/// A function of the table, to be called by its own type.
pub type WDFFUNC = Option<unsafe extern "efiapi" fn()>;
/// An object of the framework.
pub type WDFOBJECT = *mut VOID;
/// The driver.
pub type WDFDRIVER = *mut VOID;
/// A device.
pub type WDFDEVICE = *mut VOID;
/// A spin lock.
pub type WDFSPINLOCK = *mut VOID;
/// A lock that threads wait for.
pub type WDFWAITLOCK = *mut VOID;
/// A timer.
pub type WDFTIMER = *mut VOID;
/// A work item.
pub type WDFWORKITEM = *mut VOID;
/// A deferred procedure call.
pub type WDFDPC = *mut VOID;
/// A buffer.
pub type WDFMEMORY = *mut VOID;
/// A queue of requests.
pub type WDFQUEUE = *mut VOID;
/// A request.
pub type WDFREQUEST = *mut VOID;
/// An open file.
pub type WDFFILEOBJECT = *mut VOID;
/// A string.
pub type WDFSTRING = *mut VOID;
/// An open registry key.
pub type WDFKEY = *mut VOID;

/// The driver's: an object is being cleaned up. PASSIVE_LEVEL unless the object may be deleted higher.
pub type PFN_WDF_OBJECT_CONTEXT_CLEANUP = unsafe extern "efiapi" fn(Object: WDFOBJECT);
/// The driver's: an object is gone but for its contexts. ≤ DISPATCH_LEVEL.
pub type PFN_WDF_OBJECT_CONTEXT_DESTROY = unsafe extern "efiapi" fn(Object: WDFOBJECT);
/// Finds the one description of a context type among those of several compilation units.
pub type PFN_GET_UNIQUE_CONTEXT_TYPE = unsafe extern "efiapi" fn() -> *const WDF_OBJECT_CONTEXT_TYPE_INFO;

layout! {
    /// The attributes of an object that is created.
    struct WDF_OBJECT_ATTRIBUTES: 0x38 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// Called when the object is deleted.
        0x08 => EvtCleanupCallback: Option<PFN_WDF_OBJECT_CONTEXT_CLEANUP>,
        /// Called when its last reference is gone.
        0x10 => EvtDestroyCallback: Option<PFN_WDF_OBJECT_CONTEXT_DESTROY>,
        /// At which level its callbacks run.
        0x18 => ExecutionLevel: WDF_EXECUTION_LEVEL,
        /// The callbacks that are serialised.
        0x1C => SynchronizationScope: WDF_SYNCHRONIZATION_SCOPE,
        /// The object that it is deleted with.
        0x20 => ParentObject: WDFOBJECT,
        /// Size of the context, if not its type's, in bytes.
        0x28 => ContextSizeOverride: SIZE_T,
        /// The type of the context.
        0x30 => ContextTypeInfo: *const WDF_OBJECT_CONTEXT_TYPE_INFO,
    }

    /// The type of a context.
    struct WDF_OBJECT_CONTEXT_TYPE_INFO: 0x28 {
        /// Size of this structure, in bytes.
        0x00 => Size: ULONG,
        /// The type's name.
        0x08 => ContextName: *const CHAR,
        /// Size of the context, in bytes.
        0x10 => ContextSize: SIZE_T,
        /// The description that stands for the type.
        0x18 => UniqueType: *const WDF_OBJECT_CONTEXT_TYPE_INFO,
        /// Finds that description.
        0x20 => EvtDriverGetUniqueContextType: Option<PFN_GET_UNIQUE_CONTEXT_TYPE>,
    }
}

open_enum! {
    /// At which level callbacks run.
    enum WDF_EXECUTION_LEVEL: i32 {
        /// None.
        WdfExecutionLevelInvalid = 0,
        /// The parent's.
        WdfExecutionLevelInheritFromParent = 1,
        /// PASSIVE_LEVEL.
        WdfExecutionLevelPassive = 2,
        /// Up to DISPATCH_LEVEL.
        WdfExecutionLevelDispatch = 3,
    }

    /// The callbacks that are serialised.
    enum WDF_SYNCHRONIZATION_SCOPE: i32 {
        /// None.
        WdfSynchronizationScopeInvalid = 0,
        /// As for the parent.
        WdfSynchronizationScopeInheritFromParent = 1,
        /// Those of a device.
        WdfSynchronizationScopeDevice = 2,
        /// Those of a queue.
        WdfSynchronizationScopeQueue = 3,
        /// None at all.
        WdfSynchronizationScopeNone = 4,
    }
}

table_functions! {
    /// Allocates a buffer. ≤ APC_LEVEL.
    192 => fn WdfMemoryCreate(
        Attributes: *mut WDF_OBJECT_ATTRIBUTES,
        PoolType: POOL_TYPE,
        PoolTag: ULONG,
        BufferSize: SIZE_T,
        Memory: *mut WDFMEMORY,
        Buffer: *mut PVOID,
    ) -> NTSTATUS;
    /// The address and size of a buffer. ≤ DISPATCH_LEVEL.
    194 => fn WdfMemoryGetBuffer(Memory: WDFMEMORY, BufferSize: *mut SIZE_T) -> PVOID;
    /// The context of an object; null if it has none of this type. Any level of software.
    202 => fn WdfObjectGetTypedContextWorker(
        Handle: WDFOBJECT,
        TypeInfo: *const WDF_OBJECT_CONTEXT_TYPE_INFO,
    ) -> PVOID;
    /// Gives an object a further context. ≤ DISPATCH_LEVEL.
    203 => fn WdfObjectAllocateContext(
        Handle: WDFOBJECT,
        ContextAttributes: *mut WDF_OBJECT_ATTRIBUTES,
        Context: *mut PVOID,
    ) -> NTSTATUS;
    /// The object that a context belongs to. Any level of software.
    204 => fn WdfObjectContextGetObject(ContextPointer: PVOID) -> WDFOBJECT;
    /// Adds a reference. ≤ DISPATCH_LEVEL.
    205 => fn WdfObjectReferenceActual(Handle: WDFOBJECT, Tag: PVOID, Line: LONG, File: *const CHAR);
    /// Drops a reference. ≤ DISPATCH_LEVEL.
    206 => fn WdfObjectDereferenceActual(Handle: WDFOBJECT, Tag: PVOID, Line: LONG, File: *const CHAR);
    /// Creates an object that only holds a context. ≤ DISPATCH_LEVEL.
    207 => fn WdfObjectCreate(Attributes: *mut WDF_OBJECT_ATTRIBUTES, Object: *mut WDFOBJECT) -> NTSTATUS;
    /// Deletes an object with its children. ≤ DISPATCH_LEVEL.
    208 => fn WdfObjectDelete(Object: WDFOBJECT);
    /// Asks an object something by identifier. ≤ DISPATCH_LEVEL.
    209 => fn WdfObjectQuery(
        Object: WDFOBJECT,
        Guid: *const GUID,
        QueryBufferLength: ULONG,
        QueryBuffer: PVOID,
    ) -> NTSTATUS;
}

//! Exports of `ntoskrnl.exe` under the prefix Se, and the subjects, access states and rights that they
//! work on.
//!
//! The layouts are compiled from the DDK headers of mingw-w64; the pages of the structures
//! (`ns-wdm-_access_state`, `ns-wdm-_generic_mapping`) have the same members in the same order.

use super::*;
use crate::status::NTSTATUS;

layout! {
    /// The subject of an access check; opaque to drivers.
    struct SECURITY_SUBJECT_CONTEXT: 0x20 {
        /// The token of the client that the thread impersonates; null if it does not.
        0x00 => ClientToken: PVOID,
        /// The impersonation level (`SECURITY_IMPERSONATION_LEVEL`).
        0x08 => ImpersonationLevel: i32,
        /// The token of the process.
        0x10 => PrimaryToken: PVOID,
        /// The process's identifier, for audits.
        0x18 => ProcessAuditId: PVOID,
    }

    /// The state of an access in progress: of the opening of a file. Drivers only read it.
    struct ACCESS_STATE: 0xA0 {
        /// Unused by drivers.
        0x00 => OperationID: u64,
        /// Unused by drivers.
        0x08 => SecurityEvaluated: BOOLEAN,
        /// Unused by drivers.
        0x09 => GenerateAudit: BOOLEAN,
        /// Unused by drivers.
        0x0A => GenerateOnClose: BOOLEAN,
        /// Unused by drivers.
        0x0B => PrivilegesAllocated: BOOLEAN,
        /// Flags.
        0x0C => Flags: ULONG,
        /// Rights that are asked for and were not granted yet.
        0x10 => RemainingDesiredAccess: ACCESS_MASK,
        /// Rights that were granted.
        0x14 => PreviouslyGrantedAccess: ACCESS_MASK,
        /// Rights that were asked for.
        0x18 => OriginalDesiredAccess: ACCESS_MASK,
        /// The subject.
        0x20 => SubjectSecurityContext: SECURITY_SUBJECT_CONTEXT,
        /// The security descriptor that a new object is to have; null if none is asked for.
        0x40 => SecurityDescriptor: PVOID,
        /// The system's.
        0x48 => AuxData: PVOID,
        /// Privileges that were used.
        0x50 => Privileges: [u8; 0x2C],
        /// True if they are audited.
        0x7C => AuditPrivileges: BOOLEAN,
        /// The object's name, for audits.
        0x80 => ObjectName: UNICODE_STRING,
        /// Its type's name, for audits.
        0x90 => ObjectTypeName: UNICODE_STRING,
    }

    /// The rights that the generic ones map to.
    struct GENERIC_MAPPING: 0x10 {
        /// `GENERIC_READ`.
        0x0 => GenericRead: ACCESS_MASK,
        /// `GENERIC_WRITE`.
        0x4 => GenericWrite: ACCESS_MASK,
        /// `GENERIC_EXECUTE`.
        0x8 => GenericExecute: ACCESS_MASK,
        /// `GENERIC_ALL`.
        0xC => GenericAll: ACCESS_MASK,
    }
}

// From `winnt.h` as mingw-w64 publishes it.
constants! { ACCESS_MASK:
    /// The right to read an object's security descriptor.
    READ_CONTROL = 0x0002_0000;
    /// The right to change an object's access list.
    WRITE_DAC = 0x0004_0000;
    /// The right to the system's list, which needs a privilege.
    ACCESS_SYSTEM_SECURITY = 0x0100_0000;
    /// Asks for all rights that the subject may have.
    MAXIMUM_ALLOWED = 0x0200_0000;
    /// Every right.
    GENERIC_ALL = 0x1000_0000;
    /// The rights of executing.
    GENERIC_EXECUTE = 0x2000_0000;
    /// The rights of writing.
    GENERIC_WRITE = 0x4000_0000;
    /// The rights of reading.
    GENERIC_READ = 0x8000_0000;
    /// The rights of reading a file.
    FILE_GENERIC_READ = 0x0012_0089;
    /// The rights of writing a file.
    FILE_GENERIC_WRITE = 0x0012_0116;
    /// The rights of executing a file.
    FILE_GENERIC_EXECUTE = 0x0012_00A0;
    /// Every right to a file.
    FILE_ALL_ACCESS = 0x001F_01FF;
}

imports! {
    "ntoskrnl.exe", "ntoskrnl";

    /// Makes the security descriptor of a new object, in paged pool, from its parent's, from that which is asked
    /// for, and from what its creator's token says by default. [`SeDeassignSecurity`] frees it. PASSIVE_LEVEL.
    fn SeAssignSecurity(
        ParentDescriptor: PVOID,
        ExplicitDescriptor: PVOID,
        NewDescriptor: *mut PVOID,
        IsDirectoryObject: BOOLEAN,
        SubjectContext: *mut SECURITY_SUBJECT_CONTEXT,
        GenericMapping: *mut GENERIC_MAPPING,
        PoolType: POOL_TYPE,
    ) -> NTSTATUS;
    /// Frees a descriptor that [`SeAssignSecurity`] made. PASSIVE_LEVEL.
    fn SeDeassignSecurity(SecurityDescriptor: *mut PVOID) -> NTSTATUS;
    /// Returns whether a descriptor grants rights to a subject; if not, the status says why. PASSIVE_LEVEL.
    fn SeAccessCheck(
        SecurityDescriptor: PVOID,
        SubjectSecurityContext: *mut SECURITY_SUBJECT_CONTEXT,
        SubjectContextLocked: BOOLEAN,
        DesiredAccess: ACCESS_MASK,
        PreviouslyGrantedAccess: ACCESS_MASK,
        Privileges: *mut PVOID,
        GenericMapping: *mut GENERIC_MAPPING,
        AccessMode: KPROCESSOR_MODE,
        GrantedAccess: *mut ACCESS_MASK,
        AccessStatus: *mut NTSTATUS,
    ) -> BOOLEAN;
}

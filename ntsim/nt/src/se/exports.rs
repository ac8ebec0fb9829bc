//! Functions that drivers call.

use core::ffi::c_void;
use core::ptr;

use ntsim_core::exports;
use sys::status::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_OWNER,
    STATUS_INVALID_PARAMETER, STATUS_INVALID_SECURITY_DESCR, STATUS_SUCCESS,
};
use sys::wdm::{
    GENERIC_MAPPING, KPROCESSOR_MODE, KernelMode, MAXIMUM_ALLOWED, POOL_TYPE, SECURITY_SUBJECT_CONTEXT,
    signature,
};

use super::descriptor::List;
use super::{Descriptor, Sid, Subject, access, check, map, memory};
use crate::ex::pool::{self, Kind, Request, Tag};

/// The tag of the descriptors that are made here.
const TAG: Tag = Tag(u32::from_le_bytes(*b"SeSd"));

exports! {
    "ntoskrnl.exe", signature;

    /// Makes the security descriptor of a new object. Nothing is inherited: objects have no parents here whose
    /// lists could be for them.
    #[irql(PASSIVE..=PASSIVE)]
    fn SeAssignSecurity(
        _parent: *mut c_void,
        explicit: *mut c_void,
        out: *mut *mut c_void,
        _is_directory: u8,
        context: *mut SECURITY_SUBJECT_CONTEXT,
        mapping: *mut GENERIC_MAPPING,
        _pool: POOL_TYPE,
    ) -> NTSTATUS {
        let Some(subject) = access::subject("SeAssignSecurity", context) else {
            return STATUS_INVALID_PARAMETER;
        };
        let given = if explicit.is_null() {
            Some(Descriptor::default())
        } else {
            memory::descriptor("SeAssignSecurity", explicit)
        };
        let Some(given) = given else { return STATUS_INVALID_SECURITY_DESCR };
        // SAFETY: the driver passes what the generic rights of its objects stand for.
        match assign(given, &subject, unsafe { &*mapping }).and_then(|descriptor| in_pool(&descriptor)) {
            Ok(block) => {
                // SAFETY: the driver passes room for the pointer.
                unsafe { out.write(block) };
                STATUS_SUCCESS
            }
            Err(status) => status,
        }
    }

    /// Frees a descriptor that [`SeAssignSecurity`] has made, if there is one.
    #[irql(PASSIVE..=PASSIVE)]
    fn SeDeassignSecurity(descriptor: *mut *mut c_void) -> NTSTATUS {
        // SAFETY: the driver passes where it keeps the pointer.
        let block = unsafe { descriptor.replace(ptr::null_mut()) };
        if !block.is_null() {
            // SAFETY: who frees a descriptor promises not to use it any more.
            unsafe { pool::free(block, Some(TAG)) };
        }
        STATUS_SUCCESS
    }

    /// Returns whether a token is an administrator's.
    #[irql(PASSIVE..=PASSIVE)]
    fn SeTokenIsAdmin(token: *mut c_void) -> u8 {
        let subject = access::subject_of_token("SeTokenIsAdmin", token);
        u8::from(subject.is_some_and(|subject| subject.is(&Sid::ADMINISTRATORS)))
    }

    /// Returns whether a descriptor grants rights to a subject. The kernel itself gets all that it asks for. No
    /// privileges are used, so none are returned.
    #[irql(PASSIVE..=PASSIVE)]
    fn SeAccessCheck(
        descriptor: *mut c_void,
        context: *mut SECURITY_SUBJECT_CONTEXT,
        _is_locked: u8,
        desired: u32,
        before: u32,
        privileges: *mut *mut c_void,
        mapping: *mut GENERIC_MAPPING,
        mode: KPROCESSOR_MODE,
        granted: *mut u32,
        status: *mut NTSTATUS,
    ) -> u8 {
        // SAFETY: the driver passes what the generic rights of its objects stand for.
        let mapping = unsafe { &*mapping };
        let outcome = if mode == KernelMode {
            let all = if desired & MAXIMUM_ALLOWED != 0 { mapping.GenericAll } else { 0 };
            Ok(all | desired & !MAXIMUM_ALLOWED | before)
        } else {
            check_user(descriptor, context, |descriptor, subject| {
                check(descriptor, subject, desired, before, mapping)
            })
        };
        if !privileges.is_null() {
            // SAFETY: the driver passes room for the pointer or null.
            unsafe { privileges.write(ptr::null_mut()) };
        }
        // SAFETY: the driver passes room for the rights.
        unsafe { granted.write(outcome.unwrap_or(0)) };
        // SAFETY: the driver passes room for the status.
        unsafe { status.write(outcome.err().unwrap_or(STATUS_SUCCESS)) };
        u8::from(outcome.is_ok())
    }
}

/// Runs the check with what the driver has passed. Without a descriptor, everything is refused.
fn check_user(
    descriptor: *mut c_void,
    context: *mut SECURITY_SUBJECT_CONTEXT,
    check: impl FnOnce(&Descriptor, &Subject) -> Result<u32, NTSTATUS>,
) -> Result<u32, NTSTATUS> {
    let subject = access::subject("SeAccessCheck", context).ok_or(STATUS_ACCESS_DENIED)?;
    if descriptor.is_null() {
        return Err(STATUS_ACCESS_DENIED);
    }
    let descriptor = memory::descriptor("SeAccessCheck", descriptor).ok_or(STATUS_ACCESS_DENIED)?;
    check(&descriptor, &subject)
}

/// The descriptor of a new object: what is given, and what the subject says by default for the rest.
///
/// # Errors
/// STATUS_INVALID_OWNER if another one is to be the owner than the subject may make it.
fn assign(given: Descriptor, subject: &Subject, mapping: &GENERIC_MAPPING) -> Result<Descriptor, NTSTATUS> {
    if given.owner.is_some_and(|owner| !subject.may_give_to(&owner)) {
        return Err(STATUS_INVALID_OWNER);
    }
    let default = subject.default_descriptor();
    let mut list = if given.list == List::Absent { default.list } else { given.list };
    if let List::Entries(entries) = &mut list {
        // Inherit-only entries are mapped for the children.
        for entry in entries.iter_mut().filter(|entry| entry.applies()) {
            entry.mask = map(entry.mask, mapping);
        }
    }
    let (owner, group) = (given.owner.or(default.owner), given.group.or(default.group));
    Ok(Descriptor { owner, group, protected: given.protected, list })
}

/// The descriptor in a block of paged pool, which is the calling driver's.
fn in_pool(descriptor: &Descriptor) -> Result<*mut c_void, NTSTATUS> {
    let bytes = descriptor.to_bytes();
    let block = pool::allocate(Request { size: bytes.len(), tag: TAG, kind: Kind::Paged, zeroed: false });
    if block.is_null() {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    // SAFETY: the block is new and as long as the bytes.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), block.cast(), bytes.len()) };
    Ok(block)
}

//! The opener of a shared address, and the access list that the first of them sets.

#![expect(unsafe_code, reason = "the security reference monitor is called")]

use core::ptr::{NonNull, null_mut};

use sys::irql::PassiveLevel;
use sys::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::{
    self, ACCESS_STATE, FALSE, GENERIC_MAPPING, IO_STACK_CREATE, IO_STACK_LOCATION, IRP, KPROCESSOR_MODE,
    POOL_TYPE, SECURITY_SUBJECT_CONTEXT, SL_FORCE_ACCESS_CHECK, UserMode, VOID,
};
use wdk::nt_success;

/// The opener of an address: the access state of its create.
///
/// # Invariants
///
/// The create is running, and the state is its own.
pub(crate) struct Opener {
    state: NonNull<ACCESS_STATE>,
    mode: KPROCESSOR_MODE,
    /// The level of the create.
    level: PassiveLevel,
}

/// The security descriptor of an address, in paged pool.
///
/// # Invariants
///
/// It came from `SeAssignSecurity`, and was not given back.
pub(crate) struct List(NonNull<VOID>);

// SAFETY: a descriptor does not change, and any thread may give it back.
unsafe impl Send for List {}
// SAFETY: as above.
unsafe impl Sync for List {}

impl Opener {
    /// `None` if the create has no access state, as one that the I/O manager did not make.
    ///
    /// # Safety
    ///
    /// `irp` is a create that is running, for as long as the value lives, and `location` is its location.
    pub(super) unsafe fn of(
        irp: NonNull<IRP>,
        location: NonNull<IO_STACK_LOCATION>,
        level: PassiveLevel,
    ) -> Option<Self> {
        // SAFETY: the request is a create.
        let parameters: IO_STACK_CREATE = unsafe { super::parameters::of(location) };
        // SAFETY: the context of a create is null or the I/O manager's.
        let context = unsafe { parameters.SecurityContext.as_ref() }?;
        let state = NonNull::new(context.AccessState)?;
        // SAFETY: the request is the caller's.
        let forced = unsafe { (*location.as_ptr()).Flags } & SL_FORCE_ACCESS_CHECK != 0;
        // SAFETY: as above.
        let mode = if forced { UserMode } else { unsafe { (*irp.as_ptr()).RequestorMode } };
        Some(Self { state, mode, level })
    }

    /// The subject that asks.
    fn subject(&self) -> *mut SECURITY_SUBJECT_CONTEXT {
        // SAFETY: the state is there, by the invariant.
        unsafe { &raw mut (*self.state.as_ptr()).SubjectSecurityContext }
    }
}

/// The mapping of the generic rights on files, and so on addresses.
fn mapping(_: PassiveLevel) -> *mut GENERIC_MAPPING {
    // SAFETY: the level is PASSIVE_LEVEL.
    unsafe { wdm::IoGetFileObjectGenericMapping() }
}

impl tdi::Opener for Opener {
    type List = List;

    fn assign(&self) -> Result<List, NTSTATUS> {
        // SAFETY: the state is there, by the invariant.
        let explicit = unsafe { (*self.state.as_ptr()).SecurityDescriptor };
        let mut list = null_mut();
        // SAFETY: PASSIVE_LEVEL; the descriptor is null or the create's, and the subject is.
        let status = unsafe {
            wdm::SeAssignSecurity(
                null_mut(),
                explicit,
                &raw mut list,
                FALSE,
                self.subject(),
                mapping(self.level),
                POOL_TYPE::PagedPool,
            )
        };
        if !nt_success(status) {
            return Err(status);
        }
        NonNull::new(list).map(List).ok_or(STATUS_INSUFFICIENT_RESOURCES)
    }

    fn admitted_by(&self, list: &List) -> Result<(), NTSTATUS> {
        // What was granted so far was granted to the device, not to the address: so all is asked again.
        // SAFETY: the state is there, by the invariant.
        let mut desired = unsafe { (*self.state.as_ptr()).OriginalDesiredAccess };
        // SAFETY: the place is a local, the mapping the system's.
        unsafe { wdm::RtlMapGenericMask(&raw mut desired, mapping(self.level)) };
        let (mut granted, mut status) = (0, STATUS_INSUFFICIENT_RESOURCES);
        // SAFETY: PASSIVE_LEVEL; the descriptor is live, by its invariant, and the subject is the create's.
        let admitted = unsafe {
            wdm::SeAccessCheck(
                list.0.as_ptr(),
                self.subject(),
                FALSE,
                desired,
                0,
                null_mut(),
                mapping(self.level),
                self.mode,
                &raw mut granted,
                &raw mut status,
            )
        };
        if admitted == FALSE { Err(status) } else { Ok(()) }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let mut list = self.0.as_ptr();
        // SAFETY: PASSIVE_LEVEL, as `tdi::Opener` promises; the invariant ends here.
        let _status = unsafe { wdm::SeDeassignSecurity(&raw mut list) };
    }
}

//! Calls of the dispatch tables.

use core::ptr::{NonNull, null_mut};

use sys::ndk::{NDK_FN_CLOSE_COMPLETION, NDK_OBJECT_HEADER};
use sys::status::{NT_SUCCESS, NTSTATUS, STATUS_NOT_SUPPORTED, STATUS_PENDING};
use sys::wdm::PVOID;

/// Calls a slot of an object's table; `None` if it is empty, which no provider's is.
///
/// # Safety
///
/// The object is not closed, and the arguments are what the slot's function wants.
macro_rules! call {
    ($object:expr, $slot:ident $(, $argument:expr)*) => {{
        let object = $object;
        (*(*object).Dispatch).$slot.map(|function| function(object $(, $argument)*))
    }};
}
pub(super) use call;

/// The function in a slot of an object's table.
///
/// # Safety
///
/// The object is not closed.
macro_rules! slot {
    ($object:expr, $slot:ident) => {
        (*(*$object).Dispatch).$slot
    };
}
pub(super) use slot;

/// A length as the interface has it; none of ours is near the limit.
pub(super) fn ulong(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Creates an object. The provider answers inline, as it never says otherwise.
///
/// # Errors
///
/// The provider's.
pub(super) fn create<T>(
    create: impl FnOnce(*mut *mut T) -> Option<NTSTATUS>,
) -> Result<NonNull<T>, NTSTATUS> {
    let mut object = null_mut();
    match create(&raw mut object) {
        Some(STATUS_PENDING) | None => Err(STATUS_NOT_SUPPORTED),
        Some(status) if NT_SUCCESS(status) => NonNull::new(object).ok_or(STATUS_NOT_SUPPORTED),
        Some(status) => Err(status),
    }
}

/// Closes an object; `closed` is called with `context` in any case, once, perhaps before this returns.
///
/// # Safety
///
/// The object is not closed, `close` is the function of its table, and `closed` may be called so.
pub(super) unsafe fn close<T>(
    object: *mut T,
    close: Option<sys::ndk::NDK_FN_CLOSE_OBJECT>,
    closed: NDK_FN_CLOSE_COMPLETION,
    context: PVOID,
) {
    let Some(function) = close else { return };
    // SAFETY: as the caller promises; every object begins with the header.
    let status = unsafe { function(object.cast::<NDK_OBJECT_HEADER>(), Some(closed), context) };
    if status != STATUS_PENDING {
        // SAFETY: the close was inline, so the provider does not call it.
        unsafe { closed(context) };
    }
}

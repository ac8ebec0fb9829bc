//! NDK objects as the harness calls them: typed handles whose methods name the interface's functions.
//!
//! A method hands its arguments on as they are, also wrong ones: that is what the harness is for. The
//! dispatch table is fetched anew for every call, as a filter between consumer and provider may
//! swap it (OBJ-4), and a missing slot shows as `STATUS_PROCEDURE_NOT_FOUND`, which no rule allows.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

mod adapter;
mod connection;
mod mapping;
mod queue;
mod region;
mod registration;

use core::marker::PhantomData;

use sys::ndk::{NDK_EXTENSION_INTERFACE, NDK_OBJECT_HEADER, NDK_VERSION_1_2};
use sys::status::{NTSTATUS, STATUS_PROCEDURE_NOT_FOUND};
use sys::wdm::GUID;

pub(crate) use self::adapter::{CqDepth, Creation, Then, limits};
pub(crate) use self::connection::{Address, Inside, ReadLimits};
pub(crate) use self::mapping::{Mapping, mapping_length};
pub(crate) use self::queue::{QpDepths, Remote, sge};
pub(crate) use self::registration::Extent;
use crate::call_log::{CallLog, Object};
use crate::interface::{Interface, Unrecorded};

/// An object that exists, with its record.
pub(crate) struct Handle<'l, T> {
    call_log: &'l CallLog,
    object: &'l Object,
    interface: PhantomData<*mut T>,
}

impl<T> Clone for Handle<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<'_, T> {}

// SAFETY: NDK objects may be used from any thread; what the interface wants serialised is by its callers.
unsafe impl<T> Sync for Handle<'_, T> {}
// SAFETY: as above.
unsafe impl<T> Send for Handle<'_, T> {}

impl<'l, T: Interface> Handle<'l, T> {
    /// The object that `object` is the record of.
    pub(crate) fn new(call_log: &'l CallLog, object: &'l Object) -> Self {
        debug_assert!(object.kind() == T::KIND);
        Self { call_log, object, interface: PhantomData }
    }

    pub(crate) const fn object(self) -> &'l Object {
        self.object
    }

    pub(crate) const fn call_log(self) -> &'l CallLog {
        self.call_log
    }

    pub(crate) fn as_ptr(self) -> *mut T {
        self.object.pointer().cast()
    }

    /// The dispatch table, as it is now.
    fn table(self) -> &'l T::Dispatch {
        // A handle's object exists until its close, after which the consumer does not use it.
        Unrecorded(self.as_ptr()).table()
    }

    /// Asks for an undefined extension.
    pub(crate) fn query_unknown_extension(self) -> NTSTATUS {
        let guid = GUID { Data1: 0x8f5e_0c1a, Data2: 0x52d7, Data3: 0x4b33, Data4: *b"softndk\0" };
        let mut extension = NDK_EXTENSION_INTERFACE { Dispatch: core::ptr::null() };
        let header: *mut NDK_OBJECT_HEADER = self.object.pointer();
        let version = NDK_VERSION_1_2;
        T::query_extension(self.table()).map_or(STATUS_PROCEDURE_NOT_FOUND, |query| {
            crate::kernel::at(self.call_log.level(), || {
                // SAFETY: the object exists; the other arguments live through the call.
                unsafe { query(header, &raw const guid, version, &raw mut extension) }
            })
        })
    }
}

/// Calls a slot of a handle's dispatch table: `call!(handle.NdkListen(arguments…))`.
macro_rules! call {
    ($handle:ident.$slot:ident($($argument:expr),* $(,)?) or $missing:expr) => {
        match $handle.table().$slot {
            // SAFETY: the object exists; what the pointers among the arguments must point to is with
            // the method that makes the call.
            Some(function) => unsafe { function($handle.as_ptr(), $($argument),*) },
            None => $missing,
        }
    };
    ($handle:ident.$slot:ident($($argument:expr),* $(,)?)) => {
        $crate::ndk::call!($handle.$slot($($argument),*) or sys::status::STATUS_PROCEDURE_NOT_FOUND)
    };
}
pub(crate) use call;

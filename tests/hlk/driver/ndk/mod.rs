//! NDK objects as the harness calls them: typed handles whose methods name the interface's functions.
//!
//! A method hands its arguments on as they are, also wrong ones: that is what the harness is for. The
//! dispatch table is fetched anew for every call, as a filter between consumer and provider may
//! swap it (OBJ-4), and a missing slot shows as `STATUS_PROCEDURE_NOT_FOUND`, which no rule allows.

mod adapter;
mod connection;
mod mapping;
mod queue;
mod region;
mod registration;

use core::marker::PhantomData;

use protocol::Kind;
use sys::ndk::{
    NDK_ADAPTER, NDK_ADAPTER_DISPATCH, NDK_CONNECTOR, NDK_CONNECTOR_DISPATCH, NDK_CQ, NDK_CQ_DISPATCH,
    NDK_EXTENSION_INTERFACE, NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_LISTENER,
    NDK_LISTENER_DISPATCH, NDK_MR, NDK_MR_DISPATCH, NDK_MW, NDK_MW_DISPATCH, NDK_OBJECT_HEADER, NDK_PD,
    NDK_PD_DISPATCH, NDK_QP, NDK_QP_DISPATCH, NDK_SHARED_ENDPOINT, NDK_SHARED_ENDPOINT_DISPATCH, NDK_SRQ,
    NDK_SRQ_DISPATCH, NDK_VERSION_1_2,
};
use sys::status::{NTSTATUS, STATUS_PROCEDURE_NOT_FOUND};
use sys::wdm::GUID;

pub(crate) use self::adapter::{CqDepth, Creation, Then, limits};
pub(crate) use self::connection::{Address, Inside, ReadLimits};
pub(crate) use self::mapping::{Mapping, mapping_length};
pub(crate) use self::queue::{QpDepths, Remote, sge};
pub(crate) use self::registration::Extent;
use crate::call_log::{CallLog, Object};

/// The members that the structures of all NDK objects have in common.
pub(crate) trait Interface {
    /// The dispatch table.
    type Dispatch;
    /// The kind of object.
    const KIND: Kind;
    /// The table's address as it is now.
    fn dispatch(&self) -> *const Self::Dispatch;
    /// Every table's query for extensions.
    fn query_extension(table: &Self::Dispatch) -> Option<NDK_FN_QUERY_EXTENSION_INTERFACE>;
}

macro_rules! interfaces {
    ($($object:ident, $dispatch:ident, $kind:ident;)*) => {
        $(impl Interface for $object {
            type Dispatch = $dispatch;
            const KIND: Kind = Kind::$kind;

            fn dispatch(&self) -> *const $dispatch {
                self.Dispatch
            }

            fn query_extension(table: &$dispatch) -> Option<NDK_FN_QUERY_EXTENSION_INTERFACE> {
                table.NdkQueryExtension
            }
        })*
    };
}

interfaces! {
    NDK_ADAPTER, NDK_ADAPTER_DISPATCH, Adapter;
    NDK_CQ, NDK_CQ_DISPATCH, Cq;
    NDK_PD, NDK_PD_DISPATCH, Pd;
    NDK_QP, NDK_QP_DISPATCH, Qp;
    NDK_MR, NDK_MR_DISPATCH, Mr;
    NDK_MW, NDK_MW_DISPATCH, Mw;
    NDK_CONNECTOR, NDK_CONNECTOR_DISPATCH, Connector;
    NDK_LISTENER, NDK_LISTENER_DISPATCH, Listener;
    NDK_SHARED_ENDPOINT, NDK_SHARED_ENDPOINT_DISPATCH, SharedEndpoint;
    NDK_SRQ, NDK_SRQ_DISPATCH, Srq;
}

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

/// An object without a record: of those that are only measured there are too many to keep records of.
///
/// # Invariants
///
/// It is an object of the kind, which the consumer has not closed.
pub(crate) struct Unrecorded<T>(pub(crate) *mut T);

impl<T> Clone for Unrecorded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Unrecorded<T> {}

impl<T: Interface> Unrecorded<T> {
    pub(crate) fn as_ptr(self) -> *mut T {
        self.0
    }

    /// The dispatch table, as it is now.
    pub(crate) fn table<'t>(self) -> &'t T::Dispatch {
        // SAFETY: by the type's invariant the object exists.
        let object = unsafe { &*self.0 };
        // SAFETY: the provider keeps the table as long as the object.
        unsafe { &*object.dispatch() }
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

/// The close function of an object of this kind. An adapter has none: it is closed through WSK.
pub(crate) fn close_function(kind: Kind, object: *mut NDK_OBJECT_HEADER) -> Option<NDK_FN_CLOSE_OBJECT> {
    /// # Safety
    /// `object` is an existing object of the type.
    unsafe fn table<'t, T: Interface>(object: *mut NDK_OBJECT_HEADER) -> &'t T::Dispatch {
        Unrecorded(object.cast::<T>()).table()
    }
    match kind {
        // SAFETY: the record's kind is the object's, which `Object::exists` has checked.
        Kind::Cq => unsafe { table::<NDK_CQ>(object) }.NdkCloseCq,
        // SAFETY: as above.
        Kind::Pd => unsafe { table::<NDK_PD>(object) }.NdkClosePd,
        // SAFETY: as above.
        Kind::Qp => unsafe { table::<NDK_QP>(object) }.NdkCloseQp,
        // SAFETY: as above.
        Kind::Mr => unsafe { table::<NDK_MR>(object) }.NdkCloseMr,
        // SAFETY: as above.
        Kind::Mw => unsafe { table::<NDK_MW>(object) }.NdkCloseMw,
        // SAFETY: as above.
        Kind::Connector => unsafe { table::<NDK_CONNECTOR>(object) }.NdkCloseConnector,
        // SAFETY: as above.
        Kind::Listener => unsafe { table::<NDK_LISTENER>(object) }.NdkCloseListener,
        // SAFETY: as above.
        Kind::SharedEndpoint => unsafe { table::<NDK_SHARED_ENDPOINT>(object) }.NdkCloseSharedEndpoint,
        // SAFETY: as above.
        Kind::Srq => unsafe { table::<NDK_SRQ>(object) }.NdkCloseSrq,
        Kind::Adapter | Kind::None => None,
    }
}

//! The interface of each kind of NDK object: its dispatch table and its close function.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use protocol::Kind;
use sys::ndk::{
    NDK_ADAPTER, NDK_ADAPTER_DISPATCH, NDK_CONNECTOR, NDK_CONNECTOR_DISPATCH, NDK_CQ, NDK_CQ_DISPATCH,
    NDK_FN_CLOSE_OBJECT, NDK_FN_QUERY_EXTENSION_INTERFACE, NDK_LISTENER, NDK_LISTENER_DISPATCH, NDK_MR,
    NDK_MR_DISPATCH, NDK_MW, NDK_MW_DISPATCH, NDK_OBJECT_HEADER, NDK_PD, NDK_PD_DISPATCH, NDK_QP,
    NDK_QP_DISPATCH, NDK_SHARED_ENDPOINT, NDK_SHARED_ENDPOINT_DISPATCH, NDK_SRQ, NDK_SRQ_DISPATCH,
};

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

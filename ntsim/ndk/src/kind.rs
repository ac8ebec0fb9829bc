//! The kinds of NDK objects, and what the layer must know about each.

use core::fmt;

use sys::ndk::*;

/// The kind of an NDK object.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// An open adapter.
    Adapter,
    /// A queue pair.
    Qp,
    /// A completion queue.
    Cq,
    /// A memory region.
    Mr,
    /// A memory window.
    Mw,
    /// A protection domain.
    Pd,
    /// A shared endpoint.
    SharedEndpoint,
    /// A connector.
    Connector,
    /// A listener.
    Listener,
    /// A shared receive queue.
    Srq,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Adapter,
        Self::Qp,
        Self::Cq,
        Self::Mr,
        Self::Mw,
        Self::Pd,
        Self::SharedEndpoint,
        Self::Connector,
        Self::Listener,
        Self::Srq,
    ];

    /// Returns the type that the header of such an object states.
    pub(crate) fn object_type(self) -> NDK_OBJECT_TYPE {
        match self {
            Self::Adapter => NDK_OBJECT_TYPE::NdkObjectTypeAdapter,
            Self::Qp => NDK_OBJECT_TYPE::NdkObjectTypeQp,
            Self::Cq => NDK_OBJECT_TYPE::NdkObjectTypeCq,
            Self::Mr => NDK_OBJECT_TYPE::NdkObjectTypeMr,
            Self::Mw => NDK_OBJECT_TYPE::NdkObjectTypeMw,
            Self::Pd => NDK_OBJECT_TYPE::NdkObjectTypePd,
            Self::SharedEndpoint => NDK_OBJECT_TYPE::NdkObjectTypeSharedEndpoint,
            Self::Connector => NDK_OBJECT_TYPE::NdkObjectTypeConnector,
            Self::Listener => NDK_OBJECT_TYPE::NdkObjectTypeListener,
            Self::Srq => NDK_OBJECT_TYPE::NdkObjectTypeSrq,
        }
    }

    /// Returns the number of functions that the table of such an object has in `version`.
    ///
    /// Version 1.2 appended one to the tables of QP and CQ, version 2.1 two to that of the connector.
    pub(crate) fn slots(self, version: NDK_VERSION) -> usize {
        let since = |major, minor| (version.Major, version.Minor) >= (major, minor);
        match self {
            Self::Adapter => slots::<NDK_ADAPTER_DISPATCH>(),
            Self::Qp => slots::<NDK_QP_DISPATCH>() - usize::from(!since(1, 2)),
            Self::Cq => slots::<NDK_CQ_DISPATCH>() - usize::from(!since(1, 2)),
            Self::Mr => slots::<NDK_MR_DISPATCH>(),
            Self::Mw => slots::<NDK_MW_DISPATCH>(),
            Self::Pd => slots::<NDK_PD_DISPATCH>(),
            Self::SharedEndpoint => slots::<NDK_SHARED_ENDPOINT_DISPATCH>(),
            Self::Connector if since(2, 1) => slots::<NDK_CONNECTOR_DISPATCH>(),
            Self::Connector => slots::<NDK_CONNECTOR_DISPATCH_PRE_2_1>(),
            Self::Listener => slots::<NDK_LISTENER_DISPATCH>(),
            Self::Srq => slots::<NDK_SRQ_DISPATCH>(),
        }
    }
}

fn slots<Table>() -> usize {
    size_of::<Table>() / size_of::<usize>()
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adapter => "adapter",
            Self::Qp => "QP",
            Self::Cq => "CQ",
            Self::Mr => "MR",
            Self::Mw => "MW",
            Self::Pd => "PD",
            Self::SharedEndpoint => "shared endpoint",
            Self::Connector => "connector",
            Self::Listener => "listener",
            Self::Srq => "SRQ",
        })
    }
}

/// An NDK object as C sees it.
///
/// # Safety
/// The type is `repr(C)` and begins with an [`NDK_OBJECT_HEADER`], directly followed by a pointer to a
/// `Dispatch`, which holds nothing but function pointers.
pub(crate) unsafe trait Object: Sized + 'static {
    /// The table of its functions.
    type Dispatch: 'static;
    /// Its kind.
    const KIND: Kind;
}

macro_rules! objects {
    ($( $object:ident, $dispatch:ident, $kind:ident; )*) => {$(
        // SAFETY: `sys` declares the type so, and asserts the offsets at compile time.
        unsafe impl Object for $object {
            type Dispatch = $dispatch;
            const KIND: Kind = Kind::$kind;
        }
    )*};
}

objects! {
    NDK_ADAPTER, NDK_ADAPTER_DISPATCH, Adapter;
    NDK_QP, NDK_QP_DISPATCH, Qp;
    NDK_CQ, NDK_CQ_DISPATCH, Cq;
    NDK_MR, NDK_MR_DISPATCH, Mr;
    NDK_MW, NDK_MW_DISPATCH, Mw;
    NDK_PD, NDK_PD_DISPATCH, Pd;
    NDK_SHARED_ENDPOINT, NDK_SHARED_ENDPOINT_DISPATCH, SharedEndpoint;
    NDK_CONNECTOR, NDK_CONNECTOR_DISPATCH, Connector;
    NDK_LISTENER, NDK_LISTENER_DISPATCH, Listener;
    NDK_SRQ, NDK_SRQ_DISPATCH, Srq;
}

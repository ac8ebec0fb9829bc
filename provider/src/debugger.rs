//! The layout of objects for a debugger that has no private symbols: offsets that an extension reads from the image.

pub use crate::connection::layout::{ConnectionLayout, ConnectionPlaces, ConnectorLayout, StateLayout};
pub use crate::memory::WindowLayout;
pub use crate::object::{CoreLayout, RefLayout};

use core::ffi::c_void;

use crate::adapter::{Adapter, Cq, Mr, Mw, Pd};
use crate::connection::{Connector, Listener, SharedEndpoint};
use crate::kernel::Kernel;
use crate::object::{Object, ObjectType as _};
use crate::queue_pair::{Qp, Srq};
use crate::rnic::Rnic;

/// The layout of the objects of an RNIC, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct Layout {
    /// Of what all objects begin with.
    pub core: CoreLayout,
    /// The offsets of the references to antecedents in each kind of object, by its NDK_OBJECT_TYPE; 0 where there are fewer.
    pub references: [[usize; 3]; 11],
    /// Of a reference that holds an object.
    pub reference: RefLayout,
    /// From a QP's address, of its receive queue or its reference to an SRQ, and how many words that has.
    pub receives: [usize; 2],
    /// From an adapter's address, of its token table.
    pub table: usize,
    /// From an MW's address, of its own part.
    pub window_part: usize,
    /// Of that part and the token table.
    pub window: WindowLayout,
    /// From a connector's address, of its own part.
    pub connector_part: usize,
    /// Of that part.
    pub connector: ConnectorLayout,
    /// Of the links there, and of the connections that they lead to.
    pub connection: ConnectionLayout,
}

impl Layout {
    /// The layout in a driver that runs on the kernel `K`.
    #[must_use]
    pub const fn of<K: Kernel>() -> Self {
        let references = [
            [0; 3],
            Adapter::<K>::REFERENCES,
            Qp::<K>::REFERENCES,
            Cq::<K>::REFERENCES,
            Mr::<K>::REFERENCES,
            Mw::<K>::REFERENCES,
            Pd::<K>::REFERENCES,
            SharedEndpoint::<K>::REFERENCES,
            Connector::<K>::REFERENCES,
            Listener::<K>::REFERENCES,
            Srq::<K>::REFERENCES,
        ];
        Self {
            core: CoreLayout::of::<K>(),
            references,
            reference: RefLayout::of::<K, Adapter<K>>(),
            receives: Qp::<K>::RECEIVES,
            table: Object::<K, Adapter<K>>::at(Adapter::<K>::TABLE),
            window_part: Object::<K, Mw<K>>::BODY,
            window: WindowLayout::of::<K, Pd<K>>(),
            connector_part: Object::<K, Connector<K>>::BODY,
            connector: ConnectorLayout::of::<K>(),
            connection: ConnectionLayout::of::<K>(),
        }
    }
}

/// Offsets of values in their locks, in a driver that runs on the kernel `K`, in bytes: of the attempts of a connector, of
/// the state of a connection, of a closed window's reference to the region that it was bound to.
#[must_use]
pub fn values_in_locks<K: Kernel>() -> [usize; 3] {
    [
        ConnectorLayout::lock::<K>(),
        ConnectionPlaces::state_in_lock::<K>(),
        WindowLayout::region_in_lock::<K, Pd<K>>(),
    ]
}

/// The place of the pointer to an RNIC's first object, as long as the RNIC is there.
#[must_use]
pub fn objects<K: Kernel>(rnic: &Rnic<K>) -> *const c_void {
    rnic.state().objects().first()
}

//! The layout of objects for a debugger that has no private symbols: offsets that an extension reads from the image.

pub use crate::connection::layout::{
    ConnectionLayout, ConnectionPlaces, ConnectorLayout, StateLayout, WireLayout,
};
pub use crate::memory::WindowLayout;
pub use crate::object::{CoreLayout, RefLayout};

use core::ffi::c_void;

use crate::adapter::{Adapter, Cq, Mr, Mw, Pd};
use crate::connection::{Connector, Link, Listener, SharedEndpoint, WirePort};
use crate::kernel::Kernel;
use crate::number::usize_from;
use crate::object::{Object, ObjectType as _};
use crate::queue_pair::{Qp, Srq};
use crate::rnic::Rnic;
use crate::set_once::SetOnce;

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
    /// From objects to TCP's connections and ports.
    pub network: NetworkLayout,
}

/// Offsets from objects to what they wait for from TCP, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct NetworkLayout {
    /// From a QP's address, of the number that says whether a connection was established, four bytes, and of the link to it.
    pub joined: [usize; 2],
    /// The value of that number, and of the one of a wire's local address, if it is so.
    pub set: usize,
    /// From a listener's address, of the lock of its state, and from the lock's value, of the pointer to its port.
    pub listener: [usize; 2],
    /// From a shared endpoint's address, of the pointer to its port.
    pub shared: usize,
    /// From what such a pointer points to, of the life of TCP's port, as that of a connection.
    pub port_life: usize,
}

impl NetworkLayout {
    const fn of<K: Kernel>() -> Self {
        Self {
            joined: Qp::<K>::JOINED,
            set: usize_from(SetOnce::<Link<K>>::SET),
            listener: Listener::<K>::PORT,
            shared: SharedEndpoint::<K>::PORT,
            port_life: WirePort::<K>::LIFE,
        }
    }
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
            network: NetworkLayout::of::<K>(),
        }
    }
}

/// Offsets of values in their locks, in a driver that runs on the kernel `K`, in bytes: of the attempts of a connector, of
/// the state of a connection, of a closed window's reference to the region that it was bound to, of the state of a
/// connection over TCP, of the state of a listener.
#[must_use]
pub fn values_in_locks<K: Kernel>() -> [usize; 5] {
    [
        ConnectorLayout::lock::<K>(),
        ConnectionPlaces::state_in_lock::<K>(),
        WindowLayout::region_in_lock::<K, Pd<K>>(),
        WireLayout::state_in_lock::<K>(),
        Listener::<K>::state_in_lock(),
    ]
}

/// The place of the pointer to an RNIC's first object, as long as the RNIC is there.
#[must_use]
pub fn objects<K: Kernel>(rnic: &Rnic<K>) -> *const c_void {
    rnic.state().objects().first()
}

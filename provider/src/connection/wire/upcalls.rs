//! The calls of the network: each finds the wire or port that its context owns.

#![expect(unsafe_code, reason = "a context is a reference that is given to the network")]

use core::ffi::c_void;
use core::mem::ManuallyDrop;
use core::net::SocketAddr;
use core::ptr::NonNull;

use sys::status::NTSTATUS;

use super::{Batch, Wire, WirePort};
use crate::heap::Shared;
use crate::kernel::Kernel;
use crate::kernel::network::{
    Accepted, ConnectionEvents, ConnectionTable, Events, PortEvents, PortTable, Runs, Taken,
};

/// The owner of a connection, for the network. It has a reference until `closed`.
pub(super) fn connection_events<K: Kernel>(wire: Shared<Wire<K>>) -> ConnectionEvents<K::Network> {
    let table = const {
        &ConnectionTable {
            bound: bound::<K>,
            opened: opened::<K>,
            arrived: arrived::<K>,
            sent: sent::<K>,
            finished: finished::<K>,
            closed: closed::<K>,
        }
    };
    // SAFETY: the context is a reference, which `closed` takes back; a wire is Send and Sync.
    unsafe { Events::new(wire.into_raw(), table) }
}

/// The owner of a port, for the network. It has a reference until `closed`.
pub(super) fn port_events<K: Kernel>(port: Shared<WirePort<K>>) -> PortEvents<K::Network> {
    let table = const {
        &PortTable {
            bound: port_bound::<K>,
            opened: port_opened::<K>,
            inspect: port_inspect::<K>,
            accepted: port_accepted::<K>,
            closed: port_closed::<K>,
        }
    };
    // SAFETY: the context is a reference, which `closed` takes back; a port is Send and Sync.
    unsafe { Events::new(port.into_raw(), table) }
}

/// The value of a context, without a reference of its own.
///
/// # Safety
///
/// The context is one of the tables above, for a `T`, and `closed` has not begun.
unsafe fn borrowed<T>(context: NonNull<c_void>) -> ManuallyDrop<Shared<T>> {
    // SAFETY: as the caller promises; the reference is not dropped here.
    ManuallyDrop::new(unsafe { Shared::from_raw(context) })
}

unsafe fn bound<K: Kernel>(context: NonNull<c_void>, local: SocketAddr) -> bool {
    // SAFETY: the network calls with the context of a wire.
    unsafe { borrowed::<Wire<K>>(context) }.bound(local)
}

unsafe fn opened<K: Kernel>(context: NonNull<c_void>, outcome: Result<(), NTSTATUS>) {
    // SAFETY: as above.
    let wire = unsafe { borrowed::<Wire<K>>(context) };
    Wire::opened(&wire, outcome);
}

unsafe fn arrived<K: Kernel>(context: NonNull<c_void>, runs: &dyn Runs) -> Taken {
    // SAFETY: as above.
    let wire = unsafe { borrowed::<Wire<K>>(context) };
    Wire::arrived(&wire, runs)
}

unsafe fn sent<K: Kernel>(context: NonNull<c_void>, batch: Batch<K>, status: NTSTATUS) {
    // SAFETY: as above.
    let wire = unsafe { borrowed::<Wire<K>>(context) };
    Wire::sent(&wire, batch, status);
}

unsafe fn finished<K: Kernel>(context: NonNull<c_void>) {
    // SAFETY: as above.
    let wire = unsafe { borrowed::<Wire<K>>(context) };
    Wire::finished(&wire);
}

unsafe fn closed<K: Kernel>(context: NonNull<c_void>) {
    // SAFETY: as above, for the last time.
    Wire::closed(&unsafe { Shared::<Wire<K>>::from_raw(context) });
}

unsafe fn port_bound<K: Kernel>(context: NonNull<c_void>, local: SocketAddr) -> bool {
    // SAFETY: the network calls with the context of a port.
    unsafe { borrowed::<WirePort<K>>(context) }.bound(local)
}

unsafe fn port_opened<K: Kernel>(context: NonNull<c_void>, outcome: Result<(), NTSTATUS>) {
    // SAFETY: as above.
    let port = unsafe { borrowed::<WirePort<K>>(context) };
    WirePort::opened(&port, outcome);
}

unsafe fn port_inspect<K: Kernel>(context: NonNull<c_void>, _: SocketAddr) -> bool {
    // SAFETY: as above.
    unsafe { borrowed::<WirePort<K>>(context) }.inspect()
}

unsafe fn port_accepted<K: Kernel>(
    context: NonNull<c_void>,
    accepted: Accepted<K::Network>,
) -> Option<ConnectionEvents<K::Network>> {
    // SAFETY: as above.
    let port = unsafe { borrowed::<WirePort<K>>(context) };
    WirePort::accepted(&port, accepted).map(connection_events)
}

unsafe fn port_closed<K: Kernel>(context: NonNull<c_void>) {
    // SAFETY: as above, for the last time.
    unsafe { Shared::<WirePort<K>>::from_raw(context) }.closed();
}

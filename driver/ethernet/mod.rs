//! The ports of the Ethernet switch on NDIS: what one adapter sends, the others receive. Which frames, when and how
//! they are counted is `vswitch`'s; here are net buffer lists, memory and calls of NDIS.
//!
//! ```text
//! protocol ──send──▶ port ──frame──▶ switch ──copy──▶ the other ports' received lists
//!                                                          │ DPC
//! protocol ◀───────────────── indicate ────────────────────┘
//! ```
//!
//! Frames are indicated in a DPC and not inside the send: a protocol that answers from its receive handler would
//! otherwise climb up the same stack again and again.

#![expect(unsafe_code, reason = "the ports are known by their addresses")]

mod chain;
mod frame;
mod pool;
mod port;

use alloc::vec::Vec;
use core::ptr::NonNull;

use lock_api::RawMutex as _;
use sys::status::{NDIS_STATUS, NDIS_STATUS_RESOURCES};

pub(crate) use pool::BUFFERS;
pub(crate) use port::VirtualPort;

use crate::heap;
use crate::kernel::{Lock, SpinLock};
use frame::Frame;

/// The ports of the switch.
static PORTS: Lock<Ports> = Lock::const_new(SpinLock::INIT, Ports(Vec::new()));

/// # Invariants
///
/// Each port stays where it is until it is disconnected, for which the lock is taken.
struct Ports(Vec<NonNull<VirtualPort>>);

// SAFETY: a port may be used on any thread.
unsafe impl Send for Ports {}

/// Connects a port, which stays where it is until [`disconnect`] has returned.
///
/// # Errors
///
/// `NDIS_STATUS_RESOURCES`.
pub(crate) fn connect(port: &VirtualPort) -> Result<(), NDIS_STATUS> {
    heap::push(&mut PORTS.lock().0, port.into()).ok_or(NDIS_STATUS_RESOURCES)
}

/// Disconnects a port, if it is connected.
pub(crate) fn disconnect(port: &VirtualPort) {
    let mut ports = PORTS.lock();
    ports.0.retain(|other| *other != port.into());
    if ports.0.is_empty() {
        // A static is never dropped, and the driver may be about to be unloaded.
        ports.0 = Vec::new();
    }
}

/// Delivers a frame to all ports but its sender.
fn deliver(sender: &VirtualPort, frame: &Frame) {
    let ports = PORTS.lock();
    for port in ports.0.iter().filter(|port| **port != sender.into()) {
        // SAFETY: the port is where it was when it was connected: to disconnect it needs the lock.
        unsafe { port.as_ref() }.receive(frame);
    }
}

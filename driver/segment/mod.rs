//! The Ethernet segment inside the driver: what one of its adapters sends, the others receive.
//!
//! ```text
//! protocol ──send──▶ station ──frame──▶ segment ──copy──▶ the other stations' waiting lists
//!                                                              │ DPC
//! protocol ◀────────────────── indicate ───────────────────────┘
//! ```
//!
//! Nothing is received inside somebody's send: a protocol that answers from its receive handler would
//! otherwise climb up the same stack again and again.

mod address;
mod chain;
mod counters;
mod filter;
mod frame;
mod pool;
mod station;

use alloc::vec::Vec;
use core::ptr::NonNull;

use lock_api::RawMutex as _;
use sys::status::{NDIS_STATUS, NDIS_STATUS_RESOURCES};

pub(crate) use address::Address;
pub(crate) use filter::{MULTICAST_ADDRESSES, SUPPORTED as SUPPORTED_FILTERS};
pub(crate) use frame::{LONGEST, MTU};
pub(crate) use pool::BUFFERS;
pub(crate) use station::Station;

use crate::heap;
use crate::kernel::{Lock, SpinLock};
use frame::Frame;

/// The stations of the segment.
static STATIONS: Lock<Stations> = Lock::const_new(SpinLock::INIT, Stations(Vec::new()));

/// # Invariants
///
/// Each station stays where it is until it has left, for which it takes the lock.
struct Stations(Vec<NonNull<Station>>);

// SAFETY: a station may be used on any thread.
unsafe impl Send for Stations {}

/// Connects a station, which stays where it is until [`leave`] has returned.
///
/// # Errors
///
/// `NDIS_STATUS_RESOURCES`.
pub(crate) fn join(station: &Station) -> Result<(), NDIS_STATUS> {
    heap::push(&mut STATIONS.lock().0, station.into()).ok_or(NDIS_STATUS_RESOURCES)
}

/// Disconnects a station, if it is connected.
pub(crate) fn leave(station: &Station) {
    let mut stations = STATIONS.lock();
    stations.0.retain(|other| *other != station.into());
    if stations.0.is_empty() {
        // A static is never dropped, and the driver may be about to be unloaded.
        stations.0 = Vec::new();
    }
}

/// Delivers a frame to all stations but its sender.
fn deliver(sender: &Station, frame: &Frame) {
    let stations = STATIONS.lock();
    for station in stations.0.iter().filter(|station| **station != sender.into()) {
        // SAFETY: the station is where it was when it joined: to leave, it would need the lock.
        unsafe { station.as_ref() }.receive(frame);
    }
}

//! softndk.sys: an NDIS miniport driver whose adapters offer RDMA (NDKPI).
//!
//! This crate is glue, and only that: it turns what NDIS, the framework and the kernel call or hand over
//! into calls of the provider, and back. What RDMA is lives in `provider`.
//!
//! | module | is |
//! |---|---|
//! | `driver` | loading and unloading |
//! | `miniport` | the entry points that NDIS calls: raw arguments in, a safe call, a status out |
//! | `adapter` | one network adapter: how it comes, what it says about itself, how it goes |
//! | `oid` | what NDIS asks of an adapter and tells it |
//! | `ethernet` | the ports of the Ethernet switch, which is `vswitch`, on NDIS |
//! | `rdma` | an adapter's RDMA side: enabled or not, opened and closed |
//! | `tdi` | the legacy transport's device |
//! | `addresses` | which IP addresses an adapter has |
//! | `kernel` | the kernel that the provider asks for |
//! | `failure` | the steps of an initialisation, and how one that fails is told |
//! | `work`, `framework`, `heap`, `nt` | what the others use of NDIS, KMDF, the pool and the kernel |
//!
//! Locks: the list of the switch's ports, then one port's state. Nothing is called out of the driver,
//! and no other lock is taken, under either. All other locks are taken alone.

#![cfg(windows)]
#![no_std]

extern crate alloc;
extern crate wdk_panic as _;

mod adapter;
mod addresses;
mod driver;
mod ethernet;
mod failure;
mod framework;
mod heap;
mod kernel;
mod miniport;
mod nt;
mod oid;
mod rdma;
mod tdi;
mod work;

use sys::status::{NTSTATUS, STATUS_SUCCESS};
use wdk_alloc::WdkAllocator;

/// Rust's allocations come from nonpaged pool.
#[global_allocator]
static ALLOCATOR: WdkAllocator = WdkAllocator;

/// The tag of what NDIS and the framework allocate for the driver.
const POOL_TAG: u32 = u32::from_ne_bytes(*b"sndk");

/// The entry point that the framework's stub calls. PASSIVE_LEVEL.
///
/// # Safety
///
/// The arguments are those that the system passes to a driver's entry point.
// SAFETY: the framework's stub names this symbol, and no other crate defines it.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(
    object: *mut nt::DRIVER_OBJECT,
    registry_path: nt::PCUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: these are the entry point's arguments.
    match unsafe { driver::load(object, registry_path) } {
        Ok(()) => STATUS_SUCCESS,
        Err(failure) => {
            failure.print();
            failure.status
        }
    }
}

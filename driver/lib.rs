//! softndk.sys: an NDIS miniport driver whose adapters offer RDMA (NDKPI).
//!
//! This crate is glue, and only that: it turns what NDIS, the framework and the kernel call or hand over
//! into calls of the portable crates, and back: `provider` has RDMA, `tdi` the legacy transport, `vswitch` Ethernet,
//! and `lifecycle` the states of what comes and goes.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `miniport` | the entry points that NDIS calls: raw arguments in, a safe call, a status out |
//! | `driver`, `oid` | loading and unloading; the OID requests of an adapter |
//! | `adapter` | one network adapter: initialisation, attributes, halt |
//! | `rdma` | an adapter's RDMA side: enabled or not, opened and closed |
//! | `addresses`, `ethernet`, `tdi` | the IP addresses of an interface; the ports of the Ethernet switch, which is `vswitch`, on NDIS; the legacy transport's device |
//! | `registration` | the loaded driver |
//! | `sockets` | the driver as a client of Winsock Kernel |
//! | `step`, `supported`, `work_item` | steps of an initialisation that can fail; supported OIDs and statistics; work items |
//! | `debugger` | the roots of a debugger |
//! | `framework`, `kernel` ⇄ `wsk` | KMDF; the kernel that the provider asks for; its TCP, by Winsock Kernel |
//! | `heap`, `identity`, `nt` | memory; versions, pool tag and header; the functions of `wdk-sys` in use |
//!
//! `tests/layers.rs` holds the imports to this table.
//!
//! Locks: the list of the switch's ports, then one port's state. Nothing is called out of the driver,
//! and no other lock is taken, under either. All other locks are taken alone.

#![cfg(windows)]
#![no_std]
#![deny(clippy::as_conversions)]

extern crate alloc;
extern crate wdk_panic as _;

mod adapter;
mod addresses;
mod debugger;
mod driver;
mod ethernet;
mod framework;
mod heap;
mod identity;
mod kernel;
mod miniport;
mod nt;
mod oid;
mod rdma;
mod registration;
mod sockets;
mod step;
mod supported;
mod tdi;
mod work_item;
mod wsk;

use sys::irql::PassiveLevel;
use sys::status::{NTSTATUS, STATUS_SUCCESS};
use wdk_alloc::WdkAllocator;

/// Rust's allocations come from nonpaged pool.
#[global_allocator]
static ALLOCATOR: WdkAllocator = WdkAllocator;

/// The entry point that the framework's stub calls. PASSIVE_LEVEL.
///
/// # Safety
///
/// The arguments are those that the system passes to a driver's entry point.
#[expect(unsafe_code, reason = "the system calls this function with addresses")]
// SAFETY: the framework's stub names this symbol, and no other crate defines it.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(
    object: *mut nt::DRIVER_OBJECT,
    registry_path: nt::PCUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the system calls a driver's entry point at PASSIVE_LEVEL.
    let level = unsafe { PassiveLevel::assume() };
    // SAFETY: these are the entry point's arguments, and the characteristics are complete.
    match unsafe { driver::load(object, registry_path, &miniport::characteristics(), level) } {
        Ok(()) => STATUS_SUCCESS,
        Err(error) => {
            error.print();
            error.status
        }
    }
}

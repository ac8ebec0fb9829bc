//! softndk.sys.
#![cfg(windows)]
#![no_std]

extern crate alloc;
extern crate wdk_panic as _;

use wdk_alloc::WdkAllocator;
use wdk_sys::{DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING, STATUS_SUCCESS};

/// Rust's allocations come from nonpaged pool.
#[global_allocator]
static ALLOCATOR: WdkAllocator = WdkAllocator;

/// The entry point that the framework's stub calls.
///
/// # Safety
///
/// The arguments are those that the system passes to a driver's entry point.
// SAFETY: the framework's stub names this symbol, and no other crate defines it.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(
    _driver: &mut DRIVER_OBJECT,
    _registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    wdk::println!("softndk: loaded");
    STATUS_SUCCESS
}

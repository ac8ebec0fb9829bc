//! The I/O manager: devices and their names, open files, requests on their way through drivers.
//!
//! The user-mode side is [`File`]: what a program on Windows does with CreateFile, DeviceIoControl and
//! CloseHandle, a test does with [`open`](fn@open) and the methods of the handle, in the context of an [`Opener`].
//! Inside, everything is a request packet (`irp`) that is sent (`dispatch`), completed
//! (`complete`, `unload_safe`) and perhaps cancelled (`cancel`); the rules that drivers must keep are checked at
//! these three places.

mod attach;
mod build;
mod cancel;
mod client;
mod complete;
mod control;
mod csq;
mod device;
mod direct;
mod dispatch;
mod file;
mod file_lock;
mod fingerprint;
mod force_pending;
mod forward;
mod generic_mapping;
mod interface;
mod irp;
mod lend;
mod mdl;
mod namespace;
mod open;
mod opener;
mod pnp;
mod power;
mod previous_mode;
mod read_write;
mod remove_lock;
mod request;
mod security;
mod statistics;
mod unload_safe;
mod wmi;
mod work_item;
mod wpp_recorder;

#[cfg(test)]
mod tests;

use core::ops::Range;

use ntsim_core::Export;
use ntsim_core::address::Va;
use ntsim_core::subsystem::{LiveObject, Subsystem};
use sys::status::NTSTATUS;

pub use attach::{attach, detach};
pub(crate) use cancel::IoReleaseCancelSpinLock;
pub use client::{Prepared, Reference, Sending};
pub use complete::IofCompleteRequest;
pub use device::{IoCreateDevice, IoDeleteDevice};
pub use device::{
    Made, create as create_device, delete as delete_device, driver_is_ready, driver_is_unloaded,
};
pub use dispatch::set_route;
pub use file::File;
pub use file::open_files;
pub use force_pending::force_pending;
pub(crate) use forward::{forward_and_wait, skip};
pub use interface::{device_interfaces, register as register_interface, set_state as set_interface_state};
pub(crate) use irp::current_location;
pub use irp::{IoAllocateIrp, IoFreeIrp, IoReuseIrp};
pub use irp::{PendingRequest, pending_requests};
pub use lend::{LendError, give_back, lend, mark_lent_pending};
pub use mdl::{IoAllocateMdl, IoFreeMdl};
pub(crate) use namespace::name_of;
pub use namespace::{device_names, link, unlink};
pub use open::{open, open_as};
pub use opener::Opener;
pub use pnp::PnpDevice;
pub use request::{Outcome, Request};
pub use statistics::snapshot;
pub use statistics::{Function, RequestCounters, Statistics};
pub use unload_safe::IoSetCompletionRoutineEx;
pub use work_item::{IoInitializeWorkItem, IoUninitializeWorkItem};

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[
    attach::EXPORTS,
    build::EXPORTS,
    cancel::EXPORTS,
    complete::EXPORTS,
    csq::EXPORTS,
    device::EXPORTS,
    dispatch::EXPORTS,
    file::DATA,
    generic_mapping::EXPORTS,
    interface::EXPORTS,
    irp::EXPORTS,
    mdl::EXPORTS,
    namespace::EXPORTS,
    power::EXPORTS,
    previous_mode::EXPORTS,
    remove_lock::EXPORTS,
    security::EXPORTS,
    unload_safe::EXPORTS,
    wmi::EXPORTS,
    work_item::EXPORTS,
    wpp_recorder::EXPORTS,
];

/// The I/O manager.
pub(crate) struct Io;

impl Subsystem for Io {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn inspect(&self) {
        namespace::inspect();
        irp::inspect();
        mdl::inspect();
        work_item::inspect();
        wpp_recorder::inspect();
    }

    fn describe_hang(&self, report: &mut String) {
        file::describe_waits(report);
    }

    fn take_live_objects(&self, range: &Range<Va>) -> Vec<LiveObject> {
        let object = |what| move |address| LiveObject { what, address, bugcheck: None };
        let locks = remove_lock::take_within(range).into_iter().map(object("a remove lock that is held"));
        locks.chain(work_item::take_within(range).into_iter().map(object("a work item"))).collect()
    }
}

/// A status with which an operation failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("status {0:#010X}")]
pub struct StatusError(pub NTSTATUS);

//! The Kernel-Mode Driver Framework, version 1.33, as a driver in miniport mode, with its own dispatch routines, with
//! control devices or with devices of plug and play uses it.
//!
//! A driver's entry stub binds through the loader's `WdfVersionBind` (`bind`) and gets a table of
//! functions (`table`). What is here works as on Windows; every other slot of the table holds an
//! address that stops the machine and says which function the driver wanted. Everything is an `object`.

mod bind;
mod client;
mod context;
mod create;
mod device;
mod dispatch;
mod dpc;
mod driver;
mod file;
mod init;
mod lock;
mod memory;
mod names;
mod names_of_device;
mod object;
mod object_exports;
mod pnp;
mod queue;
mod queue_exports;
mod request;
mod request_buffers;
mod request_exports;
mod string;
mod table;
mod timer;
mod work_item;

#[cfg(test)]
mod tests;

use ntsim_core::Export;
use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::subsystem::Subsystem;
use ntsim_core::verifier::{self, Finding};

/// The functions of this folder: the loader's, and those of the table.
const EXPORTS: &[&[Export]] = &[
    bind::EXPORTS,
    create::EXPORTS,
    device::EXPORTS,
    dpc::EXPORTS,
    driver::EXPORTS,
    file::EXPORTS,
    init::EXPORTS,
    lock::EXPORTS,
    memory::EXPORTS,
    names_of_device::EXPORTS,
    object_exports::EXPORTS,
    queue_exports::EXPORTS,
    request_buffers::EXPORTS,
    request_exports::EXPORTS,
    string::EXPORTS,
    timer::EXPORTS,
    work_item::EXPORTS,
];

/// The kernel-mode driver framework.
pub(crate) struct Wdf;

impl Subsystem for Wdf {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }

    fn inspect(&self) {
        client::inspect();
    }
}

/// Reports a misuse of the framework, bug check 0x10D (WDF_VIOLATION).
#[cold]
fn violation(rule: &'static str, object: Va, text: String) {
    verifier::report(
        Finding::new(rule)
            .bugcheck(Bugcheck { code: 0x10D, parameters: [0, object.bits(), 0, 0] })
            .text(text),
    );
}

//! The run-time library: strings, memory, addresses as text, numbers, rights.

mod address;
mod address_exports;
mod character;
mod exception;
mod generic_mask;
mod memory;
mod print;
mod random;
mod string;
mod string_convert;
mod version;

#[cfg(test)]
mod address_tests;

use ntsim_core::Export;
use ntsim_core::subsystem::Subsystem;

pub use crate::counted::from_counted;
#[cfg(test)]
pub(crate) use generic_mask::RtlMapGenericMask;

/// The functions of this folder.
const EXPORTS: &[&[Export]] = &[
    address_exports::EXPORTS,
    exception::DIRECT,
    exception::EXPORTS,
    generic_mask::EXPORTS,
    memory::EXPORTS,
    print::DATA,
    print::EXPORTS,
    random::EXPORTS,
    string::EXPORTS,
    string_convert::EXPORTS,
    version::EXPORTS,
];

/// The run-time library.
pub(crate) struct Rtl;

impl Subsystem for Rtl {
    fn exports(&self) -> &'static [&'static [Export]] {
        EXPORTS
    }
}

//! The Kernel-Mode Driver Framework, as a driver in miniport mode or a small driver meets it.
//!
//! A driver's entry stub binds to the framework through the loader, `wdfldr.sys`, and gets the address of
//! a table of functions; each call goes through the table by index. Indices, prototypes and layouts: the
//! public headers of KMDF 1.15 to 1.33 (microsoft/Windows-Driver-Frameworks, MIT), compiled for x64.
//! Indices do not move between these versions.

#[macro_use]
mod function;
pub mod config;
pub mod device;
pub mod io;
pub mod loader;
pub mod object;
pub mod sync;

pub use config::*;
pub use device::*;
pub use io::*;
pub use loader::*;
pub use object::*;
pub use sync::*;

/// The types of the framework's functions and of what the loader exports.
pub mod signature {
    pub use super::config::signature::*;
    pub use super::device::signature::*;
    pub use super::io::signature::*;
    pub use super::loader::signature::*;
    pub use super::object::signature::*;
    pub use super::sync::signature::*;
}

/// The index of each function in the table.
pub mod index {
    pub use super::config::index::*;
    pub use super::device::index::*;
    pub use super::io::index::*;
    pub use super::object::index::*;
    pub use super::sync::index::*;
}

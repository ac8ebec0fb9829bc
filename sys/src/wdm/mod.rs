//! The kernel proper: `ntoskrnl.exe` and `hal.dll`.
//!
//! Layouts come from published symbol files of Windows 10 (1909, where nothing else is said) unless an
//! item or its module's head names another source. All of them are for x64. A function's line ends with
//! the levels at which it may be called, as its page at Microsoft states them.

mod base;
mod dispatcher;
mod dpc;
mod driver_object;
pub mod etw;
pub mod ex;
mod exception;
mod file_object;
pub mod hal;
pub mod io;
mod ioctl;
mod irp;
pub mod ke;
mod lock;
mod mdl;
pub mod mm;
pub mod other;
pub mod pnp;
mod pool;
pub mod ps;
pub mod rtl;
pub mod se;
mod stack_location;
mod thread;

pub use base::*;
pub use dispatcher::*;
pub use dpc::*;
pub use driver_object::*;
pub use etw::*;
pub use exception::*;
pub use file_object::*;
pub use ioctl::*;
pub use irp::*;
pub use lock::*;
pub use mdl::*;
pub use mm::*;
pub use other::*;
pub use pnp::*;
pub use pool::*;
pub use ps::*;
pub use rtl::*;
pub use se::*;
pub use stack_location::*;
pub use thread::*;

// These hold functions only, which exist nowhere else.
#[cfg(windows)]
pub use {ex::*, hal::*, io::*, ke::*};

/// The types of the functions that drivers import.
pub mod signature {
    pub use super::etw::signature::*;
    pub use super::ex::signature::*;
    pub use super::hal::signature::*;
    pub use super::io::signature::*;
    pub use super::ke::signature::*;
    pub use super::mm::signature::*;
    pub use super::other::signature::*;
    pub use super::pnp::signature::*;
    pub use super::ps::signature::*;
    pub use super::rtl::signature::*;
    pub use super::se::signature::*;
}

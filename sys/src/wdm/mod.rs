//! The kernel proper: `ntoskrnl.exe` and `hal.dll`.
//!
//! Layouts come from published symbol files of Windows 10 (1909, where nothing else is said) unless a
//! module's head names another source. All of them are for x64.

mod base;
mod mdl;

pub use base::*;
pub use mdl::*;

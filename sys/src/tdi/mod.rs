//! The Transport Driver Interface: what legacy clients say to a transport.
//!
//! Layouts and values: compiled from mingw-w64's `tdi.h`, `ddk/tdikrnl.h` and `ddk/tdistat.h` for x64; the
//! extended attributes from Microsoft's page of `TdiDispatchCreate`. No header has constants for what
//! can be set, nor for actions.

mod address;
mod event;
mod query;
mod request;
mod user;

pub use address::*;
pub use event::*;
pub use query::*;
pub use request::*;
pub use user::*;

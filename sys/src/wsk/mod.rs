//! Winsock Kernel: sockets for drivers, and the way to an RDMA adapter.
//!
//! Order and types: Microsoft's pages (`wsk.h`). No symbol file has these types, so sizes and offsets are
//! computed with the x64 C rules. Constant values: two public copies of the header agree.
//!
//! Unless its line says otherwise, a function may be called, and an event is called, at any level up to
//! DISPATCH_LEVEL. A function that takes a request completes it, whatever it returns.

mod event;
mod ndk;
mod option;
pub mod registration;
mod socket;
mod stream;

pub use event::*;
pub use ndk::*;
pub use option::*;
pub use registration::*;
pub use socket::*;
pub use stream::*;

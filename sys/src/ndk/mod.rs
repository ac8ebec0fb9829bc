//! The Network Direct Kernel Provider Interface: what an RDMA provider offers to kernel consumers.
//!
//! An object is a header, a pointer to the table of its functions, and whatever the provider keeps behind
//! them. Version 2.1 is declared, older versions are prefixes of it. A provider fills every slot
//! of every table.
//!
//! Unless its line says otherwise, a function may be called, and a callback is called, at any level up to
//! DISPATCH_LEVEL. A function that takes a completion either returns `STATUS_PENDING` and calls it exactly
//! once, perhaps before it returns, or returns something else and never calls it.
//!
//! Order and types: Microsoft's pages (`ndkpi.h`, `ndkinfo.h`). Sizes, offsets and all 63 prototypes agree
//! with published symbol files of `ndis.sys` (Windows 10 1507 to 21H1, and one of Windows 11 level);
//! modules name the exceptions.

mod adapter;
mod connector;
mod cq;
mod endpoint;
mod info;
mod listener;
mod memory;
mod object;
mod pd;
mod qp;
mod srq;

pub use adapter::*;
pub use connector::*;
pub use cq::*;
pub use endpoint::*;
pub use info::*;
pub use listener::*;
pub use memory::*;
pub use object::*;
pub use pd::*;
pub use qp::*;
pub use srq::*;

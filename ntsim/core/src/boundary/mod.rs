//! The boundary between drivers and the simulator: calls of emulated functions, calls into drivers, and the stack that
//! both take.

mod call;
mod cross;
mod depth;
pub mod export;
mod flags;
mod float;

pub use call::{COMPLETION, call_driver};
pub use cross::call_image;
pub use depth::deepest_stack;

//! The monitor's algorithm, its bytes, and what drivers call.

mod bytes;
mod checks;
mod exports;

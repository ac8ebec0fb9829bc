//! The kit's stand-in for wdk-build, under another release: build scripts ask the same of both.

#![forbid(unsafe_code)]

pub use present::*;

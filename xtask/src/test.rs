//! `cargo xtask test`: everything that can be checked on this machine.

use crate::{build, failure::Failure};

/// Runs every check in turn, cheap ones first.
pub(crate) fn test() -> Result<(), Failure> {
    build::build().map(drop)
}

//! The program behind `cargo xtask`.

#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_core, reason = "a tool in user mode")]

use std::process::ExitCode;

#[cfg(not(windows))]
fn main() -> ExitCode {
    xtask::main()
}

/// The commands have the simulator in them, which is a Linux process.
#[cfg(windows)]
fn main() -> ExitCode {
    eprintln!(
        "The commands of cargo xtask run on Linux. On Windows: cargo make --no-workspace --profile release \
         (see docs/windows.md)"
    );
    ExitCode::from(2)
}

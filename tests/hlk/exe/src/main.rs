//! `ndkhlk.exe`: installs softndk.sys and ndkhlk.sys on a Windows machine, runs the harness there, says why RDMA is not
//! operational, collects what a report needs, and removes it all.
//!
//! All that does not need Windows is in the runner's library, which the simulator tests. Here are the Win32 calls.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `windows` | the machine behind the runner's traits, and the commands that only Windows has |
//! | `options` | the command line |

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a tool in user mode: a panic ends the tool and nothing else"
)]

mod options;
#[cfg(windows)]
mod windows;

use std::process::ExitCode;

use clap::Parser;
use runner::Exit;

fn main() -> ExitCode {
    let command = match options::Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            // Help that was asked for is no error.
            let exit = if error.use_stderr() { Exit::NotRun } else { Exit::Passed };
            let _ = error.print();
            return exit.into();
        }
    };
    run(command).into()
}

#[cfg(windows)]
fn run(command: options::Command) -> Exit {
    windows::run(command)
}

#[cfg(not(windows))]
fn run(_command: options::Command) -> Exit {
    eprintln!(
        "ndkhlk runs on Windows; on Linux the same tests run in the simulator: cargo xtask run, cargo xtask test"
    );
    Exit::NotRun
}

//! The program that `cargo xtask` starts: builds xtask, visibly where that takes long, and runs it.
//!
//! xtask has the simulator in it, so that its first build takes minutes. `cargo run` would either be silent
//! about them or, where it is not, add words of its own to every error of the tool.

#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_core, reason = "a tool in user mode")]

use std::{
    env, io,
    path::Path,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    match launch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask cannot be started: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds xtask beside this program, runs it with the same arguments and returns its exit code.
fn launch() -> io::Result<ExitCode> {
    let tool = env::current_exe()?.with_file_name(format!("xtask{}", env::consts::EXE_SUFFIX));
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--release", "--package", "xtask", "--manifest-path"]);
    build.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
    if tool.exists() {
        build.arg("--quiet");
    } else {
        eprintln!("Building the tools first, which takes about two minutes on two cores.");
    }
    if !build.status()?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let status = Command::new(tool).args(env::args_os().skip(1)).status()?;
    // A tool that was ended by a signal has no code.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

//! The commands of `docs/commands.md`.
//!
//! Each is a sequence of steps that show what they do and how long it took, on standard error; standard
//! output is for results. What can go wrong is told in one line on standard error; the exit code is 2
//! where the caller has to act (arguments, packages that only root can install) and 1 where the work
//! itself failed.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `test` | all checks, one after the other |
//! | `drivers` | a driver of each kind that `new` writes |
//! | `reproduce`, `wine` | the images and the package made twice; the package's program on Wine |
//! | `bench`, `boot`, `check`, `conformance`, `corrupt`, `debug`, `deny`, `events`, `explore`, `fuzz`, `interop`, `lint_workflows`, `mutants`, `new`, `package`, `performance`, `run`, `stress` | a command each |
//! | `driver` | the driver of any author, built |
//! | `build` | the drivers' images, built and checked |
//! | `image` | the checks of an image |
//! | `packages`, `python`, `toolchain` | what a command needs on the machine |
//! | `dump`, `files`, `step` | the place of a crash's dump; the files of a folder; a step that shows itself |
//! | `failure`, `root` | the ways in which a command fails; the repository's folder, and its commit |

#![cfg(not(windows))]
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::cast_possible_truncation,
    reason = "a tool in user mode: a panic ends the tool and nothing else"
)]

mod bench;
mod boot;
mod build;
mod check;
mod conformance;
mod corrupt;
mod debug;
mod deny;
mod driver;
mod drivers;
mod dump;
mod events;
mod explore;
mod failure;
mod files;
mod fuzz;
mod image;
mod interop;
mod lint_workflows;
mod mutants;
mod new;
mod package;
mod packages;
mod performance;
mod python;
mod reproduce;
mod root;
mod run;
mod step;
mod stress;
mod test;
mod toolchain;
mod wine;

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

pub(crate) use root::root;

/// Build, run and test softndk on Linux.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
enum Command {
    /// Build softndk.sys and ndkhlk.sys with their PDBs and map files under target/softndk.
    Build(driver::Options),
    /// Build the drivers, boot them in the simulator and move a file through them.
    Run(run::Options),
    /// Write a small driver into a folder of its own, with all that it needs to be built and booted.
    New(new::Options),
    /// Boot the drivers in the simulator and wait for a file over TCP, from `connect` in another process or machine.
    Serve(run::ServeOptions),
    /// Boot the drivers in the simulator and send a file over TCP to `serve`, and back.
    Connect(run::ConnectOptions),
    /// Boot any driver image in the simulator, do what its kind allows, and unload it.
    Boot(boot::Options),
    /// Make a driver of each kind that `new` writes in a temporary folder, build it and boot it.
    Drivers(drivers::Options),
    /// Check whether Windows would load an image and run it safely.
    Check(check::Options),
    /// Build the drivers, boot them in the simulator and measure them beside memcpy and a cache line.
    Bench(bench::Options),
    /// Play scenarios of the harness and of TDI clients in the simulator under schedules that are chosen from seeds.
    Explore(explore::Options),
    /// Play what standard input asks for: a process that `explore` starts.
    #[command(hide = true)]
    ExploreWorker(explore::WorkerOptions),
    /// Build the drivers, damage their images in many ways and see that the simulator refuses or survives each.
    Corrupt(corrupt::Options),
    /// Load damaged images: a process that `corrupt` starts.
    #[command(hide = true)]
    CorruptWorker(corrupt::WorkerOptions),
    /// Run another command under lldb, with the drivers' sources and types known.
    Debug(debug::Options),
    /// Run the fuzz targets, led by coverage.
    Fuzz(fuzz::Options),
    /// Build the drivers, record their events in a trace file and have foreign readers decode it.
    Events,
    /// Write docs/conformance.md anew, from what the tests say of themselves.
    Conformance,
    /// Build the drivers and close many connections in the middle of their traffic, in every way.
    Stress(stress::Options),
    /// Build the drivers and ndkhlk.exe of the last commit in two folders and compare the images byte by byte.
    Reproduce,
    /// Check formatting and lints, run every test, build the drivers and boot them.
    Test,
    /// Build the drivers and make the signed package for Windows under target/softndk/package.
    Package(package::Options),
    /// Have cargo-deny judge licences, sources, versions and advisories of the dependencies.
    Deny(deny::Options),
    /// Have linters judge the workflow files of the hosted machines, and refuse broken ones.
    LintWorkflows,
    /// Make the package, see Wine install it as expected, and ndkhlk.exe and ndkhlk.sys work on Wine, which has no NDK.
    Wine,
    /// Play the wire against implementations that were not made here, and have tshark judge what crossed.
    Interop(interop::Options),
    /// Measure on this machine and write docs/performance.md anew.
    Performance(performance::Options),
    /// Plant each known mistake of tests/mutants in turn, and check that it is caught.
    Mutants(mutants::Options),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    failure::tell_lost_output();
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => return refuse(&error),
    };
    let outcome = match command {
        Command::Build(options) => driver::run(&options),
        Command::Run(options) => run::run(&options),
        Command::Serve(options) => run::serve(&options),
        Command::Connect(options) => run::connect(&options),
        Command::Bench(options) => bench::bench(&options),
        Command::Boot(options) => boot::run(&options),
        Command::New(options) => new::run(&options),
        Command::Drivers(options) => drivers::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Explore(options) => explore::run(&options),
        Command::ExploreWorker(options) => explore::work(&options),
        Command::Corrupt(options) => corrupt::run(&options),
        Command::CorruptWorker(options) => corrupt::work(&options),
        Command::Debug(options) => debug::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Events => events::run(),
        Command::Conformance => conformance::write(),
        Command::Stress(options) => stress::stress(&options),
        Command::Reproduce => reproduce::run(),
        Command::Test => test::test(),
        Command::Package(options) => package::run(&options),
        Command::Deny(options) => deny::run(&options),
        Command::LintWorkflows => lint_workflows::run(),
        Command::Wine => wine::run(),
        Command::Interop(options) => interop::run(&options),
        Command::Performance(options) => performance::write(&options),
        Command::Mutants(options) => mutants::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}

/// Tells what is wrong with the arguments in one line, or prints the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::ArgumentConflict
            | ErrorKind::InvalidValue
            | ErrorKind::UnknownArgument
            | ErrorKind::ValueValidation
    ) {
        let text = error.to_string();
        eprintln!("{}", text.lines().next().unwrap_or_default());
        return ExitCode::from(2);
    }
    error.exit()
}

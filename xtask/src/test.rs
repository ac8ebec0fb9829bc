//! `cargo xtask test`: everything that can be checked on this machine, cheap checks first.

use std::{process::Command, time::Instant};

use crate::{
    bench, boot,
    build::{self, DRIVERS},
    corrupt, drivers, explore,
    failure::CommandError,
    fuzz,
    packages::{self, Use},
    root,
    step::Step,
    toolchain::{ARM64, Compiler, Linters, cargo},
};

/// The number of schedules of `explore`'s default scenarios that are played twice over: those of seeds that are always
/// the same, and those of the commit's own seeds. Each of some fifty scenarios gets 38, seven or eight of each strategy.
const SHARE: u64 = 1920;

/// Schedules over TCP that takes sends in parts: each scenario about twice.
const WIRE_SHARE: u64 = 160;

/// The first of the seeds that are always played.
const FIXED: u64 = 1;

/// Runs every check in turn and stops at the first that fails.
pub(crate) fn test() -> Result<(), CommandError> {
    let started = Instant::now();
    let (compiler, arm64) = (Compiler::find(), Compiler::for_target(ARM64));
    let linters = Linters::find();
    packages::provide(|need| match need {
        Use::Drivers | Use::Llvm | Use::Fuzz | Use::Debugger | Use::Extension => true,
        Use::Compiler | Use::Lints => {
            [compiler, arm64].contains(&Compiler::Debian) || linters == Linters::Debian
        }
        Use::Format => linters == Linters::Debian,
        Use::Program | Use::Wine | Use::Verify | Use::Python | Use::Interop => false,
    })?;
    eprintln!("From a clean clone this takes about twenty-five minutes on two cores.");
    for (name, mut command) in source_checks(compiler, arm64, linters) {
        step(name, &mut command)?;
    }
    preemption()?;
    fuzz::smoke()?;
    loom()?;
    let images = build::images(compiler)?;
    step("tests that boot the drivers", cargo().args(["test", "--release", "--package", "softndk"]))?;
    let mut peers = cargo();
    peers.args(["test", "--release", "--package", "xtask", "--test", "peers", "--", "--ignored"]);
    step("files between two processes", &mut peers)?;
    corrupt::smoke(&images)?;
    boot::smoke(&images)?;
    drivers::smoke()?;
    bench::smoke(&images)?;
    bench::smoke_over_wire(&images)?;
    for (share, from) in [("fixed", FIXED), ("own", explore::of_commit())] {
        schedules(&format!("{SHARE} {share} seeds from {from}"), SHARE, from, &[])?;
    }
    schedules(&format!("{WIRE_SHARE} fixed seeds over TCP"), WIRE_SHARE, FIXED, &["--wire", "--faults"])?;
    eprintln!("  {:<44} {:>8.1} s", "all", started.elapsed().as_secs_f64());
    Ok(())
}

/// Plays scenarios under the schedules of seeds, in a program of its own.
fn schedules(name: &str, seeds: u64, from: u64, options: &[&str]) -> Result<(), CommandError> {
    let mut command =
        Command::new(std::env::current_exe().map_err(|error| CommandError::work(error.to_string()))?);
    command.args(["explore", "--explain", "--seeds", &seeds.to_string(), "--from", &from.to_string()]);
    step(&format!("schedules, {name}"), command.args(options))
}

/// The checks that need no image.
fn source_checks(compiler: Compiler, arm64: Compiler, linters: Linters) -> Vec<(&'static str, Command)> {
    let mut format = linters.cargo("fmt");
    format.args(["--all", "--check"]);

    let mut format_drivers = linters.cargo("fmt");
    format_drivers.current_dir(root().join("kit")).args(["--all", "--check"]);

    let mut lint = linters.cargo("clippy");
    fuzz::exclude(lint.arg("--workspace")).args(["--all-targets", "--", "-D", "warnings"]);

    let mut lint_drivers = compiler.clippy();
    for driver in DRIVERS {
        lint_drivers.args(["--package", driver]);
    }
    lint_drivers.args(["--", "-D", "warnings"]);

    let mut unit = cargo();
    fuzz::exclude(unit.args(["test", "--workspace", "--exclude", "softndk"])).arg("--all-targets");

    let mut documentation = cargo();
    fuzz::exclude(documentation.args(["test", "--workspace", "--exclude", "softndk"])).arg("--doc");

    let mut links = cargo();
    fuzz::exclude(links.args(["doc", "--workspace", "--no-deps", "--document-private-items"]))
        .env("RUSTDOCFLAGS", "-D warnings");

    vec![
        ("formatting", format),
        ("formatting, drivers and kit", format_drivers),
        ("clippy", lint),
        ("clippy, drivers and kit", lint_drivers),
        ("types of the portable crates for ARM64", arm64.check_arm64()),
        ("unit and property tests", unit),
        ("documentation tests", documentation),
        ("links of the documentation", links),
    ]
}

/// Runs every pair of the legacy transport's operations with one preempting the other, at one point each, and says how
/// many runs that were: an unoptimised build, as that of the unit tests, comes to a part of the pairs.
fn preemption() -> Result<(), CommandError> {
    let mut command = cargo();
    command
        .args(["test", "--release", "--package", "softndk-tdi", "--lib", "preempted_operations"])
        .args(["--", "--nocapture"])
        .env("SOFTNDK_PREEMPT_SECONDS", "0")
        .env("SOFTNDK_PREEMPT_PASSES", "1");
    let step = Step::start("preempted operations of the transport");
    let output = step.run(&mut command)?;
    step.done();
    let said = output.lines().find_map(preempted);
    let Some((runs, passes)) = said.filter(|(_, passes)| *passes > 0) else {
        return Err(CommandError::work("preempted operations: not every pair was run"));
    };
    eprintln!("    {runs} runs, every pair {passes} times at least");
    Ok(())
}

/// The number of runs of pairs, and of passes over every pair, in a line of the test.
fn preempted(line: &str) -> Option<(u64, u64)> {
    let (runs, rest) = line.split_once(" pairs, ")?;
    let passes = rest.split_once(" passes and ").map_or(Some(u64::MAX), |(passes, _)| passes.parse().ok());
    Some((runs.parse().ok()?, passes?))
}

/// Explores the models of the provider and of the driver's states, and says how many executions they have: none would be no check.
fn loom() -> Result<(), CommandError> {
    let mut command = cargo();
    command
        .args([
            "test",
            "--release",
            "--package",
            "softndk-provider",
            "--package",
            "softndk-lifecycle",
            "--lib",
        ])
        .arg("--target-dir")
        .arg(root().join("target/loom"))
        .args(["--", "--nocapture"])
        .env("RUSTFLAGS", "--cfg loom");
    let step = Step::start("loom");
    let output = step.run(&mut command)?;
    step.done();
    let (models, executions) = explored(&output);
    if models == 0 {
        return Err(CommandError::work("loom: no model was explored"));
    }
    eprintln!("    {executions} executions of {models} models");
    Ok(())
}

/// The number of models, and of their executions, in their output.
fn explored(output: &str) -> (usize, u64) {
    let counts = output.lines().filter_map(|line| {
        let (before, _) = line.split_once(" executions (")?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    });
    counts.fold((0, 0), |(models, all), count| (models + 1, all + count))
}

fn step(name: &str, command: &mut Command) -> Result<(), CommandError> {
    let step = Step::start(name);
    step.run(command)?;
    step.done();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{explored, preempted};

    #[test]
    fn line_of_preempted_operations_says_runs_and_passes() {
        let sampled = "235429 pairs, 3 passes and 69517 of 72600 more, and 111811 triples, in 40.0s";
        assert_eq!(preempted(sampled), Some((235_429, 3)));
        let all = "812 pairs, which are all at every point, and 3 triples, in 1s";
        assert_eq!(preempted(all), Some((812, u64::MAX)));
        assert_eq!(preempted("seed 7"), None);
    }

    #[test]
    fn executions_are_added_up_wherever_they_stand_in_a_line() {
        let output =
            "running 2 tests\n   120 executions (all): a\ntest b ...      3 executions (bound 2): b\nok\n";
        assert_eq!(explored(output), (2, 123));
        assert_eq!(explored("running 0 tests\n"), (0, 0));
    }
}

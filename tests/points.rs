//! Points in the code of the built images, compared with what a disassembler finds there.

#![cfg(not(windows))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when what it needs is not there"
)]

mod common;

use std::path::Path;
use std::process::Command;

use ntsim::sched::{Atomics, Strategy};
use protocol::Scenario;
use runner::explore::Play;
use runner::over_wire::Route;

/// Of the package llvm-22, which builds need too.
const DISASSEMBLER: &str = "/usr/lib/llvm-22/bin/llvm-objdump";

/// Locked instructions, and exchanges with memory, which lock without a prefix. The disassembler writes the prefix
/// in a line of its own.
fn locked_and_exchanging(image: &Path) -> usize {
    let listing =
        Command::new(DISASSEMBLER).args(["--disassemble", "--no-show-raw-insn"]).arg(image).output();
    let listing = listing.expect("llvm-22 is installed, which builds need");
    assert!(listing.status.success(), "{}", String::from_utf8_lossy(&listing.stderr));
    let listing = String::from_utf8_lossy(&listing.stdout);
    let instructions =
        listing.lines().filter_map(|line| Some(line.trim_start().split_once(char::is_whitespace)?.1.trim()));
    let (mut count, mut behind_prefix) = (0, false);
    for instruction in instructions {
        let prefixed = instruction.split_whitespace().next() == Some("lock");
        let exchanges = instruction.starts_with("xchg") && instruction.contains('(');
        count += usize::from(prefixed || exchanges && !behind_prefix);
        behind_prefix = prefixed;
    }
    count
}

#[test]
fn each_locked_or_exchanging_instruction_of_both_images_is_a_point() {
    let images = common::images();
    let play = Play {
        scenario: Scenario::CloseInCreate,
        seed: 1,
        strategy: Strategy::Atomics,
        atomics: Atomics::All,
        route: Route::Loopback,
    };
    let outcome = play.run(&images, 0).expect("the images are built");
    let schedule = outcome.report.schedule.expect("the machine had a schedule");
    for path in [&images.softndk, &images.ndkhlk] {
        let name = path.file_name().expect("a file").to_string_lossy();
        let points =
            schedule.images.iter().find(|points| points.image == name).expect("the image has points");
        let counted = locked_and_exchanging(path);
        assert!(counted > 100, "{name}: {counted}");
        assert_eq!(points.atomics as usize, counted, "{name}");
    }
}

//! `cargo xtask debug --check`: a stop in a driver's source, and a dump, with what the debugger has to show of them.

use std::process::Command;

use super::{LLDB, lldb};
use crate::{build::Images, failure::CommandError, root, step::Step};

/// A source of the driver, and its line at which the driver stops: where an object's memory is freed and its close
/// completed.
const SOURCE: &str = "provider/src/object/close.rs";
const LINE: &str = "unsafe { free(core.cast::<Object<K, B>>()) };";

/// A text that must be said, and its meaning.
type Shown = (&'static str, &'static str);

const STOP: [Shown; 6] = [
    ("stop reason = breakpoint", "the breakpoint is hit"),
    ("softndk.sys`provider::object::close::free_and_complete<", "the innermost frame is the driver's"),
    ("-> ", "the source is shown"),
    // A part of the type of a closure in the simulator.
    ("softndk_ntsim_nt::ke::dpc::run", "the simulator is on the stack"),
    ("ndkhlk.sys`ndkhlk::", "the consumer is on the stack"),
    ("lifetime = ", "a variable of the driver is shown by its Rust fields"),
];

const DUMP: [Shown; 4] = [
    ("(x86_64) was loaded", "the dump is read"),
    ("softndk.sys", "the driver is a module"),
    ("thread #1: tid = 0x0001", "the machine's threads are in it"),
    // The first bytes of an image.
    ("0x5a4d", "the image's memory is in the dump"),
];

/// Runs the debugger and looks at what it says.
pub(super) fn run(images: &Images) -> Result<(), CommandError> {
    let line = line()?;
    let commands = [
        format!("breakpoint set --file object/close.rs --line {line}"),
        "run".to_owned(),
        "thread backtrace".to_owned(),
        "frame variable *core.pointer".to_owned(),
    ];
    let mut command = lldb(images, true, &commands, &["run".into()])?;
    look("breakpoint in a driver's source", &mut command, &STOP)?;

    let folder = tempfile::tempdir().map_err(|error| CommandError::work(error.to_string()))?;
    let dump = folder.path().join("run.dmp");
    let program =
        std::env::current_exe().map_err(|error| CommandError::work(format!("this program: {error}")))?;
    let step = Step::start("run with a dump");
    let mut command = Command::new(program);
    step.run(command.args(["run", "--json", "--images"]).arg(&images.folder).arg("--dump").arg(&dump))?;
    step.done();
    let mut command = Command::new(LLDB);
    command.args(["--no-lldbinit", "--batch"]);
    for line in [
        format!("settings set target.exec-search-paths \"{}\"", images.folder.display()),
        format!("target create --core \"{}\"", dump.display()),
        "thread list".to_owned(),
        // Where the first image of a process is.
        "image list".to_owned(),
        "memory read --size 2 --format x --count 1 0x200000000000".to_owned(),
    ] {
        command.arg("--one-line").arg(line);
    }
    look("dump in the debugger", &mut command, &DUMP)
}

/// Runs a debugger as a step, and fails where it does not say what it has to.
fn look(name: &str, command: &mut Command, shown: &[Shown]) -> Result<(), CommandError> {
    let step = Step::start(name);
    let output = step.run(command)?;
    let missing: Vec<&str> =
        shown.iter().filter(|(text, _)| !output.contains(text)).map(|(_, meaning)| *meaning).collect();
    if missing.is_empty() {
        step.done();
        return Ok(());
    }
    drop(step);
    eprintln!("{}", output.trim_end());
    Err(CommandError::work(format!("{name}: {LLDB} did not show that {}", missing.join(", that "))))
}

/// The number of [`LINE`], from 1.
fn line() -> Result<usize, CommandError> {
    let path = root().join(SOURCE);
    let text = std::fs::read_to_string(&path).map_err(|error| CommandError::file(&path, &error))?;
    let place = text.lines().position(|line| line.contains(LINE)).map(|index| index + 1);
    place.ok_or_else(|| CommandError::work(format!("{SOURCE}: no line has {LINE:?}")))
}

//! Drivers in C, built with clang and mingw-w64's headers: the simulator serves more than its own project.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops loudly where the machine lacks something"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use ntsim::Machine;
use ntsim_core::address::Va;

const HEADERS: &str = "/usr/share/mingw-w64/include";
const IMPORTS: &str = "/usr/x86_64-w64-mingw32/lib/libntoskrnl.a";

/// Builds the driver at `source`, a path in this crate, into `folder`.
fn build(source: &str, folder: &Path) -> PathBuf {
    build_with(source, folder, &[])
}

/// Lets a driver use `__try`: with the second, in functions that access memory themselves too.
const EXCEPTIONS: [&str; 2] = ["-fms-extensions", "-fasync-exceptions"];

/// Builds it with these options of the compiler too.
fn build_with(source: &str, folder: &Path, options: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let object = folder.join("driver.obj");
    let image = folder.join(source.file_name().unwrap()).with_extension("sys");
    run(Command::new("clang-22")
        .args(["--target=x86_64-pc-windows-gnu", "-w", "-g", "-gcodeview", "-O1", "-c"])
        .args(["-isystem", &format!("{HEADERS}/ddk"), "-isystem", HEADERS])
        .args(options)
        .args([&source, Path::new("-o"), &object]));
    run(Command::new("lld-link-22")
        .args([
            "/driver",
            "/subsystem:native",
            "/entry:DriverEntry",
            "/nodefaultlib",
            "/dynamicbase",
            "/debug",
        ])
        .arg(format!("/out:{}", image.display()))
        .args([&object, Path::new(IMPORTS)]));
    image
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ten_line_driver_of_the_example_loads_speaks_and_unloads() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::builder().boot();
    machine.load(build("examples/hello.c", folder.path())).unwrap().unload();
    let log = machine.log();
    assert_eq!(log[0], "hello from \\Registry\\Machine\\System\\CurrentControlSet\\Services\\hello\n");
    assert!(log[1].starts_with("goodbye from "));
    assert!(machine.shutdown().is_clean());
}

#[test]
fn findings_name_the_functions_and_lines_of_the_driver() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::builder().boot();
    machine.load(build("tests/drivers/mistakes.c", folder.path())).unwrap().unload();
    let report = machine.shutdown().to_string();
    assert!(report.contains("bug check 0xC4 DRIVER_VERIFIER_DETECTED_VIOLATION (0x1000,"), "{report}");
    for line in ["TakeTwice", "mistakes.c:10)", "DriverEntry", "mistakes.c:24)"] {
        assert!(report.contains(line), "{line} is not in:\n{report}");
    }
    let leak = report.lines().find(|line| line.contains("a block tagged 'Leak' of 32 bytes")).unwrap();
    assert!(leak.contains("DriverEntry") && leak.contains("mistakes.c:25)"), "{report}");
}

#[test]
fn inline_functions_of_c_headers_work() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::builder().boot();
    assert!(machine.load(build("tests/drivers/inline.c", folder.path())).is_err());
    let log = machine.log().remove(0);
    let words: Vec<_> = log.split(' ').collect();
    assert_eq!((words[0], words[1], words[2]), ("0", "2", "0"), "{log}");
    assert!(words[3].parse::<u64>().unwrap().abs_diff(ntsim::sched::system_time()) < 100_000_000, "{log}");
    assert!(words[4].parse::<u64>().unwrap() <= 1, "{log}");
    let thread = ntsim::sched::current().unwrap();
    assert_eq!(u64::from_str_radix(words[5], 16).unwrap(), Va::of(core::ptr::from_ref(thread)).bits());
    assert!(machine.shutdown().is_clean());
}

#[test]
fn exceptions_are_filtered_caught_and_unwound() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::builder().boot();
    machine.load(build_with("tests/drivers/exceptions.c", folder.path(), &EXCEPTIONS)).unwrap().unload();
    assert_eq!(machine.log(), ["fse1hmdcpal"]);
    let report = machine.shutdown();
    assert!(report.is_clean(), "{report}");
}

/// Set in the process that is to stop, to the kind of its exception and a folder for the image.
const CHILD: &str = "NTSIM_TEST_UNCAUGHT";

#[test]
fn exceptions_that_windows_does_not_let_a_handler_take_stop_the_machine() {
    if let Ok(child) = std::env::var(CHILD) {
        let (kind, folder) = child.split_once(' ').unwrap();
        let options = [EXCEPTIONS[0], EXCEPTIONS[1], &format!("-DKIND={kind}")];
        let image = build_with("tests/drivers/uncaught.c", Path::new(folder), &options);
        let _ = Machine::builder().boot().load(image);
        std::process::exit(0);
    }
    for (kind, stop, text) in [
        (0, "0xD1 ", "; Windows does not ask the handler"),
        (1, "0xD5 ", "; Windows does not ask the handler"),
        (2, "0x50 ", "; Windows does not ask the handler"),
        (3, "0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xc0000005,", "write of 0x1230"),
        (4, "0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xc000003e,", "which no handler took"),
        (5, "0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0xc0000025,", "was handled"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let name = "exceptions_that_windows_does_not_let_a_handler_take_stop_the_machine";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", name])
            .env(CHILD, format!("{kind} {}", folder.path().display()))
            .output()
            .unwrap();
        let report = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{kind}: {report}");
        assert!(report.contains(&format!("*** STOP: {stop}")) && report.contains(text), "{kind}: {report}");
    }
}

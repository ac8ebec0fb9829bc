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
use sys::wdm::GUID;

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

/// The class of the interface of `device.c`.
const CLASS: GUID = GUID { Data1: 0x1234_5678, Data2: 1, Data3: 2, Data4: [3, 4, 5, 6, 7, 8, 9, 10] };

/// Builds `device.c` with one of its mistakes, and with these buffers.
fn device(folder: &Path, mistake: u32, buffers: &str) -> PathBuf {
    let options = [format!("-DMISTAKE={mistake}"), format!("-DBUFFERS={buffers}")];
    build_with("tests/drivers/device.c", folder, &options.each_ref().map(String::as_str))
}

#[test]
fn device_is_added_started_read_written_and_removed() {
    for buffers in ["DO_BUFFERED_IO", "DO_DIRECT_IO", "0"] {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::builder().boot();
        let mut driver = machine.load(device(folder.path(), 0, buffers)).unwrap();
        let mut added = driver.add_device().unwrap();
        assert_eq!(ntsim::io::device_interfaces(&CLASS).len(), 0);
        added.start().unwrap();
        let names = ntsim::io::device_interfaces(&CLASS);
        let file = machine.open(&names[0], &[]).unwrap();
        assert_eq!(file.write(3, b"abc").information, 3);
        let mut read = [1; 6];
        assert_eq!(file.read(1, &mut read).information, 6, "{buffers}");
        assert_eq!(&read, b"\0\0abc\0");
        assert_eq!(file.read(16, &mut [0]).status.cast_unsigned(), 0xC000_0011);
        let (outcome, _, data) = file.start_read(4, vec![0; 2]).unwrap().wait();
        assert_eq!((outcome.information, &*data), (2, &b"bc"[..]));
        drop(file);
        added.query_and_cancel_remove().unwrap();
        added.remove().unwrap();
        assert_eq!(ntsim::io::device_interfaces(&CLASS).len(), 0);
        driver.add_device().unwrap().surprise_remove();
        driver.unload();
        let report = machine.shutdown();
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn mistakes_in_the_life_of_a_device_are_found() {
    for (mistake, rules) in [
        (1, &["RemoveDevice", "DeleteDevice", "ObjectLeak"][..]),
        (2, &["DeviceInitializing"]),
        (3, &["DeviceInterface"]),
        (4, &["PnpStatus"]),
        (5, &["DeleteDevice"]),
        (6, &[]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::builder().boot();
        let mut driver = machine.load(device(folder.path(), mistake, "0")).unwrap();
        let mut added = driver.add_device().unwrap();
        added.start().unwrap();
        match added.remove() {
            Ok(()) => assert_ne!(mistake, 6),
            Err((added, status)) => {
                assert_eq!(status.0.cast_unsigned(), 0x8000_0011);
                added.surprise_remove();
            }
        }
        driver.unload();
        let report = machine.shutdown();
        let found: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(found, rules, "{mistake}: {report}");
    }
}

#[test]
fn cancel_safe_queue_keeps_requests_until_they_are_taken_or_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::builder().boot();
    let driver = machine.load(build("tests/drivers/csq.c", folder.path())).unwrap();
    let file = machine.open(r"\Device\Csq", &[]).unwrap();
    let wait = || file.start_ioctl(0x22_2000, Vec::new(), Vec::new()).unwrap();
    let (first, second) = (wait(), wait());
    first.cancel();
    assert_eq!(first.wait().0.status.cast_unsigned(), 0xC000_0120);
    assert_eq!(file.ioctl(0x22_2004, &[], &mut []).status, 0);
    assert_eq!(second.wait().0.status, 0);
    assert_eq!(file.ioctl(0x22_2004, &[], &mut []).status.cast_unsigned(), 0x8000_001A);
    drop(file);
    driver.unload();
    let report = machine.shutdown();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn cancel_safe_queue_that_was_not_initialised_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::builder().boot();
    let image = build_with("tests/drivers/csq.c", folder.path(), &["-DUNINITIALISED"]);
    let driver = machine.load(image).unwrap();
    let file = machine.open(r"\Device\Csq", &[]).unwrap();
    assert_eq!(file.ioctl(0x22_2004, &[], &mut []).status.cast_unsigned(), 0x8000_001A);
    drop(file);
    driver.unload();
    assert_eq!(machine.shutdown().findings[0].rule, "IoCsq");
}

//! ndkhlk.exe and the real ndkhlk.sys on Wine's I/O manager.
//!
//! Wine has no NDIS 6 and no NDK, so every scenario is refused there, and the program has to say so: what is shown is that
//! the program starts, loads the driver, opens it, gets a status and a report through it, and writes its reports. Wine has
//! no framework either; `wdfldr.c` is a stand-in for the little of it that ndkhlk.sys calls.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::prefix::{self, Prefix};
use crate::{build::Images, failure::CommandError, root, step::Step};

const COMPILER: &str = "x86_64-w64-mingw32-gcc";
/// The place of the DDK's headers, of mingw-w64-x86-64-dev.
const HEADERS: &str = "/usr/x86_64-w64-mingw32/include/ddk";
/// The ends of a scenario, which the driver looks at after it was refused: nothing has to be there.
const ENDS: [&str; 4] = ["--near", "1/10.0.0.1", "--far", "2/10.0.0.2"];
/// The time for a driver to be loaded or unloaded.
const STATE_TIMEOUT: Duration = Duration::from_secs(60);
/// The options that make a driver of the stand-in.
const DRIVER: &[&str] =
    &["-nostdlib", "-lntoskrnl", "-lntdll", "-Wl,--subsystem,native", "-Wl,-e,DriverEntry"];

/// Plays the part.
pub(super) fn play(folder: &Path, package: &Path, images: &Images) -> Result<(), CommandError> {
    let step = prefix::step("ndkhlk.exe and ndkhlk.sys");
    let programs = package.join("ndkhlk");
    compile(&step, "prng.c", &programs.join("bcryptprimitives.dll"), &["-ladvapi32"])?;
    let windows = Prefix::new(folder, &programs)?;
    compile(&step, "wdfldr.c", &windows.drivers().join("WDFLDR.SYS"), DRIVER)?;
    let (built, copy) = (images.image("ndkhlk"), windows.drivers().join("ndkhlk.sys"));
    fs::copy(&built, &copy).map_err(|error| CommandError::file(&copy, &error))?;
    let session = windows.stay()?;
    scenarios(&windows, &programs)?;
    drop(session);
    windows.stop()?;
    step.done();
    Ok(())
}

fn compile(step: &Step, source: &str, to: &Path, options: &[&str]) -> Result<(), CommandError> {
    let mut command = Command::new(COMPILER);
    command.args(["-shared", "-O1", "-s", "-Wall", "-I", HEADERS, "-o"]).arg(to);
    command.arg(root().join("xtask/src/wine").join(source)).args(options);
    step.run(&mut command).map(drop)
}

fn scenarios(windows: &Prefix, programs: &Path) -> Result<(), CommandError> {
    let run: Vec<&str> = ["ndkhlk.exe", "run", "Flush", "--tap"].into_iter().chain(ENDS).collect();
    // Without the driver nothing can be said.
    contains(&windows.expect(2, &run)?, "Bail out! open the harness driver")?;
    contains(&windows.expect(2, &["ndkhlk.exe", "run", "Nothing"])?, "Nothing")?;
    contains(&windows.expect(0, &["ndkhlk.exe", "list"])?, "AntecedentsFirst")?;
    let image = r"C:\windows\system32\drivers\ndkhlk.sys";
    windows.expect(0, &["sc", "create", "ndkhlk", "type=", "kernel", "binPath=", image])?;
    await_state(windows, "start", "RUNNING")?;
    // There is no NDK behind it, which each of the two cases finds.
    let tap = windows.expect(1, &run)?;
    for line in [
        "TAP version 13\n",
        "not ok 1 - Flush at PASSIVE_LEVEL\n",
        "not ok 2 - Flush at DISPATCH_LEVEL\n",
        "status 0x",
        "1..2\n# 0 passed, 2 failed\n",
    ] {
        contains(&tap, line)?;
    }
    let junit = programs.join("ndkhlk-run.xml");
    let junit = fs::read_to_string(&junit).map_err(|error| CommandError::file(&junit, &error))?;
    contains(&junit, "tests=\"2\" failures=\"2\"")?;
    contains(&windows.expect(2, &["ndkhlk.exe", "run"])?, "two adapters are needed and 0 run")?;
    await_state(windows, "stop", "STOPPED")?;
    contains(&windows.expect(2, &run)?, "Bail out!")
}

/// Asks for the driver's start or stop until it is in that state: Wine's services answer before it is, and under load some
/// requests come to nothing.
fn await_state(windows: &Prefix, request: &str, state: &str) -> Result<(), CommandError> {
    let began = Instant::now();
    loop {
        windows.ask(&["sc", request, "ndkhlk"])?;
        let printed = windows.expect(0, &["sc", "query", "ndkhlk"])?;
        if printed.contains(state) {
            return Ok(());
        }
        if began.elapsed() > STATE_TIMEOUT {
            return Err(CommandError::work(format!("ndkhlk.sys is not {state}:\n{printed}")));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn contains(text: &str, wanted: &str) -> Result<(), CommandError> {
    if text.contains(wanted) {
        return Ok(());
    }
    Err(CommandError::work(format!("{wanted:?} is not in what was printed:\n{text}")))
}

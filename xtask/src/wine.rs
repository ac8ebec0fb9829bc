//! `cargo xtask wine`: ndkhlk.exe and the real ndkhlk.sys on the I/O manager of Wine, an implementation that is not this
//! project's.
//!
//! Wine has no NDIS 6 and no NDK, so every scenario is refused there, and the program has to say so: what is shown is that
//! the program starts, loads the driver, opens it, gets a status and a report through it, and writes its reports. Wine has
//! no framework either; `wine/wdfldr.c` is a stand-in for the little of it that ndkhlk.sys calls.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    build,
    failure::CommandError,
    package,
    packages::{self, Use},
    root,
    step::Step,
};

/// Wine's loader, where Debian's wine64 puts it.
const WINE: &str = "/usr/lib/wine/wine64";
const COMPILER: &str = "x86_64-w64-mingw32-gcc";
/// The place of the DDK's headers, of mingw-w64-x86-64-dev.
const HEADERS: &str = "/usr/x86_64-w64-mingw32/include/ddk";
/// An end that a scenario gets: the driver is refused long before it looks.
const ENDS: [&str; 4] = ["--near", "1/10.0.0.1", "--far", "2/10.0.0.2"];

/// Plays the test.
pub(crate) fn run() -> Result<(), CommandError> {
    packages::provide(|need| matches!(need, Use::Wine | Use::Program))?;
    let images = build::build()?;
    let program = package::program()?;
    let prefix = WinePrefix::new(root().join("target/softndk/wine"))?;
    let step = Step::start("make a Windows of Wine's");
    prefix.compile(
        &step,
        "wdfldr.c",
        &prefix.drivers().join("WDFLDR.SYS"),
        &["-nostdlib", "-lntoskrnl", "-lntdll", "-Wl,--subsystem,native", "-Wl,-e,DriverEntry"],
    )?;
    prefix.compile(&step, "prng.c", &prefix.folder.join("bcryptprimitives.dll"), &["-ladvapi32"])?;
    prefix.put(&prefix.folder.join("ndkhlk.exe"), &program)?;
    let driver = images.image("ndkhlk");
    let driver = fs::read(&driver).map_err(|error| CommandError::file(&driver, &error))?;
    prefix.put(&prefix.drivers().join("ndkhlk.sys"), &driver)?;
    step.done();
    let step = Step::start("ndkhlk.exe and ndkhlk.sys on Wine");
    prefix.play()?;
    step.done();
    Ok(())
}

/// A Wine prefix: a folder with a Windows of its own.
struct WinePrefix {
    folder: PathBuf,
}

impl WinePrefix {
    /// A new one in place of what is at `folder`.
    fn new(folder: PathBuf) -> Result<Self, CommandError> {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| CommandError::file(&folder, &error))?;
        }
        fs::create_dir_all(&folder).map_err(|error| CommandError::file(&folder, &error))?;
        let prefix = Self { folder };
        prefix.wine(&["wineboot", "-i"])?;
        // Rust's library is for Windows 10 and later.
        prefix.expect(0, &["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"])?;
        Ok(prefix)
    }

    fn drivers(&self) -> PathBuf {
        self.folder.join("prefix/drive_c/windows/system32/drivers")
    }

    fn put(&self, path: &Path, content: &[u8]) -> Result<(), CommandError> {
        fs::write(path, content).map_err(|error| CommandError::file(path, &error))
    }

    fn compile(&self, step: &Step, source: &str, to: &Path, options: &[&str]) -> Result<(), CommandError> {
        let mut command = Command::new(COMPILER);
        command.args(["-shared", "-O1", "-s", "-Wall", "-I", HEADERS, "-o"]).arg(to);
        command.arg(root().join("xtask/src/wine").join(source)).args(options);
        step.run(&mut command).map(drop)
    }

    /// Runs a program on Wine, in the folder.
    fn wine(&self, arguments: &[&str]) -> Result<Output, CommandError> {
        Command::new(WINE)
            .args(arguments)
            .current_dir(&self.folder)
            .env("WINEPREFIX", self.folder.join("prefix"))
            .env("WINEDEBUG", "-all")
            .env_remove("DISPLAY")
            .output()
            .map_err(|error| CommandError::work(format!("{WINE}: {error}")))
    }

    /// Runs a program, which has to end with this exit code; returns what it printed.
    fn expect(&self, code: i32, arguments: &[&str]) -> Result<String, CommandError> {
        let output = self.wine(arguments)?;
        let [printed, error] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        if output.status.code() == Some(code) {
            return Ok(printed);
        }
        let (line, status) = (arguments.join(" "), output.status);
        Err(CommandError::work(format!("{line}: {status}, not {code}\n{printed}{error}")))
    }

    fn play(&self) -> Result<(), CommandError> {
        let run: Vec<&str> = ["ndkhlk.exe", "run", "Flush", "--tap"].into_iter().chain(ENDS).collect();
        // Without the driver nothing can be said.
        contains(&self.expect(2, &run)?, "Bail out! open the harness driver")?;
        self.expect(2, &["ndkhlk.exe", "run", "Nothing"])?;
        contains(&self.expect(0, &["ndkhlk.exe", "list"])?, "AntecedentsFirst")?;
        let image = r"C:\windows\system32\drivers\ndkhlk.sys";
        self.expect(0, &["sc", "create", "ndkhlk", "type=", "kernel", "binPath=", image])?;
        self.expect(0, &["sc", "start", "ndkhlk"])?;
        // There is no NDK behind it, which each of the two cases finds.
        let tap = self.expect(1, &run)?;
        for line in [
            "TAP version 13\n",
            "not ok 1 - Flush at PASSIVE_LEVEL\n",
            "not ok 2 - Flush at DISPATCH_LEVEL\n",
        ] {
            contains(&tap, line)?;
        }
        contains(&tap, "status 0x")?;
        contains(&tap, "1..2\n# 0 passed, 2 failed\n")?;
        let junit = self.folder.join("ndkhlk-run.xml");
        let junit = fs::read_to_string(&junit).map_err(|error| CommandError::file(&junit, &error))?;
        contains(&junit, "tests=\"2\" failures=\"2\"")?;
        contains(&self.expect(2, &["ndkhlk.exe", "run"])?, "two adapters are needed and 0 run")?;
        self.expect(0, &["sc", "stop", "ndkhlk"])?;
        contains(&self.expect(2, &run)?, "Bail out!")?;
        self.wine(&["wineboot", "-k"]).map(drop)
    }
}

fn contains(text: &str, wanted: &str) -> Result<(), CommandError> {
    if text.contains(wanted) {
        return Ok(());
    }
    Err(CommandError::work(format!("{wanted:?} is not in what was printed:\n{text}")))
}

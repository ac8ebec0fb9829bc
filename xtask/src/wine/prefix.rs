//! A Windows of Wine's in a folder.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use crate::{failure::CommandError, step::Step};

/// Wine's loader and its server, where Debian's wine64 puts them.
const WINE: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver64";

/// A Windows of Wine's, and the folder that its programs are run in.
pub(super) struct Prefix {
    prefix: PathBuf,
    folder: PathBuf,
}

/// A program that keeps a Windows running.
pub(super) struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended with its Windows.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Prefix {
    /// Makes a new one below `folder` in place of what is there; programs run in `programs`.
    pub(super) fn new(folder: &Path, programs: &Path) -> Result<Self, CommandError> {
        let made = Self { prefix: folder.join("prefix"), folder: programs.to_owned() };
        if made.prefix.exists() {
            fs::remove_dir_all(&made.prefix).map_err(|error| CommandError::file(&made.prefix, &error))?;
        }
        fs::create_dir_all(&made.prefix).map_err(|error| CommandError::file(&made.prefix, &error))?;
        made.expect(0, &["wineboot", "-i"])?;
        // Rust's library is for Windows 10 and later.
        made.expect(0, &["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"])?;
        Ok(made)
    }

    /// The drive C.
    pub(super) fn drive(&self) -> PathBuf {
        self.prefix.join("drive_c")
    }

    /// The folder of drivers.
    pub(super) fn drivers(&self) -> PathBuf {
        self.drive().join("windows/system32/drivers")
    }

    /// The machine's part of the registry, as text, of a Windows that was [stopped](Self::stop).
    pub(super) fn registry(&self) -> Result<String, CommandError> {
        let file = self.prefix.join("system.reg");
        let bytes = fs::read(&file).map_err(|error| CommandError::file(&file, &error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Shuts Windows down and waits until its registry is written.
    pub(super) fn stop(&self) -> Result<(), CommandError> {
        self.wine(&["wineboot", "-k"])?;
        let mut server = Command::new(SERVER);
        let waited = self.within(server.arg("-w")).status();
        match waited {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(CommandError::work(format!("{SERVER} -w: {status}"))),
            Err(error) => Err(CommandError::work(format!("{SERVER}: {error}"))),
        }
    }

    /// Starts a program that waits for input as long as the result is there. Wine ends services and drivers with the last program,
    /// so that without it each program would meet a Windows that has just been started.
    pub(super) fn stay(&self) -> Result<Session, CommandError> {
        let mut wine = Command::new(WINE);
        let command = self.within(wine.args(["cmd", "/q"])).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut session = Session(command.spawn().map_err(failed)?);
        if let Some(input) = session.0.stdin.as_mut() {
            input.write_all(b"echo here\r\n").map_err(failed)?;
        }
        match wait_for(&mut session.0, "here") {
            Ok(()) => Ok(session),
            Err(printed) => Err(CommandError::work(format!("cmd does not stay:\n{printed}"))),
        }
    }

    fn within<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(&self.folder)
            .env("WINEPREFIX", &self.prefix)
            .env("WINEDEBUG", "-all")
            .env_remove("DISPLAY")
            .stdin(Stdio::null())
    }

    fn wine(&self, arguments: &[&str]) -> Result<Output, CommandError> {
        let mut wine = Command::new(WINE);
        self.within(wine.args(arguments)).output().map_err(failed)
    }

    /// Runs a program, whatever its exit code.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<(), CommandError> {
        self.wine(arguments).map(drop)
    }

    /// Runs a program, which has to end with this exit code; returns what it printed.
    pub(super) fn expect(&self, code: i32, arguments: &[&str]) -> Result<String, CommandError> {
        let output = self.wine(arguments)?;
        let [printed, error] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        if output.status.code() == Some(code) {
            return Ok(printed + &error);
        }
        let (line, status) = (arguments.join(" "), output.status);
        Err(CommandError::work(format!("{line}: {status}, not {code}\n{printed}{error}")))
    }

    /// Runs a program until it prints a line with `wanted` in it, and ends it there.
    pub(super) fn until(&self, wanted: &str, arguments: &[&str]) -> Result<(), CommandError> {
        let mut wine = Command::new(WINE);
        let command = self.within(wine.args(arguments)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let seen = wait_for(&mut child, wanted);
        // It may have ended by itself.
        let _ = child.kill();
        let status = child.wait().map_err(failed)?;
        match seen {
            Ok(()) => Ok(()),
            Err(printed) => {
                let line = arguments.join(" ");
                Err(CommandError::work(format!("{line}: {status} without {wanted:?}\n{printed}")))
            }
        }
    }
}

fn failed(error: std::io::Error) -> CommandError {
    CommandError::work(format!("{WINE}: {error}"))
}

/// Reads lines of a program up to that with `wanted` in it; without one, all that it printed is the error.
fn wait_for(child: &mut Child, wanted: &str) -> Result<(), String> {
    let mut printed = String::new();
    for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
        let Ok(line) = line else { break };
        if line.contains(wanted) {
            return Ok(());
        }
        printed.push_str(&line);
        printed.push('\n');
    }
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut printed);
    }
    Err(printed)
}

/// Starts a step whose name says that Wine does it.
pub(super) fn step(what: &str) -> Step {
    Step::start(format!("Wine: {what}"))
}

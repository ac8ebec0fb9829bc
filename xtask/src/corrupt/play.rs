//! One damaged image in a process of its own.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use fastrand::Rng;
use forked::Limits;
use ntsim::Machine;
use serde::{Deserialize, Serialize};

use super::damage::damage;
use super::layout::Layout;
use crate::{build, failure::CommandError};

/// The limits of a process; a report follows the processor time.
const LIMITS: Limits = Limits { processor_time: 10, idle_timeout: Duration::from_secs(60) };

/// The time after which a machine without progress is reported.
const STILL: Duration = Duration::from_secs(4);

/// The time limit of a DPC.
const DPC: Duration = Duration::from_secs(1);

/// The outcome of a process.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Outcome {
    /// The image was loaded and unloaded.
    Loaded,
    /// The machine found something.
    Found,
    /// It was refused with a sentence.
    Refused,
    /// The machine stopped with a report.
    Stopped,
    /// Anything else, in words.
    Failed(String),
}

/// An image that was played.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Played {
    pub(super) number: u64,
    pub(super) driver: String,
    pub(super) damage: Vec<String>,
    pub(super) outcome: Outcome,
}

/// An intact image.
struct Intact {
    driver: &'static str,
    bytes: Vec<u8>,
    layout: Layout,
}

/// Plays one image after the other. Its process has no other thread when it makes the next.
pub(super) struct Player {
    intact: Vec<Intact>,
    folder: PathBuf,
    said: File,
}

impl Player {
    /// A player of the drivers' images with a folder for itself.
    pub(super) fn new(images: &build::Images, folder: PathBuf) -> Result<Self, CommandError> {
        fs::create_dir_all(&folder).map_err(|error| CommandError::file(&folder, &error))?;
        let mut intact = Vec::new();
        for &driver in build::DRIVERS {
            let path = images.image(driver);
            let bytes = fs::read(&path).map_err(|error| CommandError::file(&path, &error))?;
            // Stacks are told by the names of functions, as ever.
            let symbols = folder.join(format!("{driver}.pdb"));
            let _ = fs::remove_file(&symbols);
            std::os::unix::fs::symlink(path.with_extension("pdb"), &symbols)
                .map_err(|error| CommandError::file(&symbols, &error))?;
            intact.push(Intact { driver, layout: Layout::of(&bytes)?, bytes });
        }
        let path = folder.join("said");
        let said = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let player = Self { intact, folder, said: said.map_err(|error| CommandError::file(&path, &error))? };
        player.read_symbols()?;
        Ok(player)
    }

    /// The path of a driver's damaged images.
    pub(super) fn path(&self, driver: &str) -> PathBuf {
        self.folder.join(format!("{driver}.sys"))
    }

    /// Reads the symbols once, for all the processes that are made from this one.
    fn read_symbols(&self) -> Result<(), CommandError> {
        for Intact { driver, bytes, .. } in &self.intact {
            let path = self.path(driver);
            fs::write(&path, bytes).map_err(|error| CommandError::file(&path, &error))?;
            let machine = Machine::builder().boot();
            machine.load(&path).map_err(|error| CommandError::work(error.to_string()))?.unload();
            machine.shutdown();
        }
        Ok(())
    }

    /// Makes and plays the image with this number.
    pub(super) fn play(&mut self, seed: u64, number: u64) -> Result<Played, CommandError> {
        let mut random = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number);
        let Intact { driver, bytes, layout } = &self.intact[random.usize(..self.intact.len())];
        let (image, damage) = damage(bytes, layout, &mut random);
        let path = self.path(driver);
        fs::write(&path, image).map_err(|error| CommandError::file(&path, &error))?;
        let status = forked::run(&self.said, LIMITS, || load(&path))
            .map_err(|error| CommandError::work(format!("a process: {error}")))?;
        Ok(Played { number, driver: (*driver).to_owned(), damage, outcome: judge(status, &self.said()) })
    }

    /// The last process's output.
    pub(super) fn said(&mut self) -> String {
        let mut text = Vec::new();
        // What can not be read is missed below.
        let _ = self.said.rewind().and_then(|()| self.said.read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Loads and unloads the image; the exit code of the process.
fn load(path: &Path) -> i32 {
    let machine = Machine::builder().hang_timeout(STILL).dpc_limit(DPC).boot();
    match machine.load(path) {
        Ok(driver) => {
            driver.unload();
            let report = machine.shutdown();
            if report.is_clean() {
                0
            } else {
                eprintln!("{report}");
                1
            }
        }
        Err(error) => {
            eprintln!("{error}");
            2
        }
    }
}

/// The outcome of a process, by its status and its output.
fn judge(status: Option<ExitStatus>, said: &str) -> Outcome {
    let failed = |what: &str| Outcome::Failed(format!("{what}\n{}", said.trim_end()));
    let Some(status) = status else { return failed("no end") };
    let Some(code) = status.code() else {
        return failed(&format!("signal {}", status.signal().unwrap_or_default()));
    };
    if said.contains("panicked at") {
        return failed("a panic");
    }
    match code {
        0 => Outcome::Loaded,
        1 => Outcome::Found,
        2 if said.trim().lines().count() == 1 => Outcome::Refused,
        3 if said.contains("*** STOP: 0x") => Outcome::Stopped,
        code => failed(&format!("exit code {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_without_a_sentence_or_a_report_is_bad() {
        let exited = |code: i32| Some(ExitStatus::from_raw(code << 8));
        assert_eq!(judge(exited(2), "softndk.sys: not an x64 driver image\n"), Outcome::Refused);
        assert_eq!(judge(exited(3), "\n*** STOP: 0x7E\n"), Outcome::Stopped);
        for (status, said) in [
            // SIGSEGV.
            (Some(ExitStatus::from_raw(11)), ""),
            (None, "*** STOP: 0x7E"),
            (exited(2), ""),
            (exited(3), "silence"),
            (exited(2), "one\ntwo"),
            (exited(3), "thread 'boot' panicked at\n*** STOP: 0x7E"),
            (exited(101), ""),
        ] {
            assert!(matches!(judge(status, said), Outcome::Failed(_)), "{status:?} {said}");
        }
    }
}

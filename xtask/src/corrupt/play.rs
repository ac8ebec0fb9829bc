//! One damaged image in a process of its own.

#![expect(unsafe_code, reason = "limits, signals and processes are those of the host")]

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use fastrand::Rng;
use ntsim::Machine;
use serde::{Deserialize, Serialize};

use super::damage::damage;
use super::layout::Layout;
use crate::{build, failure::CommandError};

/// The time after which a process that is idle has no end. One that gets some of a busy host's processors goes on.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The number of times that a busy process is waited for.
const WAITS: u32 = 20;

/// The part of the time that a process which is not idle has of a processor, at least.
const BUSY: u32 = 500;

/// The limit of its processor time, in seconds; a report follows.
const PROCESSOR_TIME: u64 = 10;

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
        let status = self.load(&path).map_err(|error| CommandError::work(format!("a process: {error}")))?;
        Ok(Played { number, driver: (*driver).to_owned(), damage, outcome: judge(status, &self.said()) })
    }

    /// The last process's output.
    pub(super) fn said(&mut self) -> String {
        let mut text = Vec::new();
        // What can not be read is missed below.
        let _ = self.said.rewind().and_then(|()| self.said.read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Loads the image at `path` in a process of its own; its status, or `None` if that has no end.
    fn load(&self, path: &std::path::Path) -> io::Result<Option<i32>> {
        self.said.set_len(0)?;
        // SAFETY: this process has one thread, so the copy may do what it likes.
        let child = unsafe { libc::fork() };
        match child {
            -1 => Err(io::Error::last_os_error()),
            0 => in_child(path, &self.said),
            child => wait(child, IDLE_TIMEOUT),
        }
    }
}

/// Loads and unloads the image, and ends the process.
fn in_child(path: &std::path::Path, said: &File) -> ! {
    let limit = |resource, soft, hard| {
        let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
        // SAFETY: the structure is valid.
        unsafe { libc::setrlimit(resource, &raw const limit) };
    };
    limit(libc::RLIMIT_CORE, 0, 0);
    limit(libc::RLIMIT_CPU, PROCESSOR_TIME, 3 * PROCESSOR_TIME);
    for stream in [1, 2] {
        // SAFETY: both are open files of this process.
        unsafe { libc::dup2(said.as_raw_fd(), stream) };
    }
    // SAFETY: the file is open; both streams share its place, which is set back to the beginning.
    unsafe { libc::lseek(2, 0, libc::SEEK_SET) };
    let machine = Machine::builder().hang_timeout(STILL).dpc_limit(DPC).boot();
    let code = match machine.load(path) {
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
    };
    // SAFETY: the process is a copy, in which nothing is to be done at the end.
    unsafe { libc::_exit(code) }
}

/// Waits for the end of a process. One that is idle for as long as `timeout`, or goes on for too long, is killed.
fn wait(child: libc::pid_t, timeout: Duration) -> io::Result<Option<i32>> {
    // SAFETY: the call has no preconditions.
    let handle = unsafe { libc::syscall(libc::SYS_pidfd_open, child, 0) };
    if handle < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nothing else has it.
    let handle = unsafe { OwnedFd::from_raw_fd(handle as i32) };
    let (mut ended, mut used) = (false, processor_time(child));
    for _ in 0..WAITS {
        let mut event = libc::pollfd { fd: handle.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the structure is valid.
        ended = unsafe { libc::poll(&raw mut event, 1, timeout.as_millis() as i32) } > 0;
        let before = core::mem::replace(&mut used, processor_time(child));
        if ended || used.saturating_sub(before) < timeout / BUSY {
            break;
        }
    }
    if !ended {
        // SAFETY: the process is a child of this one that was not waited for yet.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
    let mut status = 0;
    // SAFETY: the status may be written to.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    Ok(ended.then_some(status))
}

/// The processor time that a child that was not waited for has used.
fn processor_time(child: libc::pid_t) -> Duration {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place may be written to.
    if unsafe { libc::clock_getcpuclockid(child, &raw mut clock) } == 0 {
        // SAFETY: as above.
        unsafe { libc::clock_gettime(clock, &raw mut time) };
    }
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The outcome of a process, by its status and its output.
fn judge(status: Option<i32>, said: &str) -> Outcome {
    let failed = |what: &str| Outcome::Failed(format!("{what}\n{}", said.trim_end()));
    let Some(status) = status else { return failed("no end") };
    if !libc::WIFEXITED(status) {
        return failed(&format!("signal {}", libc::WTERMSIG(status)));
    }
    if said.contains("panicked at") {
        return failed("a panic");
    }
    match libc::WEXITSTATUS(status) {
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

    /// Waits for a process that does `body`, and would end then.
    fn waited(body: fn()) -> Option<i32> {
        // SAFETY: the copy calls nothing that another thread of this process may be in.
        match unsafe { libc::fork() } {
            0 => {
                body();
                // SAFETY: the process is a copy, in which nothing is to be done at the end.
                unsafe { libc::_exit(7) }
            }
            child => wait(child, Duration::from_millis(500)).unwrap(),
        }
    }

    #[test]
    fn process_that_is_busy_is_waited_for_and_idle_one_is_killed() {
        let busy = waited(|| {
            let limit = Duration::from_millis(1200);
            // SAFETY: the call has no preconditions.
            while processor_time(unsafe { libc::getpid() }) < limit {}
        });
        assert_eq!(busy, Some(7 << 8));
        // SAFETY: the call has no preconditions.
        assert_eq!(waited(|| unsafe { while libc::pause() == -1 {} }), None);
    }

    #[test]
    fn only_a_sentence_or_a_report_is_a_good_end() {
        let exited = |code: i32| Some(code << 8);
        assert_eq!(judge(exited(2), "softndk.sys: not an x64 driver image\n"), Outcome::Refused);
        assert_eq!(judge(exited(3), "\n*** STOP: 0x7E\n"), Outcome::Stopped);
        for (status, said) in [
            (Some(libc::SIGSEGV), ""),
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

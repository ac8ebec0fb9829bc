//! Runs a function in a copy of the process, with limits on its time, and waits for its end.
//!
//! A copy (fork(2)) is made in a fraction of the time that a new program takes, and has all that this process has read.

#![cfg(not(windows))]
#![allow(clippy::std_instead_of_core, reason = "a tool in user mode")]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

/// The number of times that a busy process is waited for.
const WAITS: u32 = 20;

/// The part of the time that a process which is not idle has of a processor, at least.
const BUSY: u32 = 500;

/// The times for which [`run`] waits for threads of this process that are about to be gone.
const PAUSES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// The limits of a process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Seconds of processor time, after which it gets SIGXCPU, and SIGKILL after three times as many.
    pub processor_time: u64,
    /// The time after which a process that is idle has no end. One that gets some of a busy host's processors goes on.
    pub idle_timeout: Duration,
}

/// Runs `body` in a copy of this process whose output is written to `said` from its beginning, and which ends with the
/// exit code that `body` returns. Returns its status, or `None` if it had no end and was killed.
///
/// # Errors
///
/// The process can't be copied, or has other threads: the copy would have their locks and not them.
#[expect(unsafe_code, reason = "processes are those of the host")]
pub fn run(said: &File, limits: Limits, body: impl FnOnce() -> i32) -> io::Result<Option<ExitStatus>> {
    for pause in 0.. {
        let threads = fs::read_dir("/proc/self/task")?.count();
        if threads == 1 {
            break;
        }
        if pause == PAUSES {
            return Err(io::Error::other(format!("this process has {threads} threads")));
        }
        thread::sleep(PAUSE);
    }
    said.set_len(0)?;
    let in_child = || {
        limit(libc::RLIMIT_CORE, 0, 0);
        limit(libc::RLIMIT_CPU, limits.processor_time, limits.processor_time.saturating_mul(3));
        redirect(said);
        body()
    };
    // SAFETY: this process has one thread, so the copy may do what it likes.
    let child = unsafe { fork(in_child) }?;
    wait(child, limits.idle_timeout)
}

/// Copies this process; the copy ends with what `body` returns.
///
/// # Safety
///
/// `body` takes no lock that another thread of this process may hold.
#[expect(unsafe_code, reason = "processes are those of the host")]
unsafe fn fork(body: impl FnOnce() -> i32) -> io::Result<libc::pid_t> {
    // SAFETY: the caller sees to what the copy does.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let code = body();
            // SAFETY: the process is a copy, in which nothing is to be done at the end.
            unsafe { libc::_exit(code) }
        }
        child => Ok(child),
    }
}

/// Sets a limit of this process.
#[expect(unsafe_code, reason = "limits are those of the host")]
fn limit(resource: libc::__rlimit_resource_t, soft: u64, hard: u64) {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the structure is valid.
    unsafe { libc::setrlimit(resource, &raw const limit) };
}

/// Makes a file the output of this process.
#[expect(unsafe_code, reason = "streams are those of the host")]
fn redirect(said: &File) {
    for stream in [1, 2] {
        // SAFETY: both are open files of this process.
        unsafe { libc::dup2(said.as_raw_fd(), stream) };
    }
    // SAFETY: the file is open; both streams share its place, which is set back to the beginning.
    unsafe { libc::lseek(2, 0, libc::SEEK_SET) };
}

/// Waits for the end of a process. One that is idle for as long as `timeout`, or goes on for too long, is killed.
#[expect(unsafe_code, reason = "processes are those of the host")]
fn wait(child: libc::pid_t, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    // SAFETY: the call has no preconditions.
    let handle = unsafe { libc::syscall(libc::SYS_pidfd_open, child, 0) };
    let handle =
        i32::try_from(handle).ok().filter(|handle| *handle >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the descriptor is new, and nothing else has it.
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    let (mut ended, mut used) = (false, processor_time(child));
    for _ in 0..WAITS {
        let mut event = libc::pollfd { fd: handle.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the structure is valid.
        ended = unsafe { libc::poll(&raw mut event, 1, milliseconds) } > 0;
        let before = core::mem::replace(&mut used, processor_time(child));
        if ended || used.saturating_sub(before) < timeout.checked_div(BUSY).unwrap_or_default() {
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
    Ok(ended.then(|| ExitStatus::from_raw(status)))
}

/// The processor time that a child that was not waited for has used.
#[expect(unsafe_code, reason = "clocks are those of the host")]
fn processor_time(child: libc::pid_t) -> Duration {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place may be written to.
    if unsafe { libc::clock_getcpuclockid(child, &raw mut clock) } == 0 {
        // SAFETY: as above.
        unsafe { libc::clock_gettime(clock, &raw mut time) };
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
#[expect(unsafe_code, reason = "a test copies its process, too")]
mod tests {
    use super::*;

    /// Waits for a process that does `body`, and would end then.
    fn waited(body: fn()) -> Option<i32> {
        let body = || {
            body();
            7
        };
        // SAFETY: the copy calls nothing that another thread of this process may be in.
        let child = unsafe { fork(body) }.unwrap();
        wait(child, Duration::from_millis(500)).unwrap().and_then(|status| status.code())
    }

    #[test]
    fn process_that_is_busy_is_waited_for_and_idle_one_is_killed() {
        let busy = waited(|| {
            let limit = Duration::from_millis(1200);
            // SAFETY: the call has no preconditions.
            while processor_time(unsafe { libc::getpid() }) < limit {}
        });
        assert_eq!(busy, Some(7));
        // SAFETY: the call has no preconditions.
        assert_eq!(waited(|| unsafe { while libc::pause() == -1 {} }), None);
    }

    #[test]
    fn process_with_other_threads_is_not_copied() {
        let said = File::options().write(true).open("/dev/null").unwrap();
        let limits = Limits { processor_time: 1, idle_timeout: Duration::from_secs(1) };
        // The harness's thread is one more than this test's.
        let refused = run(&said, limits, || 0).unwrap_err();
        assert!(refused.to_string().contains("threads"), "{refused}");
    }
}

//! One step of a command: a line that shows what is being done, and in the end how long it took.

use std::{
    io::{self, BufRead, BufReader},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::CommandError;

/// The interval at which the spinner of a running step moves.
const TICK: Duration = Duration::from_millis(120);

/// A step in progress. On a terminal a spinner shows it; elsewhere only its end is printed.
pub(crate) struct Step {
    name: String,
    started: Instant,
    spinner: ProgressBar,
}

/// The exit status of a command, and its output.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// On standard output.
    pub(crate) output: String,
    /// On standard error.
    pub(crate) errors: String,
}

impl Step {
    /// Starts to show the step `name`.
    pub(crate) fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed:.dim} {wide_msg:.dim}") {
            spinner.set_style(style);
        }
        spinner.set_prefix(name.clone());
        spinner.enable_steady_tick(TICK);
        Self { name, started: Instant::now(), spinner }
    }

    /// Ends the step: prints its name and time, and returns the time.
    pub(crate) fn done(self) -> Duration {
        let took = self.started.elapsed();
        self.spinner.finish_and_clear();
        eprintln!("  {:<44} {:>8.1} s", self.name, took.as_secs_f64());
        took
    }

    /// Runs `command` as this step and shows the last line that it writes. Returns its standard output.
    ///
    /// Its output is printed only when it fails.
    pub(crate) fn run(&self, command: &mut Command) -> Result<String, CommandError> {
        self.attempt(command).map_err(|output| {
            self.spinner.finish_and_clear();
            eprintln!("{}", output.trim_end());
            CommandError::work(format!("{}: failed, see above", self.name))
        })
    }

    /// As [`Step::run`], for a command that may fail: what it wrote is the error.
    pub(crate) fn attempt(&self, command: &mut Command) -> Result<String, String> {
        let program = command.get_program().to_string_lossy().into_owned();
        let Ended { status, output, errors } =
            self.watch(command).map_err(|error| format!("{program}: {error}"))?;
        if status.success() { Ok(output) } else { Err(format!("{output}{errors}{program}: {status}")) }
    }

    /// Runs `command` as this step and shows the last line that it writes, however it ends.
    pub(crate) fn watch(&self, command: &mut Command) -> io::Result<Ended> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (output, errors) = std::thread::scope(|scope| {
            let output = scope.spawn(|| self.follow(stdout));
            let errors = self.follow(stderr);
            (output.join().unwrap_or_default(), errors)
        });
        Ok(Ended { status: child.wait()?, output, errors })
    }

    /// Reads a stream to its end, showing each line as it comes.
    fn follow(&self, stream: Option<impl std::io::Read>) -> String {
        let mut text = String::new();
        let Some(stream) = stream else { return text };
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let shown = String::from_utf8_lossy(&line);
            // Messages for machines are not for people to watch.
            if !shown.starts_with('{') {
                self.spinner.set_message(shown.trim().to_owned());
            }
            text.push_str(&shown);
            line.clear();
        }
        text
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn command_returns_what_it_prints() {
        assert_eq!(Step::start("test").attempt(&mut shell("echo out; echo err >&2")).unwrap(), "out\n");
    }

    #[test]
    fn command_that_fails_yields_all_that_it_wrote() {
        let output = Step::start("test").attempt(&mut shell("echo out; echo err >&2; exit 3")).unwrap_err();
        assert!(output.starts_with("out\nerr\n"), "{output}");
    }

    #[test]
    fn program_that_does_not_exist_is_named() {
        let error = Step::start("test").attempt(&mut Command::new("/no/such/program")).unwrap_err();
        assert!(error.contains("/no/such/program"), "{error}");
    }
}

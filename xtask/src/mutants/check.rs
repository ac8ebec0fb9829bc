//! Building what checks need, and running them.

use std::{
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde::Deserialize;
use wait_timeout::ChildExt;

use super::{
    patch::{Check, Layer},
    tree::Tree,
};
use crate::{
    build::Site,
    failure::CommandError,
    root,
    step::Step,
    toolchain::{Compiler, cargo},
};

/// The time limit of a check; the simulator gives a machine that hangs up after a minute.
const CHECK_TIMEOUT: Duration = Duration::from_secs(150);

/// The result of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Passed,
    /// The finding: the first line that has it.
    Found(String),
    /// Something else: its first words.
    Failed(String),
}

impl Verdict {
    /// In words.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Passed => "found nothing",
            Self::Found(line) | Self::Failed(line) => line,
        }
    }
}

/// Builds and runs checks on one tree.
pub(super) struct CheckRunner<'t> {
    tree: &'t Tree,
    compiler: Compiler,
    drivers: Site,
}

impl<'t> CheckRunner<'t> {
    pub(super) fn new(tree: &'t Tree, compiler: Compiler) -> Self {
        let drivers =
            Site { tree: tree.root().to_owned(), target: target("kit"), images: target("images"), wdk: None };
        Self { tree, compiler, drivers }
    }

    /// Builds what the checks test. The inner error is what the compiler says.
    pub(super) fn build<'c>(
        &self,
        step: &Step,
        checks: impl IntoIterator<Item = &'c Check>,
    ) -> Result<Result<(), String>, CommandError> {
        let checks: Vec<&Check> = checks.into_iter().collect();
        if checks.iter().any(|check| matches!(check.layer, Layer::Image { .. } | Layer::Explore { .. })) {
            if let Err(output) = self.drivers.compile(self.compiler, step)? {
                return Ok(Err(does_not_compile(&output)));
            }
            self.drivers.deliver(self.compiler)?;
        }
        for check in checks.into_iter().filter(|check| !matches!(check.layer, Layer::Explore { .. })) {
            if let Err(output) = self.program(step, check)? {
                return Ok(Err(does_not_compile(&output)));
            }
        }
        Ok(Ok(()))
    }

    /// Runs a check, which was built.
    pub(super) fn run(&self, step: &Step, check: &Check) -> Result<Verdict, CommandError> {
        if let Layer::Explore { seeds } = check.layer {
            return self.explore(&check.test, seeds, &check.finding);
        }
        let program = self.program(step, check)?.map_err(CommandError::Work)?;
        let mut command = Command::new(program);
        command.args(["--exact", &check.test, "--test-threads=1", "--nocapture"]);
        command.current_dir(self.tree.root()).env("SOFTNDK_IMAGES", &self.drivers.images);
        let (succeeded, output) = within(CHECK_TIMEOUT, &mut command)?;
        if !succeeded {
            return Ok(judge(&output, &check.finding));
        }
        if output.contains("test result: ok. 1 passed") {
            return Ok(Verdict::Passed);
        }
        Err(CommandError::work(format!("{check}: there is no such test")))
    }

    /// Plays seeds of a scenario with the arguments that explore has by default.
    fn explore(&self, scenario: &str, seeds: u64, finding: &str) -> Result<Verdict, CommandError> {
        let tool = std::env::current_exe().map_err(|error| CommandError::work(error.to_string()))?;
        let mut command = Command::new(tool);
        command.args(["explore", "--from", "1", "--scenario", scenario, "--seeds", &seeds.to_string()]);
        command.arg("--images").arg(&self.drivers.images);
        let (succeeded, output) = within(CHECK_TIMEOUT, &mut command)?;
        Ok(if succeeded { Verdict::Passed } else { judge(&output, finding) })
    }

    /// The test program of a check, up to date. The inner error is what the compiler says.
    fn program(&self, step: &Step, check: &Check) -> Result<Result<PathBuf, String>, CommandError> {
        let mut command = cargo();
        command.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
        match &check.layer {
            Layer::Unit { package } => {
                command.current_dir(self.tree.root()).args(["--package", package, "--lib"]);
                command.arg("--target-dir").arg(target("host"));
            }
            Layer::Loom => {
                command.current_dir(self.tree.root()).args([
                    "--package",
                    "softndk-provider",
                    "--lib",
                    "--release",
                ]);
                command.env("RUSTFLAGS", "--cfg loom").arg("--target-dir").arg(target("loom"));
            }
            // Played by this program itself.
            Layer::Explore { .. } => return Ok(Err(format!("{check} has no test program"))),
            // The test is the repository's own; only the images that it boots are not.
            Layer::Image { target } => {
                command.args(["--release", "--package", "softndk", "--test", target]);
            }
        }
        match step.attempt(&mut command) {
            Err(output) => Ok(Err(output)),
            Ok(messages) => executable(&messages)
                .map(Ok)
                .ok_or_else(|| CommandError::work(format!("{check}: cargo names no test program"))),
        }
    }
}

/// A folder for what is built.
fn target(name: &str) -> PathBuf {
    root().join("target/mutants").join(name)
}

/// One of cargo's messages.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
}

/// The last program that cargo says it has built.
fn executable(messages: &str) -> Option<PathBuf> {
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()).rev();
    messages.find_map(|message| message.executable)
}

/// The compiler's first error.
fn does_not_compile(output: &str) -> String {
    let error = output.lines().find(|line| line.starts_with("error")).unwrap_or_default();
    format!("does not compile: {error}")
}

/// Runs a program, but not for longer than `timeout`. Whether it succeeded, and all that it wrote.
fn within(timeout: Duration, command: &mut Command) -> Result<(bool, String), CommandError> {
    let failed = |error: std::io::Error| CommandError::work(format!("a check can't be run: {error}"));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let readers = [read(child.stdout.take()), read(child.stderr.take())];
    let ended = child.wait_timeout(timeout).map_err(failed)?;
    if ended.is_none() {
        child.kill().and_then(|()| child.wait()).map_err(failed)?;
    }
    let mut output: String =
        readers.into_iter().map(|reader| reader.join().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    if ended.is_none() {
        output.push_str(&format!("\nthe check did not end within {} s", timeout.as_secs()));
    }
    Ok((ended.is_some_and(|status| status.success()), output))
}

/// Reads a stream to its end, in a thread of its own.
fn read(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What can't be read was not said.
        let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The result of a check that failed.
fn judge(output: &str, finding: &str) -> Verdict {
    if let Some(line) = output.lines().find(|line| line.contains(finding)) {
        return Verdict::Found(line.trim().to_owned());
    }
    let panicked = output.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
    let last = output.lines().rfind(|line| !line.trim().is_empty());
    Verdict::Failed(panicked.or(last).unwrap_or("said nothing").trim().to_owned())
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
    fn check_that_says_something_else_has_not_found_it() {
        let output = "running 1 test\nthread panicked at x.rs:1:\n  NdkA: text\nmore\n";
        assert_eq!(judge(output, "NdkA"), Verdict::Found("NdkA: text".to_owned()));
        assert_eq!(judge(output, "NdkB"), Verdict::Failed("NdkA: text".to_owned()));
        assert_eq!(judge("killed\n", "NdkB"), Verdict::Failed("killed".to_owned()));
    }

    #[test]
    fn program_is_given_up_when_it_takes_too_long() {
        let (succeeded, output) =
            within(Duration::from_millis(50), &mut shell("echo begun; exec sleep 60")).unwrap();
        assert!(!succeeded && output.contains("begun") && output.contains("did not end"), "{output}");
    }

    #[test]
    fn output_of_a_program_is_kept_whole() {
        let written = within(CHECK_TIMEOUT, &mut shell("echo out; echo err >&2; exit 1")).unwrap();
        assert_eq!(written, (false, "out\n\nerr\n".to_owned()));
        assert!(within(CHECK_TIMEOUT, &mut shell("true")).unwrap().0);
    }

    #[test]
    fn test_program_is_the_last_that_cargo_names() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/a/b\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("/a/b")));
        assert_eq!(executable("no message"), None);
    }

    #[test]
    fn first_error_of_the_compiler_is_told() {
        assert_eq!(
            does_not_compile("warning: x\nerror[E1]: y\nerror: z\n"),
            "does not compile: error[E1]: y"
        );
    }
}

//! The two commands, as processes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

/// The most that a side takes to say something.
const SOON: Duration = Duration::from_secs(60);

/// The folder with the built drivers.
pub(crate) fn images() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/softndk")
}

/// So many bytes that look like nothing, and repeat nowhere.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length as u64);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

/// The lines of a side on standard error.
#[derive(Default)]
struct Said {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Said {
    /// Waits until the lines say so, or there are no more.
    fn wait(&self, until: impl Fn(&[String]) -> bool) -> Vec<String> {
        let lines = self.lines.lock().expect("no thread panics");
        let waited = self.more.wait_timeout_while(lines, SOON, |(lines, over)| !*over && !until(lines));
        waited.expect("no thread panics").0.0.clone()
    }
}

/// A process.
pub(crate) struct Side {
    child: Child,
    folder: TempDir,
    said: Arc<Said>,
    errors: JoinHandle<()>,
    output: JoinHandle<String>,
}

/// The outcome of a process.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: Vec<String>,
    folder: TempDir,
}

impl Ended {
    /// The contents of a file that it has kept.
    pub(crate) fn kept(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.path().join(name)).ok()
    }

    /// The names in its folder.
    pub(crate) fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("it is there");
        entries
            .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
            .collect()
    }
}

impl Side {
    fn start(arguments: &[&str], folder: TempDir) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(arguments)
            .args(["--images", images()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is there");
        let (mut output, errors) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let said = Arc::<Said>::default();
        let shared = Arc::clone(&said);
        let errors = thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                shared.lines.lock().expect("no thread panics").0.push(line);
                shared.more.notify_all();
            }
            shared.lines.lock().expect("no thread panics").1 = true;
            shared.more.notify_all();
        });
        let output = thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).expect("it is text");
            text
        });
        Self { child, folder, said, errors, output }
    }

    /// A side that connects.
    pub(crate) fn connecting(at: &str, file: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        Self::start(&[&["connect", at, file], more].concat(), folder)
    }

    /// The address at which it listens.
    #[track_caller]
    pub(crate) fn at(&self) -> SocketAddr {
        let listens = |line: &String| line.strip_prefix("listening on ")?.parse().ok();
        let lines = self.said.wait(|lines| lines.iter().any(|line| listens(line).is_some()));
        lines.iter().find_map(listens).unwrap_or_else(|| panic!("it does not listen: {lines:?}"))
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for a line.
    #[track_caller]
    pub(crate) fn wait_for(&self, line: &str) {
        let lines = self.said.wait(|lines| lines.iter().any(|said| said == line));
        assert!(lines.iter().any(|said| said == line), "{line}: {lines:?}");
    }

    /// Waits until so many lines have some words.
    #[track_caller]
    pub(crate) fn wait_for_count(&self, words: &str, count: usize) {
        let counted = |lines: &[String]| lines.iter().filter(|line| line.contains(words)).count();
        let lines = self.said.wait(|lines| counted(lines) >= count);
        assert!(counted(&lines) >= count, "{words}: {lines:?}");
    }

    /// The number of lines that have some words.
    pub(crate) fn count(&self, words: &str) -> usize {
        self.said.wait(|_| true).iter().filter(|line| line.contains(words)).count()
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Ended {
        let Self { mut child, folder, said, errors, output } = self;
        let output = output.join().expect("it does not panic");
        errors.join().expect("it does not panic");
        let code = child.wait().expect("it was started").code();
        Ended { code, output, errors: said.wait(|_| true), folder }
    }
}

/// A side that listens; its files go to a folder of its own unless the arguments name one.
pub(crate) fn serve(at: &str, more: &[&str]) -> Side {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().to_str().expect("it is text").to_owned();
    let own: &[&str] = if more.contains(&"--dir") { &[] } else { &["--dir", &path] };
    Side::start(&[&["serve", "--at", at], own, more].concat(), folder)
}

/// A side that connects, to its end.
pub(crate) fn connect(at: &str, file: &str, more: &[&str]) -> Ended {
    Side::connecting(at, file, more).end()
}

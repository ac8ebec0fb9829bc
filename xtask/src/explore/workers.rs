//! The worker processes, as seen from the one that gives them tasks.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, io};

use runner::Images;
use runner::explore::Play;

use super::selection::Scenario;
use super::worker::{Outcome, Request, outcome};
use crate::failure::CommandError;

/// The time limit of a play: a thousand times what it usually takes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Plays after which a worker is replaced: a machine that is over leaves some memory behind.
const SHIFT: usize = 2000;

/// One play, with how many events are to be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) play: Play<Scenario>,
    pub(super) traced: usize,
}

/// A play and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) play: Play<Scenario>,
    pub(super) outcome: Outcome,
}

impl Answer {
    /// Returns whether something was found.
    pub(super) fn failed(&self) -> bool {
        !self.outcome.findings.is_empty()
    }
}

/// The images that are played, and how.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) images: &'a Images,
    /// The minidump of the first crash, hang or finding.
    pub(super) dump: Option<&'a Path>,
    /// Set if there are no workers: this process plays.
    pub(super) in_process: bool,
}

/// Lets workers play the tasks, one worker per processor of the host, until all are played or `enough`
/// have failed. `seen` gets every answer as it comes; they are returned in the order of the tasks.
pub(super) fn play_all(
    stage: &Stage<'_>,
    tasks: &[Task],
    enough: usize,
    seen: impl Fn(&Answer) + Sync,
) -> Result<Vec<Answer>, CommandError> {
    if stage.in_process {
        let played = tasks.iter().map(|task| {
            let answer = Answer { play: task.play, outcome: outcome(task.play, stage.images, task.traced) };
            seen(&answer);
            answer
        });
        return Ok(played.collect());
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let answers: Mutex<Vec<(usize, Answer)>> = Mutex::default();
    let work = || -> io::Result<()> {
        let mut worker = Worker::start(stage)?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(number) else { return Ok(()) };
            if failed.load(Ordering::Relaxed) >= enough {
                return Ok(());
            }
            let outcome = match worker.play(*task) {
                Ok(outcome) => outcome,
                Err(end) => {
                    worker = Worker::start(stage)?;
                    Outcome { findings: vec![end], ..Outcome::default() }
                }
            };
            if worker.played >= SHIFT {
                worker = Worker::start(stage)?;
            }
            let answer = Answer { play: task.play, outcome };
            failed.fetch_add(usize::from(answer.failed()), Ordering::Relaxed);
            seen(&answer);
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((number, answer));
        }
    };
    let count = thread::available_parallelism().map_or(1, usize::from).min(tasks.len());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        let ends = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a worker's thread ended"))));
        ends.collect::<Vec<_>>().into_iter().collect::<io::Result<()>>()
    })
    .map_err(|error| CommandError::work(format!("a worker: {error}")))?;
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// A process that plays.
struct Worker {
    child: Child,
    tasks: Option<ChildStdin>,
    answers: Receiver<String>,
    errors: Option<JoinHandle<String>>,
    played: usize,
}

impl Worker {
    fn start(stage: &Stage<'_>) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("explore-worker").args([&stage.images.softndk, &stage.images.ndkhlk]);
        if let Some(dump) = stage.dump {
            command.arg("--dump").arg(dump);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (send, answers) = mpsc::channel();
        let output = child.stdout.take();
        thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            lines.map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let errors = child.stderr.take().map(|mut errors| {
            thread::spawn(move || {
                let mut text = Vec::new();
                // What a process says at its end counts, however that end comes about.
                let _ = errors.read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        Ok(Self { tasks: child.stdin.take(), child, answers, errors, played: 0 })
    }

    /// Lets the process play a task. The error says how the process ended instead.
    fn play(&mut self, task: Task) -> Result<Outcome, String> {
        self.played += 1;
        let request = serde_json::to_string(&Request::new(task.play, task.traced)).unwrap_or_default();
        if let Some(tasks) = &mut self.tasks {
            // If the process is gone, there is no answer, either.
            let _ = writeln!(tasks, "{request}");
        }
        match self.answers.recv_timeout(ANSWER_TIMEOUT) {
            Ok(answer) => {
                serde_json::from_str(&answer).map_err(|error| format!("a worker answered {answer}: {error}"))
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                Err(format!("no end and no finding in {} s; {}", ANSWER_TIMEOUT.as_secs(), self.last_words()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.last_words()),
        }
    }

    /// The exit status of the process, and its last output.
    fn last_words(&mut self) -> String {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let said = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        format!("the machine stopped ({status})\n{}", said.trim())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its input ends it; one that does not look at it any more was killed.
        self.tasks = None;
        let _ = self.child.wait();
    }
}

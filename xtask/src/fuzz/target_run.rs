//! One run of one target.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    instrument::Programs,
    statistics::{Finding, Statistics},
    target::Target,
};
use crate::{failure::CommandError, step::Step};

/// The longest input that is tried.
const LONGEST: usize = 4096;

/// The time after which one input is a finding, in seconds. No input has taken one so far.
const SLOW: u32 = 30;

/// The number of inputs that are made up for a target without any in the repository.
const SEEDS: usize = 64;

/// The limit of a run that finds nothing.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    /// Time, in seconds.
    Seconds(u32),
    /// A number of executions, whose choices come from a seed.
    Executions { count: u32, seed: u32 },
}

/// The result of a run.
pub(super) struct Outcome {
    pub(super) statistics: Statistics,
    /// Inputs that the corpus had none like.
    pub(super) new_inputs: usize,
    pub(super) finding: Option<Finding>,
}

/// A target, and where its runs leave what they learn.
pub(super) struct TargetRun<'a> {
    target: &'a Target,
    programs: &'a Programs,
    folder: PathBuf,
}

impl<'a> TargetRun<'a> {
    /// One that goes on from what earlier runs left in `folder`.
    pub(super) fn new(target: &'a Target, programs: &'a Programs, folder: PathBuf) -> Self {
        Self { target, programs, folder }
    }

    /// One that begins anew.
    pub(super) fn anew(
        target: &'a Target,
        programs: &'a Programs,
        folder: PathBuf,
    ) -> Result<Self, CommandError> {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CommandError::file(&folder, &error)),
            _ => Ok(Self::new(target, programs, folder)),
        }
    }

    /// Runs the target until the limit is reached or it finds something.
    pub(super) fn run(&self, limit: Limit, step: &Step) -> Result<Outcome, CommandError> {
        let [corpus, findings] = ["corpus", "findings"].map(|name| self.folder.join(name));
        for folder in [&corpus, &findings] {
            fs::create_dir_all(folder).map_err(|error| CommandError::file(folder, &error))?;
        }
        let seeds = match &self.target.corpus {
            Some(seeds) => seeds.clone(),
            None => made_up(self.folder.join("seeds"))?,
        };
        let before = count(&corpus)?;
        let mut command = self.programs.command(self.target);
        command.args([format!("-max_len={LONGEST}"), format!("-timeout={SLOW}")]);
        command.arg("-print_final_stats=1").arg(format!("-artifact_prefix={}/", findings.display()));
        limit.apply(&mut command);
        command.arg(&corpus).arg(&seeds);
        let ended = step
            .watch(&mut command)
            .map_err(|error| CommandError::work(format!("{}: {error}", self.target.name)))?;
        let finding = if ended.status.success() { None } else { Some(Finding::read(&ended.errors)) };
        if let Some(finding) = finding.as_ref().filter(|finding| finding.file.is_none()) {
            eprintln!("{}", ended.errors.trim_end());
            return Err(CommandError::work(format!("{}: {}, see above", self.target.name, finding.what)));
        }
        let new_inputs = count(&corpus)?.saturating_sub(before);
        Ok(Outcome { statistics: Statistics::read(&ended.errors), new_inputs, finding })
    }
}

impl Limit {
    fn apply(self, command: &mut Command) {
        match self {
            Self::Seconds(seconds) => {
                command.arg(format!("-max_total_time={seconds}"));
            }
            Self::Executions { count, seed } => {
                command.args([format!("-runs={count}"), format!("-seed={seed}")]);
                // To look for leaks it has to stop its own threads as a debugger does, which not every
                // place where tests run allows.
                command.env("ASAN_OPTIONS", "detect_leaks=0");
            }
        }
    }
}

/// Writes inputs of every length to `folder`, each time the same. Where bytes are read as calls, any do; what
/// libFuzzer would begin with is too short to get anywhere.
fn made_up(folder: PathBuf) -> Result<PathBuf, CommandError> {
    fs::create_dir_all(&folder).map_err(|error| CommandError::file(&folder, &error))?;
    let mut random = fastrand::Rng::with_seed(1);
    for number in 1..=SEEDS {
        let mut input = vec![0; LONGEST * number / SEEDS];
        random.fill(&mut input);
        let path = folder.join(format!("{number:02}"));
        fs::write(&path, input).map_err(|error| CommandError::file(&path, &error))?;
    }
    Ok(folder)
}

/// The number of files in a folder.
fn count(folder: &Path) -> Result<usize, CommandError> {
    fs::read_dir(folder).map(Iterator::count).map_err(|error| CommandError::file(folder, &error))
}

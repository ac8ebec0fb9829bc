//! The processes among which the images are shared out, one per processor of the host.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::{env, fs, thread};

use super::WorkerOptions;
use super::play::{Outcome, Played, Player};
use crate::{build, failure::CommandError};

/// Plays the images with the numbers that are asked for, and writes a line of JSON for each.
pub(crate) fn work(options: &WorkerOptions) -> Result<(), CommandError> {
    let folder = options.softndk.parent().map(Path::to_owned).unwrap_or_default();
    let mut player = Player::new(&build::Images { folder }, options.folder.clone())?;
    let mut output = std::io::stdout().lock();
    for number in (options.first..options.end).step_by(options.step as usize) {
        let played = player.play(options.seed, number)?;
        if matches!(played.outcome, Outcome::Failed(_)) {
            let kept = options.folder.join(format!("{number}-{}.sys", played.driver));
            fs::copy(player.path(&played.driver), &kept)
                .map_err(|error| CommandError::file(&kept, &error))?;
        }
        let line = serde_json::to_string(&played)
            .map_err(|error| CommandError::work(format!("a worker: {error}")))?;
        writeln!(output, "{line}").map_err(|error| CommandError::work(format!("a worker: {error}")))?;
    }
    Ok(())
}

/// Lets workers play the images from 0 up to `count`, and hands over each as it comes.
pub(super) fn play_all(
    images: &build::Images,
    folder: &Path,
    seed: u64,
    count: u64,
    mut seen: impl FnMut(Played),
) -> Result<(), CommandError> {
    let failed = |error: &dyn core::fmt::Display| CommandError::work(format!("a worker: {error}"));
    let workers = thread::available_parallelism().map_or(1, |number| number.get() as u64).min(count);
    let (sender, answers) = mpsc::channel();
    let mut children: Vec<Child> = Vec::new();
    for first in 0..workers {
        let mut child = Command::new(env::current_exe().map_err(|error| failed(&error))?)
            .arg("corrupt-worker")
            .args([&images.image("softndk"), &images.image("ndkhlk"), &folder.join(first.to_string())])
            .args([seed, first, workers, count].map(|number| number.to_string()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let (output, sender) = (child.stdout.take(), sender.clone());
        thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        children.push(child);
    }
    drop(sender);
    let mut left = count;
    for line in answers {
        seen(serde_json::from_str(&line).map_err(|error| failed(&error))?);
        left -= 1;
    }
    for mut child in children {
        child.wait().map_err(|error| failed(&error))?;
    }
    if left == 0 { Ok(()) } else { Err(failed(&format_args!("{left} images were not played"))) }
}

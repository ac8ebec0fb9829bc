//! `cargo xtask corrupt`: gives the simulator's loader damaged images of the drivers, each in a process of its own.
//!
//! Whatever is in a file, the process has to end with a sentence that says why it is no driver image (exit code
//! 2), or with a report in Windows' terms (3), or the image loads: what is damaged is then not looked at, or the
//! machine finds it (1). A signal, a panic, an end without a word and no end at all are failures.

mod damage;
mod layout;
mod play;
mod report;
mod worker;

use std::fs;
use std::path::PathBuf;

use self::play::Outcome;
use self::report::Report;
pub(crate) use self::worker::work;
use crate::{build, failure::CommandError, root, step::Step};

/// The number of images that the tests play.
const SMOKE: u64 = 400;

/// The number of images to damage, and the first seed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Number of images to make and load.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// The seed from which each image's damage follows, with its number.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Play the one image with this number, keep it, and show what its process says.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["count", "json"])]
    replay: Option<u64>,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// The images that a worker process plays.
#[derive(clap::Args)]
pub(crate) struct WorkerOptions {
    softndk: PathBuf,
    ndkhlk: PathBuf,
    /// The folder that the process has for itself.
    folder: PathBuf,
    seed: u64,
    /// The first number, what lies between two, and where they end.
    first: u64,
    step: u64,
    end: u64,
}

/// Builds the drivers, damages and loads their images.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    let images = build::build()?;
    if let Some(number) = options.replay {
        return replay(&images, options.seed, number);
    }
    let report = play_all(&images, options.seed, options.count)?;
    report.print(options.json)
}

/// Plays a few images; the tests do.
pub(crate) fn smoke(images: &build::Images) -> Result<(), CommandError> {
    play_all(images, 1, SMOKE)?.verdict()
}

fn play_all(images: &build::Images, seed: u64, count: u64) -> Result<Report, CommandError> {
    let step = Step::start("damaged images");
    let mut report = Report::new(seed, count);
    worker::play_all(images, &folder(), seed, count, |played| report.add(played))?;
    report.took(step.done());
    Ok(report)
}

/// Plays one image and shows all of it.
fn replay(images: &build::Images, seed: u64, number: u64) -> Result<(), CommandError> {
    let folder = folder().join("replay");
    fs::create_dir_all(&folder).map_err(|error| CommandError::file(&folder, &error))?;
    let mut player = play::Player::new(images, folder)?;
    let played = player.play(seed, number)?;
    println!("{}: {}", player.path(&played.driver).display(), played.damage.join("; "));
    print!("{}", player.said());
    match played.outcome {
        Outcome::Failed(what) => Err(CommandError::work(what)),
        outcome => {
            println!("{outcome:?}");
            Ok(())
        }
    }
}

/// The folder of this command.
fn folder() -> PathBuf {
    root().join("target/corrupt")
}

//! `cargo xtask check`: the checks of an image, for the driver of any author.

use std::{fs, path::PathBuf};

use crate::{
    build,
    failure::CommandError,
    image::{self, Exports},
    root,
};

/// The images to check.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The images.
    #[arg(required = true, value_name = "FILE.sys")]
    images: Vec<PathBuf>,
    /// Print the violations as JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// Checks each image, and prints what Windows would refuse or what is unsafe there.
///
/// # Errors
///
/// With exit code 1 where a rule is violated, 2 where a file can't be read.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    build::provide()?;
    let exports = Exports::read(&root().join("kit/lib"))?;
    let mut all = Vec::new();
    for path in &options.images {
        let bytes =
            fs::read(path).map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))?;
        let violations = image::violations(&bytes, &exports);
        all.push((path.display().to_string(), violations));
    }
    if options.json {
        let text = serde_json::to_string_pretty(&all)
            .map_err(|error| CommandError::work(format!("the violations as JSON: {error}")))?;
        println!("{text}");
    } else {
        for (path, violations) in &all {
            println!("{path}: {}", if violations.is_empty() { "keeps every rule" } else { "violates" });
            violations.iter().for_each(|violation| println!("  {violation}"));
        }
    }
    match all.iter().filter(|(_, violations)| !violations.is_empty()).count() {
        0 => Ok(()),
        count => {
            Err(CommandError::work(format!("{count} of {} images would not serve on Windows", all.len())))
        }
    }
}

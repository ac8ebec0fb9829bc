//! `cargo xtask mutants`: plants known mistakes, one at a time, and sees whether each is caught.
//!
//! A mistake is a patch under tests/mutants, whose header says what must catch it (see `patch`). For each,
//! the tracked files are copied to a tree of its own below target/, the patch is applied there, what the
//! checks need is built, and the checks are run. A check has caught the mistake only if it fails *and* says
//! what the header says it must find; before any of that, all checks must have passed on the tree without a
//! patch. Tree and targets stay, so that a second run builds only what a patch changes.

mod check;
mod every;
mod patch;
mod report;
mod tree;

use std::{collections::BTreeSet, time::Instant};

use self::{
    check::{CheckRunner, Verdict},
    patch::{Check, Mutant},
    report::{MutantResult, Report, Row},
    tree::Tree,
};
use crate::{build, failure::CommandError, step::Step};

/// The folder of the patches, from the root.
const FOLDER: &str = "tests/mutants";

/// The mistakes to plant.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Names of mutants, or beginnings of names; without any, all of them.
    names: Vec<String>,
    /// Instead of these, every small change that cargo-mutants makes to the code that closes.
    #[arg(long, conflicts_with_all = ["names", "json"])]
    all: bool,
    /// With --all, only this part of the changes, the Kth of N from 0: it can be stopped and run again.
    #[arg(long, value_name = "K/N", requires = "all")]
    shard: Option<every::Shard>,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// Plants each mistake that is asked for. Succeeds if all of them are caught.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    if options.all {
        return every::run(options.shard);
    }
    let started = Instant::now();
    let mutants = chosen(Mutant::all(&crate::root().join(FOLDER))?, &options.names)?;
    let compiler = build::provide()?;
    let tree = Tree::below_target();
    let runner = CheckRunner::new(&tree, compiler);
    if !tree.exists() {
        eprintln!("The first run builds everything once more, which takes about six minutes on two cores.");
    }
    tree.refresh()?;
    baseline(&runner, &mutants)?;
    let mut report = Report::default();
    for mutant in &mutants {
        report.add(plant(&tree, &runner, mutant)?);
    }
    tree.refresh()?;
    report.print(started.elapsed(), options.json)
}

/// The mutants whose names begin with one of `names`.
fn chosen(mutants: Vec<Mutant>, names: &[String]) -> Result<Vec<Mutant>, CommandError> {
    if let Some(unknown) =
        names.iter().find(|name| !mutants.iter().any(|mutant| mutant.name.starts_with(*name)))
    {
        return Err(CommandError::Usage(format!("{unknown}: no such mutant in {FOLDER}")));
    }
    let wanted = |mutant: &Mutant| names.is_empty() || names.iter().any(|name| mutant.name.starts_with(name));
    Ok(mutants.into_iter().filter(wanted).collect())
}

/// Every check passes as long as nothing is planted.
fn baseline(runner: &CheckRunner<'_>, mutants: &[Mutant]) -> Result<(), CommandError> {
    let step = Step::start("without a mutant");
    let checks: BTreeSet<&Check> = mutants.iter().flat_map(|mutant| &mutant.checks).collect();
    runner.build(&step, checks.iter().copied())?.map_err(CommandError::Work)?;
    for check in checks {
        let verdict = runner.run(&step, check)?;
        if verdict != Verdict::Passed {
            let said = verdict.text();
            return Err(CommandError::work(format!("without a mutant, {check} does not pass: {said}")));
        }
    }
    step.done();
    Ok(())
}

/// Plants one mistake and runs its checks.
fn plant(tree: &Tree, runner: &CheckRunner<'_>, mutant: &Mutant) -> Result<Row, CommandError> {
    let step = Step::start(mutant.name.clone());
    tree.refresh()?;
    let result = match tree.apply(&mutant.path) {
        Err(reason) => MutantResult::Error(format!("the patch does not apply: {reason}")),
        Ok(()) => match runner.build(&step, &mutant.checks)? {
            Err(reason) => MutantResult::Error(reason),
            Ok(()) => {
                let ran =
                    mutant.checks.iter().map(|check| Ok((check.to_string(), runner.run(&step, check)?)));
                MutantResult::Checked(ran.collect::<Result<_, CommandError>>()?)
            }
        },
    };
    step.done();
    Ok(Row::new(mutant, result))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants() -> Vec<Mutant> {
        Mutant::all(&crate::root().join(FOLDER)).unwrap()
    }

    #[test]
    fn every_patch_has_a_header_and_applies() {
        let tree = Tree::at(crate::root().to_owned());
        for mutant in mutants() {
            assert_eq!(tree.would_apply(&mutant.path), Ok(()), "{}", mutant.name);
        }
    }

    #[test]
    fn check_names_an_existing_test_or_scenario() {
        let listed = std::process::Command::new("git").arg("ls-files").current_dir(crate::root()).output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        let sources = listed.lines().filter(|file| file.ends_with(".rs"));
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let words: BTreeSet<String> = sources
            .flat_map(|file| {
                let text = std::fs::read_to_string(crate::root().join(file)).unwrap_or_default();
                text.split(|c| !part(c)).map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        for mutant in mutants() {
            for check in &mutant.checks {
                let exists = match check.layer {
                    patch::Layer::Explore { .. } => crate::explore::is_scenario(&check.test),
                    _ => check.test.split("::").all(|name| words.contains(name)),
                };
                assert!(exists, "{}: {check}", mutant.name);
            }
        }
    }

    #[test]
    fn every_behaviour_has_a_mutant() {
        let behaviours: BTreeSet<u8> = mutants().iter().map(|mutant| mutant.behaviour).collect();
        assert_eq!(behaviours, (1..=11).collect());
    }

    #[test]
    fn mutant_is_named_by_the_beginning_of_its_name() {
        let all = mutants().len();
        assert_eq!(chosen(mutants(), &[]).unwrap().len(), all);
        let one = chosen(mutants(), &["01".to_owned()]).unwrap();
        assert!(!one.is_empty() && one.iter().all(|mutant| mutant.behaviour == 1));
        assert!(matches!(chosen(mutants(), &["no such".to_owned()]), Err(CommandError::Usage(_))));
    }
}

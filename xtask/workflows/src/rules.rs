//! The rules, one function each.

use std::{collections::BTreeSet, path::Path};

use crate::{
    Rule, Violation,
    model::{Defaults, Job, Names, Scalar, Step, Workflow},
    script::{self, Shell},
};

/// Hours that a hosted machine gives a job at most.
const LIMIT: u32 = 6 * 60;

pub(crate) fn check(workflow: &Workflow, text: &str, root: &Path) -> Vec<Violation> {
    let mut report = Report(Vec::new());
    permissions("the workflow", workflow.permissions.as_ref(), true, &mut report);
    artifacts(workflow, &mut report);
    for (name, job) in &workflow.jobs {
        permissions(name, job.permissions.as_ref(), false, &mut report);
        needs(workflow, name, job, &mut report);
        match (&job.uses, &job.steps) {
            (Some(file), None) => called(name, file, root, &mut report),
            (None, Some(steps)) => {
                if !job.timeout_minutes.is_some_and(|minutes| (1..=LIMIT).contains(&minutes)) {
                    report.add(Rule::Timeout, format!("{name} has no timeout-minutes up to {LIMIT}"));
                }
                targets(name, steps, &mut report);
                let inherited = shell_of(job.defaults.as_ref()).or(shell_of(workflow.defaults.as_ref()));
                for (index, step) in steps.iter().enumerate() {
                    let place =
                        format!("{name}, step {}", step.name.clone().unwrap_or_else(|| index.to_string()));
                    one_step(&place, step, inherited, &Context { text, root }, &mut report);
                }
                if job.runs_on.is_none() {
                    report.add(Rule::Form, format!("{name} says no machine (runs-on)"));
                }
            }
            _ => report.add(Rule::Form, format!("{name} has either steps or a workflow that it calls")),
        }
    }
    report.0
}

struct Report(Vec<Violation>);

impl Report {
    fn add(&mut self, rule: Rule, text: String) {
        self.0.push(Violation { rule, text });
    }
}

/// The text and the folder that a step is checked against.
struct Context<'a> {
    text: &'a str,
    root: &'a Path,
}

fn shell_of(defaults: Option<&Defaults>) -> Option<&str> {
    defaults.map(|defaults| defaults.run.shell.as_str())
}

fn permissions(
    place: &str,
    given: Option<&std::collections::BTreeMap<String, String>>,
    required: bool,
    report: &mut Report,
) {
    let Some(given) = given else {
        if required {
            report.add(Rule::Permissions, format!("{place} does not say what its token may do"));
        }
        return;
    };
    for (scope, level) in given {
        if level != "none" && (scope != "contents" || level != "read") {
            report.add(Rule::Permissions, format!("{place} asks for {scope}: {level}"));
        }
    }
}

fn needs(workflow: &Workflow, name: &str, job: &Job, report: &mut Report) {
    for needed in job.needs.as_ref().map_or(&[][..], Names::list) {
        if !workflow.jobs.contains_key(needed) || needed == name {
            report.add(Rule::Needs, format!("{name} needs {needed}, and there is no such job before it"));
        }
    }
}

/// Names of artifacts: those with a part that is known at run time are compared up to it.
fn artifacts(workflow: &Workflow, report: &mut Report) {
    // Those of a called workflow are not known here, but its file is checked like this one.
    if workflow.jobs.values().any(|job| job.uses.is_some()) {
        return;
    }
    let of = |action: &str| -> BTreeSet<String> {
        let steps = workflow.jobs.values().flat_map(|job| job.steps.iter().flatten());
        let named = steps.filter(|step| {
            step.uses.as_deref().is_some_and(|uses| uses.starts_with(&format!("actions/{action}@")))
        });
        named.filter_map(|step| text_of(step, "name").map(str::to_owned)).collect()
    };
    let uploaded = of("upload-artifact");
    for name in of("download-artifact").difference(&uploaded) {
        report.add(Rule::Artifact, format!("no job uploads {name}"));
    }
}

fn text_of<'a>(step: &'a Step, key: &str) -> Option<&'a str> {
    match step.with.as_ref()?.get(key)? {
        Scalar::Text(text) => Some(text),
        Scalar::Flag(_) | Scalar::Number(_) => None,
    }
}

fn called(name: &str, file: &str, root: &Path, report: &mut Report) {
    match file.strip_prefix("./") {
        Some(path) if root.join(path).is_file() => {}
        Some(path) => report.add(Rule::File, format!("{name} calls {path}, which is not there")),
        None => {
            report.add(Rule::Pinned, format!("{name} calls {file}, which is not a file of this repository"))
        }
    }
}

fn one_step(place: &str, step: &Step, inherited: Option<&str>, context: &Context<'_>, report: &mut Report) {
    evidence(place, step, report);
    match (&step.uses, &step.run) {
        (Some(action), None) => pinned(place, action, context.text, report),
        (None, Some(run)) => {
            if step.name.is_none() {
                report.add(Rule::Step, format!("{place} has no name"));
            }
            if run.contains("${{") {
                report.add(Rule::Expression, format!("{place} pastes an expression into its script"));
            }
            match step.shell.as_deref().or(inherited).and_then(Shell::of) {
                None => report
                    .add(Rule::Step, format!("{place} does not say a shell that is known: bash or pwsh")),
                Some(shell) => {
                    if let Err(fault) = script::check(shell, run) {
                        report.add(Rule::Script, format!("{place}: {fault}"));
                    }
                }
            }
            for file in scripts(run).filter(|file| !context.root.join(file).is_file()) {
                report.add(Rule::File, format!("{place} runs {file}, which is not there"));
            }
        }
        _ => report.add(Rule::Step, format!("{place} runs either an action or a script")),
    }
}

/// Evidence tells why a step failed, so that the steps that make, gather and upload it depend on none.
fn evidence(place: &str, step: &Step, report: &mut Report) {
    let collects = |run: &str| run.contains("ndkhlk.exe collect") || run.contains("evidence.ps1");
    let is_uploaded = text_of(step, "name").is_some_and(|name| name.starts_with("evidence"));
    let is_evidence = is_uploaded || step.run.as_deref().is_some_and(collects);
    if is_evidence && step.condition.as_deref() != Some("${{ !cancelled() }}") {
        report.add(Rule::Evidence, format!("{place} has another condition than !cancelled()"));
    }
}

/// Compares the targets that scripts of a job name to cargo with those that rustup has installed up to there.
fn targets(name: &str, steps: &[Step], report: &mut Report) {
    let mut installed = BTreeSet::new();
    for line in steps.iter().filter_map(|step| step.run.as_deref()).flat_map(str::lines) {
        if let Some((_, added)) = line.split_once("rustup target add ") {
            installed.extend(added.split_whitespace());
        }
        let named = line.split("--target ").skip(1).filter_map(|rest| rest.split_whitespace().next());
        for target in named.filter(|target| !installed.contains(target)) {
            report.add(Rule::Target, format!("{name} builds for {target}, which it has not installed"));
        }
    }
}

/// The files of the repository's folder of scripts that a script names.
fn scripts(run: &str) -> impl Iterator<Item = &str> {
    run.split_whitespace().filter_map(|word| {
        let at = word.find(".github/scripts/")?;
        word.get(at..)
    })
}

/// `owner/name@commit # release`.
fn pinned(place: &str, action: &str, text: &str, report: &mut Report) {
    let commit = action.split_once('@').map_or("", |(_, commit)| commit);
    let is_hash = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_release = text
        .lines()
        .filter(|line| line.contains(action))
        .all(|line| line.split_once(" # ").is_some_and(|(_, release)| release.starts_with('v')));
    if !is_hash || !has_release {
        report.add(Rule::Pinned, format!("{place}: {action} is no commit with its release in a comment"));
    }
}

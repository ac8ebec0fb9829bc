//! The fuzz targets that there are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{failure::CommandError, root};

/// The packages of fuzz targets, and their folders.
pub(super) const PACKAGES: &[(&str, &str)] = &[
    ("softndk-tdi-fuzz", "tdi/fuzz"),
    ("softndk-iwarp-fuzz", "iwarp/fuzz"),
    ("softndk-hostile-fuzz", "tests/hostile/fuzz"),
    ("softndk-ntsim-fuzz", "ntsim/fuzz"),
];

/// Takes the targets out of a command on the whole workspace: they are no programs without libFuzzer, and with
/// them the transport would have what only they need.
pub(crate) fn exclude(command: &mut Command) -> &mut Command {
    command.args(PACKAGES.iter().flat_map(|(package, _)| ["--exclude", package]))
}

/// A fuzz target.
pub(super) struct Target {
    pub(super) name: String,
    /// The folder of the inputs to begin with that the repository has for it.
    pub(super) corpus: Option<PathBuf>,
}

/// Every target: one for each source in the packages' folders of targets.
pub(super) fn all() -> Result<Vec<Target>, CommandError> {
    let mut targets = Vec::new();
    for (_, folder) in PACKAGES {
        let folder = root().join(folder);
        let sources = folder.join("fuzz_targets");
        let entries = fs::read_dir(&sources).map_err(|error| CommandError::file(&sources, &error))?;
        let mut names: Vec<String> = entries.flatten().filter_map(|entry| name_of(&entry.path())).collect();
        names.sort();
        targets.extend(names.into_iter().map(|name| {
            let corpus = folder.join("corpus").join(&name);
            Target { name, corpus: corpus.exists().then_some(corpus) }
        }));
    }
    Ok(targets)
}

/// The name of the target whose source this is.
fn name_of(source: &Path) -> Option<String> {
    let is_source = source.extension().is_some_and(|extension| extension == "rs");
    is_source.then(|| source.file_stem()?.to_str().map(str::to_owned))?
}

/// The targets with these names, or all if there is none.
pub(super) fn chosen(targets: Vec<Target>, names: &[String]) -> Result<Vec<Target>, CommandError> {
    if let Some(unknown) = names.iter().find(|name| !targets.iter().any(|target| target.name == **name)) {
        let known: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        return Err(CommandError::Usage(format!(
            "{unknown}: no such fuzz target; there are {}",
            known.join(", ")
        )));
    }
    let wanted = |target: &Target| names.is_empty() || names.contains(&target.name);
    Ok(targets.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(targets: &[Target]) -> Vec<&str> {
        targets.iter().map(|target| target.name.as_str()).collect()
    }

    #[test]
    fn targets_are_those_that_the_manifests_name() {
        let mut named = Vec::new();
        for (package, folder) in PACKAGES {
            let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
            let manifest: toml::Table = manifest.parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some(*package));
            let programs = manifest["bin"].as_array().unwrap().iter();
            named.extend(programs.map(|program| program["name"].as_str().unwrap().to_owned()));
        }
        named.sort();
        let mut found: Vec<String> = all().unwrap().into_iter().map(|target| target.name).collect();
        found.sort();
        assert_eq!(found, named);
    }

    #[test]
    fn target_that_reads_a_format_has_seed_inputs() {
        let with_corpus: Vec<_> =
            all().unwrap().into_iter().filter(|target| target.corpus.is_some()).collect();
        assert_eq!(names(&with_corpus), ["addresses", "attributes", "programs"]);
    }

    #[test]
    fn target_is_chosen_by_its_name_and_all_without_any() {
        let every = all().unwrap().len();
        assert_eq!(chosen(all().unwrap(), &[]).unwrap().len(), every);
        let one = chosen(all().unwrap(), &["requests".to_owned(), "requests".to_owned()]).unwrap();
        assert_eq!(names(&one), ["requests"]);
    }

    #[test]
    fn name_that_no_target_has_is_told_with_those_that_there_are() {
        let Err(CommandError::Usage(text)) = chosen(all().unwrap(), &["request".to_owned()]) else {
            panic!("a usage error")
        };
        assert!(text.starts_with("request: no such fuzz target") && text.contains("consumer"), "{text}");
    }
}

//! A mutant: a patch in the format of git, below a header that says what it is.
//!
//! ```text
//! Behaviour: 3 the number in the table of docs/close.md
//! Rules: CL-6 CL-10
//! Check: image scenarios some_scenario::at_passive_level finds NdkCloseBeforeSuccessor
//! Check: unit softndk-provider tests::close::some_test finds what the failing assertion says
//! Check: explore race-arm 1000 finds what a finding says
//! Check: loom lifetime::tests::model::some_model finds what the failing assertion says
//!
//! The reason for which this change is that mistake.
//!
//! diff --git ...
//! ```
//!
//! An image check boots the drivers with the mistake in them; what it finds is the name of a rule of the
//! simulator's, or a finding of the consumer's. An explore check plays so many seeds of a scenario with the arguments
//! that `cargo xtask explore` has by default. Each of the checks must catch the mutant.

use core::fmt;
use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::failure::CommandError;

/// A mistake, and what must catch it.
#[derive(Debug)]
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) behaviour: u8,
    pub(super) rules: Vec<String>,
    pub(super) checks: Vec<Check>,
}

/// The check that must fail, and the finding that it must report then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Check {
    pub(super) layer: Layer,
    pub(super) test: String,
    pub(super) finding: String,
}

/// The kind of a check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    /// The code of a package, on the host.
    Unit { package: String },
    /// The provider's code in every interleaving.
    Loom,
    /// The built drivers, in the simulator, by an integration test of this name.
    Image { target: String },
    /// The built drivers, under so many schedules of the scenario in the place of a test.
    Explore { seeds: u64 },
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.layer {
            Layer::Unit { package } => write!(f, "unit {package} {}", self.test),
            Layer::Loom => write!(f, "loom {}", self.test),
            Layer::Image { target } => write!(f, "image {target} {}", self.test),
            Layer::Explore { seeds } => write!(f, "explore {} {seeds}", self.test),
        }
    }
}

impl Check {
    /// The value of a `Check:` line.
    fn parse(text: &str) -> Option<Self> {
        let (what, finding) = text.split_once(" finds ")?;
        let words: Vec<&str> = what.split_whitespace().collect();
        let (layer, test) = match words[..] {
            ["unit", package, test] => (Layer::Unit { package: package.to_owned() }, test),
            ["loom", test] => (Layer::Loom, test),
            ["explore", scenario, seeds] => (Layer::Explore { seeds: seeds.parse().ok()? }, scenario),
            ["image", target, test] => (Layer::Image { target: target.to_owned() }, test),
            _ => return None,
        };
        let finding = finding.trim();
        (!finding.is_empty()).then(|| Self { layer, test: test.to_owned(), finding: finding.to_owned() })
    }
}

impl Mutant {
    /// All patches of a folder, by name.
    pub(super) fn all(folder: &Path) -> Result<Vec<Self>, CommandError> {
        let failed = |error: std::io::Error| CommandError::file(folder, &error);
        let entries = fs::read_dir(folder).map_err(failed)?;
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Result<Self, CommandError> {
        let text = fs::read_to_string(&path).map_err(|error| CommandError::file(&path, &error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(&text, name, path)
    }

    fn parse(text: &str, name: String, path: PathBuf) -> Result<Self, CommandError> {
        let wrong = |what: &str| CommandError::work(format!("{}: {what}", path.display()));
        let (header, rest) = text.split_once("\n\n").ok_or_else(|| wrong("no header"))?;
        let (reason, _) = rest
            .split_once("\ndiff --git ")
            .ok_or_else(|| wrong("no reason, or no change in git's format"))?;
        if reason.trim().is_empty() {
            return Err(wrong("the header is not followed by a reason"));
        }
        let (mut behaviour, mut rules, mut checks) = (None, Vec::new(), Vec::new());
        for line in header.lines() {
            match line.split_once(": ") {
                Some(("Behaviour", value)) => behaviour = value.parse().ok(),
                Some(("Rules", value)) => rules.extend(value.split_whitespace().map(str::to_owned)),
                Some(("Check", value)) => {
                    let check = Check::parse(value);
                    checks.push(check.ok_or_else(|| wrong(&format!("not a check: {value}")))?);
                }
                _ => return Err(wrong(&format!("not a line of a header: {line}"))),
            }
        }
        let behaviour = behaviour.ok_or_else(|| wrong("the header has no number of a behaviour"))?;
        if rules.is_empty() || checks.is_empty() {
            return Err(wrong("the header has no rules, or no checks"));
        }
        Ok(Self { name, path, behaviour, rules, checks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Behaviour: 3\nRules: CL-6 CL-10\nCheck: image scenarios a::b finds NdkX\n";
    const REST: &str = "\nWhy.\n\ndiff --git a/x b/x\n";

    fn parse(text: &str) -> Result<Mutant, String> {
        Mutant::parse(text, "01-x".to_owned(), PathBuf::from("01-x.patch")).map_err(|error| error.to_string())
    }

    #[test]
    fn header_says_what_must_catch_the_mutant() {
        let mutant = parse(&format!("{HEADER}{REST}")).unwrap();
        assert_eq!((mutant.behaviour, mutant.rules.len()), (3, 2));
        let [check] = &mutant.checks[..] else { panic!("{mutant:?}") };
        assert_eq!((check.to_string().as_str(), check.finding.as_str()), ("image scenarios a::b", "NdkX"));
    }

    #[test]
    fn explore_check_has_a_scenario_and_a_number_of_seeds() {
        let check = Check::parse("explore race-arm 1000 finds what it says").unwrap();
        assert_eq!((&check.layer, &*check.test), (&Layer::Explore { seeds: 1000 }, "race-arm"));
        assert_eq!(check.to_string(), "explore race-arm 1000");
        assert_eq!(Check::parse("explore race-arm many finds what it says"), None);
    }

    #[test]
    fn missing_part_of_a_header_is_named() {
        for (text, told) in [
            (String::new(), "no header"),
            (HEADER.to_owned() + "\nWhy.\n", "no change"),
            (HEADER.to_owned() + "\n\ndiff --git a/x b/x\n", "not followed by a reason"),
            (HEADER.replace("Behaviour: 3\n", "") + REST, "no number"),
            (HEADER.replace("Rules: CL-6 CL-10\n", "") + REST, "no rules"),
            (HEADER.replace(" finds NdkX", "") + REST, "not a check"),
            (HEADER.replace("image", "picture") + REST, "not a check"),
            (format!("Author: me\n{HEADER}{REST}"), "not a line of a header"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}

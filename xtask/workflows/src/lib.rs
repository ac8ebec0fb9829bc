//! Checks of workflow files (`.github/workflows`) and of the scripts in them, without a network.
//!
//! A workflow first runs on a machine elsewhere, so what can be known before is checked here: that it is
//! YAML with the keys that the [syntax](https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax) has,
//! that its scripts parse, and the rules of [`Rule`]. `cargo xtask lint-workflows` has foreign linters judge the same files.

#![cfg(not(windows))]
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a tool in user mode")]

mod model;
mod rules;
pub mod script;
#[cfg(test)]
mod tests;

use std::{fmt, path::Path};

/// A broken rule, with the place in the workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The sentence that says where and what.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.text)
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident,)+) => {
        /// The rules of a workflow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[$doc])* $rule,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule,)+];
        }
    };
}

rules! {
    /// The file is YAML, and has no key that a workflow has not.
    Form,
    /// The token may read the repository at most, and the file says so.
    Permissions,
    /// An action is named by the hash of its commit, with the release beside it; a workflow by its file.
    Pinned,
    /// Each job says after how many minutes it is ended.
    Timeout,
    /// A job that another one needs exists.
    Needs,
    /// A step runs either an action or a script, and the script's shell is known.
    Step,
    /// A script has no expression: what an event says is handed over in variables, not pasted into code.
    Expression,
    /// A script parses.
    Script,
    /// A file that a step names is in the repository.
    File,
    /// A target that a script builds or checks for was installed in its job.
    Target,
    /// An artifact that is downloaded is one that a job uploads, under the same name.
    Artifact,
}

/// Checks a workflow against every rule. `root` is the folder of the repository.
pub fn check(text: &str, root: &Path) -> Vec<Violation> {
    match serde_saphyr::from_str::<model::Workflow>(text) {
        Ok(workflow) => rules::check(&workflow, text, root),
        Err(error) => vec![Violation { rule: Rule::Form, text: error.to_string() }],
    }
}

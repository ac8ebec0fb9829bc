//! The rules of a workflow by name, and the place where one is broken.

use std::fmt;

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

/// The rules of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(strum::VariantArray))]
pub enum Rule {
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
    /// A step that collects evidence runs whatever has failed before it, unless the job was cancelled.
    Evidence,
    /// An artifact that is downloaded is one that a job uploads, under the same name.
    Artifact,
}

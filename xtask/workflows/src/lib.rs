//! Checks of workflow files (`.github/workflows`) and of the scripts in them, without a network.
//!
//! A workflow first runs on a machine elsewhere, so what can be known before is checked here: that it is
//! YAML with the keys that the [syntax](https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax) has,
//! that its scripts parse, and the rules of [`Rule`]. `cargo xtask lint-workflows` has foreign linters judge the same files.
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `rules` | the checks |
//! | `model`, [`script`], `violation` | a workflow's keys; parsers of scripts; the rules by name, and where one is broken |

#![cfg(not(windows))]
#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a tool in user mode")]

mod model;
mod rules;
pub mod script;
#[cfg(test)]
mod tests;
mod violation;

use std::path::Path;

pub use violation::{Rule, Violation};

/// Checks a workflow against every rule. `root` is the folder of the repository.
pub fn check(text: &str, root: &Path) -> Vec<Violation> {
    match serde_saphyr::from_str::<model::Workflow>(text) {
        Ok(workflow) => rules::check(&workflow, text, root),
        Err(error) => vec![Violation { rule: Rule::Form, text: error.to_string() }],
    }
}

//! The keys of a workflow file, as far as this repository has use for them. A key that is not here is a mistake.

use std::collections::BTreeMap;

use serde::Deserialize;

pub(crate) type Variables = BTreeMap<String, Scalar>;

/// A value where the syntax leaves the type open.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Flag(#[expect(dead_code, reason = "only that it is one")] bool),
    Number(#[expect(dead_code, reason = "only that it is one")] i64),
    Text(String),
}

/// One name, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Names {
    pub(crate) fn list(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workflow {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "on")]
    _on: Events,
    pub(crate) permissions: Option<BTreeMap<String, String>>,
    #[serde(rename = "concurrency")]
    _concurrency: Option<Concurrency>,
    #[serde(rename = "env")]
    _env: Option<Variables>,
    pub(crate) defaults: Option<Defaults>,
    pub(crate) jobs: BTreeMap<String, Job>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Events {
    #[serde(rename = "push")]
    _push: Option<Branches>,
    #[serde(rename = "pull_request")]
    _pull_request: Option<Branches>,
    #[serde(rename = "workflow_dispatch")]
    _workflow_dispatch: Option<()>,
    #[serde(rename = "workflow_call")]
    _workflow_call: Option<()>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Branches {
    #[serde(rename = "branches")]
    _branches: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Concurrency {
    #[serde(rename = "group")]
    _group: String,
    #[serde(rename = "cancel-in-progress")]
    _cancel_in_progress: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    pub(crate) run: RunDefaults,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RunDefaults {
    pub(crate) shell: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Job {
    #[serde(rename = "name")]
    _name: Option<String>,
    pub(crate) needs: Option<Names>,
    #[serde(rename = "if")]
    _if: Option<String>,
    pub(crate) runs_on: Option<String>,
    #[serde(rename = "container")]
    _container: Option<Container>,
    #[serde(rename = "strategy")]
    _strategy: Option<Strategy>,
    pub(crate) timeout_minutes: Option<u32>,
    pub(crate) permissions: Option<BTreeMap<String, String>>,
    #[serde(rename = "env")]
    _env: Option<Variables>,
    pub(crate) defaults: Option<Defaults>,
    pub(crate) uses: Option<String>,
    pub(crate) steps: Option<Vec<Step>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Container {
    #[serde(rename = "image")]
    _image: String,
    #[serde(rename = "options")]
    _options: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Strategy {
    #[serde(rename = "fail-fast")]
    _fail_fast: bool,
    #[serde(rename = "matrix")]
    _matrix: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Step {
    pub(crate) name: Option<String>,
    #[serde(rename = "id")]
    _id: Option<String>,
    #[serde(rename = "if")]
    pub(crate) condition: Option<String>,
    pub(crate) uses: Option<String>,
    pub(crate) with: Option<Variables>,
    pub(crate) run: Option<String>,
    pub(crate) shell: Option<String>,
    #[serde(rename = "env")]
    _env: Option<Variables>,
    #[serde(rename = "working-directory")]
    _working_directory: Option<String>,
    #[serde(rename = "continue-on-error")]
    _continue_on_error: Option<bool>,
    #[serde(rename = "timeout-minutes")]
    _timeout_minutes: Option<u32>,
}

//! The syntax of scripts: PowerShell by the grammar of tree-sitter-powershell, shell scripts by bash itself.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use tree_sitter::{Node, Parser};

/// A language that scripts here are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// PowerShell 7.
    PowerShell,
    /// GNU bash.
    Bash,
}

impl Shell {
    /// The language of a `shell` key.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "pwsh" => Some(Self::PowerShell),
            "bash" => Some(Self::Bash),
            _ => None,
        }
    }
}

/// Checks that a script parses.
///
/// # Errors
///
/// The sentence that says where it does not, or that the check could not be made.
pub fn check(shell: Shell, text: &str) -> Result<(), String> {
    match shell {
        Shell::PowerShell => powershell(text),
        Shell::Bash => bash(text),
    }
}

fn powershell(text: &str) -> Result<(), String> {
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_powershell::LANGUAGE.into())
        .map_err(|error| format!("no grammar of PowerShell: {error}"))?;
    let tree = parser.parse(text, None).ok_or("the parser gave up")?;
    match first_error(tree.root_node()) {
        None => Ok(()),
        Some(node) => {
            let line = node.start_position().row.saturating_add(1);
            let near = text.lines().nth(node.start_position().row).unwrap_or_default().trim();
            Err(format!("line {line} is no PowerShell: {near}"))
        }
    }
}

/// The first place that the grammar has no rule for, or where it misses something.
fn first_error(node: Node<'_>) -> Option<Node<'_>> {
    if !node.has_error() {
        return None;
    }
    let mut cursor = node.walk();
    let inner = node.children(&mut cursor).find_map(first_error);
    inner.or_else(|| (node.is_error() || node.is_missing()).then_some(node)).or(Some(node))
}

fn bash(text: &str) -> Result<(), String> {
    let shell = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("bash can't be run: {error}"));
    let mut shell = shell?;
    let written = shell.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
    let output = shell.wait_with_output().map_err(|error| error.to_string())?;
    match written {
        Some(Ok(())) if output.status.success() => Ok(()),
        _ => Err(format!("no shell script: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

//! PowerShell, and other programs of Windows.

use std::process::{Command, Output};

use runner::shell::{Shell, encoded};

/// Windows PowerShell.
pub(super) struct PowerShell;

impl Shell for PowerShell {
    fn run(&self, script: &str) -> Result<String, String> {
        let script = format!("[Console]::OutputEncoding = [Text.Encoding]::UTF8; {script}");
        let mut command = Command::new("powershell.exe");
        command.args(["-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand", &encoded(&script)]);
        program(&mut command)
    }
}

/// Runs a program, and returns what it printed.
///
/// # Errors
/// What it printed on standard error, or that it could not be started.
pub(super) fn program(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let text = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        return Ok(text);
    }
    let error = String::from_utf8_lossy(&stderr).into_owned();
    Err(format!("{status}: {}{}", text.trim(), error.trim()))
}

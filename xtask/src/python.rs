//! Tools that are packaged for Python, each set in an environment of its own below the target folder.

use std::{path::PathBuf, process::Command};

use crate::{failure::CommandError, root, step::Step};

/// Installs `requirements`, each with its version, as a part of `step`. Returns the folder of their programs.
///
/// # Errors
///
/// The index of packages can't be reached, or has no such version.
pub(crate) fn provide(step: &Step, name: &str, requirements: &[&str]) -> Result<PathBuf, CommandError> {
    let venv = root().join("target").join(format!("venv-{name}"));
    let programs = venv.join("bin");
    let python = programs.join("python3");
    if !python.exists() {
        step.run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(requirements);
    step.attempt(&mut install).map_err(|output| {
        let reason = output.lines().find(|line| line.starts_with("ERROR")).unwrap_or("pip failed");
        CommandError::work(format!("{} can't be installed from PyPI: {reason}", requirements.join(", ")))
    })?;
    Ok(programs)
}

//! Errors that end a command early.

use std::{io, path::Path, process::ExitCode};

use thiserror::Error;

/// An error that ends a command early, in words for its user.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// The caller has to act: other arguments, or rights that this process does not have.
    #[error("{0}")]
    Usage(String),
    /// The work failed.
    #[error("{0}")]
    Work(String),
    /// A driver crashed in the simulator.
    #[error("{0}")]
    Stopped(String),
}

impl CommandError {
    /// The work failed.
    pub(crate) fn work(message: impl Into<String>) -> Self {
        Self::Work(message.into())
    }

    /// A file cannot be read or written.
    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        Self::Work(format!("{}: {error}", path.display()))
    }

    /// The exit code that says which it was.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Work(_) => ExitCode::FAILURE,
            Self::Stopped(_) => ExitCode::from(3),
        }
    }
}

//! Errors that end a command early.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

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

/// Has a command whose standard output cannot be written any more, because its reader has gone or its disk is full, end in
/// one line. The macros that print have no other way to tell than a panic.
pub(crate) fn tell_lost_output() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        match text.strip_prefix("failed printing to stdout: ") {
            Some(why) => {
                // Standard error may be as lost.
                let _ = writeln!(io::stderr(), "standard output: {why}");
                std::process::exit(2)
            }
            None => others(panic),
        }
    }));
}

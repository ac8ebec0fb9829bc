//! The exit code of a run.

/// The outcome of a command: what the exit code of the process says.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Exit {
    /// Everything that was asked for was done, and nothing was found.
    Passed = 0,
    /// Something was found.
    Failed = 1,
    /// Nothing can be said, because it could not be done: wrong arguments, no driver, no adapters.
    NotRun = 2,
}

impl Exit {
    /// The code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

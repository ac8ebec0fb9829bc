//! Errors between a runner and the drivers.

use std::io;
use std::path::PathBuf;

use protocol::Outcome;
use thiserror::Error;

use crate::status::CANCELLED;

/// An error between a runner and the drivers.
#[derive(Debug, Error)]
pub enum Error {
    /// The images have not been built.
    #[error("{0}: no such image; run `cargo xtask build` first")]
    NotBuilt(PathBuf),
    /// An image could not be loaded.
    #[cfg(not(windows))]
    #[error(transparent)]
    Load(#[from] ntsim::loader::LoadError),
    /// A request to the harness driver, or what it did on its behalf, failed.
    #[error("{what}: status {status:#010x}")]
    Status {
        /// The request.
        what: &'static str,
        /// The NTSTATUS.
        status: i32,
        /// The findings up to then, if the driver got that far.
        outcome: Option<Box<Outcome>>,
    },
    /// The peer, or this side, wants nothing to do with the other one.
    #[error("refused: {0}")]
    Refused(String),
    /// A file could not be written.
    #[error("writing: {0}")]
    Write(io::Error),
    /// Something that is only a matter of time did not happen.
    #[error("{0}: not in time")]
    Late(&'static str),
    /// The machine refused something, or has no way to do it.
    #[error("{what}: {why}")]
    Host {
        /// The request.
        what: &'static str,
        /// The reason, as the machine says it.
        why: String,
    },
    /// The data could not be read.
    #[error("reading: {0}")]
    Read(#[from] io::Error),
    /// Fewer bytes arrived than were sent.
    #[error("{what}: {arrived} of {sent} bytes arrived")]
    Short {
        /// The request.
        what: &'static str,
        /// Bytes that arrived.
        arrived: usize,
        /// Bytes that were sent.
        sent: usize,
    },
}

impl Error {
    /// Returns whether a request was cancelled, as it is when the other side of a transfer has failed.
    pub(crate) const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Status { status: CANCELLED, .. })
    }
}

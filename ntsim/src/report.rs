//! What a machine says when it has been shut down.

use core::fmt;

use crate::verifier::Finding;

/// What was found while a machine ran.
#[derive(Clone, Debug)]
pub struct Report {
    /// The rules that drivers broke, in the order in which they were first broken.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "nothing found");
        }
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

//! Kernel objects in use, by address: what must not lie in memory that is being freed.

use core::fmt;
use core::ops::Range;

use crate::verifier::Bugcheck;

/// A kernel object that something still refers to.
pub(crate) struct LiveObject {
    /// What it is.
    pub(crate) what: &'static str,
    /// Where it is.
    pub(crate) address: usize,
    /// What Windows stops with if it finds such an object in the given range of freed memory.
    pub(crate) bugcheck: fn(usize, Range<usize>) -> Option<Bugcheck>,
}

impl fmt::Display for LiveObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}", self.what, self.address)
    }
}

/// The objects in use within `range`.
pub(crate) fn objects(range: &Range<usize>) -> Vec<LiveObject> {
    let _ = range;
    Vec::new()
}

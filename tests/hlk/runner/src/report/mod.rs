//! The report of a run, in the formats that people and machines read.

mod json;
mod junit;
mod tap;
mod text;

#[cfg(test)]
mod tests;

pub use json::json;
pub use junit::junit;
pub use tap::Tap;
pub use text::Text;

use crate::suite::{Case, Run};

/// A report that grows while the run goes on: each method returns the text to be added.
pub trait Live {
    /// A case has ended.
    fn ended(&mut self, case: &Case) -> String;
    /// The run is over.
    fn over(&mut self, run: &Run) -> String;
    /// The run can't begin, or can't go on.
    fn bails_out(&mut self, why: &str) -> String;
}

//! The commands of `ndkhlk.exe`, for any host.

mod run;

pub use run::{Format, Run, run};

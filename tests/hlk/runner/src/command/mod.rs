//! The commands of `ndkhlk.exe`, for any host.

mod bench;
mod collect;
mod diagnose;
mod list;
mod run;
mod tdi;
pub mod trace;

pub use bench::bench;
pub use collect::{Evidence, collect};
pub use diagnose::diagnose;
pub use list::{adapters, scenarios};
pub use run::{Format, Run, run};
pub use tdi::tdi;

use crate::{Error, Host, Pair};

/// The pair of adapters that a command works on.
fn pair(host: &impl Host) -> Result<Pair, Error> {
    Pair::among(&host.adapters()?)
        .map_err(|none| Error::Host { what: "choose the adapters", why: none.to_string() })
}

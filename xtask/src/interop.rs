//! `cargo xtask interop`: the wire against implementations that were not made here.
//!
//! | part | does |
//! |---|---|
//! | [`guest`] | builds a guest of Debian's packages in which Linux siw runs |
//! | [`machine`] | boots it, and runs commands in it |
//! | [`siw`] | the meetings of softndk and siw, one after the other |
//! | [`meeting`] | what a meeting needs of softndk's side |
//! | [`engine`], [`driver`] | the engine of iWARP alone, and the built driver, as that side |
//! | [`rping`], [`peer`], [`provoke`] | the meetings with the programs of the guest |
//! | [`judge`] | has tshark judge what crossed |

mod driver;
mod engine;
mod guest;
mod judge;
mod machine;
mod meeting;
mod peer;
mod provoke;
mod rping;
mod siw;

use crate::{
    failure::CommandError,
    packages::{self, Use},
};

/// The peer, and the form of the report.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The other implementation.
    peer: Peer,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// An implementation that was not made here.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Peer {
    /// Linux's software iWARP, in a guest under QEMU.
    Siw,
}

/// Plays all meetings with the peer.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    packages::provide(|need| matches!(need, Use::Interop))?;
    match options.peer {
        Peer::Siw => siw::run(options.json),
    }
}

//! `cargo xtask serve` and `cargo xtask connect`: a file between two processes, each with a simulated machine of its own
//! in which the built drivers run, over TCP of the host.
//!
//! | part | does |
//! |---|---|
//! | [`mod@connect`] | the side that has the file |
//! | [`mod@serve`] | the side that the file goes to, and comes back from |
//! | [`crossing`] | the file in one direction, in every way |
//! | [`machine`] | a machine with one adapter at an address of the host |
//! | [`received`] | a file that comes in, without a name until it is whole |
//! | [`unusable`] | the reasons for which there is no session, in words |

mod connect;
mod crossing;
mod machine;
mod received;
mod serve;
mod unusable;

use std::path::PathBuf;

use protocol::Operation;

pub(crate) use self::connect::{Options as ConnectOptions, connect};
pub(crate) use self::serve::{Options as ServeOptions, serve};

/// The longest chunk that is moved at once, in bytes.
const CHUNK: u32 = 1 << 20;

/// The ways across, in each direction.
pub(super) const WAYS: [Operation; 4] =
    [Operation::Send, Operation::Write, Operation::Read, Operation::SmbDirect];

/// Options that both sides have.
#[derive(clap::Args)]
struct Common {
    /// Want a CRC32C of every FPDU; it is there if one of the two sides wants it.
    #[arg(long)]
    crc: bool,
    /// Write what crosses TCP to this file (pcapng), with made-up headers of IP and TCP.
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Boot the images in this folder instead of building them.
    #[arg(long, value_name = "FOLDER", hide = true)]
    images: Option<PathBuf>,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
}

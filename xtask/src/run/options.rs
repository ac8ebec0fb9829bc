//! Command-line options: the file, and the addresses.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use protocol::Endpoint;

use crate::failure::CommandError;

/// The file to move, and the addresses between which it moves.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The file to move; without one, softndk.sys itself.
    pub(super) file: Option<PathBuf>,
    /// The address of the adapter that the file leaves from (interface 12).
    #[arg(long, value_name = "ADDRESS", default_value = "10.0.0.1")]
    near: IpAddr,
    /// The address of the adapter that the file goes to (interface 15).
    #[arg(long, value_name = "ADDRESS", default_value = "10.0.0.2")]
    far: IpAddr,
    /// The port that is listened on.
    #[arg(long, default_value_t = 5445, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Move it over the legacy path: by two TDI clients, whose files then go with everything in flight.
    #[arg(long)]
    pub(super) tdi: bool,
    /// Write a minidump: at the first crash, hang or finding, or else when the file is across and all is still open.
    #[arg(long, value_name = "FILE")]
    pub(super) dump: Option<PathBuf>,
    /// Boot the images in this folder instead of building them.
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub(super) images: Option<PathBuf>,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

/// From where to where.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) near: IpAddr,
    pub(super) far: IpAddr,
    pub(super) port: u16,
}

impl Options {
    /// The route, if there can be a connection over it.
    pub(super) fn route(&self) -> Result<Route, CommandError> {
        let Self { near, far, port, .. } = *self;
        for address in [near, far] {
            if !is_usable(address) || address.is_loopback() {
                return Err(CommandError::Usage(format!(
                    "{address}: not an address that an adapter can have"
                )));
            }
        }
        if near.is_ipv4() != far.is_ipv4() {
            return Err(CommandError::Usage(format!("{near} and {far}: one is IPv4, the other IPv6")));
        }
        if near == far {
            return Err(CommandError::Usage(format!("{near}: the two adapters need different addresses")));
        }
        Ok(Route { near, far, port })
    }

    /// The ends of the connection, on adapters with these interface indices.
    pub(super) fn route_ends(&self, near: u32, far: u32) -> [Endpoint; 2] {
        [Endpoint::new(near, self.near, 0), Endpoint::new(far, self.far, self.port)]
    }
}

/// Returns whether an address says one adapter, in the form that one has: link-local ones of IPv6, and those of IPv4 in
/// IPv6's form, say none without an interface.
pub(super) fn is_usable(address: IpAddr) -> bool {
    let speaks_of_many = address.is_unspecified() || address.is_multicast();
    let has_another_form = match address {
        IpAddr::V4(address) => address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.to_ipv4_mapped().is_some(),
    };
    !speaks_of_many && !has_another_form
}

/// A path for a terminal: control characters are escaped.
pub(super) fn shown(path: &Path) -> String {
    let escaped = |character: char| {
        if character.is_control() { character.escape_default().to_string() } else { character.to_string() }
    };
    path.display().to_string().chars().map(escaped).collect()
}

/// A regular file that can be read.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) length: u64,
}

impl Source {
    /// Checks that `path` names such a file.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        let usage = |error: &dyn core::fmt::Display| CommandError::Usage(format!("{}: {error}", shown(path)));
        // Asked before it is opened: opening a pipe would wait for a writer.
        let metadata = fs::metadata(path).map_err(|error| usage(&error))?;
        if !metadata.is_file() {
            return Err(usage(&"not a regular file"));
        }
        File::open(path).map_err(|error| usage(&error))?;
        Ok(Self { path: path.to_owned(), length: metadata.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(near: &str, far: &str) -> Options {
        let [near, far] = [near, far].map(|text| text.parse().unwrap());
        Options { file: None, near, far, port: 5445, tdi: false, dump: None, images: None, json: false }
    }

    #[test]
    fn two_addresses_of_one_family_are_a_route() {
        assert!(options("10.0.0.1", "10.0.0.2").route().is_ok());
        assert!(options("fd00::1", "fd00::2").route().is_ok());
    }

    #[test]
    fn route_between_families_or_to_the_same_address_is_refused() {
        assert!(matches!(options("10.0.0.1", "fd00::2").route(), Err(CommandError::Usage(_))));
        assert!(matches!(options("10.0.0.1", "10.0.0.1").route(), Err(CommandError::Usage(_))));
        for near in ["0.0.0.0", "224.0.0.1", "255.255.255.255"] {
            assert!(matches!(options(near, "10.0.0.1").route(), Err(CommandError::Usage(_))), "{near}");
        }
        for near in ["::", "ff02::1", "fe80::1", "::ffff:10.0.0.1"] {
            assert!(matches!(options(near, "fd00::2").route(), Err(CommandError::Usage(_))), "{near}");
        }
    }

    #[test]
    fn path_is_shown_in_one_line() {
        assert_eq!(shown(Path::new("a\nb\u{1b}[1m/ü")), "a\\nb\\u{1b}[1m/ü");
    }

    #[test]
    fn file_that_is_not_regular_or_not_there_is_refused() {
        assert!(matches!(Source::open(Path::new("/nonexistent")), Err(CommandError::Usage(_))));
        assert!(matches!(Source::open(Path::new("/dev/null")), Err(CommandError::Usage(_))));
        assert!(matches!(Source::open(Path::new("/")), Err(CommandError::Usage(_))));
        assert!(Source::open(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).is_ok());
    }
}

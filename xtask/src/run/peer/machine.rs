//! A machine with one adapter, whose address is one of the host's.

use core::net::SocketAddr;
use std::fs::{self, File};
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use ntsim::Machine;
use protocol::Endpoint;
use runner::{Fixture, Images, Place};

use super::Common;
use crate::run::options::{is_usable, shown};
use crate::{build, failure::CommandError};

/// The interface index of the adapter.
const INDEX: u32 = 12;

/// A running machine, and the time that its boot took.
pub(super) struct Booted {
    pub(super) fixture: Fixture,
    pub(super) took: Duration,
}

impl Common {
    /// Sees that the capture can be written, and is not the file that crosses.
    pub(super) fn check(&self, crosses: Option<&Path>) -> Result<(), CommandError> {
        let Some(path) = &self.capture else { return Ok(()) };
        let usage =
            |why: &dyn core::fmt::Display| Err(CommandError::Usage(format!("{}: {why}", shown(path))));
        let there = fs::canonicalize(path).ok();
        if there.is_some() && there == crosses.and_then(|file| fs::canonicalize(file).ok()) {
            return usage(&"the capture would replace the file");
        }
        // Asked before it is opened: opening a pipe would wait for a reader.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return usage(&"not a regular file");
        }
        File::create(path).map(drop).or_else(|error| usage(&error))
    }

    /// The images: those that are named, or those that are built now.
    pub(super) fn images(&self) -> Result<Images, CommandError> {
        let images = match &self.images {
            Some(folder) => build::Images { folder: folder.clone() },
            None => build::build()?,
        };
        Ok(Images { softndk: images.image("softndk"), ndkhlk: images.image("ndkhlk") })
    }

    /// Boots a machine whose adapter has this address.
    pub(super) fn boot(&self, images: &Images, address: IpAddr) -> Result<Booted, CommandError> {
        let started = Instant::now();
        let mut builder = Machine::builder().host_sockets();
        if let Some(path) = &self.capture {
            builder = builder.capture(path);
        }
        // An address of the adapter's own machine is reached over TCP, too: the peer may be in another process.
        let place = Place::new(INDEX, address).wire().crc(self.crc);
        let fixture = Fixture::on(builder.boot(), images, &[place]);
        let fixture = fixture.map_err(|(error, _)| CommandError::work(error.to_string()))?;
        Ok(Booted { fixture, took: started.elapsed() })
    }
}

/// Sees that an adapter can have the address.
pub(super) fn check(at: SocketAddr) -> Result<(), CommandError> {
    let has_scope = matches!(at, SocketAddr::V6(at) if at.scope_id() != 0);
    if is_usable(at.ip()) && !has_scope {
        return Ok(());
    }
    Err(CommandError::Usage(format!("{at}: not the address of one host, without a scope")))
}

/// An end of the adapter at this address.
pub(super) fn end(at: SocketAddr) -> Endpoint {
    Endpoint::at(INDEX, at)
}

/// The address from which the host reaches a peer.
///
/// # Errors
/// The host's reason for which it does not.
pub(super) fn own_address(peer: SocketAddr) -> Result<SocketAddr, CommandError> {
    let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    // Connecting a datagram socket sends nothing: it looks up the route.
    let asked = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(peer)?;
        socket.local_addr()
    });
    let mut own = asked.map_err(|error| CommandError::Usage(format!("{peer}: {error}")))?;
    own.set_port(0);
    Ok(own)
}

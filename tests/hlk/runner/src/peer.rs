//! Sessions whose other side is in another machine.

use core::net::SocketAddr;
use core::time::Duration;
use std::hash::{BuildHasher, RandomState};

use protocol::{
    AcceptPeerRequest, ConnectPeerRequest, Endpoint, ListenPeerReport, ListenPeerRequest, Outcome,
    PeerReport, Refusal, VERSION, control,
};

use crate::status::{IO_TIMEOUT, SUCCESS};
use crate::{Client, Error, Session};

impl Client {
    /// Connects to a peer from `own`, whose port is chosen.
    ///
    /// # Errors
    /// The status with which it failed, or the reason for which the peer or this side wanted no session.
    pub fn connect_peer(self, own: Endpoint, peer: SocketAddr, chunk_length: u32) -> Result<Session, Error> {
        let session = RandomState::new().hash_one(chunk_length);
        let peer = Endpoint::at(0, peer);
        let request = ConnectPeerRequest { version: VERSION, chunk_length, session, own, peer };
        let report: PeerReport = self.call("connect", control::CONNECT_PEER, &request)?;
        match report.session.status {
            SUCCESS => Ok(Session { client: self, report: report.session }),
            _ if report.refusal != 0 => Err(Error::Refused(why(report.refusal).to_owned())),
            status => Err(failed("connect", status, report.session.outcome)),
        }
    }

    /// Listens for a peer at `own`; a port of 0 is chosen.
    ///
    /// # Errors
    /// The status with which it failed.
    pub fn listen_peer(self, own: Endpoint, chunk_length: u32) -> Result<PeerListener, Error> {
        let request = ListenPeerRequest { version: VERSION, chunk_length, own };
        let report: ListenPeerReport = self.call("listen", control::LISTEN_PEER, &request)?;
        match (report.status, report.local.socket_address()) {
            (SUCCESS, Some(local)) => Ok(PeerListener { client: self, local }),
            (status, _) => Err(failed("listen", status, report.outcome)),
        }
    }
}

/// A listening side, which has no session yet.
#[derive(Debug)]
pub struct PeerListener {
    client: Client,
    local: SocketAddr,
}

/// The outcome of waiting for a peer.
#[derive(Debug)]
pub enum Incoming {
    /// A peer has connected, from this address. The listener is used up.
    Session(Box<Session>, SocketAddr),
    /// Another program, or a harness of another version, was refused; the listener goes on.
    Refused(SocketAddr, &'static str),
    /// A peer has not come to the end of its greetings: the listener is closed.
    Failed(Option<SocketAddr>, Error),
    /// No peer has come in time.
    Nothing,
}

impl PeerListener {
    /// The address that is listened on.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits for a peer, at most so long.
    ///
    /// # Errors
    /// The status of the request.
    pub fn accept(&self, wait: Duration) -> Result<Incoming, Error> {
        let request = AcceptPeerRequest { milliseconds: wait.as_millis().try_into().unwrap_or(u32::MAX) };
        let report: PeerReport = self.client.call("accept", control::ACCEPT_PEER, &request)?;
        let peer = report.peer.socket_address();
        Ok(match (report.session.status, peer) {
            (SUCCESS, Some(peer)) => {
                let session = Session { client: self.client.clone(), report: report.session };
                Incoming::Session(Box::new(session), peer)
            }
            (_, Some(peer)) if report.listening != 0 => Incoming::Refused(peer, why(report.refusal)),
            (IO_TIMEOUT, _) if report.listening != 0 => Incoming::Nothing,
            (status, _) => Incoming::Failed(peer, failed("accept", status, report.session.outcome)),
        })
    }

    /// Listens no more.
    ///
    /// # Errors
    /// The status of the request; what the closes came to is in the outcome.
    pub fn stop(self) -> Result<Outcome, Error> {
        self.client.call("stop listening", control::STOP_LISTENING, &[0_u8; 0])
    }
}

fn failed(what: &'static str, status: i32, outcome: Outcome) -> Error {
    Error::Status { what, status, outcome: Some(Box::new(outcome)) }
}

/// The reason of a refusal in words.
fn why(refusal: u32) -> &'static str {
    match Refusal::try_from(refusal) {
        Ok(Refusal::NoGreeting) => "it speaks iWARP, and not the harness' protocol",
        Ok(Refusal::Version) => "it has another version",
        Ok(Refusal::Busy) => "it is busy with another session",
        Err(_) => "no reason is given",
    }
}

//! The engine of iWARP alone, over a socket of the host, as softndk's side.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use interop::{Endpoint, Event, Rights, Settings};
use iwarp::rdmap::SendKind;

use super::meeting::{Counted, DATA, Ours, PATIENCE, Place, Side, must};
use crate::failure::CommandError;

/// The place that the peer knows the first byte of our memory by.
pub(super) const BASE: u64 = 0xFFFF_0000_0000_0001;

/// The engine with its wishes.
#[derive(Default)]
pub(super) struct Engine {
    settings: Settings,
    listener: Option<TcpListener>,
}

impl Engine {
    pub(super) const fn new(settings: Settings) -> Self {
        Self { settings, listener: None }
    }

    /// One that asks for CRCs, or does not.
    pub(super) fn with_crc(crc: bool) -> Self {
        Self::new(Settings { crc, ..Settings::default() })
    }
}

impl Ours for Engine {
    type Side = Endpoint;

    fn connect(&mut self, at: SocketAddr) -> Result<Endpoint, CommandError> {
        let socket = TcpStream::connect(at).map_err(|error| CommandError::work(format!("{at}: {error}")))?;
        Endpoint::connect(socket, self.settings, DATA).map_err(work)
    }

    fn listen(&mut self) -> Result<u16, CommandError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(socket)?;
        let port = listener.local_addr().map(|at| at.port()).map_err(socket)?;
        self.listener = Some(listener);
        Ok(port)
    }

    fn accept(&mut self) -> Result<Endpoint, CommandError> {
        let listener = self.listener.take().ok_or_else(|| CommandError::work("nothing listens"))?;
        Endpoint::accept(accept(&listener)?, self.settings, DATA).map_err(work)
    }
}

fn accept(listener: &TcpListener) -> Result<TcpStream, CommandError> {
    listener.set_nonblocking(true).map_err(socket)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match listener.accept() {
            Ok((accepted, _)) => {
                accepted.set_nonblocking(false).map_err(socket)?;
                return Ok(accepted);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && Instant::now() < until => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Err(error) => return Err(socket(error)),
        }
    }
}

impl Side for Endpoint {
    fn private(&self) -> &[u8] {
        Self::private(self)
    }

    fn send(&mut self, kind: SendKind, bytes: Vec<u8>) -> Result<(), CommandError> {
        Self::send(self, kind, bytes).map_err(work)
    }

    fn received(&mut self, kind: SendKind) -> Result<Vec<u8>, CommandError> {
        match self.event(PATIENCE).map_err(work)? {
            Event::Received { kind: got, bytes } if got == kind => {
                let is_over = kind.invalidate.is_none_or(|stag| self.memory.bytes(stag).is_none());
                must(is_over, "the token has ended")?;
                Ok(bytes)
            }
            other => Err(unexpected(&format!("a message of {kind:?}"), &other)),
        }
    }

    fn expose(&mut self, bytes: Vec<u8>, rights: Rights) -> Result<Place, CommandError> {
        Ok(Place { stag: self.memory.register(BASE, bytes, rights), offset: BASE })
    }

    fn expose_once(&mut self, length: usize) -> Result<Place, CommandError> {
        self.expose(vec![0; length], Rights::ALL)
    }

    fn exposed(&mut self, place: Place) -> Result<Vec<u8>, CommandError> {
        let bytes = self.memory.bytes(place.stag);
        bytes.map(<[u8]>::to_vec).ok_or_else(|| CommandError::work("the token has ended"))
    }

    fn was_written(&mut self) {}

    fn was_read(&mut self) {}

    fn read(&mut self, from: Place, length: u32) -> Result<(), CommandError> {
        Self::read(self, from.stag, from.offset, length).map_err(work)
    }

    fn read_done(&mut self) -> Result<Vec<u8>, CommandError> {
        match self.event(PATIENCE).map_err(work)? {
            Event::ReadDone(bytes) => Ok(bytes),
            other => Err(unexpected("the end of a read", &other)),
        }
    }

    fn write(&mut self, to: Place, bytes: Vec<u8>) -> Result<(), CommandError> {
        Self::write(self, to.stag, to.offset, bytes).map_err(work)
    }

    fn finish(&mut self) -> Result<(), CommandError> {
        Self::finish(self).map_err(work)
    }

    fn finished(&mut self) -> Result<(), CommandError> {
        match self.event(PATIENCE).map_err(work)? {
            Event::Finished => Ok(()),
            other => Err(unexpected("an orderly end", &other)),
        }
    }

    fn counts(&self) -> (Option<bool>, [Counted; 2]) {
        (Some(self.has_crc()), [self.sent, self.received].map(Counted::Segments))
    }

    fn close(self) -> Result<(), CommandError> {
        Ok(())
    }
}

pub(super) fn unexpected(wanted: &str, event: &Event) -> CommandError {
    CommandError::work(format!("{wanted} was expected, not {event:?}"))
}

pub(super) fn work(error: interop::Error) -> CommandError {
    CommandError::work(error.to_string())
}

fn socket(error: std::io::Error) -> CommandError {
    CommandError::work(format!("a socket: {error}"))
}

//! One meeting of softndk and its peer: a connection, and what it came to.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use interop::{Counts, Endpoint, Event, Settings};

use super::machine::{Machine, Running};
use crate::failure::CommandError;

/// The time that one step of a meeting has: a guest without KVM on a busy machine is slow.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The same in seconds, for commands of the guest; they have time for several steps.
pub(super) const SECONDS: u32 = 180;

/// A meeting that came to its end.
#[derive(Clone, Copy)]
pub(super) struct Met {
    /// The port that was listened on, which names the stream in the capture.
    pub(super) port: u16,
    /// softndk listened.
    pub(super) listens: bool,
    pub(super) crc: bool,
    /// A fault of the peer's was seen, behind which nothing counts.
    pub(super) is_cut: bool,
    pub(super) sent: Counts,
    pub(super) received: Counts,
}

impl Met {
    /// Returns whether a direction of the stream is the one that softndk sends in.
    pub(super) const fn is_ours(&self, from: u16, to: u16) -> bool {
        if self.listens { from == self.port } else { to == self.port }
    }
}

/// A program of the guest, and the endpoint that is connected with it.
pub(super) struct Connected {
    pub(super) program: Running,
    pub(super) endpoint: Endpoint,
    port: u16,
    listens: bool,
}

impl Connected {
    /// The meeting so far.
    pub(super) const fn met(&self, is_cut: bool) -> Met {
        let Self { endpoint, port, listens, .. } = self;
        let (sent, received) = (endpoint.sent, endpoint.received);
        Met { port: *port, listens: *listens, crc: endpoint.has_crc(), is_cut, sent, received }
    }
}

/// Starts a program that listens in the guest, and connects to it. `{port}` in the command is its port.
pub(super) fn call(
    machine: &mut Machine,
    command: &str,
    settings: Settings,
) -> Result<Connected, CommandError> {
    let (at, port) = machine.port()?;
    let program = machine.run(SECONDS, &command.replace("{port}", &port.to_string()))?;
    let listens = machine.run(60, &format!("listening {port:04X}"))?;
    if listens.end(PATIENCE)?.code != 0 {
        return Err(CommandError::work(format!("nothing listens in the guest: {command}")));
    }
    let socket = TcpStream::connect(at).map_err(|error| CommandError::work(format!("{at}: {error}")))?;
    let endpoint = Endpoint::connect(socket, settings, b"softndk").map_err(work)?;
    Ok(Connected { program, endpoint, port, listens: false })
}

/// Starts a program of the guest that connects to this machine, and accepts it. `{port}` in the command is the port.
pub(super) fn be_called(
    machine: &mut Machine,
    command: &str,
    settings: Settings,
) -> Result<Connected, CommandError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(socket)?;
    let port = listener.local_addr().map(|at: SocketAddr| at.port()).map_err(socket)?;
    let program = machine.run(SECONDS, &command.replace("{port}", &port.to_string()))?;
    let endpoint = Endpoint::accept(accept(&listener)?, settings, b"softndk").map_err(work)?;
    Ok(Connected { program, endpoint, port, listens: true })
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
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(socket(error)),
        }
    }
}

/// The message that comes next.
pub(super) fn received(endpoint: &mut Endpoint) -> Result<Vec<u8>, CommandError> {
    match endpoint.event(PATIENCE).map_err(work)? {
        Event::Received { bytes, .. } => Ok(bytes),
        other => Err(unexpected("a message", &other)),
    }
}

/// The bytes of the read that ends next.
pub(super) fn read(endpoint: &mut Endpoint) -> Result<Vec<u8>, CommandError> {
    match endpoint.event(PATIENCE).map_err(work)? {
        Event::ReadDone(bytes) => Ok(bytes),
        other => Err(unexpected("the end of a read", &other)),
    }
}

/// The peer's orderly end is awaited.
pub(super) fn finished(endpoint: &mut Endpoint) -> Result<(), CommandError> {
    match endpoint.event(PATIENCE).map_err(work)? {
        Event::Finished => Ok(()),
        other => Err(unexpected("an orderly end", &other)),
    }
}

pub(super) fn unexpected(wanted: &str, event: &Event) -> CommandError {
    CommandError::work(format!("{wanted} was expected, not {event:?}"))
}

/// Something that has to be.
pub(super) fn must(holds: bool, what: &str) -> Result<(), CommandError> {
    if holds { Ok(()) } else { Err(CommandError::work(format!("not so: {what}"))) }
}

pub(super) fn work(error: interop::Error) -> CommandError {
    CommandError::work(error.to_string())
}

fn socket(error: std::io::Error) -> CommandError {
    CommandError::work(format!("a socket: {error}"))
}

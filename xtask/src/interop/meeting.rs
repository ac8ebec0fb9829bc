//! One meeting of softndk and its peer: a connection, and what it came to.

use std::net::SocketAddr;
use std::time::Duration;

use interop::{Counts, Rights};
use iwarp::ddp::Stag;
use iwarp::rdmap::SendKind;

use super::machine::{Machine, Running};
use crate::failure::CommandError;

/// The time that one step of a meeting has: a guest without KVM on a busy machine is slow.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The same in seconds, for commands of the guest; they have time for several steps.
pub(super) const SECONDS: u32 = 180;

/// The private data that softndk sends.
pub(super) const DATA: &[u8] = b"softndk";

/// That which one side knows of what crossed in one direction.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    /// FPDUs by operation.
    Segments(Counts),
    /// Messages by operation, but for Writes of no length, which a stream may begin with.
    Messages(Counts),
}

impl Counted {
    /// The number of what was counted.
    pub(super) fn total(&self) -> u64 {
        let (Self::Segments(counts) | Self::Messages(counts)) = self;
        counts.total()
    }
}

/// A meeting that came to its end.
#[derive(Clone, Copy)]
pub(super) struct Met {
    /// The port that was listened on, which names the stream in the capture.
    pub(super) port: u16,
    /// softndk listened.
    pub(super) listens: bool,
    /// The agreement on CRCs, if softndk's side is told of it.
    pub(super) crc: Option<bool>,
    /// A fault of the peer's was seen, behind which nothing counts.
    pub(super) is_cut: bool,
    pub(super) sent: Counted,
    pub(super) received: Counted,
}

impl Met {
    /// Returns whether a direction of the stream is the one that softndk sends in.
    pub(super) const fn is_ours(&self, from: u16, to: u16) -> bool {
        if self.listens { from == self.port } else { to == self.port }
    }
}

/// A place in registered memory, as the other side names it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) stag: Stag,
    pub(super) offset: u64,
}

/// softndk's side of a connection. Each method waits for its end, at most [`PATIENCE`].
pub(super) trait Side {
    /// The private data of the peer, behind which there may be zeros.
    fn private(&self) -> &[u8];
    /// Sends a message.
    fn send(&mut self, kind: SendKind, bytes: Vec<u8>) -> Result<(), CommandError>;
    /// Takes the message that comes next, which has to be of this kind.
    fn received(&mut self, kind: SendKind) -> Result<Vec<u8>, CommandError>;
    /// Lets the peer at these bytes.
    fn expose(&mut self, bytes: Vec<u8>, rights: Rights) -> Result<Place, CommandError>;
    /// Lets the peer at so many bytes until it ends their token.
    fn expose_once(&mut self, length: usize) -> Result<Place, CommandError>;
    /// The bytes that the peer is let at, as they are now.
    fn exposed(&mut self, place: Place) -> Result<Vec<u8>, CommandError>;
    /// Notes that the peer has written by a message of its own what it was let at.
    fn was_written(&mut self);
    /// Notes that the peer has read by a message of its own what it was let at.
    fn was_read(&mut self);
    /// Asks for memory of the peer; [`Side::read_done`] has it. Does not wait.
    fn read(&mut self, from: Place, length: u32) -> Result<(), CommandError>;
    /// The bytes of the oldest read.
    fn read_done(&mut self) -> Result<Vec<u8>, CommandError>;
    /// Writes to memory of the peer.
    fn write(&mut self, to: Place, bytes: Vec<u8>) -> Result<(), CommandError>;
    /// Ends the stream in order.
    fn finish(&mut self) -> Result<(), CommandError>;
    /// Sees that both sides have ended the stream in order.
    fn finished(&mut self) -> Result<(), CommandError>;
    /// Returns whether CRCs were agreed on, if this side is told, and what was sent and received.
    fn counts(&self) -> (Option<bool>, [Counted; 2]);
    /// Gives up what the side consists of; nothing may be amiss.
    fn close(self) -> Result<(), CommandError>;
}

/// An implementation that connections of softndk are made of.
pub(super) trait Ours {
    /// Its side of one of them.
    type Side: Side;
    /// Connects to a peer.
    fn connect(&mut self, at: SocketAddr) -> Result<Self::Side, CommandError>;
    /// Listens at a port of this machine, which is chosen.
    fn listen(&mut self) -> Result<u16, CommandError>;
    /// Accepts the peer that comes to the port that was chosen last.
    fn accept(&mut self) -> Result<Self::Side, CommandError>;
}

/// A program of the guest, and the side that is connected with it.
pub(super) struct Connected<S> {
    program: Running,
    pub(super) side: S,
    port: u16,
    listens: bool,
}

impl<S: Side> Connected<S> {
    /// The meeting so far.
    pub(super) fn met(&self, is_cut: bool) -> Met {
        let Self { port, listens, .. } = *self;
        let (crc, [sent, received]) = self.side.counts();
        Met { port, listens, crc, is_cut, sent, received }
    }

    /// Ends the meeting, both sides of which have ended their streams; returns what the program has printed, too.
    pub(super) fn end(self, code: Option<i32>) -> Result<(Met, Vec<String>), CommandError> {
        let met = self.met(false);
        self.side.close()?;
        let ended = self.program.end(PATIENCE)?;
        let is_so = code.is_none_or(|code| code == ended.code);
        must(is_so, &format!("the program of the guest ends as it should, not with {}", ended.code))?;
        Ok((met, ended.lines))
    }
}

/// Starts a program that listens in the guest, and connects to it. `{port}` in the command is its port.
pub(super) fn call<O: Ours>(
    machine: &mut Machine,
    ours: &mut O,
    command: &str,
) -> Result<Connected<O::Side>, CommandError> {
    let (at, port) = machine.port()?;
    let program = machine.run(SECONDS, &command.replace("{port}", &port.to_string()))?;
    let listens = machine.run(60, &format!("listening {port:04X}"))?;
    if listens.end(PATIENCE)?.code != 0 {
        return Err(CommandError::work(format!("nothing listens in the guest: {command}")));
    }
    let side = ours.connect(at)?;
    Ok(Connected { program, side, port, listens: false })
}

/// Starts a program of the guest that connects to this machine, and accepts it. `{port}` in the command is the port.
pub(super) fn be_called<O: Ours>(
    machine: &Machine,
    ours: &mut O,
    command: &str,
) -> Result<Connected<O::Side>, CommandError> {
    let port = ours.listen()?;
    let program = machine.run(SECONDS, &command.replace("{port}", &port.to_string()))?;
    let side = ours.accept()?;
    Ok(Connected { program, side, port, listens: true })
}

/// Something that has to be.
pub(super) fn must(holds: bool, what: &str) -> Result<(), CommandError> {
    if holds { Ok(()) } else { Err(CommandError::work(format!("not so: {what}"))) }
}

//! A connection: the engine, a socket of the host, and memory.

mod input;
mod output;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use iwarp::ddp::Stag;
use iwarp::fpdu::Mulpdu;
use iwarp::mpa::Config;
use iwarp::rdmap::SendKind;
use iwarp::{Deadline, Message, PostError, State, Stream};

use crate::counts::Counts;
use crate::error::Error;
use crate::event::Event;
use crate::memory::Memory;

/// The most reads that are outstanding in one direction.
const READS: usize = 16;

/// The tag of the sinks of reads: no token of [`Memory`] is equal to it.
const SINK: Stag = Stag(2);

/// The bytes that are taken from the socket at once.
const PIECE: usize = 64 << 10;

/// The time after which a peer that takes no bytes is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);

/// The wishes and limits of an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Asks for CRCs.
    pub crc: bool,
    /// The reads of the peer that are answered at a time, and the reads of one's own.
    pub reads: u16,
    /// The payload of a segment of TCP, which an FPDU is to fit into.
    pub emss: u32,
    /// The number of receives.
    pub receives: usize,
    /// The length of each.
    pub receive: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { crc: false, reads: 8, emss: 1448, receives: usize::MAX, receive: 1 << 20 }
    }
}

/// A message that waits, with its payload.
struct Posted {
    message: Message,
    payload: Vec<u8>,
}

/// The place of the payload that comes.
#[derive(Clone, Copy)]
enum Target {
    Region(Stag, u64),
    Receive,
    Sink(usize),
    Nowhere,
}

/// A connection. All calls move bytes in both directions as far as they have to.
pub struct Endpoint {
    socket: TcpStream,
    stream: Stream<READS>,
    settings: Settings,
    /// The bytes of the peer that are not consumed.
    input: Vec<u8>,
    /// The memory that the peer may name.
    pub memory: Memory,
    /// The private data of the peer's frame.
    private: Vec<u8>,
    posted: VecDeque<Posted>,
    /// The payload of the message that is being cut, and of the answer.
    message: Vec<u8>,
    answer: Vec<u8>,
    /// The sinks of the reads that are awaited.
    sinks: VecDeque<Vec<u8>>,
    receive: Vec<u8>,
    target: Target,
    events: VecDeque<Event>,
    timer: Option<(Deadline, Instant)>,
    /// The socket's sending side is shut.
    is_shut: bool,
    /// The FPDUs that were sent.
    pub sent: Counts,
    /// The FPDUs that were received, as far as their headers are legal.
    pub received: Counts,
}

impl Endpoint {
    /// Starts a connection as its initiator: returns when the reply has accepted it.
    pub fn connect(socket: TcpStream, settings: Settings, private: &[u8]) -> Result<Self, Error> {
        let (stream, request) =
            Stream::connect(config(&settings), Mulpdu::of_segment(settings.emss), private)
                .map_err(|_| Error::PrivateData)?;
        let mut endpoint = Self::over(socket, stream, settings)?;
        endpoint.socket.write_all(&request)?;
        endpoint.start(private)
    }

    /// Starts a connection as its responder, which accepts with this private data: returns when the reply is sent.
    pub fn accept(socket: TcpStream, settings: Settings, private: &[u8]) -> Result<Self, Error> {
        let stream = Stream::listen(config(&settings), Mulpdu::of_segment(settings.emss));
        Self::over(socket, stream, settings)?.start(private)
    }

    fn over(socket: TcpStream, stream: Stream<READS>, settings: Settings) -> Result<Self, Error> {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(WRITE_PATIENCE))?;
        Ok(Self {
            socket,
            stream,
            settings,
            input: Vec::new(),
            memory: Memory::default(),
            private: Vec::new(),
            posted: VecDeque::new(),
            message: Vec::new(),
            answer: Vec::new(),
            sinks: VecDeque::new(),
            receive: Vec::new(),
            target: Target::Nowhere,
            events: VecDeque::new(),
            timer: None,
            is_shut: false,
            sent: Counts::default(),
            received: Counts::default(),
        })
    }

    fn start(mut self, private: &[u8]) -> Result<Self, Error> {
        while !matches!(self.stream.state(), State::Operating | State::ReplySent) {
            self.fill(Instant::now() + Duration::from_secs(60))?;
            self.consume(private)?;
            if let Some(Event::Fault(fault)) = self.events.front() {
                let fault = *fault;
                self.flush()?;
                return Err(Error::Start(fault));
            }
            if matches!(self.stream.state(), State::Closing | State::Over) {
                return Err(Error::Rejected);
            }
        }
        self.flush()?;
        Ok(self)
    }

    /// The private data of the peer's frame.
    pub fn private(&self) -> &[u8] {
        &self.private
    }

    /// The state of the stream.
    pub const fn state(&self) -> State {
        self.stream.state()
    }

    /// Returns whether FPDUs have sums.
    pub const fn has_crc(&self) -> bool {
        self.stream.has_crc()
    }

    /// Sends a message to the next receive of the peer.
    pub fn send(&mut self, kind: SendKind, payload: Vec<u8>) -> Result<(), Error> {
        let length = length(&payload);
        self.post(Message::Send { kind, length }, payload)
    }

    /// Writes to memory of the peer.
    pub fn write(&mut self, stag: Stag, offset: u64, payload: Vec<u8>) -> Result<(), Error> {
        let length = length(&payload);
        self.post(Message::Write { stag, offset, length }, payload)
    }

    /// Asks for memory of the peer; [`Event::ReadDone`] has it.
    pub fn read(&mut self, source: Stag, offset: u64, length: u32) -> Result<(), Error> {
        self.post(Message::Read { source, offset, length }, Vec::new())
    }

    fn post(&mut self, message: Message, payload: Vec<u8>) -> Result<(), Error> {
        self.posted.push_back(Posted { message, payload });
        self.flush()
    }

    /// Sends a ULPDU as it is, in an FPDU with the right sum.
    pub fn inject(&mut self, ulpdu: &[u8]) -> Result<(), Error> {
        let length = u16::try_from(ulpdu.len()).map_err(|_| Error::PrivateData)?;
        let mut fpdu = length.to_be_bytes().to_vec();
        fpdu.extend_from_slice(ulpdu);
        fpdu.resize(fpdu.len() + usize::from(iwarp::fpdu::pad(length)), 0);
        let sum = if self.has_crc() {
            let mut digest = iwarp::crc::Digest::new();
            digest.update(&fpdu);
            digest.to_wire()
        } else {
            [0; 4]
        };
        fpdu.extend_from_slice(&sum);
        self.sent.add(ulpdu.get(1).map_or(u8::MAX, |control| control & 0x0F));
        Ok(self.socket.write_all(&fpdu)?)
    }

    /// The next event, if one comes in time.
    pub fn event(&mut self, patience: Duration) -> Result<Event, Error> {
        let until = Instant::now() + patience;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if Instant::now() >= until {
                return Err(Error::Late(self.stream.state()));
            }
            self.fill(until)?;
            self.consume(&[])?;
            self.flush()?;
        }
    }

    /// Ends this side's stream.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.stream.finish().map_err(|_| Error::Refused(PostError::State))?;
        self.flush()
    }

    /// Takes more bytes of the peer, for as long as `until` and the engine's timer let it.
    fn fill(&mut self, until: Instant) -> Result<(), Error> {
        let now = Instant::now();
        let deadline = self.stream.deadline();
        if self.timer.map(|(running, _)| running) != deadline {
            self.timer = deadline.map(|deadline| (deadline, now + deadline.timer.duration()));
        }
        let next = self.timer.map_or(until, |(_, at)| at.min(until));
        let wait = next.saturating_duration_since(now).max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(wait))?;
        let mut piece = vec![0; PIECE];
        match self.socket.read(&mut piece) {
            Ok(0) => self.peer_finished(),
            Ok(taken) => self.input.extend_from_slice(&piece[..taken]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if let Some((deadline, at)) = self.timer
                    && at <= Instant::now()
                    && let Some(fault) = self.stream.expired(deadline)
                {
                    self.events.push_back(Event::Fault(fault));
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::BrokenPipe
                ) =>
            {
                self.stream.abort();
                self.events.push_back(Event::Gone);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn peer_finished(&mut self) {
        let was_over = self.stream.state() == State::Over;
        match self.stream.peer_finished() {
            Ok(()) if was_over => self.events.push_back(Event::Gone),
            Ok(()) => {
                self.events.push_back(Event::Finished);
                // Nothing of this side follows, so its end does.
                let _answered = self.stream.finish();
            }
            Err(fault) => self.events.push_back(Event::Fault(fault)),
        }
    }

    /// Shuts what the engine has come to the end of.
    fn shut(&mut self) {
        let over = matches!(self.stream.state(), State::Closing | State::FinSent | State::Over);
        if over && !self.is_shut {
            self.is_shut = true;
            // The peer may have gone before.
            let _shut = self.socket.shutdown(Shutdown::Write);
        }
    }
}

fn config(settings: &Settings) -> Config {
    Config { crc: settings.crc, ird: settings.reads, ord: settings.reads, sink: SINK }
}

fn length(payload: &[u8]) -> u32 {
    u32::try_from(payload.len()).unwrap_or(u32::MAX)
}

//! A connection: the one door of the engine.
//!
//! ```text
//! initiator  RequestSent ─▶ ReplyRead ─▶ Operating            RequestAwaited ─▶ Offered ─▶ ReplySent ─▶ Operating  responder
//! both       Operating ─▶ FinSent, FinReceived ─▶ Over        Operating ─▶ Terminating ─▶ Closing ─▶ Over
//!            any ─▶ Over
//! ```
//!
//! | state | bytes of the peer | FPDUs |
//! |---|---|---|
//! | `RequestSent`, `RequestAwaited` | the frame that is awaited | none |
//! | `ReplyRead` | wait for the consumer | none |
//! | `Offered` | break the protocol | none |
//! | `ReplySent` | FPDUs; the first one that is whole makes it `Operating` | none |
//! | `Operating` | FPDUs | all |
//! | `FinSent` | FPDUs | none |
//! | `FinReceived` | discarded | the rest of the message that has begun |
//! | `Rejecting` | discarded | none; the reply that rejects is owed |
//! | `Terminating` | discarded | the Terminate |
//! | `Closing` | discarded | none; the end of the stream is owed to TCP |
//! | `Over` | discarded | none |

mod end;
mod input;
mod output;
mod startup;

pub use input::Step;
pub use output::{Message, PostError};
pub use startup::StateError;

use crate::ddp::Stag;
use crate::fpdu::{Framer, Mulpdu};
use crate::mpa::{Agreed, Config, Offer, PrivateDataTooLong, StartupFrame, request};
use crate::rdmap::{Copied, Terminate};
use crate::reads::Reads;
use crate::receive::{Effect, Sequencer};
use crate::ring::Ring;
use crate::send::Segmenter;
use crate::timer::Timer;

/// The phase of a stream, with what exists only in it.
#[derive(Clone, Copy, Debug)]
enum Phase {
    RequestSent,
    ReplyRead(Agreed),
    RequestAwaited,
    Offered(Offer),
    Rejecting(Offer),
    ReplySent,
    Operating,
    FinSent,
    FinReceived,
    Terminating(Terminate),
    Closing,
    Over,
}

/// The phase of a stream by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The initiator awaits the reply.
    RequestSent,
    /// The initiator's consumer is asked.
    ReplyRead,
    /// The responder awaits the request.
    RequestAwaited,
    /// The responder's consumer is asked.
    Offered,
    /// The reply that rejects is to be sent.
    Rejecting,
    /// The responder awaits the first FPDU.
    ReplySent,
    /// Messages go both ways.
    Operating,
    /// This side has ended its stream.
    FinSent,
    /// The peer has ended its stream.
    FinReceived,
    /// The Terminate is to be sent.
    Terminating,
    /// This side's stream is to be ended, if it is not yet, and the peer's end awaited.
    Closing,
    /// Nothing follows: the connection is aborted, if TCP still has it.
    Over,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
}

/// The number of transitions that are remembered: no stream has more.
const LOG: usize = 8;

/// The first FPDU, as long as some peers may have overlooked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nudge {
    /// Not sent yet.
    Before,
    /// Sent, and nothing has come since.
    Waiting,
    /// One more is to be sent.
    Due,
    /// No more.
    Done,
}

/// The segment whose header was read last.
#[derive(Clone, Copy, Debug)]
struct Current {
    copied: Copied,
    effect: Effect,
}

/// A connection of iWARP, with at most `READS` reads outstanding in each direction (a power of two).
#[derive(Debug)]
pub struct Stream<const READS: usize> {
    config: Config,
    phase: Phase,
    log: Ring<Transition, LOG>,
    framer: Framer,
    sequencer: Sequencer,
    segmenter: Segmenter,
    reads: Reads<READS>,
    /// The segment that is being received.
    current: Option<Current>,
    /// The segment that was received last.
    last: Option<Copied>,
    /// The first FPDU that this side owes.
    owed: Option<crate::mpa::Rtr>,
    nudge: Nudge,
    /// Some bytes of an FPDU have come, but not all.
    is_within: bool,
    /// Counts the starts of timers.
    starts: u32,
}

impl<const READS: usize> Stream<READS> {
    /// A stream that has not begun, and is over: to be put in its place, where it then begins. It is large.
    pub const IDLE: Self = {
        let config = Config { crc: false, ird: 0, ord: 0, sink: Stag(0) };
        Self {
            config,
            phase: Phase::Over,
            log: Ring::new(),
            framer: Framer::new(false, 0),
            sequencer: Sequencer::new(),
            segmenter: Segmenter::new(Mulpdu::of_segment(0)),
            reads: Reads::new(config.sink),
            current: None,
            last: None,
            owed: None,
            nudge: Nudge::Done,
            is_within: false,
            starts: 0,
        }
    };

    /// The stream of an initiator, and its request, which is to be sent first.
    ///
    /// Fails if the private data does not fit into a frame.
    pub fn connect(
        config: Config,
        mulpdu: Mulpdu,
        private: &[u8],
    ) -> Result<(Self, StartupFrame), PrivateDataTooLong> {
        let mut stream = Self::IDLE;
        let frame = stream.begin_connect(config, mulpdu, private)?;
        Ok((stream, frame))
    }

    /// The stream of a responder.
    pub fn listen(config: Config, mulpdu: Mulpdu) -> Self {
        let mut stream = Self::IDLE;
        stream.begin_listen(config, mulpdu);
        stream
    }

    /// Begins an idle stream as that of an initiator: its request, which is to be sent first.
    ///
    /// Fails if the private data does not fit into a frame; the stream is idle.
    pub fn begin_connect(
        &mut self,
        config: Config,
        mulpdu: Mulpdu,
        private: &[u8],
    ) -> Result<StartupFrame, PrivateDataTooLong> {
        let config = Self::within(config);
        let frame = request(&config, private)?;
        self.begin(config, mulpdu, Phase::RequestSent);
        Ok(frame)
    }

    /// Begins an idle stream as that of a responder.
    pub fn begin_listen(&mut self, config: Config, mulpdu: Mulpdu) {
        self.begin(Self::within(config), mulpdu, Phase::RequestAwaited);
    }

    /// A configuration with at most as many reads as there is room for.
    fn within(config: Config) -> Config {
        let most = u16::try_from(READS).unwrap_or(u16::MAX);
        Config { ird: config.ird.min(most), ord: config.ord.min(most), ..config }
    }

    fn begin(&mut self, config: Config, mulpdu: Mulpdu, phase: Phase) {
        self.config = config;
        self.phase = phase;
        self.framer = Framer::new(config.crc, 0);
        self.segmenter = Segmenter::new(mulpdu);
        self.reads.begin_with(config.sink);
    }

    /// The state.
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::RequestSent => State::RequestSent,
            Phase::ReplyRead(_) => State::ReplyRead,
            Phase::RequestAwaited => State::RequestAwaited,
            Phase::Offered(_) => State::Offered,
            Phase::Rejecting(_) => State::Rejecting,
            Phase::ReplySent => State::ReplySent,
            Phase::Operating => State::Operating,
            Phase::FinSent => State::FinSent,
            Phase::FinReceived => State::FinReceived,
            Phase::Terminating(_) => State::Terminating,
            Phase::Closing => State::Closing,
            Phase::Over => State::Over,
        }
    }

    /// The changes of state so far, the first one first.
    pub fn transitions(&self) -> impl Iterator<Item = Transition> {
        self.log.iter().copied()
    }

    /// The number of reads of one's own that are awaited; a message with a read fence waits until there are none.
    pub const fn reads_awaited(&self) -> usize {
        self.reads.awaited()
    }

    /// The bytes that the reads of one's own still await.
    pub fn bytes_awaited(&self) -> u64 {
        self.reads.bytes_awaited()
    }

    /// Returns whether FPDUs have sums.
    pub const fn has_crc(&self) -> bool {
        self.segmenter.crc
    }

    /// Changes the state. Every change goes through here.
    fn enter(&mut self, phase: Phase) {
        let from = self.state();
        self.phase = phase;
        if self.log.len() == LOG {
            let _forgotten = self.log.pop();
        }
        let _remembered = self.log.push(Transition { from, to: self.state() });
        self.starts = self.starts.wrapping_add(1);
    }

    /// The timer that runs in this state, without its start.
    const fn timer(&self) -> Option<Timer> {
        match self.phase {
            Phase::RequestSent => Some(Timer::Reply),
            Phase::RequestAwaited => Some(Timer::Request),
            Phase::ReplySent => Some(Timer::FirstFpdu),
            Phase::Operating if self.is_within => Some(Timer::RestOfFpdu),
            Phase::Operating if matches!(self.nudge, Nudge::Waiting) => Some(Timer::Nudge),
            Phase::FinSent | Phase::Closing => Some(Timer::Finish),
            Phase::ReplyRead(_)
            | Phase::Offered(_)
            | Phase::Rejecting(_)
            | Phase::Operating
            | Phase::FinReceived
            | Phase::Terminating(_)
            | Phase::Over => None,
        }
    }
}

#[cfg(test)]
mod tests;

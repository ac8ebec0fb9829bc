//! The FPDUs of this side.

use crate::ddp::Stag;
use crate::mpa::Rtr;
use crate::rdmap::{ReadRequest, SendKind};
use crate::send::{Cut, Origin};
use crate::stream::{Nudge, Phase, Stream};

/// A message of the consumer. Its payload is the caller's; the engine names ranges of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Goes to the next receive of the peer.
    Send {
        /// The kind of Send.
        kind: SendKind,
        /// The bytes.
        length: u32,
    },
    /// Goes to memory of the peer.
    Write {
        /// The memory.
        stag: Stag,
        /// The place in it.
        offset: u64,
        /// The bytes.
        length: u32,
    },
    /// Asks for memory of the peer.
    Read {
        /// The memory.
        source: Stag,
        /// The place in it.
        offset: u64,
        /// The bytes.
        length: u32,
    },
}

/// The ways in which a message cannot begin; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostError {
    /// No FPDU may be sent in this state.
    State,
    /// Another message, or the first FPDU that is owed, has not been cut to its end.
    Busy,
    /// As many reads are outstanding as were agreed.
    TooManyReads,
    /// The memory passes the end of all places.
    Wrap,
    /// There is no read to answer.
    NoRead,
}

/// The room that an FPDU of the engine's own needs, but for a Terminate.
const OWN: usize = 64;

impl<const READS: usize> Stream<READS> {
    /// Begins a message, which [`Stream::next_cut`] then cuts. One begins after the other has been cut.
    pub fn post(&mut self, message: Message) -> Result<(), PostError> {
        self.is_ready()?;
        match message {
            Message::Send { kind, length } => self.segmenter.send(kind, length),
            Message::Write { stag, offset, length } => {
                ends(offset, length)?;
                self.segmenter.write(stag, offset, length);
            }
            Message::Read { source, offset, length } => {
                ends(offset, length)?;
                let sink_offset = self.reads.begin(length).ok_or(PostError::TooManyReads)?;
                let sink = self.config.sink;
                self.segmenter.request(ReadRequest {
                    sink,
                    sink_offset,
                    length,
                    source,
                    source_offset: offset,
                });
            }
        }
        Ok(())
    }

    /// The oldest read of the peer that waits to be answered.
    pub fn read_to_answer(&self) -> Option<ReadRequest> {
        self.reads.oldest().map(|inbound| inbound.request)
    }

    /// Begins the answer to the oldest read of the peer, whose source has been checked. It stands between messages.
    pub fn answer(&mut self) -> Result<ReadRequest, PostError> {
        self.is_ready()?;
        let request = self.read_to_answer().ok_or(PostError::NoRead)?;
        self.segmenter.respond(request);
        Ok(request)
    }

    /// The next FPDU to be sent, if it has at most `room` bytes.
    pub fn next_cut(&mut self, room: usize) -> Option<Cut> {
        match self.phase {
            Phase::Terminating(terminate) => {
                let cut = self.segmenter.terminate(terminate);
                if cut.length() > room {
                    return None;
                }
                self.enter(Phase::Closing);
                Some(cut)
            }
            Phase::Operating | Phase::FinReceived => {
                let cut = self.own_cut(room).or_else(|| self.cut_message(room));
                if cut.is_some() && self.nudge == Nudge::Before {
                    self.nudge = Nudge::Waiting;
                    self.starts = self.starts.wrapping_add(1);
                }
                cut
            }
            Phase::RequestSent
            | Phase::ReplyRead(_)
            | Phase::RequestAwaited
            | Phase::Offered(_)
            | Phase::Rejecting(_)
            | Phase::ReplySent
            | Phase::FinSent
            | Phase::Closing
            | Phase::Over => None,
        }
    }

    /// Returns true if the engine has an FPDU of its own to send: [`Stream::next_cut`] cuts it, if there is room.
    pub const fn owes_fpdu(&self) -> bool {
        match self.phase {
            Phase::Terminating(_) => true,
            Phase::Operating | Phase::FinReceived => {
                self.segmenter.is_idle() && (self.owed.is_some() || matches!(self.nudge, Nudge::Due))
            }
            Phase::RequestSent
            | Phase::ReplyRead(_)
            | Phase::RequestAwaited
            | Phase::Offered(_)
            | Phase::Rejecting(_)
            | Phase::ReplySent
            | Phase::FinSent
            | Phase::Closing
            | Phase::Over => false,
        }
    }

    /// The first FPDU that is owed, or the one more.
    fn own_cut(&mut self, room: usize) -> Option<Cut> {
        if room < OWN || !self.segmenter.is_idle() {
            return None;
        }
        let sink = self.config.sink;
        match (self.owed.take(), self.nudge) {
            (Some(Rtr::Write), _) => Some(self.segmenter.empty_write(sink)),
            (Some(Rtr::Read), _) => {
                let sink_offset = self.reads.begin_rtr()?;
                self.segmenter.request(ReadRequest {
                    sink,
                    sink_offset,
                    length: 0,
                    source: sink,
                    source_offset: 0,
                });
                let mut cut = self.segmenter.cut(room)?;
                cut.origin = Origin::Engine;
                Some(cut)
            }
            (None, Nudge::Due) => {
                self.nudge = Nudge::Done;
                Some(self.segmenter.empty_write(sink))
            }
            (None, Nudge::Before | Nudge::Waiting | Nudge::Done) => None,
        }
    }

    fn cut_message(&mut self, room: usize) -> Option<Cut> {
        let cut = self.segmenter.cut(room)?;
        if cut.origin == Origin::Response && cut.last {
            self.reads.answered();
        }
        Some(cut)
    }

    fn is_ready(&self) -> Result<(), PostError> {
        if !matches!(self.phase, Phase::Operating) {
            return Err(PostError::State);
        }
        // Nothing stands before the first FPDU that is owed.
        if self.segmenter.is_idle() && self.owed.is_none() { Ok(()) } else { Err(PostError::Busy) }
    }
}

/// The place of the last byte is one.
fn ends(offset: u64, length: u32) -> Result<(), PostError> {
    let further = u64::from(length).saturating_sub(1);
    offset.checked_add(further).map(|_| ()).ok_or(PostError::Wrap)
}

//! The start of a connection: the two frames, and the consumers' answers.

use crate::ddp;
use crate::fault::{Fault, PeerFault};
use crate::fpdu::Framer;
use crate::mpa::{Agreed, Answer, Frame, FrameError, PrivateDataTooLong, Rtr, StartupError, StartupFrame};
use crate::stream::{Nudge, Phase, Step, Stream};

/// The call does not suit the state of the stream; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// Another state.
    State,
    /// The private data does not fit into a frame.
    PrivateData,
}

impl From<PrivateDataTooLong> for StateError {
    fn from(PrivateDataTooLong: PrivateDataTooLong) -> Self {
        Self::PrivateData
    }
}

impl<const READS: usize> Stream<READS> {
    /// The responder's consumer accepts: the reply, which is to be sent. `ird` and `ord` may lower the limits.
    pub fn accept(&mut self, ird: u16, ord: u16, private: &[u8]) -> Result<StartupFrame, StateError> {
        let Phase::Offered(offer) = self.phase else { return Err(StateError::State) };
        let (frame, agreed) = offer.accept(ird, ord, private)?;
        // The read that begins the connection is answered, also where no other one is.
        let ird = if agreed.rtr == Some(Rtr::Read) { agreed.ird.max(1) } else { agreed.ird };
        self.agree(Agreed { ird, ..agreed });
        self.enter(Phase::ReplySent);
        Ok(frame)
    }

    /// The responder's consumer rejects: the reply, which is to be sent before the end of the stream.
    pub fn reject(&mut self, private: &[u8]) -> Result<StartupFrame, StateError> {
        let Phase::Offered(offer) = self.phase else { return Err(StateError::State) };
        let frame = offer.reject(private)?;
        self.enter(Phase::Closing);
        Ok(frame)
    }

    /// The reply that rejects a request which was none to offer; it is to be sent before the end of the stream.
    pub fn rejection(&mut self) -> Option<StartupFrame> {
        let Phase::Rejecting(offer) = self.phase else { return None };
        self.enter(Phase::Closing);
        offer.reject(&[]).ok()
    }

    /// The initiator's consumer goes on: FPDUs may be sent, the one that shows it first.
    pub fn complete(&mut self) -> Result<(), StateError> {
        let Phase::ReplyRead(agreed) = self.phase else { return Err(StateError::State) };
        self.owed = agreed.rtr;
        self.nudge = Nudge::Before;
        self.enter(Phase::Operating);
        Ok(())
    }

    fn agree(&mut self, agreed: Agreed) {
        self.reads.agree(agreed.ird, agreed.ord);
        self.use_crc(agreed.crc);
    }

    fn use_crc(&mut self, crc: bool) {
        self.segmenter.crc = crc;
        // A ULPDU has a header at least.
        let shortest = u16::try_from(ddp::TAGGED).unwrap_or(u16::MAX);
        self.framer = Framer::new(crc, shortest);
    }

    pub(super) fn read_request<'a>(&mut self, input: &'a [u8]) -> (usize, Step<'a>) {
        match Frame::parse_request(input) {
            Err(FrameError::Short(whole)) => (0, Step::Need(whole)),
            Err(error) => (0, self.refuse_start(StartupError::Frame(error))),
            Ok((frame, length)) => {
                let offer = self.config.judge_request(&frame);
                if frame.markers {
                    self.enter(Phase::Rejecting(offer));
                    return (length, Step::Fault(Fault::Peer(PeerFault::MarkersDemanded)));
                }
                self.enter(Phase::Offered(offer));
                (length, Step::Offer { private: frame.private, depths: offer.depths() })
            }
        }
    }

    pub(super) fn read_reply<'a>(&mut self, input: &'a [u8]) -> (usize, Step<'a>) {
        let (frame, length) = match Frame::parse_reply(input) {
            Ok(found) => found,
            Err(FrameError::Short(whole)) => return (0, Step::Need(whole)),
            Err(error) => return (0, self.refuse_start(StartupError::Frame(error))),
        };
        match self.config.judge_reply(&frame) {
            Ok(Answer::Accepted(agreed)) => {
                self.agree(agreed);
                self.enter(Phase::ReplyRead(agreed));
                (length, Step::Answer { accepted: Some(agreed), private: frame.private })
            }
            Ok(Answer::Rejected) => {
                self.enter(Phase::Closing);
                (length, Step::Answer { accepted: None, private: frame.private })
            }
            Err(error) => {
                // A Terminate that follows has the form that the frames would have led to.
                self.use_crc(frame.crc || self.config.crc);
                (length, self.refuse_start(error))
            }
        }
    }

    fn refuse_start(&mut self, error: StartupError) -> Step<'static> {
        Step::Fault(self.fail(Fault::Peer(PeerFault::Startup(error)), None))
    }
}

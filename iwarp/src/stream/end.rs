//! The end of a stream: faults, the ends of TCP's streams, timers.

use crate::fault::{AccessError, Conclusion, Fault, LocalFault, Model, Overdue};
use crate::rdmap::{self, Copied, Sequenced, Terminate};
use crate::stream::{Nudge, Phase, StateError, Stream};
use crate::timer::{Deadline, Timer};

impl<const READS: usize> Stream<READS> {
    /// Ends the stream because memory refuses the Write whose header was read last. Its payload is not placed.
    pub fn refuse_write(&mut self, error: AccessError) -> Fault {
        let copied = self.current.map(|current| current.copied);
        self.fail(Fault::Access(error, Model::Placement), copied)
    }

    /// Ends the stream because memory refuses the oldest read of the peer.
    pub fn refuse_read(&mut self, error: AccessError) -> Fault {
        let copied = self.reads.oldest().map(|inbound| {
            let place = Sequenced { msn: inbound.msn, offset: 0, last: true };
            let header = rdmap::Message::ReadRequest(place).emit().emit();
            let length = header.len().saturating_add(rdmap::READ_REQUEST);
            Copied::of(u16::try_from(length).unwrap_or(u16::MAX), &header, Some(inbound.request))
        });
        self.fail(Fault::Access(error, Model::Read), copied)
    }

    /// Ends the stream because this side cannot go on with the segment whose header was read last, or with its own.
    pub fn give_up(&mut self, fault: LocalFault) -> Fault {
        let of_peer = match fault {
            LocalFault::NoReceive | LocalFault::ReceiveTooShort | LocalFault::NotInvalidatable => true,
            LocalFault::SourceInvalid => false,
        };
        let copied = self.current.map(|current| current.copied).or(self.last).filter(|_| of_peer);
        self.fail(Fault::Local(fault), copied)
    }

    /// Ends the stream with a fault: by a Terminate, where one may be sent.
    pub(super) fn fail(&mut self, fault: Fault, copied: Option<Copied>) -> Fault {
        match (fault.conclusion(), self.may_send()) {
            (Conclusion::Terminate(code), true) => {
                let copied = copied.and_then(|copied| copied.for_reason(code));
                self.enter(Phase::Terminating(Terminate { code, copied }));
            }
            (Conclusion::Terminate(_), false) | (Conclusion::Reject | Conclusion::Abort, _) => {
                self.enter(Phase::Over);
            }
        }
        fault
    }

    /// Returns whether an FPDU may be sent: the initiator's after the reply, the responder's after the first FPDU.
    const fn may_send(&self) -> bool {
        match self.phase {
            // Faults of the reply itself, which has been read then.
            Phase::RequestSent | Phase::ReplyRead(_) | Phase::Operating | Phase::FinReceived => true,
            Phase::RequestAwaited
            | Phase::Offered(_)
            | Phase::Rejecting(_)
            | Phase::ReplySent
            | Phase::FinSent
            | Phase::Terminating(_)
            | Phase::Closing
            | Phase::Over => false,
        }
    }

    /// This side ends its stream, behind the messages that have been cut: also where the peer has ended its own, as it
    /// still receives (RFC 5041 section 6.2.1).
    pub fn finish(&mut self) -> Result<(), StateError> {
        match self.phase {
            Phase::Operating if self.segmenter.is_idle() => self.enter(Phase::FinSent),
            Phase::FinReceived if self.segmenter.is_idle() => self.enter(Phase::Over),
            _ => return Err(StateError::State),
        }
        Ok(())
    }

    /// The peer has ended its stream.
    ///
    /// Between messages that is an orderly end. Inside one, or with reads outstanding, it is a fault.
    pub fn peer_finished(&mut self) -> Result<(), Fault> {
        let is_whole = !self.is_within && !self.sequencer.is_within_message();
        match self.phase {
            Phase::Operating if is_whole && self.reads.awaited() == 0 => self.enter(Phase::FinReceived),
            Phase::FinSent if is_whole => self.enter(Phase::Over),
            Phase::Terminating(_) | Phase::Closing => self.enter(Phase::Over),
            Phase::FinReceived | Phase::Over => {}
            Phase::RequestSent
            | Phase::ReplyRead(_)
            | Phase::RequestAwaited
            | Phase::Offered(_)
            | Phase::Rejecting(_)
            | Phase::ReplySent
            | Phase::Operating
            | Phase::FinSent => return Err(self.fail(Fault::Lost, None)),
        }
        Ok(())
    }

    /// The connection is gone, or is given up.
    pub fn abort(&mut self) {
        if !matches!(self.phase, Phase::Over) {
            self.enter(Phase::Over);
        }
    }

    /// The timer that runs. A caller that leaves bytes lying, as a receive is missing, lets it rest.
    pub fn deadline(&self) -> Option<Deadline> {
        self.timer().map(|timer| Deadline { timer, start: self.starts })
    }

    /// A timer has expired; one that does not run any more changes nothing.
    pub fn expired(&mut self, deadline: Deadline) -> Option<Fault> {
        if self.deadline() != Some(deadline) {
            return None;
        }
        let overdue = match deadline.timer {
            Timer::Nudge => {
                self.nudge = Nudge::Due;
                return None;
            }
            Timer::Reply => Overdue::Reply,
            Timer::Request => Overdue::Request,
            Timer::FirstFpdu => Overdue::FirstFpdu,
            Timer::RestOfFpdu => Overdue::RestOfFpdu,
            Timer::Finish => Overdue::Finish,
        };
        Some(self.fail(Fault::Timeout(overdue), None))
    }
}

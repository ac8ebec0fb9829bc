//! The agreement of two sides (RFC 5044 section 7.1.2, RFC 6581 section 9).
//!
//! The initiator sends a [`request`] and judges the reply by [`Config::judge_reply`]. The responder judges the request
//! by [`Config::judge_request`], and its consumer accepts or rejects the [`Offer`].

use crate::ddp::Stag;
use crate::mpa::enhanced::{Depth, Enhanced};
use crate::mpa::frame::{Form, Frame, FrameError, Kind, Revision, StartupFrame};

/// The most private data of a consumer, whose frames are enhanced ones.
pub const PRIVATE_DATA: usize = 508;

/// The limits and wishes of one side.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Asks for CRCs.
    pub crc: bool,
    /// The reads of the peer that are answered at a time.
    pub ird: u16,
    /// The reads that are outstanding at the peer at a time.
    pub ord: u16,
    /// Names the sinks of reads, and the first Write. No token of the table is equal to it, and it is not 0: some
    /// adapters refuse that even in a Write of no length.
    pub sink: Stag,
}

/// The indication by which the initiator shows that it is ready to receive (RTR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rtr {
    /// A Write of no length.
    Write,
    /// A Read of no length.
    Read,
}

/// The result of the two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Both directions have CRCs.
    pub crc: bool,
    /// The reads of the peer that are answered at a time.
    pub ird: u16,
    /// The reads that are outstanding at the peer at a time.
    pub ord: u16,
    /// The initiator's first FPDU; `None` if it is its consumer's first message.
    pub rtr: Option<Rtr>,
}

/// The private data does not fit into a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateDataTooLong;

/// The ways in which the two frames lead to no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartupError {
    /// The bytes are no frame.
    Frame(FrameError),
    /// The peer demands markers.
    Markers,
    /// The responder has more reads outstanding than are answered.
    InsufficientIrd,
    /// Peer-to-peer without an RTR that both sides know.
    NoRtr,
}

/// A request that is legal, until its consumer has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    crc: bool,
    revision: Revision,
    enhanced: Option<Enhanced>,
    config_ird: u16,
    config_ord: u16,
}

/// A reply that is legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The connection comes about.
    Accepted(Agreed),
    /// It does not: the responder's consumer rejected it.
    Rejected,
}

/// The request of an initiator: revision 2, without markers, peer-to-peer, with both kinds of RTR.
pub fn request(config: &Config, private: &[u8]) -> Result<StartupFrame, PrivateDataTooLong> {
    let words = Enhanced {
        peer_to_peer: true,
        rtr_empty: false,
        rtr_write: true,
        rtr_read: true,
        ird: Depth::at_most(config.ird),
        ord: Depth::at_most(config.ord),
    };
    let form = Form::Enhanced(words);
    let frame = Frame { kind: Kind::Request, markers: false, crc: config.crc, form, private };
    frame.emit().ok_or(PrivateDataTooLong)
}

impl Config {
    /// The offer that a request makes. Markers are refused, by a reply that [`Offer::reject`] makes.
    pub fn judge_request(&self, frame: &Frame<'_>) -> Offer {
        let enhanced = match frame.form {
            Form::Plain(_) => None,
            Form::Enhanced(words) => Some(words),
        };
        Offer {
            crc: frame.crc || self.crc,
            revision: frame.revision(),
            enhanced,
            config_ird: enhanced.map_or(self.ird, |words| words.ord.within(self.ird)),
            config_ord: enhanced.map_or(self.ord, |words| words.ird.within(self.ord)),
        }
    }

    /// The agreement that a reply makes.
    pub fn judge_reply(&self, frame: &Frame<'_>) -> Result<Answer, StartupError> {
        if (Kind::Reply { rejected: true }) == frame.kind {
            return Ok(Answer::Rejected);
        }
        if frame.markers {
            return Err(StartupError::Markers);
        }
        // A responder that answers with C clear has not seen ours; the sum is then demanded all the same.
        let crc = frame.crc || self.crc;
        let words = match frame.form {
            Form::Enhanced(words) => words,
            Form::Plain(Revision::One) => {
                return Ok(Answer::Accepted(Agreed { crc, ird: self.ird, ord: self.ord, rtr: None }));
            }
            // An enhanced request has an enhanced reply (RFC 6581 section 10).
            Form::Plain(Revision::Two) => return Err(StartupError::Frame(FrameError::NotEnhanced)),
        };
        if words.ord.number().is_some_and(|ord| ord > self.ird) {
            return Err(StartupError::InsufficientIrd);
        }
        let rtr = match (words.peer_to_peer, words.rtr_write, words.rtr_read) {
            (false, _, _) => None,
            (true, true, _) => Some(Rtr::Write),
            (true, false, true) => Some(Rtr::Read),
            (true, false, false) => return Err(StartupError::NoRtr),
        };
        let (ird, ord) = (words.ord.within(self.ird), words.ird.within(self.ord));
        Ok(Answer::Accepted(Agreed { crc, ird, ord, rtr }))
    }
}

impl Offer {
    /// The reads that the initiator has outstanding and answers at a time, as far as it says so.
    pub fn depths(&self) -> Option<(Depth, Depth)> {
        self.enhanced.map(|words| (words.ird, words.ord))
    }

    /// Accepts the offer: the reply, and what is agreed with it. `ird` and `ord` may lower the limits.
    pub fn accept(
        &self,
        ird: u16,
        ord: u16,
        private: &[u8],
    ) -> Result<(StartupFrame, Agreed), PrivateDataTooLong> {
        let (ird, ord) = (self.config_ird.min(ird), self.config_ord.min(ord));
        let rtr = self
            .enhanced
            .filter(|words| words.peer_to_peer)
            .map(|words| if words.rtr_read && !words.rtr_write { Rtr::Read } else { Rtr::Write });
        let frame = self.reply(false, ird, ord, rtr, private)?;
        Ok((frame, Agreed { crc: self.crc, ird, ord, rtr }))
    }

    /// Rejects the offer: the reply that says so.
    pub fn reject(&self, private: &[u8]) -> Result<StartupFrame, PrivateDataTooLong> {
        self.reply(true, self.config_ird, self.config_ord, None, private)
    }

    fn reply(
        &self,
        rejected: bool,
        ird: u16,
        ord: u16,
        rtr: Option<Rtr>,
        private: &[u8],
    ) -> Result<StartupFrame, PrivateDataTooLong> {
        let form = self.enhanced.map_or(Form::Plain(self.revision), |words| {
            Form::Enhanced(Enhanced {
                peer_to_peer: words.peer_to_peer,
                rtr_empty: false,
                rtr_write: rtr == Some(Rtr::Write),
                rtr_read: rtr == Some(Rtr::Read),
                // Where the initiator does not negotiate, neither does the reply (RFC 6581 section 9.1).
                ird: words.ord.answer(ird),
                ord: words.ird.answer(ord),
            })
        });
        let frame = Frame { kind: Kind::Reply { rejected }, markers: false, crc: self.crc, form, private };
        frame.emit().ok_or(PrivateDataTooLong)
    }
}

#[cfg(test)]
mod tests;

//! Two sides, and the bytes between them.

use super::{CONFIG, Side};
use crate::fpdu::Mulpdu;
use crate::mpa::Config;
use crate::{State, Stream};

/// Two sides.
pub(crate) struct Pair {
    pub(crate) initiator: Side,
    pub(crate) responder: Side,
}

impl Pair {
    /// Two sides at the start of their connection: the request is on its way.
    pub(crate) fn new(initiator: Config, responder: Config, emss: u32) -> Self {
        let mulpdu = Mulpdu::of_segment(emss);
        let (stream, request) = Stream::connect(initiator, mulpdu, b"hello").unwrap();
        let mut initiator = Side::of(stream);
        initiator.outbox.extend_from_slice(&request);
        Self { initiator, responder: Side::of(Stream::listen(responder, mulpdu)) }
    }

    /// Two sides whose connection is established, with CRCs or without.
    pub(crate) fn established(crc: bool) -> Self {
        let config = Config { crc, ..CONFIG };
        let mut pair = Self::new(config, config, 1460);
        pair.settle();
        assert_eq!(pair.states(), (State::Operating, State::Operating));
        pair.initiator.events.clear();
        pair.responder.events.clear();
        pair
    }

    pub(crate) fn states(&self) -> (State, State) {
        (self.initiator.stream.state(), self.responder.stream.state())
    }

    /// Moves bytes until none moves any more.
    pub(crate) fn settle(&mut self) {
        self.settle_by(&mut |_| usize::MAX);
    }

    /// Moves bytes until none moves any more, at each turn at most as many as `piece` says of those that wait.
    pub(crate) fn settle_by(&mut self, piece: &mut dyn FnMut(usize) -> usize) {
        loop {
            self.initiator.output();
            self.responder.output();
            let forth = carry(&mut self.initiator, &mut self.responder, piece);
            let back = carry(&mut self.responder, &mut self.initiator, piece);
            if !forth && !back && self.initiator.outbox.is_empty() && self.responder.outbox.is_empty() {
                break;
            }
        }
    }
}

/// Moves bytes one way; returns whether some moved.
fn carry(from: &mut Side, to: &mut Side, piece: &mut dyn FnMut(usize) -> usize) -> bool {
    let waiting = from.outbox.len();
    let moved = if waiting == 0 { 0 } else { piece(waiting).min(waiting) };
    to.inbox.extend(from.outbox.drain(..moved));
    to.input();
    to.output();
    moved > 0
}

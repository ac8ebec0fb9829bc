//! An established connection: in each direction a stream of normal data and one of expedited data, in messages.
//!
//! The two streams of a direction are apart from each other: each keeps its order, and neither waits for what
//! the other one's reader does not take. Where both could go on, expedited data goes first. They end together.
//!
//! Flow control: each stream has credits, one for each message that the peer has room for. A send goes as far as its
//! credits ([`send`](super::send)); what the client has read is granted anew ([`receive`](super::receive)).
//!
//! | module | is |
//! |---|---|
//! | [`receive`](super::receive) | the receive path |
//! | [`send`](super::send) | what the client sends |

use alloc::collections::VecDeque;

use provider::NoMemory;
use sys::status::{STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET};
use sys::tdi::{TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE};

use super::receive::ReceivedStream;
use super::send::{CREDIT_UPDATE, END, Out};
use super::{Action, DataOf, Endpoint, LinkOf, State, Step, View, Why};
use crate::event::Indication;
use crate::link_events::LinkEvents;
use crate::network::{ByUrgency, Completion, Credits, Link, Urgency};
use crate::system::System;

/// Messages that have come and were not taken whole.
pub(crate) type Chunks<L> = VecDeque<<L as Link>::Data>;

/// Those of both streams of a direction.
pub(crate) type Untaken<L> = ByUrgency<Chunks<L>>;

/// See the module's head.
pub(crate) struct Stream<L: Link> {
    pub(super) link: L,
    pub(super) received: ByUrgency<ReceivedStream<L::Data>>,
    /// Messages that were given back to the link, whose credits the peer was not granted yet.
    pub(super) consumed_messages: Credits,
    /// A credit update is on its way to the peer.
    pub(super) credit_update_in_flight: bool,
    /// Credits: messages of data for which the peer has posted buffers.
    pub(super) credits: Credits,
    /// Messages of data under way.
    pub(super) in_flight: usize,
    pub(super) out: Out,
    /// A send that may not wait was refused, and the client was not told since that sends are possible.
    pub(super) refused: ByUrgency<bool>,
    /// The peer's streams have ended; what is left of them are the chunks.
    pub(super) ended: bool,
    /// The client's disconnect handler was told.
    told: bool,
    /// The link has broken.
    pub(super) broken: bool,
}

impl<L: Link> Stream<L> {
    /// The streams of a link that was just connected, with its [`Stream::queues`].
    pub(super) fn new(link: L, queues: Untaken<L>) -> Self {
        let ByUrgency { normal, expedited } = queues;
        Self {
            link,
            received: ByUrgency {
                normal: ReceivedStream::new(normal),
                expedited: ReceivedStream::new(expedited),
            },
            consumed_messages: Credits::default(),
            credit_update_in_flight: false,
            credits: L::CREDITS,
            in_flight: 0,
            out: Out::Open,
            refused: ByUrgency::default(),
            ended: false,
            told: false,
            broken: false,
        }
    }

    /// Empty queues with capacity for all messages that may come.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn queues() -> Result<Untaken<L>, NoMemory> {
        let mut queues = ByUrgency { normal: VecDeque::new(), expedited: VecDeque::new() };
        for urgency in Urgency::ALL {
            let count = usize::from(*L::CREDITS.of(urgency));
            queues.of_mut(urgency).try_reserve_exact(count).map_err(|_| NoMemory)?;
        }
        Ok(queues)
    }

    /// Returns whether there is nothing more to receive.
    pub(super) fn is_over(&self) -> bool {
        self.ended && Urgency::ALL.into_iter().all(|urgency| self.received.of(urgency).is_empty())
    }

    /// The link, and the data that is not taken any more.
    pub(super) fn into_parts(self) -> (L, Untaken<L>) {
        let ByUrgency { normal, expedited } = self.received;
        (self.link, ByUrgency { normal: normal.into_chunks(), expedited: expedited.into_chunks() })
    }
}

impl<S: System> Endpoint<S> {
    /// Returns the next action for an established connection.
    pub(super) fn transfer(&mut self, now: u64, view: Option<&View>) -> Step<S> {
        let State::Connected(stream) = &mut self.state else { return Step::Idle };
        if self.link_events.take(LinkEvents::LOST) {
            stream.broken = true;
            // What has come before the connection broke was perhaps not noted yet.
            self.link_events.add(LinkEvents::COMPLETED);
        }
        if self.link_events.take(LinkEvents::COMPLETED) {
            return Step::Do(Action::Next(stream.link.clone()));
        }
        if self.link_events.take(LinkEvents::FORCED) {
            return self.broke(STATUS_CONNECTION_ABORTED);
        }
        if let Some(action) = self.deliver(view).or_else(|| self.complete_send()) {
            return Step::Do(action);
        }
        match self.next_message() {
            Step::Idle => self.settle(now, view),
            other => other,
        }
    }

    pub(super) fn broke(&mut self, status: i32) -> Step<S> {
        self.end(Why { indicate: Some(TDI_DISCONNECT_ABORT), ..Why::all(status) });
        Step::Again
    }

    /// Takes a completion of the link, as [`Action::Next`] found it.
    pub(crate) fn completed(&mut self, completion: Option<Completion<DataOf<S>>>) {
        let State::Connected(stream) = &mut self.state else { return };
        let Some(completion) = completion else { return };
        self.link_events.add(LinkEvents::COMPLETED);
        match completion {
            Completion::Sent { number, arrived } => {
                stream.broken |= !arrived;
                match number {
                    END => stream.out = if arrived { Out::Arrived } else { Out::Lost },
                    CREDIT_UPDATE => stream.credit_update_in_flight = false,
                    number => self.message_completed(number),
                }
            }
            Completion::Data(urgency, data) if !stream.ended => {
                let limit = usize::from(*<LinkOf<S> as Link>::CREDITS.of(urgency));
                let taken = stream.received.of_mut(urgency).add(data, limit);
                stream.broken |= !taken;
            }
            Completion::End if !stream.ended => stream.ended = true,
            Completion::Credits(credits) => {
                let added = stream.add_credits(credits);
                stream.broken |= !added;
            }
            // Nothing may follow the end but credits of the peer.
            Completion::Data(..) | Completion::End | Completion::Nonsense => stream.broken = true,
        }
    }

    /// Returns the next action when no data moves.
    fn settle(&mut self, now: u64, view: Option<&View>) -> Step<S> {
        let State::Connected(stream) = &mut self.state else { return Step::Idle };
        let over = stream.is_over();
        if over && !stream.told {
            stream.told = true;
            if let Some((view, handler)) = view.and_then(|view| Some((view, view.handlers.disconnect()?))) {
                let indication = Indication::Disconnect(handler, TDI_DISCONNECT_RELEASE);
                return Step::Do(Action::Indicate { address: view.id, indication });
            }
        }
        if over && stream.out == Out::Arrived {
            self.end_in_order();
            return Step::Again;
        }
        // The peer may go once both ends have arrived, while the client still reads. It may have gone before the link
        // says that this side's end has.
        if stream.broken && !(stream.ended && matches!(stream.out, Out::Ended | Out::Arrived)) {
            return self.broke(STATUS_CONNECTION_RESET);
        }
        if let Some(bytes) = self.possible_again()
            && let Some((view, handler)) = view.and_then(|view| Some((view, view.handlers.send_possible()?)))
        {
            let indication = Indication::SendPossible(handler, bytes);
            return Step::Do(Action::Indicate { address: view.id, indication });
        }
        match self.end_late_disconnect(now) {
            Some(action) => Step::Do(action),
            None if self.is_connected() => Step::Idle,
            None => Step::Again,
        }
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "the requests of the test have bytes by their address")]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::network::{Kind, LinkBroken};

    /// A link of which only the streams are looked at.
    #[derive(Clone)]
    struct Unused;

    impl Link for Unused {
        type Data = Box<[u8]>;

        const DEPTH: usize = 3;
        const CREDITS: Credits = Credits { normal: 2, expedited: 1 };
        const PIECE: usize = 8;

        fn open(&self) -> Result<(), LinkBroken> {
            Err(LinkBroken)
        }

        unsafe fn send(&self, _: u64, _: Kind, _: *const u8, _: usize) -> Result<(), LinkBroken> {
            Err(LinkBroken)
        }

        fn next(&self) -> Option<Completion<Box<[u8]>>> {
            None
        }

        fn give_back(&self, _: Box<[u8]>) -> Result<(), LinkBroken> {
            Err(LinkBroken)
        }

        fn disconnect(&self) -> bool {
            false
        }

        fn close(&self) {}

        fn peer(&self) -> SocketAddr {
            "10.0.0.1:1".parse().unwrap()
        }

        fn local(&self) -> SocketAddr {
            self.peer()
        }

        fn rnic(&self) -> crate::network::RnicId {
            crate::network::RnicId(0)
        }
    }

    fn stream() -> Stream<Unused> {
        Stream::new(Unused, Stream::<Unused>::queues().unwrap())
    }

    #[test]
    fn data_beyond_the_granted_credits_breaks_the_connection() {
        let mut stream = stream();
        for (urgency, limit) in [(Urgency::Normal, 2), (Urgency::Expedited, 1)] {
            let received = stream.received.of_mut(urgency);
            for _ in 0..limit {
                assert!(received.add([1].into(), limit));
            }
            assert!(!received.add([1].into(), limit), "{urgency:?} data without a credit");
        }
    }

    #[test]
    fn credits_beyond_the_window_break_the_connection() {
        let more = |normal, expedited| Credits { normal, expedited };
        for (used, told, added) in [
            (more(2, 1), more(2, 1), true),
            (more(1, 0), more(1, 0), true),
            (more(1, 1), more(2, 0), false),
            (more(0, 0), more(0, 1), false),
            (more(2, 1), more(255, 1), false),
        ] {
            let mut stream = stream();
            stream.credits = more(2 - used.normal, 1 - used.expedited);
            assert_eq!(stream.add_credits(told), added, "{told:?} after {used:?}");
        }
    }
}

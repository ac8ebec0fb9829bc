//! The send path: messages of a client's sends, as far as the peer's credits go (flow control), and control messages.

#![forbid(unsafe_code)]

use core::ptr::NonNull;

use sys::status::{STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};

use super::{Action, Endpoint, LinkOf, State, Step, Stream};
use crate::network::{Credits, Kind, Link, Urgency};
use crate::request::Request;
use crate::system::System;

/// The number of the message that ends the streams.
pub(super) const END: u64 = 0;
/// The number of the one that grants the peer credits.
pub(super) const CREDIT_UPDATE: u64 = 1;
/// Requests are numbered from here; the messages of a send have its number.
pub(super) const FIRST_REQUEST: u64 = 2;

/// The progress of a send.
pub(crate) struct SendState {
    length: usize,
    /// Bytes that were given to the link.
    submitted: usize,
    /// Messages of it that have not passed.
    in_flight: usize,
}

impl SendState {
    pub(super) const fn new(length: usize) -> Self {
        Self { length, submitted: 0, in_flight: 0 }
    }

    /// Nothing of it was given to the link.
    pub(super) const fn is_untouched(&self) -> bool {
        self.submitted == 0
    }

    const fn is_submitted(&self) -> bool {
        self.submitted == self.length
    }

    pub(super) const fn is_done(&self) -> bool {
        self.is_submitted() && self.in_flight == 0
    }
}

/// The state of this side's streams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Out {
    /// The client may send.
    Open,
    /// The client has released; what it sent before comes first.
    Finishing,
    /// The end is under way.
    Ended,
    /// The link has passed it on: the peer gets it, unless the connection is cut off before.
    Arrived,
    /// The connection broke before that.
    Lost,
}

impl<L: Link> Stream<L> {
    /// Returns whether the client may send.
    pub(super) fn is_sending(&self) -> bool {
        self.out == Out::Open
    }

    /// The client sends nothing more.
    pub(super) fn finish(&mut self) {
        self.out = Out::Finishing;
    }

    /// The peer grants more credits. `false` if these are more than it ever had.
    pub(super) fn add_credits(&mut self, more: Credits) -> bool {
        Urgency::ALL.into_iter().all(|urgency| {
            let credits = self.credits.of_mut(urgency);
            *credits = credits.saturating_add(*more.of(urgency));
            *credits <= *L::CREDITS.of(urgency)
        })
    }

    /// Credits that are to be granted to the peer: not each time that there is a little more, as long as it has
    /// some left.
    fn credit_update_due(&mut self) -> Option<Credits> {
        let due = Urgency::ALL.into_iter().any(|urgency| {
            let half = L::CREDITS.of(urgency).div_ceil(2);
            *self.consumed_messages.of(urgency) >= half
        });
        if !due || self.credit_update_in_flight {
            return None;
        }
        self.credit_update_in_flight = true;
        Some(core::mem::take(&mut self.consumed_messages))
    }
}

impl<S: System> Endpoint<S> {
    /// Completes the oldest send of either urgency, if all of it has reached the peer.
    pub(super) fn complete_send(&mut self) -> Option<Action<S>> {
        let sends = self.sends.all_mut().into_iter();
        let mut done = sends.filter(|sends| sends.front().is_some_and(|send| send.what.is_done()));
        let send = done.find_map(super::Queue::claim_front)?;
        let (status, information) =
            if send.cancelled { (STATUS_CANCELLED, 0) } else { (STATUS_SUCCESS, send.what.length) };
        Some(Action::Complete { request: send.request, status, information })
    }

    /// The next message to the peer.
    pub(super) fn next_message(&mut self) -> Step<S> {
        let State::Connected(stream) = &mut self.state else { return Step::Idle };
        if stream.broken {
            return Step::Idle;
        }
        let link = stream.link.clone();
        let bare = |link, number, kind| {
            Step::Do(Action::Send { link, number, kind, place: NonNull::dangling(), length: 0 })
        };
        if let Some(credits) = stream.credit_update_due() {
            return bare(link, CREDIT_UPDATE, Kind::Credits(credits));
        }
        let mut submitted = true;
        for urgency in Urgency::ALL {
            let sends = self.sends.of_mut(urgency);
            let Some(send) = sends.iter_mut().find(|send| !send.what.is_submitted()) else { continue };
            submitted = false;
            let credits = stream.credits.of_mut(urgency);
            if *credits == 0 || stream.in_flight >= <LinkOf<S> as Link>::DEPTH || send.cancelled {
                continue;
            }
            let Some((place, run)) = send.request.run(send.what.submitted) else {
                // The client's memory can't be reached, so the stream has a hole.
                return self.broke(STATUS_INSUFFICIENT_RESOURCES);
            };
            let left = send.what.length.saturating_sub(send.what.submitted);
            let length = run.min(left).min(<LinkOf<S> as Link>::PIECE);
            send.what.submitted = send.what.submitted.saturating_add(length);
            send.what.in_flight = send.what.in_flight.saturating_add(1);
            stream.in_flight = stream.in_flight.saturating_add(1);
            *credits = credits.saturating_sub(1);
            let (number, kind) = (send.number(), Kind::Data(urgency));
            return Step::Do(Action::Send { link, number, kind, place, length });
        }
        if submitted && stream.out == Out::Finishing {
            stream.out = Out::Ended;
            return bare(link, END, Kind::End);
        }
        Step::Idle
    }

    /// The bytes for which there are credits again, if a send was refused and one would be taken now.
    pub(super) fn possible_again(&mut self) -> Option<usize> {
        let State::Connected(stream) = &mut self.state else { return None };
        if stream.broken || !stream.is_sending() {
            return None;
        }
        Urgency::ALL.into_iter().find_map(|urgency| {
            let credits = usize::from(*stream.credits.of(urgency));
            let possible = credits > 0 && self.sends.of(urgency).is_empty();
            let told = possible && core::mem::take(stream.refused.of_mut(urgency));
            told.then(|| credits.saturating_mul(<LinkOf<S> as Link>::PIECE))
        })
    }

    /// A message of a send has passed.
    pub(super) fn message_completed(&mut self, number: u64) {
        if let State::Connected(stream) = &mut self.state {
            stream.in_flight = stream.in_flight.saturating_sub(1);
        }
        let mut sends = self.sends.all_mut().into_iter().flat_map(super::Queue::iter_mut);
        if let Some(send) = sends.find(|send| send.number() == number) {
            send.what.in_flight = send.what.in_flight.saturating_sub(1);
        }
    }

    /// The message with this number was not accepted by the link.
    pub(crate) fn unsent(&mut self, number: u64) {
        if let State::Connected(stream) = &mut self.state {
            stream.broken = true;
            if number == END {
                stream.out = Out::Lost;
            }
        }
    }
}

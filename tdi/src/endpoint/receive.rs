//! The receive path: data goes to the receives that wait, in their order, or else to the client's handlers.
//!
//! A receive asks for normal data, for expedited data, or for whichever comes. What a client hears of one kind
//! does not depend on requests for the other kind only: such a request keeps no handler from being called.
//!
//! Flow control: a message that is read to its end is given back to the link, and its credit to the peer with the next
//! credit update.

#![forbid(unsafe_code)]

use alloc::collections::VecDeque;
use core::ops::Deref;

use provider::Within as _;
use sys::status::{STATUS_GRACEFUL_DISCONNECT, STATUS_SUCCESS};
use sys::tdi::{TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_NORMAL};

use super::action::{CopyToIrp, IndicateReceive};
use super::begin::complete;
use super::stream::Chunks;
use super::{Action, Endpoint, LinkOf, State, Stream, View};
use crate::call::Call;
use crate::ea::ConnectionContext;
use crate::event::{self, IndicationResult};
use crate::network::{ByUrgency, Link, Urgency};
use crate::request::Request;
use crate::system::System;

/// The data of one stream that has come.
pub(super) struct ReceivedStream<D> {
    chunks: VecDeque<D>,
    /// Bytes taken of the first.
    consumed: usize,
    /// The client's handler did not want the data.
    unwanted: bool,
}

impl<D: Deref<Target = [u8]>> ReceivedStream<D> {
    /// No data, with an empty queue for what may come.
    pub(super) const fn new(chunks: VecDeque<D>) -> Self {
        Self { chunks, consumed: 0, unwanted: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Adds what has come. `false` if the peer was not granted a credit for it.
    pub(super) fn add(&mut self, data: D, limit: usize) -> bool {
        self.chunks.len() < limit && self.chunks.push_within(data).is_ok()
    }

    pub(super) fn into_chunks(self) -> VecDeque<D> {
        self.chunks
    }

    /// Takes the data out; [`Endpoint::took`] brings it back.
    fn lend<L>(&mut self, urgency: Urgency, link: L) -> Lent<L>
    where
        L: Link<Data = D>,
    {
        let (chunks, consumed) = (core::mem::take(&mut self.chunks), self.consumed);
        Lent { urgency, link, chunks, consumed, consumed_messages: 0 }
    }
}

/// Data of one stream, on its way to the client.
pub(crate) struct Lent<L: Link> {
    pub(crate) urgency: Urgency,
    link: L,
    chunks: Chunks<L>,
    /// Bytes of the first chunk that were taken before.
    consumed: usize,
    /// Messages that were given back to the link.
    consumed_messages: u8,
}

/// The data that a receive wants.
pub(super) struct ReceiveState {
    pub(super) length: usize,
    pub(super) peek: bool,
    pub(super) wants: ByUrgency<bool>,
}

/// The streams that a receive wants by its flags: with none of both, as with both, either.
pub(super) const fn wanted(flags: u32) -> ByUrgency<bool> {
    match flags & (TDI_RECEIVE_NORMAL | TDI_RECEIVE_EXPEDITED) {
        TDI_RECEIVE_NORMAL => ByUrgency { normal: true, expedited: false },
        TDI_RECEIVE_EXPEDITED => ByUrgency { normal: false, expedited: true },
        _ => ByUrgency { normal: true, expedited: true },
    }
}

impl<L: Link> Stream<L> {
    /// Returns whether nothing that a receive wants is there or will come.
    pub(super) fn is_over_for(&self, wants: ByUrgency<bool>) -> bool {
        let left = |urgency| *wants.of(urgency) && !self.received.of(urgency).is_empty();
        self.ended && !Urgency::ALL.into_iter().any(left)
    }
}

impl<S: System> Endpoint<S> {
    /// Delivers data, and the end, to receives and handlers. See the module's head.
    pub(super) fn deliver(&mut self, view: Option<&View>) -> Option<Action<S>> {
        let data = Urgency::ALL.into_iter().find_map(|urgency| self.deliver_data(urgency, view));
        data.or_else(|| self.deliver_end())
    }

    fn deliver_data(&mut self, urgency: Urgency, view: Option<&View>) -> Option<Action<S>> {
        let State::Connected(stream) = &mut self.state else { return None };
        let received = stream.received.of_mut(urgency);
        if received.is_empty() {
            return None;
        }
        let link = stream.link.clone();
        if let Some(receive) = self.receives.claim_first(|receive| *receive.wants.of(urgency)) {
            let (length, peek) = (receive.what.length, receive.what.peek);
            let data = received.lend(urgency, link);
            return Some(Action::CopyToIrp(CopyToIrp { request: receive.request, length, peek, data }));
        }
        let (view, handler) = view.and_then(|view| Some((view, view.handlers.receive(urgency)?)))?;
        if received.unwanted || self.receives.any(|receive| *receive.wants.of(urgency)) {
            return None;
        }
        Some(Action::IndicateReceive(IndicateReceive {
            address: view.id,
            handler,
            data: received.lend(urgency, link),
        }))
    }

    /// The peer's streams have ended: what waits for more of them completes.
    fn deliver_end(&mut self) -> Option<Action<S>> {
        let State::Connected(stream) = &mut self.state else { return None };
        if let Some(receive) = self.receives.claim_first(|receive| stream.is_over_for(receive.wants)) {
            return Some(complete(receive.request, STATUS_GRACEFUL_DISCONNECT));
        }
        let watch = if stream.is_over() { self.watches.claim_first(|_| true)? } else { return None };
        Some(complete(watch.request, STATUS_SUCCESS))
    }

    /// Data comes back from [`Action::CopyToIrp`] and [`Action::IndicateReceive`].
    pub(crate) fn took(&mut self, data: Lent<LinkOf<S>>, unwanted: bool) {
        let Lent { urgency, chunks, consumed, consumed_messages, .. } = data;
        if let State::Connected(stream) = &mut self.state {
            *stream.received.of_mut(urgency) = ReceivedStream { chunks, consumed, unwanted };
            let all = stream.consumed_messages.of_mut(urgency);
            *all = all.saturating_add(consumed_messages);
        }
    }
}

impl<L: Link> Lent<L> {
    /// Gives the first messages back to the link. If it is broken, so will its events say.
    fn give_back(&mut self, count: usize) {
        for _ in 0..count {
            let Some(chunk) = self.chunks.pop_front() else { return };
            let _broken = self.link.give_back(chunk);
            self.consumed_messages = self.consumed_messages.saturating_add(1);
        }
    }

    /// Copies data to a receive; returns how many bytes. Whole messages are given back to the link.
    pub(crate) fn fill(&mut self, request: &mut impl Request, length: usize, peek: bool) -> usize {
        let (mut filled, mut at, mut index) = (0_usize, self.consumed, 0_usize);
        while filled < length {
            let Some(rest) = self.chunks.get(index).and_then(|chunk| chunk.get(at..)) else { break };
            let part = rest.get(..length.saturating_sub(filled)).unwrap_or(rest);
            let copied = request.fill(filled, part);
            filled = filled.saturating_add(copied);
            if copied < rest.len() {
                at = at.saturating_add(copied);
                break;
            }
            (index, at) = (index.saturating_add(1), 0);
        }
        if !peek {
            self.consumed = at;
            self.give_back(index);
        }
        filled
    }

    /// Shows the client the data.
    pub(crate) fn show(
        &mut self,
        handler: event::Receive,
        call: &Call<ConnectionContext>,
    ) -> IndicationResult {
        let available = self.chunks.iter().map(|chunk| chunk.len()).fold(0, usize::saturating_add);
        let front = self.chunks.front().and_then(|chunk| chunk.get(self.consumed..)).unwrap_or_default();
        let taken = handler.call(call, front, available.saturating_sub(self.consumed));
        if taken.bytes >= front.len() {
            self.consumed = 0;
            self.give_back(1);
        } else {
            self.consumed = self.consumed.saturating_add(taken.bytes);
        }
        taken
    }
}

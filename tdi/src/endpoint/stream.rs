//! An established connection: two streams of bytes in messages.

use alloc::collections::VecDeque;
use core::ptr::NonNull;

use provider::NoMemory;
use sys::status::{
    STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET, STATUS_GRACEFUL_DISCONNECT,
    STATUS_INSUFFICIENT_RESOURCES, STATUS_IO_TIMEOUT, STATUS_SUCCESS,
};
use sys::tdi::{TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE};

use super::begin::complete;
use super::effect::Fill;
use super::{Effect, Endpoint, News, Progress, State, View, Why};
use crate::event;
use crate::network::{Kind, Link, Passed, System};
use crate::request::Request;

/// The number of the message that ends a stream; requests are numbered from 1.
const END: u64 = 0;

/// What a send has come to.
pub(crate) struct Outgoing {
    length: usize,
    /// Bytes that were given to the link.
    given: usize,
    /// Messages of it that have not passed.
    underway: usize,
}

impl Outgoing {
    pub(super) const fn new(length: usize) -> Self {
        Self { length, given: 0, underway: 0 }
    }

    /// Nothing of it was given to the link.
    pub(super) const fn is_untouched(&self) -> bool {
        self.given == 0
    }

    const fn is_given(&self) -> bool {
        self.given == self.length
    }

    pub(super) const fn is_done(&self) -> bool {
        self.is_given() && self.underway == 0
    }
}

/// How far this side's stream is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Out {
    /// The client may send.
    Open,
    /// The client has released; what it sent before comes first.
    Finishing,
    /// The end is under way.
    Ended,
    /// The peer has it.
    Arrived,
}

/// See the module's head.
pub(crate) struct Stream<L: Link> {
    pub(super) link: L,
    /// Messages that have come and were not taken whole.
    pub(super) chunks: VecDeque<L::Data>,
    /// Bytes taken of the first.
    consumed: usize,
    /// Messages under way.
    underway: usize,
    out: Out,
    /// The peer's stream has ended; what is left of it are the chunks.
    ended: bool,
    /// The client's disconnect handler was told.
    told: bool,
    /// The client's receive handler did not want the data.
    unwanted: bool,
    /// The link has broken.
    broken: bool,
}

impl<L: Link> Stream<L> {
    /// A stream on a link that was just connected, with the [`Stream::room`] for what may come.
    pub(super) fn new(link: L, chunks: VecDeque<L::Data>) -> Self {
        Self {
            link,
            chunks,
            consumed: 0,
            underway: 0,
            out: Out::Open,
            ended: false,
            told: false,
            unwanted: false,
            broken: false,
        }
    }

    /// Room for all that may come.
    ///
    /// # Errors
    ///
    /// [`NoMemory`].
    pub(crate) fn room() -> Result<VecDeque<L::Data>, NoMemory> {
        let mut chunks = VecDeque::new();
        // The end of a stream is a message too, but none that is kept.
        chunks.try_reserve_exact(L::WINDOW).map_err(|_| NoMemory)?;
        Ok(chunks)
    }

    /// Whether the client may send.
    pub(super) fn is_sending(&self) -> bool {
        self.out == Out::Open
    }

    /// The client sends nothing more.
    pub(super) fn finish(&mut self) {
        self.out = Out::Finishing;
    }

    /// Whether there is nothing more to receive.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.chunks.is_empty()
    }

    /// Takes the data out; [`Endpoint::took`] brings it back.
    fn lend(&mut self) -> (VecDeque<L::Data>, usize) {
        (core::mem::take(&mut self.chunks), self.consumed)
    }
}

impl<S: System> Endpoint<S> {
    /// What is to be done for an established connection.
    pub(super) fn transfer(&mut self, view: Option<&View>) -> Progress<S> {
        let State::Connected(stream) = &mut self.state else { return Progress::Rest };
        if self.news.take(News::LOST) {
            stream.broken = true;
            // What has come before the connection broke was perhaps not noted yet.
            self.news.add(News::PASSED);
        }
        if self.news.take(News::PASSED) {
            return Progress::Do(Effect::Next(stream.link.clone()));
        }
        if self.news.take(News::FORCED) {
            return self.broke(STATUS_CONNECTION_ABORTED);
        }
        if let Some(effect) = self.deliver(view).or_else(|| self.complete_send()) {
            return Progress::Do(effect);
        }
        match self.next_message() {
            Progress::Rest => self.settle(view),
            other => other,
        }
    }

    fn broke(&mut self, status: i32) -> Progress<S> {
        self.end(Why { indicate: Some(TDI_DISCONNECT_ABORT), ..Why::all(status) });
        Progress::Again
    }

    /// Data to whoever wants it: the receives that wait, in their order, or else the client's handler.
    fn deliver(&mut self, view: Option<&View>) -> Option<Effect<S>> {
        let State::Connected(stream) = &mut self.state else { return None };
        if stream.chunks.is_empty() {
            if !stream.ended {
                return None;
            }
            if let Some(receive) = self.receives.claim_first() {
                return Some(complete(receive.request, STATUS_GRACEFUL_DISCONNECT));
            }
            let watch = self.watches.claim_first()?;
            return Some(complete(watch.request, STATUS_SUCCESS));
        }
        if let Some(receive) = self.receives.claim_first() {
            let link = stream.link.clone();
            let (chunks, consumed) = stream.lend();
            let (length, peek) = (receive.what.length, receive.what.peek);
            return Some(Effect::Fill(Fill {
                request: receive.request,
                length,
                peek,
                link,
                chunks,
                consumed,
            }));
        }
        let (view, handler) = view.and_then(|view| Some((view, view.handlers.receive()?)))?;
        if stream.unwanted || !self.receives.is_empty() {
            return None;
        }
        let link = stream.link.clone();
        let (chunks, consumed) = stream.lend();
        Some(Effect::Show { address: view.id, handler, link, chunks, consumed })
    }

    /// Data comes back from [`Effect::Fill`] and [`Effect::Show`].
    pub(crate) fn took(
        &mut self,
        chunks: VecDeque<<super::LinkOf<S> as Link>::Data>,
        consumed: usize,
        unwanted: bool,
    ) {
        if let State::Connected(stream) = &mut self.state {
            stream.chunks = chunks;
            stream.consumed = consumed;
            stream.unwanted = unwanted;
        }
    }

    /// Completes the oldest send, if all of it has reached the peer.
    fn complete_send(&mut self) -> Option<Effect<S>> {
        if !self.sends.front()?.what.is_done() {
            return None;
        }
        let send = self.sends.claim_front()?;
        let (status, information) = if send.cancelled {
            (sys::status::STATUS_CANCELLED, 0)
        } else {
            (STATUS_SUCCESS, send.what.length)
        };
        Some(Effect::Complete { request: send.request, status, information })
    }

    /// The next message to the peer.
    fn next_message(&mut self) -> Progress<S> {
        let State::Connected(stream) = &mut self.state else { return Progress::Rest };
        if stream.broken {
            return Progress::Rest;
        }
        let link = stream.link.clone();
        let Some(send) = self.sends.iter_mut().find(|send| !send.what.is_given()) else {
            if stream.out != Out::Finishing {
                return Progress::Rest;
            }
            stream.out = Out::Ended;
            let (place, length) = (NonNull::dangling(), 0);
            return Progress::Do(Effect::Send { link, number: END, kind: Kind::End, place, length });
        };
        if stream.underway >= <super::LinkOf<S> as Link>::DEPTH || send.cancelled {
            return Progress::Rest;
        }
        let Some((place, run)) = send.request.run(send.what.given) else {
            // The client's memory can't be reached, so the stream has a hole.
            return self.broke(STATUS_INSUFFICIENT_RESOURCES);
        };
        let left = send.what.length.saturating_sub(send.what.given);
        let length = run.min(left).min(<super::LinkOf<S> as Link>::PIECE);
        send.what.given = send.what.given.saturating_add(length);
        send.what.underway = send.what.underway.saturating_add(1);
        stream.underway = stream.underway.saturating_add(1);
        Progress::Do(Effect::Send { link, number: send.number(), kind: Kind::Data, place, length })
    }

    /// What has happened on the link, as [`Effect::Next`] found it.
    pub(crate) fn passed(&mut self, passed: Option<Passed<super::DataOf<S>>>) {
        let State::Connected(stream) = &mut self.state else { return };
        let Some(passed) = passed else { return };
        self.news.add(News::PASSED);
        match passed {
            Passed::Sent { number: END, arrived } => {
                if arrived {
                    stream.out = Out::Arrived;
                }
                stream.broken |= !arrived;
            }
            Passed::Sent { number, arrived } => {
                stream.underway = stream.underway.saturating_sub(1);
                stream.broken |= !arrived;
                if let Some(send) = self.sends.iter_mut().find(|send| send.number() == number) {
                    send.what.underway = send.what.underway.saturating_sub(1);
                }
            }
            Passed::Came(Kind::Data, data) if !stream.ended && !data.is_empty() => {
                stream.chunks.push_back(data);
            }
            Passed::Came(Kind::End, _) if !stream.ended => stream.ended = true,
            // Nothing may follow the end, and no message of data is empty.
            Passed::Came(..) | Passed::Nonsense => stream.broken = true,
        }
    }

    /// A message was not accepted by the link.
    pub(crate) fn unsent(&mut self) {
        if let State::Connected(stream) = &mut self.state {
            stream.broken = true;
        }
    }

    /// What follows when nothing more moves.
    fn settle(&mut self, view: Option<&View>) -> Progress<S> {
        let State::Connected(stream) = &mut self.state else { return Progress::Rest };
        let over = stream.is_over();
        if over && !stream.told {
            stream.told = true;
            if let Some((view, handler)) = view.and_then(|view| Some((view, view.handlers.disconnect()?))) {
                let flags = TDI_DISCONNECT_RELEASE;
                return Progress::Do(Effect::Tell { address: view.id, handler, flags });
            }
        }
        if over && stream.out == Out::Arrived {
            self.end(Why { release: STATUS_SUCCESS, ..Why::all(STATUS_GRACEFUL_DISCONNECT) });
            return Progress::Again;
        }
        // The peer may go once both ends have arrived, while the client still reads.
        if stream.broken && !(stream.ended && stream.out == Out::Arrived) {
            return self.broke(STATUS_CONNECTION_RESET);
        }
        if self.news.take(News::LATE) {
            self.end(Why {
                release: STATUS_IO_TIMEOUT,
                indicate: Some(TDI_DISCONNECT_ABORT),
                ..Why::all(STATUS_CONNECTION_ABORTED)
            });
            return Progress::Again;
        }
        Progress::Rest
    }
}

/// Copies what has come to a receive; returns how many bytes, and what of the data is left. Whole messages
/// are given back to the link.
pub(crate) fn fill<S: System>(fill: &mut Fill<S>) -> usize {
    let (mut filled, mut at, mut index) = (0_usize, fill.consumed, 0_usize);
    while filled < fill.length {
        let Some(rest) = fill.chunks.get(index).and_then(|chunk| chunk.get(at..)) else { break };
        let part = rest.get(..fill.length.saturating_sub(filled)).unwrap_or(rest);
        let copied = fill.request.fill(filled, part);
        filled = filled.saturating_add(copied);
        if copied < rest.len() {
            at = at.saturating_add(copied);
            break;
        }
        (index, at) = (index.saturating_add(1), 0);
    }
    if !fill.peek {
        fill.consumed = at;
        give_back(&fill.link, &mut fill.chunks, index);
    }
    filled
}

/// Gives the first `count` messages back to the link. If it is broken, so will its news say.
fn give_back<L: Link>(link: &L, chunks: &mut VecDeque<L::Data>, count: usize) {
    for chunk in chunks.drain(..count.min(chunks.len())) {
        let _broken = link.give_back(chunk);
    }
}

/// Shows data to the client's handler; returns a request that it made, and whether it took nothing.
pub(crate) fn show<L: Link>(
    handler: event::Receive,
    context: crate::ea::ConnectionContext,
    link: &L,
    chunks: &mut VecDeque<L::Data>,
    consumed: &mut usize,
) -> event::Taken {
    let available = chunks.iter().map(|chunk| chunk.len()).fold(0, usize::saturating_add);
    let front = chunks.front().and_then(|chunk| chunk.get(*consumed..)).unwrap_or_default();
    let taken = handler.call(context, front, available.saturating_sub(*consumed));
    if taken.bytes >= front.len() {
        *consumed = 0;
        give_back(link, chunks, 1);
    } else {
        *consumed = consumed.saturating_add(taken.bytes);
    }
    taken
}

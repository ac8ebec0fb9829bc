//! One end of a connection.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use softndk_kernel::network::{Accepted, Batch as _, ConnectionEvents, LocalEnd, Runs};
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_REFUSED,
    STATUS_SHARING_VIOLATION, STATUS_SUCCESS,
};

use super::{Pipe, PipeBatch, PipeConnection, lock};
use crate::manual::enqueue;

/// The most bytes that lie at an end before the other one's batches wait.
const WINDOW: usize = 256 << 10;

#[derive(Default)]
struct State {
    events: Option<Arc<ConnectionEvents<Pipe>>>,
    peer: Option<Arc<End>>,
    /// Batches that TCP has, the oldest first.
    sending: VecDeque<PipeBatch>,
    /// Bytes of the peer that were not taken.
    arrived: VecDeque<u8>,
    is_in_call: bool,
    is_short: bool,
    resumed: bool,
    /// This end's stream ends behind the batches.
    finishes: bool,
    finished: bool,
    peer_finished: bool,
    /// `finished` was called.
    told: bool,
    is_over: bool,
}

/// See the module's head.
pub(super) struct End {
    hub: Pipe,
    state: Mutex<State>,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}

/// Bytes in pieces.
struct Pieces(Vec<Vec<u8>>);

impl Runs for Pieces {
    fn length(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn at(&self, mut offset: usize) -> &[u8] {
        for piece in &self.0 {
            if offset < piece.len() {
                return &piece[offset..];
            }
            offset -= piece.len();
        }
        &[]
    }
}

impl End {
    pub(super) fn new(hub: Pipe) -> Self {
        Self { hub, state: Mutex::default() }
    }

    pub(super) fn hub(&self) -> &Pipe {
        &self.hub
    }

    /// Keeps the owner of a connection that begins.
    pub(super) fn begin(&self, events: ConnectionEvents<Pipe>) {
        lock(&self.state).events = Some(Arc::new(events));
    }

    fn events(&self) -> Option<Arc<ConnectionEvents<Pipe>>> {
        lock(&self.state).events.clone()
    }

    /// Connects to a listener.
    pub(super) fn connect(self: &Arc<Self>, from: LocalEnd, to: SocketAddr) {
        let Some(events) = self.events() else { return };
        let outcome = self.try_connect(&events, from, to);
        if lock(&self.state).is_over {
            events.opened(Err(STATUS_CANCELLED));
            return;
        }
        events.opened(outcome);
        drop(events);
        if outcome.is_err() {
            self.close();
        }
    }

    fn try_connect(
        self: &Arc<Self>,
        events: &ConnectionEvents<Pipe>,
        from: LocalEnd,
        to: SocketAddr,
    ) -> Result<(), NTSTATUS> {
        let local = match from {
            LocalEnd::Own(address) => self.hub.claim(address).ok_or(STATUS_SHARING_VIOLATION)?,
            LocalEnd::Shared(address) => address,
        };
        if !events.bound(local) {
            return Err(STATUS_SHARING_VIOLATION);
        }
        let listener = self.hub.listener(to).ok_or(STATUS_CONNECTION_REFUSED)?;
        if !listener.inspect(local) {
            return Err(STATUS_CONNECTION_REFUSED);
        }
        let peer = Arc::new(Self::new(self.hub.clone()));
        lock(&peer.state).peer = Some(self.clone());
        lock(&self.state).peer = Some(peer.clone());
        let accepted = Accepted { connection: PipeConnection(peer.clone()), local: to, remote: local };
        match listener.accepted(accepted) {
            Some(events) => {
                lock(&peer.state).events = Some(Arc::new(events));
                Ok(())
            }
            None => Err(STATUS_CONNECTION_REFUSED),
        }
    }

    pub(super) fn send(self: &Arc<Self>, batch: PipeBatch) {
        let refused = {
            let mut state = lock(&self.state);
            if state.is_over || state.finishes {
                Some(batch)
            } else {
                state.sending.push_back(batch);
                None
            }
        };
        let end = self.clone();
        match refused {
            Some(batch) => enqueue(move || end.back(batch, STATUS_CONNECTION_ABORTED)),
            None => enqueue(move || end.carry()),
        }
    }

    fn back(&self, batch: PipeBatch, status: NTSTATUS) {
        if let Some(events) = self.events() {
            events.sent(batch, status);
        }
    }

    /// Carries batches to the peer, as far as it takes bytes.
    pub(super) fn carry(self: &Arc<Self>) {
        {
            let mut hub = lock(&self.hub.0);
            if hub.is_held {
                hub.held.push(self.clone());
                return;
            }
        }
        loop {
            let Some(peer) = lock(&self.state).peer.clone() else { return };
            if lock(&peer.state).arrived.len() >= WINDOW {
                return;
            }
            let (batch, ends) = {
                let mut state = lock(&self.state);
                let batch = state.sending.pop_front();
                let ends = batch.is_none() && state.finishes && !state.finished;
                state.finished |= ends;
                (batch, ends)
            };
            match batch {
                Some(batch) => {
                    lock(&peer.state).arrived.extend(&batch.bytes[..batch.length()]);
                    self.back(batch, STATUS_SUCCESS);
                }
                None if ends => lock(&peer.state).peer_finished = true,
                None => return,
            }
            enqueue(move || peer.indicate());
        }
    }

    /// Shows what has arrived, a part of it at a time.
    fn indicate(self: &Arc<Self>) {
        loop {
            let (events, bytes) = {
                let mut state = lock(&self.state);
                let Some(events) = state.events.clone() else { return };
                if state.is_over || state.is_in_call || state.is_short {
                    return;
                }
                if state.arrived.is_empty() {
                    if state.peer_finished && !state.told {
                        state.told = true;
                        drop(state);
                        events.finished();
                    }
                    return;
                }
                state.is_in_call = true;
                state.resumed = false;
                let cut = self.hub.next_cut().min(state.arrived.len());
                let bytes: Vec<u8> = state.arrived.iter().take(cut).copied().collect();
                (events, bytes)
            };
            let middle = bytes.len() / 2;
            let pieces = Pieces(vec![bytes[..middle].to_vec(), bytes[middle..].to_vec()]);
            let taken = events.arrived(&pieces).bytes;
            assert!(taken <= bytes.len(), "{taken} bytes were taken of {}", bytes.len());
            let peer = {
                let mut state = lock(&self.state);
                state.arrived.drain(..taken);
                state.is_in_call = false;
                state.is_short = taken < bytes.len() && !state.resumed;
                state.peer.clone()
            };
            if let Some(peer) = peer {
                enqueue(move || peer.carry());
            }
        }
    }

    pub(super) fn resume(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if state.is_in_call {
            state.resumed = true;
        } else if std::mem::take(&mut state.is_short) {
            drop(state);
            let end = self.clone();
            enqueue(move || end.indicate());
        }
    }

    pub(super) fn finish(self: &Arc<Self>) {
        lock(&self.state).finishes = true;
        let end = self.clone();
        enqueue(move || end.carry());
    }

    /// Cuts the connection off: this end closes, and the peer finds it dead unless both streams had ended.
    pub(super) fn abort(self: &Arc<Self>) {
        let (peer, is_whole) = {
            let state = lock(&self.state);
            if state.is_over {
                return;
            }
            (state.peer.clone(), state.finished && state.told && state.sending.is_empty())
        };
        self.close();
        if let (Some(peer), false) = (peer, is_whole) {
            enqueue(move || peer.close());
        }
    }

    /// The end of everything: batches come back, and then the last call.
    fn close(self: &Arc<Self>) {
        let batches = {
            let mut state = lock(&self.state);
            if std::mem::replace(&mut state.is_over, true) {
                return;
            }
            state.arrived.clear();
            std::mem::take(&mut state.sending)
        };
        for batch in batches {
            self.back(batch, STATUS_CONNECTION_ABORTED);
        }
        let end = self.clone();
        enqueue(move || end.closed());
    }

    fn closed(self: &Arc<Self>) {
        let (events, peer) = {
            let mut state = lock(&self.state);
            if state.is_in_call {
                let end = self.clone();
                drop(state);
                enqueue(move || end.closed());
                return;
            }
            (state.events.take(), state.peer.take())
        };
        drop(peer);
        match events.map(Arc::try_unwrap) {
            Some(Ok(events)) => events.closed(),
            Some(Err(events)) => {
                lock(&self.state).events = Some(events);
                let end = self.clone();
                enqueue(move || end.closed());
            }
            None => {}
        }
    }
}

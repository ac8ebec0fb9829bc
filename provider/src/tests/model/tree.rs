//! The model: objects, what holds them, and what must come of a close. Plain and slow.
//!
//! It does not know in which order DPCs are made, and learns it from the callbacks: each must be one
//! that is owed at that moment, and when all DPCs were made, nothing may be owed any more. What a
//! DPC does without a callback is not seen; while DPCs are being made, it may or may not
//! have happened, and a close whose answer depends on that may give either.

use sys::status::*;

/// Type of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Cq,
    Pd,
    Srq,
    Mr,
    Qp,
    Listener,
    Connector,
}

/// One object.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) far: bool,
    pub(crate) antecedents: Vec<usize>,
    pub(crate) closing: bool,
    pub(crate) gone: bool,
    /// A connector that the consumer has not been shown; closed, it goes without a word.
    pub(crate) hidden: bool,
    /// The connection of a connector; `informed` is false while the connector is to be released by its DPC.
    pub(crate) session: Option<usize>,
    pub(crate) informed: bool,
    /// A queue pair that a connector has.
    pub(crate) claimed: bool,
    pub(crate) dead: bool,
    /// Of a queue pair: the completion queue, and the receives that wait; `None` if they come from a shared
    /// queue.
    pub(crate) cq: Option<usize>,
    pub(crate) receives: Option<usize>,
    /// Of a completion queue: results, whether it is armed, and notifications that are owed.
    pub(crate) results: usize,
    pub(crate) armed: bool,
    pub(crate) owed: usize,
    /// Of a listener: it takes no connect requests.
    pub(crate) paused: bool,
    /// Its DPC is queued, as far as is known.
    pub(crate) called: bool,
}

/// Reference state of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    No,
    /// Its last reference may have been released unobserved.
    Perhaps,
    Yes,
}

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Requested,
    Accepted,
    Established,
    Ended,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) phase: Phase,
    pub(crate) was_established: bool,
    /// Connectors: active, passive.
    pub(crate) ends: [usize; 2],
    pub(crate) qps: [Option<usize>; 2],
    /// Requests that are pending.
    pub(crate) pending: [bool; 2],
    /// Request completions that the next pump calls.
    pub(crate) completions: Vec<(usize, NTSTATUS)>,
    pub(crate) events: [bool; 2],
    pub(crate) left: [bool; 2],
    /// Disconnects that were pending.
    pub(crate) disconnects: [bool; 2],
}

impl Session {
    /// Returns true if the disconnect request of a connector has drained and its completion is still to be
    /// called.
    pub(crate) fn owes_disconnect(&self, connector: usize) -> bool {
        let side = usize::from(self.ends[1] == connector);
        self.disconnects[side] && self.completions.iter().any(|(end, _)| *end == connector)
    }
}

/// All objects and connections.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) sessions: Vec<Session>,
    /// DPCs are being made.
    pub(crate) pumping: bool,
    /// The object whose callback runs.
    pub(crate) inside: Option<usize>,
    /// The object whose close completion runs.
    pub(crate) completing: Option<usize>,
}

impl Tree {
    pub(crate) fn add(&mut self, kind: Kind, far: bool, antecedents: Vec<usize>) -> usize {
        self.nodes.push(Node {
            kind,
            far,
            antecedents,
            closing: false,
            gone: false,
            hidden: false,
            session: None,
            informed: true,
            claimed: false,
            dead: false,
            cq: None,
            receives: None,
            results: 0,
            armed: false,
            owed: 0,
            paused: false,
            called: false,
        });
        self.nodes.len() - 1
    }

    /// Objects of a kind that the consumer may still use.
    pub(crate) fn usable(&self, kind: Kind) -> Vec<usize> {
        let usable = |node: &Node| node.kind == kind && !node.closing && !node.hidden;
        (0..self.nodes.len()).filter(|&id| usable(&self.nodes[id])).collect()
    }

    /// Determines the references to an object: successors, its part in a connection, its callbacks.
    pub(crate) fn held(&self, id: usize) -> Held {
        let surely =
            self.nodes.iter().enumerate().any(|(successor, node)| {
                !node.gone && node.antecedents.contains(&id) && self.stays(successor)
            });
        let connected = self
            .sessions
            .iter()
            .any(|session| session.phase != Phase::Ended && session.qps.contains(&Some(id)));
        if surely || connected || self.inside == Some(id) || self.is_owed_a_callback(id) {
            return Held::Yes;
        }
        let perhaps = self.nodes.iter().any(|node| !node.gone && node.antecedents.contains(&id));
        let node = &self.nodes[id];
        match perhaps || !node.informed || node.called {
            false => Held::No,
            true if self.pumping => Held::Perhaps,
            true => Held::Yes,
        }
    }

    /// Returns true if an object certainly exists still: its end would be observed.
    fn stays(&self, id: usize) -> bool {
        let node = &self.nodes[id];
        !node.closing || !node.hidden || self.completing == Some(id)
    }

    /// Returns true if a callback of an object, other than its close completion, is still to be called.
    fn is_owed_a_callback(&self, id: usize) -> bool {
        let Node { owed, closing, .. } = self.nodes[id];
        let events = self.sessions.iter().any(|session| {
            session.completions.iter().any(|(end, _)| *end == id)
                || (0..2).any(|side| session.ends[side] == id && session.events[side] && !session.left[side])
        });
        events || (owed != 0 && !closing)
    }

    /// Records the close of an object with the provider's `status`. Fails with the reference state if that
    /// does not permit the status.
    pub(crate) fn close(&mut self, id: usize, status: NTSTATUS) -> Result<(), Held> {
        self.nodes[id].closing = true;
        match self.nodes[id].kind {
            Kind::Connector => self.leave(id),
            Kind::Qp => {
                self.kill(id);
                let broken =
                    |session: &Session| session.phase != Phase::Ended && session.qps.contains(&Some(id));
                if let Some(number) = self.sessions.iter().position(broken) {
                    let Session { phase, qps, .. } = &self.sessions[number];
                    match (phase, qps[0] == Some(id)) {
                        (Phase::Established, _) => self.fail(number),
                        (_, true) => self.end(number, [STATUS_CANCELLED, STATUS_CONNECTION_ABORTED]),
                        (_, false) => self.end(number, [STATUS_CONNECTION_REFUSED, STATUS_CANCELLED]),
                    }
                }
            }
            Kind::Cq | Kind::Pd | Kind::Srq | Kind::Mr | Kind::Listener => {}
        }
        match (self.held(id), status) {
            (Held::No | Held::Perhaps, STATUS_SUCCESS) => self.nodes[id].gone = true,
            (Held::Yes | Held::Perhaps, STATUS_PENDING) => {}
            (held, _) => return Err(held),
        }
        Ok(())
    }

    /// Everything posted to a queue pair is cancelled, now and from now on.
    pub(crate) fn kill(&mut self, qp: usize) {
        self.nodes[qp].dead = true;
        self.flush(qp);
    }

    /// The receives that wait are cancelled.
    pub(crate) fn flush(&mut self, qp: usize) {
        let (cancelled, cq) = (self.nodes[qp].receives.replace(0), self.nodes[qp].cq);
        if cancelled.is_none() {
            self.nodes[qp].receives = None;
        }
        for _ in 0..cancelled.unwrap_or(0) {
            self.push(cq);
        }
    }

    /// Records the post of a receive. Returns the expected status.
    pub(crate) fn receive(&mut self, qp: usize, depth: usize) -> NTSTATUS {
        let dead = self.nodes[qp].dead;
        match &mut self.nodes[qp].receives {
            None => STATUS_INVALID_DEVICE_REQUEST,
            Some(waiting) if *waiting == depth => STATUS_INSUFFICIENT_RESOURCES,
            Some(waiting) => {
                *waiting += 1;
                if dead {
                    self.flush(qp);
                }
                STATUS_SUCCESS
            }
        }
    }

    fn push(&mut self, cq: Option<usize>) {
        let Some(cq) = cq.map(|cq| &mut self.nodes[cq]) else { return };
        cq.results += 1;
        if std::mem::take(&mut cq.armed) {
            cq.owed += 1;
            cq.called = true;
        }
    }

    /// A completion queue is armed for anything.
    pub(crate) fn arm(&mut self, cq: usize) {
        let cq = &mut self.nodes[cq];
        if cq.results == 0 {
            cq.armed = true;
        } else {
            cq.owed += 1;
            cq.called = true;
        }
    }

    pub(crate) fn side(&self, connector: usize) -> Option<(usize, usize)> {
        let session = self.nodes[connector].session?;
        let side = usize::from(self.sessions[session].ends[1] == connector);
        Some((session, side))
    }

    fn leave(&mut self, connector: usize) {
        let Some((id, side)) = self.side(connector) else { return };
        self.sessions[id].left[side] = true;
        match self.sessions[id].phase {
            Phase::Requested | Phase::Accepted => {
                let statuses = match side {
                    0 => [STATUS_CANCELLED, STATUS_CONNECTION_ABORTED],
                    _ => [STATUS_CONNECTION_REFUSED, STATUS_CANCELLED],
                };
                self.end(id, statuses);
            }
            Phase::Established => self.fail(id),
            Phase::Ended => {
                if let (true, Some(qp)) = (self.sessions[id].was_established, self.sessions[id].qps[side]) {
                    self.kill(qp);
                }
            }
        }
    }

    /// A connection breaks.
    pub(crate) fn fail(&mut self, id: usize) {
        self.sessions[id].events = [true, true];
        for qp in self.sessions[id].qps.into_iter().flatten() {
            self.kill(qp);
        }
        self.end(id, [STATUS_SUCCESS; 2]);
    }

    /// A connection ends; what is pending completes with `statuses`.
    pub(crate) fn end(&mut self, id: usize, statuses: [NTSTATUS; 2]) {
        let session = &mut self.sessions[id];
        session.phase = Phase::Ended;
        for (side, status) in statuses.into_iter().enumerate() {
            if std::mem::take(&mut session.pending[side]) {
                session.completions.push((session.ends[side], status));
            }
            self.nodes[session.ends[side]].informed = false;
        }
        if !session.was_established {
            for qp in session.qps.into_iter().flatten() {
                self.nodes[qp].claimed = false;
            }
        }
    }

    /// Records a completion. Returns true if it is the next that is owed to this connector.
    pub(crate) fn completed(&mut self, connector: usize, status: NTSTATUS) -> bool {
        for session in &mut self.sessions {
            if let Some(place) = session.completions.iter().position(|(end, _)| *end == connector) {
                return session.completions.remove(place).1 == status;
            }
        }
        false
    }

    /// Records a disconnect event. Returns true if it is owed.
    pub(crate) fn disconnected(&mut self, connector: usize) -> bool {
        let Some((id, side)) = self.side(connector) else { return false };
        let session = &mut self.sessions[id];
        let told = session.completions.iter().all(|(end, _)| *end != connector);
        std::mem::take(&mut session.events[side]) && !session.left[side] && told
    }

    /// Records a notification. Returns true if it is owed.
    pub(crate) fn notified(&mut self, cq: usize) -> bool {
        let cq = &mut self.nodes[cq];
        let owed = cq.owed != 0 && !cq.closing;
        cq.owed = cq.owed.saturating_sub(1);
        owed
    }

    /// Records a close completion. Returns true if it may come now.
    pub(crate) fn closed(&mut self, id: usize) -> bool {
        let node = &self.nodes[id];
        let may = node.closing && !node.gone && !node.hidden && self.held(id) != Held::Yes;
        self.completing = Some(id);
        may
    }

    /// The callback that ran has returned.
    pub(crate) fn returned(&mut self) {
        self.inside = None;
        if let Some(id) = self.completing.take() {
            self.nodes[id].gone = true;
        }
    }

    /// All DPCs were made. What is left that should not be.
    pub(crate) fn settle(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for (number, session) in self.sessions.iter_mut().enumerate() {
            left.extend(session.completions.iter().map(|completion| format!("completion {completion:?}")));
            for side in 0..2 {
                if std::mem::take(&mut session.events[side]) && !session.left[side] {
                    left.push(format!("disconnect event of session {number}, side {side}"));
                }
            }
        }
        for (id, node) in self.nodes.iter_mut().enumerate() {
            if std::mem::take(&mut node.owed) != 0 && !node.closing {
                left.push(format!("notification of {id}"));
            }
            (node.informed, node.called) = (true, false);
        }
        self.pumping = false;
        while let Some(id) = (0..self.nodes.len()).find(|&id| {
            let Node { closing, gone, .. } = self.nodes[id];
            closing && !gone && self.held(id) == Held::No
        }) {
            self.nodes[id].gone = true;
            if !self.nodes[id].hidden {
                left.push(format!("close completion of {id}"));
            }
        }
        left
    }
}

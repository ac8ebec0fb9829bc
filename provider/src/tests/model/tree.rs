//! The model: objects, what holds them, and what must come of a close. Plain and slow.

use std::collections::BTreeSet;

use sys::status::*;

/// What an object is.
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
    /// The session that a connector is in, and whether the connector is still to hear something of it.
    pub(crate) session: Option<usize>,
    pub(crate) informed: bool,
    /// A queue pair that a connector has.
    pub(crate) claimed: bool,
    pub(crate) dead: bool,
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Offered,
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
    /// What is to be called at the next pump.
    pub(crate) completions: Vec<(usize, NTSTATUS)>,
    pub(crate) events: [bool; 2],
    pub(crate) left: [bool; 2],
}

/// All objects and connections.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) sessions: Vec<Session>,
}

/// What a pump must bring about.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) completions: Vec<(usize, NTSTATUS)>,
    pub(crate) disconnects: BTreeSet<usize>,
    pub(crate) closed: BTreeSet<usize>,
}

impl Tree {
    pub(crate) fn add(&mut self, kind: Kind, far: bool, antecedents: Vec<usize>) -> usize {
        let (session, informed) = (None, true);
        self.nodes.push(Node {
            kind,
            far,
            antecedents,
            closing: false,
            gone: false,
            session,
            informed,
            claimed: false,
            dead: false,
        });
        self.nodes.len() - 1
    }

    /// Objects of a kind that the consumer may still use.
    pub(crate) fn usable(&self, kind: Kind) -> Vec<usize> {
        let usable = |node: &Node| node.kind == kind && !node.closing;
        (0..self.nodes.len()).filter(|&id| usable(&self.nodes[id])).collect()
    }

    /// What keeps an object from going: successors, or its part in a connection.
    fn is_held(&self, id: usize) -> bool {
        let successor = self.nodes.iter().any(|node| !node.gone && node.antecedents.contains(&id));
        let connected = self
            .sessions
            .iter()
            .any(|session| session.phase != Phase::Ended && session.qps.contains(&Some(id)));
        successor || connected || !self.nodes[id].informed
    }

    /// The status of a close. On success the object is gone at once.
    pub(crate) fn close(&mut self, id: usize) -> NTSTATUS {
        self.nodes[id].closing = true;
        match self.nodes[id].kind {
            Kind::Connector => self.leave(id),
            Kind::Qp => {
                self.nodes[id].dead = true;
                let broken = |session: &Session| {
                    session.phase == Phase::Established && session.qps.contains(&Some(id))
                };
                if let Some(session) = self.sessions.iter().position(broken) {
                    self.fail(session);
                }
            }
            Kind::Cq | Kind::Pd | Kind::Srq | Kind::Mr | Kind::Listener => {}
        }
        if self.is_held(id) {
            return STATUS_PENDING;
        }
        self.nodes[id].gone = true;
        STATUS_SUCCESS
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
            Phase::Offered | Phase::Accepted => {
                let statuses = match side {
                    0 => [STATUS_CANCELLED, STATUS_CONNECTION_ABORTED],
                    _ => [STATUS_CONNECTION_REFUSED, STATUS_CANCELLED],
                };
                self.end(id, statuses);
            }
            Phase::Established => self.fail(id),
            Phase::Ended => {}
        }
    }

    /// A connection breaks.
    pub(crate) fn fail(&mut self, id: usize) {
        self.sessions[id].events = [true, true];
        for qp in self.sessions[id].qps.into_iter().flatten() {
            self.nodes[qp].dead = true;
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

    /// What the deferred calls must do now.
    pub(crate) fn pump(&mut self) -> Expected {
        let mut expected = Expected::default();
        for session in &mut self.sessions {
            expected.completions.append(&mut session.completions);
            for side in 0..2 {
                if std::mem::take(&mut session.events[side]) && !session.left[side] {
                    expected.disconnects.insert(session.ends[side]);
                }
            }
            if session.phase == Phase::Ended {
                for end in session.ends {
                    self.nodes[end].informed = true;
                }
            }
        }
        while let Some(id) = (0..self.nodes.len()).find(|&id| {
            let node = &self.nodes[id];
            node.closing && !node.gone && !self.is_held(id)
        }) {
            self.nodes[id].gone = true;
            expected.closed.insert(id);
        }
        expected
    }
}

//! Steps that connect and disconnect, and the connect requests between.

use std::ptr::{null, null_mut};

use sys::ndk::NDK_LISTENER;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::PVOID;

use super::{World, pick};
use crate::tests::consumer::{call, completed, disconnected, sockaddr};
use crate::tests::model::tree::{Kind, Phase, Session, Tree};

impl World {
    pub(super) fn connect(&mut self, connector: u8, qp: u8, listener: u8) -> Option<()> {
        let connector = pick(&self.tree.usable(Kind::Connector), connector)?;
        let far = self.tree.nodes[connector].far;
        let qp = pick(&self.on_side(Kind::Qp, far), qp)?;
        let (listener, port) = *self.listening.get(usize::from(listener) % self.listening.len().max(1))?;
        let (local, local_length) = sockaddr(self.address(far, 0));
        let (remote, length) = sockaddr(self.address(self.tree.nodes[listener].far, port));
        let status = call!(
            self.connector(connector),
            NdkConnect,
            self.qp(qp),
            local.as_ptr().cast::<SOCKADDR>(),
            local_length,
            remote.as_ptr().cast::<SOCKADDR>(),
            length,
            1,
            1,
            null(),
            0,
            Some(completed),
            self.log().context(self.names[connector])
        );
        let free = self.tree.side(connector).is_none_or(|(session, side)| {
            let session = &self.tree.sessions[session];
            let told = session.completions.iter().all(|(end, _)| *end != connector);
            side == 0 && session.phase == Phase::Ended && !session.was_established && told
        });
        let expected = if !free {
            STATUS_CONNECTION_ACTIVE
        } else if self.tree.nodes[listener].closing {
            STATUS_CONNECTION_REFUSED
        } else if self.tree.nodes[qp].claimed {
            STATUS_CONNECTION_ACTIVE
        } else if self.tree.nodes[listener].paused {
            STATUS_CONNECTION_REFUSED
        } else {
            STATUS_PENDING
        };
        assert_eq!(status, expected, "connect");
        self.remember(connector, status);
        if status == STATUS_PENDING {
            self.request_connect(connector, qp, listener);
        }
        Some(())
    }

    fn request_connect(&mut self, connector: usize, qp: usize, listener: usize) {
        let session = self.tree.sessions.len();
        // The passive connector is there from now on; the consumer learns of it at the next pump.
        let far = self.tree.nodes[listener].far;
        let passive = self.tree.add(Kind::Connector, far, vec![listener]);
        self.tree.nodes[passive].hidden = true;
        self.tree.nodes[listener].called = true;
        self.objects.push(null_mut());
        self.names.push(Box::leak(passive.to_string().into_boxed_str()));
        self.tree.sessions.push(Session {
            phase: Phase::Requested,
            was_established: false,
            ends: [connector, passive],
            qps: [Some(qp), None],
            pending: [true, false],
            completions: Vec::new(),
            events: [false; 2],
            left: [false; 2],
            disconnects: [false; 2],
        });
        for end in [connector, passive] {
            self.tree.nodes[end].session = Some(session);
            self.tree.nodes[end].informed = false;
        }
        self.tie(connector, qp);
        self.connect_requests.push((session, listener));
    }

    /// The connector's queue pair; an earlier one is let go.
    fn tie(&mut self, connector: usize, qp: usize) {
        self.tree.nodes[qp].claimed = true;
        let Tree { nodes, .. } = &mut self.tree;
        let (kept, _): (Vec<_>, Vec<_>) =
            nodes[connector].antecedents.iter().partition(|&&id| nodes[id].kind != Kind::Qp);
        nodes[connector].antecedents = kept;
        nodes[connector].antecedents.push(qp);
    }

    pub(super) fn accept(&mut self, connector: u8, qp: u8) -> Option<()> {
        let connector = pick(&self.tree.usable(Kind::Connector), connector)?;
        let qp = pick(&self.on_side(Kind::Qp, self.tree.nodes[connector].far), qp)?;
        let status = call!(
            self.connector(connector),
            NdkAccept,
            self.qp(qp),
            1,
            1,
            null(),
            0,
            Some(disconnected),
            self.log().context(self.names[connector]),
            Some(completed),
            self.log().context(self.names[connector])
        );
        let expected = match self.tree.side(connector) {
            None | Some((_, 0)) => STATUS_CONNECTION_INVALID,
            Some(_) if self.tree.nodes[qp].claimed => STATUS_CONNECTION_ACTIVE,
            Some((session, _)) if self.tree.sessions[session].phase != Phase::Requested => {
                STATUS_CONNECTION_ABORTED
            }
            Some((session, _)) => {
                self.tie(connector, qp);
                let session = &mut self.tree.sessions[session];
                session.phase = Phase::Accepted;
                session.qps[1] = Some(qp);
                session.pending = [false, true];
                session.completions.push((session.ends[0], STATUS_SUCCESS));
                STATUS_PENDING
            }
        };
        assert_eq!(status, expected, "accept");
        self.remember(connector, status);
        Some(())
    }

    pub(super) fn reject(&mut self, connector: u8) -> Option<()> {
        let connector = pick(&self.tree.usable(Kind::Connector), connector)?;
        let status = call!(self.connector(connector), NdkReject, null(), 0);
        let expected = match self.tree.side(connector) {
            None => STATUS_CONNECTION_INVALID,
            Some((session, side)) => match (self.tree.sessions[session].phase, side) {
                (Phase::Requested, 1) | (Phase::Accepted, 0) => {
                    self.tree.sessions[session].left[side] = true;
                    self.tree.end(session, [STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_ABORTED]);
                    STATUS_SUCCESS
                }
                _ => STATUS_CONNECTION_ABORTED,
            },
        };
        assert_eq!(status, expected, "reject");
        self.remember(connector, status);
        Some(())
    }

    pub(super) fn complete_connect(&mut self, connector: u8) -> Option<()> {
        let connector = pick(&self.tree.usable(Kind::Connector), connector)?;
        let context = self.log().context(self.names[connector]);
        let status = call!(
            self.connector(connector),
            NdkCompleteConnect,
            Some(disconnected),
            context,
            Some(completed),
            context
        );
        let expected = match self.tree.side(connector) {
            None | Some((_, 1)) => STATUS_CONNECTION_INVALID,
            Some((id, _)) => match self.tree.sessions[id].phase {
                Phase::Requested | Phase::Established => STATUS_CONNECTION_INVALID,
                Phase::Ended if self.tree.sessions[id].was_established => STATUS_CONNECTION_INVALID,
                Phase::Ended if self.tree.sessions[id].left[0] => STATUS_CONNECTION_INVALID,
                Phase::Ended => STATUS_CONNECTION_ABORTED,
                Phase::Accepted => {
                    let session = &mut self.tree.sessions[id];
                    session.phase = Phase::Established;
                    session.was_established = true;
                    session.pending = [false; 2];
                    session.completions.push((session.ends[1], STATUS_SUCCESS));
                    STATUS_SUCCESS
                }
            },
        };
        assert_eq!(status, expected, "complete connect");
        self.remember(connector, status);
        Some(())
    }

    pub(super) fn disconnect(&mut self, connector: u8) -> Option<()> {
        let connector = pick(&self.tree.usable(Kind::Connector), connector)?;
        let context = self.log().context(self.names[connector]);
        let status = call!(self.connector(connector), NdkDisconnect, Some(completed), context);
        let expected = match self.tree.side(connector) {
            None => STATUS_CONNECTION_INVALID,
            Some((id, side)) => match self.tree.sessions[id].phase {
                Phase::Requested | Phase::Accepted => STATUS_CONNECTION_INVALID,
                Phase::Established => {
                    let session = &mut self.tree.sessions[id];
                    session.left[side] = true;
                    session.disconnects[side] = true;
                    session.events[1 - side] = true;
                    session.pending[side] = true;
                    if let Some(qp) = session.qps[side] {
                        self.tree.kill(qp);
                    }
                    self.tree.end(id, [STATUS_SUCCESS; 2]);
                    STATUS_PENDING
                }
                Phase::Ended if !self.tree.sessions[id].was_established => STATUS_CONNECTION_INVALID,
                Phase::Ended if self.tree.sessions[id].owes_disconnect(connector) => {
                    STATUS_CONNECTION_INVALID
                }
                Phase::Ended => {
                    self.tree.sessions[id].left[side] = true;
                    if let Some(qp) = self.tree.sessions[id].qps[side] {
                        self.tree.kill(qp);
                    }
                    STATUS_SUCCESS
                }
            },
        };
        assert_eq!(status, expected, "disconnect");
        self.remember(connector, status);
        Some(())
    }

    /// Remembers the connector of a call that did not succeed inline, for the next call to follow up.
    fn remember(&mut self, connector: usize, status: NTSTATUS) {
        if status != STATUS_SUCCESS {
            self.last = Some(connector);
        }
    }

    /// A call on the connector whose last call failed, or is pending.
    pub(super) fn again(&mut self, call: u8, qp: u8, listener: u8) -> Option<()> {
        let last = self.last?;
        let place = self.tree.usable(Kind::Connector).iter().position(|id| *id == last)?;
        let connector = u8::try_from(place).ok()?;
        match call % 6 {
            0 => self.connect(connector, qp, listener),
            1 => self.accept(connector, qp),
            2 => self.reject(connector),
            3 => self.complete_connect(connector),
            4 => self.disconnect(connector),
            _ => {
                self.close(last);
                Some(())
            }
        }
    }

    pub(super) fn pause(&mut self, listener: u8, paused: bool) -> Option<()> {
        let listener = pick(&self.tree.usable(Kind::Listener), listener)?;
        call!(self.objects[listener].cast::<NDK_LISTENER>(), NdkControlConnectEvents, paused.into());
        self.tree.nodes[listener].paused = paused;
        if paused {
            self.withdraw(listener);
        }
        Some(())
    }

    /// A listener closes or pauses: connect requests that were not indicated yet are refused, and their
    /// connectors go without a word.
    pub(super) fn withdraw(&mut self, listener: usize) {
        let (withdrawn, kept) = std::mem::take(&mut self.connect_requests)
            .into_iter()
            .partition(|connect_request| connect_request.1 == listener);
        self.connect_requests = kept;
        let withdrawn: Vec<(usize, usize)> = withdrawn;
        for (session, _) in withdrawn {
            let passive = self.tree.sessions[session].ends[1];
            self.tree.nodes[passive].closing = true;
            if self.tree.sessions[session].phase != Phase::Ended {
                self.tree.end(session, [STATUS_CONNECTION_REFUSED, STATUS_CANCELLED]);
            }
        }
    }

    /// A listener shows its connect requests in their order.
    pub(super) fn connect_event(&mut self, listener: usize, connector: PVOID) -> bool {
        let Some(place) =
            self.connect_requests.iter().position(|connect_request| connect_request.1 == listener)
        else {
            return false;
        };
        let (session, _) = self.connect_requests.remove(place);
        let passive = self.tree.sessions[session].ends[1];
        self.objects[passive] = connector;
        self.tree.nodes[passive].hidden = false;
        true
    }
}

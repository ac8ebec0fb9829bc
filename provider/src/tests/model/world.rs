//! Plays the steps against provider and model at once, and compares.

use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::PVOID;

use super::Step;
use super::tree::{Kind, Phase, Session, Tree};
use crate::tests::consumer::{Log, Pair, Seen, call, closed, completed, disconnected, offered, sockaddr};

pub(super) struct World {
    pair: Pair,
    tree: Tree,
    /// The provider's object for each node.
    objects: Vec<PVOID>,
    names: Vec<&'static str>,
    ports: u16,
    /// The port that each listener listens on.
    listening: Vec<(usize, u16)>,
    /// Sessions whose passive connector the consumer has not been shown yet, with their listener.
    offers: Vec<(usize, usize)>,
}

fn pick(from: &[usize], number: u8) -> Option<usize> {
    if from.is_empty() { None } else { Some(from[usize::from(number) % from.len()]) }
}

impl World {
    pub(super) fn new() -> Self {
        let pair = Pair::between("10.0.0.1:0", "10.0.0.2:0");
        Self {
            pair,
            tree: Tree::default(),
            objects: Vec::new(),
            names: Vec::new(),
            ports: 1000,
            listening: Vec::new(),
            offers: Vec::new(),
        }
    }

    fn log(&self) -> &Log {
        &self.pair.log
    }

    /// A node for a new object; `make` creates it, with the context of its callbacks.
    fn add(
        &mut self,
        kind: Kind,
        far: bool,
        ties: Vec<usize>,
        make: impl FnOnce(&Self, PVOID) -> PVOID,
    ) -> usize {
        let id = self.tree.nodes.len();
        let name: &'static str = Box::leak(id.to_string().into_boxed_str());
        let object = make(self, self.log().context(name));
        assert!(!object.is_null());
        assert_eq!(self.tree.add(kind, far, ties), id);
        self.objects.push(object);
        self.names.push(name);
        id
    }

    fn adapter(&self, far: bool) -> *mut NDK_ADAPTER {
        if far { self.pair.far.adapter } else { self.pair.near.adapter }
    }

    /// Objects of a kind on one side.
    fn on_side(&self, kind: Kind, far: bool) -> Vec<usize> {
        self.tree.usable(kind).into_iter().filter(|&id| self.tree.nodes[id].far == far).collect()
    }

    pub(super) fn play(&mut self, step: Step) {
        // A step whose objects are not there is no step.
        let _played = self.try_play(step);
    }

    fn try_play(&mut self, step: Step) -> Option<()> {
        match step {
            Step::CreateCq(far) => {
                self.add(Kind::Cq, far, vec![], |world, _| {
                    let mut cq = null_mut();
                    let (none, adapter) = (null_mut(), world.adapter(far));
                    let status =
                        call!(adapter, NdkCreateCq, 16, None, null_mut(), none, None, null_mut(), &mut cq);
                    assert_eq!(status, STATUS_SUCCESS);
                    cq.cast()
                });
            }
            Step::CreatePd(far) => {
                self.add(Kind::Pd, far, vec![], |world, _| {
                    let mut pd = null_mut();
                    assert_eq!(
                        call!(world.adapter(far), NdkCreatePd, None, null_mut(), &mut pd),
                        STATUS_SUCCESS
                    );
                    pd.cast()
                });
            }
            Step::CreateSrq(pd) => {
                let pd = pick(&self.tree.usable(Kind::Pd), pd)?;
                let far = self.tree.nodes[pd].far;
                self.add(Kind::Srq, far, vec![pd], |world, _| {
                    let (mut srq, none) = (null_mut(), null_mut());
                    let pd = world.objects[pd].cast::<NDK_PD>();
                    let status =
                        call!(pd, NdkCreateSrq, 4, 1, 0, None, null_mut(), none, None, null_mut(), &mut srq);
                    assert_eq!(status, STATUS_SUCCESS);
                    srq.cast()
                });
            }
            Step::CreateMr(pd) => {
                let pd = pick(&self.tree.usable(Kind::Pd), pd)?;
                let far = self.tree.nodes[pd].far;
                self.add(Kind::Mr, far, vec![pd], |world, _| {
                    let mut mr = null_mut();
                    let pd = world.objects[pd].cast::<NDK_PD>();
                    assert_eq!(call!(pd, NdkCreateMr, 0, None, null_mut(), &mut mr), STATUS_SUCCESS);
                    mr.cast()
                });
            }
            Step::CreateQp(pd, cq) => {
                let pd = pick(&self.tree.usable(Kind::Pd), pd)?;
                let far = self.tree.nodes[pd].far;
                let cq = pick(&self.on_side(Kind::Cq, far), cq)?;
                self.add(Kind::Qp, far, vec![pd, cq], |world, _| {
                    let mut qp = null_mut();
                    let pd = world.objects[pd].cast::<NDK_PD>();
                    let cq = world.objects[cq].cast::<NDK_CQ>();
                    let none = null_mut();
                    let status =
                        call!(pd, NdkCreateQp, cq, cq, none, 2, 2, 1, 1, 0, None, null_mut(), &mut qp);
                    assert_eq!(status, STATUS_SUCCESS);
                    qp.cast()
                });
            }
            Step::CreateQpWithSrq(srq, cq) => {
                let srq = pick(&self.tree.usable(Kind::Srq), srq)?;
                let (pd, far) = (self.tree.nodes[srq].antecedents[0], self.tree.nodes[srq].far);
                let cq = pick(&self.on_side(Kind::Cq, far), cq).filter(|_| !self.tree.nodes[pd].closing)?;
                self.add(Kind::Qp, far, vec![pd, cq, srq], |world, _| {
                    let mut qp = null_mut();
                    let pd = world.objects[pd].cast::<NDK_PD>();
                    let cq = world.objects[cq].cast::<NDK_CQ>();
                    let srq = world.objects[srq].cast::<NDK_SRQ>();
                    let none = null_mut();
                    let status =
                        call!(pd, NdkCreateQpWithSrq, cq, cq, srq, none, 2, 1, 0, None, null_mut(), &mut qp);
                    assert_eq!(status, STATUS_SUCCESS);
                    qp.cast()
                });
            }
            Step::CreateListener(far) => self.create_listener(far),
            Step::CreateConnector(far) => {
                self.add(Kind::Connector, far, vec![], |world, _| {
                    let mut connector = null_mut();
                    let status =
                        call!(world.adapter(far), NdkCreateConnector, None, null_mut(), &mut connector);
                    assert_eq!(status, STATUS_SUCCESS);
                    connector.cast()
                });
            }
            Step::Connect(connector, qp, listener) => self.connect(connector, qp, listener)?,
            Step::Accept(connector, qp) => self.accept(connector, qp)?,
            Step::Reject(connector) => self.reject(connector)?,
            Step::CompleteConnect(connector) => self.complete_connect(connector)?,
            Step::Disconnect(connector) => self.disconnect(connector)?,
            Step::Close(number) => {
                let open: Vec<_> =
                    (0..self.tree.nodes.len()).filter(|&id| !self.tree.nodes[id].closing).collect();
                self.close(pick(&open, number)?);
            }
            Step::Pump => self.pump(),
        }
        Some(())
    }

    fn create_listener(&mut self, far: bool) {
        self.ports += 1;
        let port = self.ports;
        let id = self.add(Kind::Listener, far, vec![], |world, context| {
            let mut listener = null_mut();
            let adapter = world.adapter(far);
            let status =
                call!(adapter, NdkCreateListener, Some(offered), context, None, null_mut(), &mut listener);
            assert_eq!(status, STATUS_SUCCESS);
            let (address, length) = sockaddr(world.address(far, port));
            let at = address.as_ptr().cast::<SOCKADDR>();
            assert_eq!(call!(listener, NdkListen, at, length, None, null_mut()), STATUS_SUCCESS);
            listener.cast()
        });
        self.listening.push((id, port));
    }

    fn address(&self, far: bool, port: u16) -> std::net::SocketAddr {
        let side = if far { &self.pair.far } else { &self.pair.near };
        (side.address.ip(), port).into()
    }

    fn connector(&self, id: usize) -> *mut NDK_CONNECTOR {
        self.objects[id].cast()
    }

    fn qp(&self, id: usize) -> *mut NDK_QP {
        self.objects[id].cast()
    }

    fn connect(&mut self, connector: u8, qp: u8, listener: u8) -> Option<()> {
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
        let node = &self.tree.nodes[connector];
        let free = node.session.is_none_or(|session| {
            let session = &self.tree.sessions[session];
            let told = session.completions.iter().all(|(end, _)| *end != connector);
            session.phase == Phase::Ended && !session.was_established && told
        });
        let expected = if !free {
            STATUS_CONNECTION_ACTIVE
        } else if self.tree.nodes[listener].closing {
            STATUS_CONNECTION_REFUSED
        } else if self.tree.nodes[qp].claimed {
            STATUS_CONNECTION_ACTIVE
        } else {
            STATUS_PENDING
        };
        assert_eq!(status, expected, "connect");
        if status == STATUS_PENDING {
            self.offer(connector, qp, listener);
        }
        Some(())
    }

    fn offer(&mut self, connector: usize, qp: usize, listener: usize) {
        let session = self.tree.sessions.len();
        // The passive connector is there from now on; the consumer learns of it at the next pump.
        let far = self.tree.nodes[listener].far;
        let passive = self.tree.add(Kind::Connector, far, vec![listener]);
        self.tree.nodes[passive].closing = true;
        self.objects.push(null_mut());
        self.names.push(Box::leak(passive.to_string().into_boxed_str()));
        self.tree.sessions.push(Session {
            phase: Phase::Offered,
            was_established: false,
            ends: [connector, passive],
            qps: [Some(qp), None],
            pending: [true, false],
            completions: Vec::new(),
            events: [false; 2],
            left: [false; 2],
        });
        for end in [connector, passive] {
            self.tree.nodes[end].session = Some(session);
            self.tree.nodes[end].informed = false;
        }
        self.tie(connector, qp);
        self.offers.push((session, listener));
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

    fn accept(&mut self, connector: u8, qp: u8) -> Option<()> {
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
            Some((session, _)) if self.tree.sessions[session].phase != Phase::Offered => {
                // The tie is made all the same.
                self.tie(connector, qp);
                self.tree.nodes[qp].claimed = false;
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
        Some(())
    }

    fn reject(&mut self, connector: u8) -> Option<()> {
        let connector = pick(&self.tree.usable(Kind::Connector), connector)?;
        let status = call!(self.connector(connector), NdkReject, null(), 0);
        let expected = match self.tree.side(connector) {
            None => STATUS_CONNECTION_INVALID,
            Some((session, side)) => match (self.tree.sessions[session].phase, side) {
                (Phase::Offered, 1) | (Phase::Accepted, 0) => {
                    self.tree.end(session, [STATUS_CONNECTION_REFUSED, STATUS_CONNECTION_ABORTED]);
                    STATUS_SUCCESS
                }
                _ => STATUS_CONNECTION_ABORTED,
            },
        };
        assert_eq!(status, expected, "reject");
        Some(())
    }

    fn complete_connect(&mut self, connector: u8) -> Option<()> {
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
                Phase::Offered | Phase::Established => STATUS_CONNECTION_INVALID,
                Phase::Ended => STATUS_CONNECTION_ABORTED,
                Phase::Accepted => {
                    let dead = |qp: usize| self.tree.nodes[qp].dead;
                    if self.tree.sessions[id].qps.into_iter().flatten().any(dead) {
                        STATUS_CONNECTION_ABORTED
                    } else {
                        let session = &mut self.tree.sessions[id];
                        session.phase = Phase::Established;
                        session.was_established = true;
                        session.pending = [false; 2];
                        session.completions.push((session.ends[1], STATUS_SUCCESS));
                        STATUS_SUCCESS
                    }
                }
            },
        };
        assert_eq!(status, expected, "complete connect");
        Some(())
    }

    fn disconnect(&mut self, connector: u8) -> Option<()> {
        let connector = pick(&self.tree.usable(Kind::Connector), connector)?;
        let context = self.log().context(self.names[connector]);
        let status = call!(self.connector(connector), NdkDisconnect, Some(completed), context);
        let expected = match self.tree.side(connector) {
            None => STATUS_CONNECTION_INVALID,
            Some((id, side)) => match self.tree.sessions[id].phase {
                Phase::Offered | Phase::Accepted => STATUS_CONNECTION_INVALID,
                Phase::Established => {
                    let session = &mut self.tree.sessions[id];
                    session.left[side] = true;
                    session.events[1 - side] = true;
                    session.pending[side] = true;
                    if let Some(qp) = session.qps[side] {
                        self.tree.nodes[qp].dead = true;
                    }
                    self.tree.end(id, [STATUS_SUCCESS; 2]);
                    STATUS_PENDING
                }
                Phase::Ended => {
                    self.tree.sessions[id].left[side] = true;
                    let own = |id: &&usize| self.tree.nodes[**id].kind == Kind::Qp;
                    let qp = self.tree.nodes[connector].antecedents.iter().find(own).copied();
                    if let Some(qp) = qp {
                        self.tree.nodes[qp].dead = true;
                    }
                    STATUS_SUCCESS
                }
            },
        };
        assert_eq!(status, expected, "disconnect");
        Some(())
    }

    fn close(&mut self, id: usize) {
        let context = self.log().context(self.names[id]);
        let object = self.objects[id];
        if self.tree.nodes[id].kind == Kind::Listener {
            self.withdraw(id);
        }
        // SAFETY: the object is open; every object's table but the adapter's begins with close.
        let close = unsafe { (*object.cast::<NDK_PD>().cast_const().read().Dispatch).NdkClosePd };
        // SAFETY: the consumer hands the object over.
        let status = unsafe { close.unwrap()(object.cast(), Some(closed), context) };
        assert_eq!(status, self.tree.close(id), "close of {id}: {:?}", self.tree.nodes[id]);
    }

    /// A listener closes: offers that nobody was shown are refused, and their connectors go without a word.
    fn withdraw(&mut self, listener: usize) {
        let (withdrawn, kept) =
            std::mem::take(&mut self.offers).into_iter().partition(|offer| offer.1 == listener);
        self.offers = kept;
        let withdrawn: Vec<(usize, usize)> = withdrawn;
        for (session, _) in withdrawn {
            if self.tree.sessions[session].phase != Phase::Ended {
                self.tree.end(session, [STATUS_CONNECTION_REFUSED, STATUS_CANCELLED]);
            }
        }
    }

    fn pump(&mut self) {
        let mut seen = self.pair.log.pump();
        // Offers make the passive connectors known; each listener shows its own in order.
        for (session, listener) in std::mem::take(&mut self.offers) {
            let name = self.names[listener];
            let place = seen.iter().position(|seen| matches!(seen, Seen::Offered(by, _) if *by == name));
            let Seen::Offered(_, object) = seen.remove(place.expect("an offer is shown")) else {
                unreachable!()
            };
            let passive = self.tree.sessions[session].ends[1];
            self.objects[passive] = object as PVOID;
            self.tree.nodes[passive].closing = false;
        }
        let expected = self.tree.pump();
        let mut completions = Vec::new();
        let mut disconnects = std::collections::BTreeSet::new();
        let mut order = Vec::new();
        for seen in seen {
            match seen {
                Seen::Completed(name, status) => completions.push((name.parse().unwrap(), status)),
                Seen::Disconnected(name) => assert!(disconnects.insert(name.parse().unwrap())),
                Seen::Closed(name) => order.push(name.parse::<usize>().unwrap()),
                other @ (Seen::Offered(..) | Seen::Notified(..)) => panic!("unexpected {other:?}"),
            }
        }
        let mut wanted = expected.completions;
        wanted.sort_unstable();
        completions.sort_unstable();
        assert_eq!(completions, wanted, "completions");
        assert_eq!(disconnects, expected.disconnects, "disconnect events");
        for (place, id) in order.iter().enumerate() {
            for later in &order[place..] {
                let tied = self.tree.nodes[*later].antecedents.contains(id);
                assert!(!tied, "{id} was closed before its successor {later}");
            }
        }
        // What nobody was shown goes without a word.
        let shown = |id: &usize| !self.objects[*id].is_null();
        let wanted: Vec<_> = expected.closed.iter().copied().filter(shown).collect();
        order.sort_unstable();
        assert_eq!(order, wanted, "close completions");
    }

    /// Closes all that is open, in the order of creation: antecedents first.
    pub(super) fn tear_down(mut self) {
        self.pump();
        for id in 0..self.tree.nodes.len() {
            if !self.tree.nodes[id].closing {
                self.close(id);
            }
        }
        self.pump();
        assert!(self.tree.nodes.iter().all(|node| node.gone), "{:#?}", self.tree);
        self.pair.tear_down();
    }
}

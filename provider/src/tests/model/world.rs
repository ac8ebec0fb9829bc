//! Plays the steps against provider and model at once, and compares.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{null, null_mut};
use std::rc::Rc;

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::PVOID;

use super::Step;
use super::tree::{Kind, Node, Phase, Session, Tree};
use crate::tests::consumer::{
    Log, Pair, Seen, call, closed, completed, disconnected, notified, offered, sockaddr,
};

/// The most steps that are taken inside one callback.
const STEPS_INSIDE: usize = 3;
/// Receives that a queue pair takes, and results that a completion queue is made for.
const DEPTH: usize = 2;
const CQ_DEPTH: usize = 16;

/// The lives of all objects, and of the model's.
pub(super) struct Lives(Rc<RefCell<World>>);

impl Lives {
    pub(super) fn new() -> Self {
        let world = Rc::new(RefCell::new(World::new()));
        let inside = Rc::downgrade(&world);
        world.borrow().log().inside(move |seen| {
            if let Some(world) = inside.upgrade() {
                world.borrow_mut().called_back(seen);
            }
        });
        Self(world)
    }

    /// Takes a step now.
    pub(super) fn play(&self, step: Step) {
        match step {
            Step::Pump => self.pump(),
            step => self.0.borrow_mut().play(step),
        }
    }

    /// Takes a step inside a callback.
    pub(super) fn plan(&self, step: Step) {
        self.0.borrow_mut().planned.push_back(step);
    }

    /// Makes the deferred calls; the callbacks come one by one to [`World::called_back`].
    fn pump(&self) {
        let log = self.0.borrow().log().clone();
        self.0.borrow_mut().tree.pumping = true;
        log.pump();
        self.0.borrow_mut().settle();
    }

    /// Closes all that is open, in the order of creation: antecedents first.
    pub(super) fn tear_down(self) {
        self.0.borrow_mut().planned.clear();
        self.pump();
        self.0.borrow_mut().close_all();
        self.pump();
        let world = Rc::into_inner(self.0).expect("nobody else has it").into_inner();
        assert!(world.tree.nodes.iter().all(|node| node.gone), "{:#?}", world.tree);
        world.pair.tear_down();
    }
}

struct World {
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
    /// Steps to take inside callbacks.
    planned: VecDeque<Step>,
    /// What failed inside a callback, from which nothing can unwind.
    failed: Option<Box<dyn std::any::Any + Send>>,
}

fn pick(from: &[usize], number: u8) -> Option<usize> {
    if from.is_empty() { None } else { Some(from[usize::from(number) % from.len()]) }
}

impl World {
    fn new() -> Self {
        let pair = Pair::between("10.0.0.1:0", "10.0.0.2:0");
        Self {
            pair,
            tree: Tree::default(),
            objects: Vec::new(),
            names: Vec::new(),
            ports: 1000,
            listening: Vec::new(),
            offers: Vec::new(),
            planned: VecDeque::new(),
            failed: None,
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

    fn play(&mut self, step: Step) {
        // A step whose objects are not there is no step.
        let _played = self.try_play(step);
    }

    fn try_play(&mut self, step: Step) -> Option<()> {
        match step {
            Step::CreateCq(far) => {
                self.add(Kind::Cq, far, vec![], |world, context| {
                    let mut cq = null_mut();
                    let (none, adapter, depth) = (null_mut(), world.adapter(far), CQ_DEPTH as u32);
                    let status = call!(
                        adapter,
                        NdkCreateCq,
                        depth,
                        Some(notified),
                        context,
                        none,
                        None,
                        null_mut(),
                        &mut cq
                    );
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
                let id = self.add(Kind::Qp, far, vec![pd, cq], |world, _| {
                    let mut qp = null_mut();
                    let pd = world.objects[pd].cast::<NDK_PD>();
                    let cq = world.objects[cq].cast::<NDK_CQ>();
                    let none = null_mut();
                    let depth = DEPTH as u32;
                    let status =
                        call!(pd, NdkCreateQp, cq, cq, none, depth, 2, 1, 1, 0, None, null_mut(), &mut qp);
                    assert_eq!(status, STATUS_SUCCESS);
                    qp.cast()
                });
                (self.tree.nodes[id].cq, self.tree.nodes[id].receives) = (Some(cq), Some(0));
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
            Step::Receive(qp) => self.receive(qp)?,
            Step::Flush(qp) => {
                let qp = pick(&self.tree.usable(Kind::Qp), qp)?;
                call!(self.qp(qp), NdkFlush);
                self.tree.flush(qp);
            }
            Step::Arm(cq) => {
                let cq = pick(&self.tree.usable(Kind::Cq), cq)?;
                call!(self.objects[cq].cast::<NDK_CQ>(), NdkArmCq, NDK_CQ_NOTIFY_ANY);
                self.tree.arm(cq);
            }
            Step::Poll(cq) => self.poll(cq)?,
            Step::Close(number) => {
                let open = |id: &usize| !self.tree.nodes[*id].closing && !self.tree.nodes[*id].hidden;
                let open: Vec<_> = (0..self.tree.nodes.len()).filter(open).collect();
                self.close(pick(&open, number)?);
            }
            // Deferred calls are not made inside a callback.
            Step::Pump => {}
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
        self.tree.nodes[passive].hidden = true;
        self.tree.nodes[listener].called = true;
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
                        self.tree.kill(qp);
                    }
                    self.tree.end(id, [STATUS_SUCCESS; 2]);
                    STATUS_PENDING
                }
                Phase::Ended => {
                    self.tree.sessions[id].left[side] = true;
                    let own = |id: &&usize| self.tree.nodes[**id].kind == Kind::Qp;
                    let qp = self.tree.nodes[connector].antecedents.iter().find(own).copied();
                    if let Some(qp) = qp {
                        self.tree.kill(qp);
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
        let permitted = self.tree.close(id, status);
        assert_eq!(permitted, Ok(()), "close of {id} gave {status:#010x}: {:?}", self.tree.nodes[id]);
    }

    /// A listener closes: offers that nobody was shown are refused, and their connectors go without a word.
    fn withdraw(&mut self, listener: usize) {
        let (withdrawn, kept) =
            std::mem::take(&mut self.offers).into_iter().partition(|offer| offer.1 == listener);
        self.offers = kept;
        let withdrawn: Vec<(usize, usize)> = withdrawn;
        for (session, _) in withdrawn {
            let passive = self.tree.sessions[session].ends[1];
            self.tree.nodes[passive].closing = true;
            if self.tree.sessions[session].phase != Phase::Ended {
                self.tree.end(session, [STATUS_CONNECTION_REFUSED, STATUS_CANCELLED]);
            }
        }
    }

    fn receive(&mut self, qp: u8) -> Option<()> {
        let qp = pick(&self.tree.usable(Kind::Qp), qp)?;
        let cq = self.tree.nodes[qp].cq;
        // No more than the completion queue has room for.
        let waiting = |node: &Node| if node.cq == cq { node.receives.unwrap_or(0) } else { 0 };
        let waiting: usize = self.tree.nodes.iter().map(waiting).sum();
        cq.filter(|&cq| self.tree.nodes[cq].results + waiting < CQ_DEPTH)?;
        let status = call!(self.qp(qp), NdkReceive, null_mut(), null(), 0);
        assert_eq!(status, self.tree.receive(qp, DEPTH), "receive");
        Some(())
    }

    fn poll(&mut self, cq: u8) -> Option<()> {
        let cq = pick(&self.tree.usable(Kind::Cq), cq)?;
        let none =
            NDK_RESULT { Status: 0, BytesTransferred: 0, QPContext: null_mut(), RequestContext: null_mut() };
        let mut results = [none; CQ_DEPTH];
        let room = CQ_DEPTH as u32;
        let count = call!(self.objects[cq].cast::<NDK_CQ>(), NdkGetCqResults, results.as_mut_ptr(), room);
        let cancelled = results[..count as usize].iter().all(|result| result.Status == STATUS_CANCELLED);
        assert!(cancelled, "nothing is ever sent");
        assert_eq!(count as usize, std::mem::take(&mut self.tree.nodes[cq].results), "results");
        Some(())
    }

    /// A callback has come: one that is owed, in which steps are taken.
    fn called_back(&mut self, seen: &Seen) {
        if self.failed.is_some() {
            return;
        }
        let played = catch_unwind(AssertUnwindSafe(|| {
            assert!(self.observe(seen), "{seen:?} is not owed: {:#?}", self.tree);
            for _ in 0..STEPS_INSIDE {
                if let Some(step) = self.planned.pop_front() {
                    self.play(step);
                }
            }
            self.tree.returned();
        }));
        self.failed = played.err();
    }

    fn observe(&mut self, seen: &Seen) -> bool {
        let (Seen::Completed(name, _)
        | Seen::Closed(name)
        | Seen::Offered(name, _)
        | Seen::Disconnected(name)
        | Seen::Notified(name, _)) = seen;
        let id = name.parse().expect("the model's objects are numbered");
        let owed = match seen {
            Seen::Completed(_, status) => self.tree.completed(id, *status),
            Seen::Disconnected(_) => self.tree.disconnected(id),
            Seen::Notified(_, status) => *status == STATUS_SUCCESS && self.tree.notified(id),
            Seen::Offered(_, connector) => self.offered(id, *connector as PVOID),
            Seen::Closed(_) => return self.tree.closed(id),
        };
        self.tree.inside = Some(id);
        owed
    }

    /// A listener shows its offers in their order.
    fn offered(&mut self, listener: usize, connector: PVOID) -> bool {
        let Some(place) = self.offers.iter().position(|offer| offer.1 == listener) else { return false };
        let (session, _) = self.offers.remove(place);
        let passive = self.tree.sessions[session].ends[1];
        self.objects[passive] = connector;
        self.tree.nodes[passive].hidden = false;
        true
    }

    /// All deferred calls were made: nothing is owed any more.
    fn settle(&mut self) {
        if let Some(failed) = self.failed.take() {
            resume_unwind(failed);
        }
        let mut left = self.tree.settle();
        left.extend(self.offers.iter().map(|offer| format!("offer {offer:?}")));
        assert!(left.is_empty(), "never came: {left:?}\n{:#?}", self.tree);
    }

    fn close_all(&mut self) {
        for id in 0..self.tree.nodes.len() {
            if !self.tree.nodes[id].closing {
                self.close(id);
            }
        }
    }
}

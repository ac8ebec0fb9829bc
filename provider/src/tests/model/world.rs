//! Plays the steps against provider and model at once, and compares.

mod connect;
mod create;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{null, null_mut};
use std::rc::Rc;

use sys::ndk::*;
use sys::status::*;
use sys::wdm::PVOID;

use super::Step;
use super::tree::{Kind, Node, Tree};
use crate::number::{u32_from, usize_from};
use crate::tests::consumer::{Log, Pair, Seen, call, closed, virtual_address};

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

    /// Makes the DPCs; the callbacks come one by one to [`World::called_back`].
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
        let world = Rc::into_inner(self.0).expect("this is the only reference").into_inner();
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
    connect_requests: Vec<(usize, usize)>,
    /// The connector whose last call failed, or is pending.
    last: Option<usize>,
    /// Steps to take inside callbacks.
    planned: VecDeque<Step>,
    /// Panic payload of a failure inside a callback, from which nothing can unwind.
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
            connect_requests: Vec::new(),
            last: None,
            planned: VecDeque::new(),
            failed: None,
        }
    }

    fn log(&self) -> &Log {
        &self.pair.log
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
            Step::CreateCq(far) => self.create_cq(far),
            Step::CreatePd(far) => self.create_pd(far),
            Step::CreateSrq(pd) => self.create_srq(pd)?,
            Step::CreateMr(pd) => self.create_mr(pd)?,
            Step::CreateQp(pd, cq) => self.create_qp(pd, cq)?,
            Step::CreateQpWithSrq(srq, cq) => self.create_qp_with_srq(srq, cq)?,
            Step::CreateListener(far) => self.create_listener(far),
            Step::CreateConnector(far) => self.create_connector(far),
            Step::Pause(listener, paused) => self.pause(listener, paused)?,
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
            Step::Again(call, qp, listener) => self.again(call, qp, listener)?,
            // DPCs are not made inside a callback.
            Step::Pump => {}
        }
        Some(())
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
        let room = u32_from(CQ_DEPTH);
        let count = call!(self.objects[cq].cast::<NDK_CQ>(), NdkGetCqResults, results.as_mut_ptr(), room);
        let cancelled = results[..usize_from(count)].iter().all(|result| result.Status == STATUS_CANCELLED);
        assert!(cancelled, "nothing is ever sent");
        assert_eq!(usize_from(count), std::mem::take(&mut self.tree.nodes[cq].results), "results");
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
        let (Seen::RequestCompleted(name, _)
        | Seen::Closed(name)
        | Seen::Requested(name, _)
        | Seen::Disconnected(name)
        | Seen::Notified(name, _)) = seen;
        let id = name.parse().expect("the model's objects are numbered");
        let owed = match seen {
            Seen::RequestCompleted(_, status) => self.tree.completed(id, *status),
            Seen::Disconnected(_) => self.tree.disconnected(id),
            Seen::Notified(_, status) => *status == STATUS_SUCCESS && self.tree.notified(id),
            Seen::Requested(_, connector) => self.connect_event(id, virtual_address(*connector)),
            Seen::Closed(_) => return self.tree.closed(id),
        };
        self.tree.inside = Some(id);
        owed
    }

    /// All DPCs were made: nothing is owed any more.
    fn settle(&mut self) {
        if let Some(failed) = self.failed.take() {
            resume_unwind(failed);
        }
        let mut left = self.tree.settle();
        left.extend(
            self.connect_requests
                .iter()
                .map(|connect_request| format!("connect request {connect_request:?}")),
        );
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

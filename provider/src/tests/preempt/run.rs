//! Runs a case: does it, brings everything to its end, and judges.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use sys::status::*;
use test_kernel::allocations;

use super::case::{Case, Ending};
use super::crash;
use super::op::{End, FAR, NEAR, Op};
use super::stage::{CREATED_PORT, SHARED_PORT, address};
use super::thing::{Queue, Role, State};
use super::world::{World, enter};
use crate::connection::Endpoint;
use crate::rnic::Rnic;
use test_kernel::{Manual, at_atomics, at_each, free_queues, is_ticking, nested, network};

/// Outcome of a run.
pub(super) struct Outcome {
    /// The points that were reached.
    pub(super) points: usize,
    /// The operations were legal, those of the interruptions too.
    pub(super) legal: bool,
    pub(super) failures: Vec<String>,
    trail: String,
}

impl Case {
    /// Runs the case.
    pub(super) fn run(&self) -> Outcome {
        crash::enter(self);
        let live = allocations::live();
        let mut outcome = self.run_or_panic();
        if outcome.failures.is_empty() && allocations::live() > live {
            // What the test itself keeps, it keeps the first time.
            let (live, trail) = (allocations::live(), std::mem::take(&mut outcome.trail));
            outcome = self.run_or_panic();
            let leaked = allocations::live() - live;
            if leaked > 0 && outcome.failures.is_empty() {
                outcome.failures.push(format!("{leaked} bytes are leaked"));
            }
            drop(trail);
        }
        crash::leave();
        outcome
    }

    /// A panic is a failure like any other.
    fn run_or_panic(&self) -> Outcome {
        catch_unwind(AssertUnwindSafe(|| self.run_once())).unwrap_or_else(|panic| {
            at_each(None);
            at_atomics(false);
            enter(None);
            test_kernel::forget();
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let failures = vec![format!("a panic: {}", text.unwrap_or_default())];
            Outcome { points: 0, legal: true, failures, trail: String::new() }
        })
    }

    fn run_once(&self) -> Outcome {
        let world = self.stage.build(self.wire);
        nested();
        world.interruptions.borrow_mut().extend(self.interruptions.iter().copied());
        at_atomics(self.atomics);
        world.watch_next();
        let mut legal = true;
        for op in &self.ops {
            legal &= world.perform(*op);
        }
        world.watch.set(None);
        at_atomics(false);
        let points = world.points.get();
        world.interruptions.borrow_mut().clear();
        legal &= !world.skipped.get();
        let explains = |op: &Op| matches!(op, Op::Explain(_));
        let others = self.interruptions.iter().map(|other| other.op);
        if nested() != 0 && !self.ops.iter().copied().chain(others).any(|op| explains(&op)) {
            world.fail("a lock is taken while another is held".to_owned());
        }
        world.finish(self.ending);
        let failures = world.failures.take();
        let trail = if failures.is_empty() { String::new() } else { format!("{:#?}", world.trail) };
        at_each(None);
        enter(None);
        if failures.is_empty() {
            free_queues();
            assert!(Rc::into_inner(world).is_some(), "nothing else has the world");
        } else {
            // Objects may be left; nothing calls them any more.
            test_kernel::forget();
        }
        Outcome { points, legal, failures, trail }
    }
}

impl Outcome {
    /// A report of what failed.
    pub(super) fn report(&self, case: &Case) -> String {
        let failures = self.failures.join("\n  ");
        format!(
            "{failures}\n  {case:?}\n  again: SOFTNDK_PREEMPT_CASE={case} cargo test -p softndk-provider --lib \
             preempt_case -- --nocapture\n{}",
            self.trail
        )
    }
}

impl World {
    fn finish(&self, ending: Ending) {
        if ending.goes_on {
            self.go_on();
        }
        self.deliver();
        // What moderation holds back comes when it ends.
        for end in [NEAR, FAR] {
            if self.moderated.borrow()[end] {
                self.perform(Op::Unmoderate(end));
            }
        }
        self.perform(Op::Dpc);
        for end in [NEAR, FAR] {
            self.judge_arm(end);
        }
        self.probe();
        self.judge_events();
        self.judge_attempts();
        if ending.antecedents_first {
            self.close_all(Role::of(NEAR), Role::of(FAR));
        } else {
            self.close_successors_first();
        }
        for end in [NEAR, FAR] {
            self.perform(Op::ReleaseMapping(end));
        }
        self.deliver();
        self.judge_all();
        self.close_adapters();
    }

    /// Dpc calls are made, and the drivers' work items run.
    fn deliver(&self) {
        for op in [Op::LookUp(FAR), Op::LookUp(NEAR), Op::Dpc] {
            self.perform(op);
        }
    }

    /// The consumer tries to have an established connection.
    fn go_on(&self) {
        for (end, rnic) in self.rnics.iter().enumerate() {
            assert!(rnic.set_addresses(&[address(end).ip()]).is_ok());
            rnic.set_enabled(true);
        }
        self.deliver();
        let way =
            [Op::Resume, Op::Connect(Role::Qp), Op::Dpc, Op::Accept(Role::Qp), Op::Dpc, Op::CompleteConnect];
        for op in way {
            self.perform(op);
        }
    }

    fn poll_all(&self) {
        for end in [NEAR, FAR] {
            self.perform(Op::Poll(end));
        }
    }

    /// An established connection has its addresses, and carries messages.
    fn probe(&self) {
        let connectors = [NEAR, FAR].map(|end| self.open(end, Role::Connector));
        let [Some(near), Some(far)] = connectors else { return };
        let numbers = [near, far].map(|id| self.things.borrow()[id].connection);
        let [Some(number), Some(other)] = numbers else { return };
        let sound = {
            let connection = &self.connections.borrow()[number];
            connection.established && !connection.disturbed
        };
        if number != other || !sound {
            return;
        }
        for end in [NEAR, FAR] {
            for local in [true, false] {
                let status = self.address_of(end, local);
                if status != STATUS_SUCCESS {
                    self.fail(format!("end {end} of a connection has no address: {status:#010x}"));
                }
            }
        }
        let waits = self
            .posts
            .borrow()
            .iter()
            .any(|post| post.status == Some(STATUS_SUCCESS) && post.results.is_empty());
        // Over a network a message that nothing received lies before the next one.
        let lies = self.wire && self.posts.borrow().iter().any(|post| post.queue == Queue::Initiator);
        let own = self.find(FAR, Role::Qp).is_some_and(|qp| self.things.borrow()[qp].antecedents.len() == 2);
        let tied = [near, far].map(|id| self.things.borrow()[id].tied.clone());
        let uses = |end: End, tied: &[usize]| self.find(end, Role::Qp).is_some_and(|qp| tied.contains(&qp));
        if !waits && !lies && own && uses(NEAR, &tied[0]) && uses(FAR, &tied[1]) && !self.is_carrying() {
            self.fail("a connection that nothing has ended carries no message".to_owned());
        }
    }

    fn close_roles(&self, end: End, chosen: impl Fn(Role) -> bool) {
        let count = self.things.borrow().len();
        for id in 0..count {
            let open = {
                let thing = &self.things.borrow()[id];
                thing.end == end && thing.state == State::Open && chosen(thing.role)
            };
            if open {
                self.close(id);
            }
        }
    }

    /// Closes all objects, in the order of the lists: antecedents first.
    fn close_all(&self, near: &[Role], far: &[Role]) {
        for (end, roles) in [(NEAR, near), (FAR, far)] {
            for role in roles {
                self.close_roles(end, |other| other == *role);
            }
        }
    }

    fn close_successors_first(&self) {
        let connected = self.connected_qps();
        for end in [NEAR, FAR] {
            self.close_roles(end, |role| role == Role::Connector);
        }
        self.perform(Op::Dpc);
        self.poll_all();
        let polled = |qp: usize| {
            let end = self.things.borrow()[qp].end;
            self.open(end, Role::Cq).is_some()
        };
        self.judge_posts("connector closed", |qp| connected.contains(&qp) && polled(qp));
        for end in [NEAR, FAR] {
            self.close_roles(end, |role| matches!(role, Role::Qp | Role::Spare));
        }
        self.perform(Op::Dpc);
        self.poll_all();
        self.judge_posts("QP closed", polled);
        let rest = [
            Role::Mw,
            Role::Mr,
            Role::Fast,
            Role::Srq,
            Role::Pd,
            Role::Cq,
            Role::Listener,
            Role::Shared,
            Role::Created,
        ];
        self.close_all(&rest, &rest);
    }

    /// The QPs of connections that came about.
    fn connected_qps(&self) -> Vec<usize> {
        let things = self.things.borrow();
        let connections = self.connections.borrow();
        let came_about = |connection: Option<usize>| connection.is_some_and(|id| connections[id].established);
        let connectors = things.iter().filter(|thing| thing.role == Role::Connector);
        connectors.filter(|thing| came_about(thing.connection)).flat_map(|thing| thing.tied.clone()).collect()
    }

    /// Closes the adapters, which hold nothing any more; what they had is free.
    fn close_adapters(&self) {
        for end in [NEAR, FAR] {
            let handle = self.adapters[end];
            let mut reasons = Vec::new();
            let objects = self.rnics[end].state().objects();
            let known = objects.explain(handle.cast_const().cast(), |reason| reasons.push(reason));
            if known.is_err() || !reasons.is_empty() {
                return self.fail(format!("adapter {end} is held by {reasons:?}"));
            }
        }
        for end in [NEAR, FAR] {
            // SAFETY: the consumer is done with the adapter.
            unsafe {
                Rnic::<Manual>::close(
                    NonNull::new(self.adapters[end]).expect("it was opened"),
                    test_kernel::passive(),
                )
            };
        }
        if network::live() != 0 {
            self.fail("a connection or port of the network is left".to_owned());
        }
        if is_ticking() {
            self.fail("a timer is set".to_owned());
        }
        let [shared, created] = [SHARED_PORT, CREATED_PORT].map(|port| (address(NEAR).ip(), port).into());
        for place in [address(NEAR), shared, created, address(FAR)] {
            if Endpoint::bind(self.rnics[NEAR].state().fabric(), place).is_err() {
                self.fail(format!("{place} is in use after all closes"));
            }
        }
    }
}

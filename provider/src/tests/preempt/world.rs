//! The consumer of both ends: its objects, its account of requests and posts, and its callbacks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use sys::ndk::*;
use sys::status::*;
use sys::wdm::PVOID;
use test_kernel::{Manual, Point, held, reach};

use super::op::{End, NEAR, Op};
use super::thing::{Connection, Post, Registered, Request, Role, State, Thing, What};
use crate::rnic::Rnic;
use crate::tests::consumer::{Lent, request, virtual_address};

/// A logical address mapping, and the memory that it is of.
type Mapping = (Lent<u64>, Registered);

/// Event in the trail that a failure report prints.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "it is printed")]
pub(super) enum Event {
    Call(Op),
    Returned(Op, NTSTATUS),
    Cqe(What, NTSTATUS),
    Closed(End, Role),
    Indicated,
    Disconnected(End),
    Notified(End, Role),
}

/// An operation that another processor does: at the `after`-th point that is reached from the last one on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interruption {
    pub(super) after: usize,
    pub(super) op: Op,
    /// The DPCs that wait are made at once.
    pub(super) deferred: bool,
}

/// See the module's head.
pub(super) struct World {
    /// The connections go over a network.
    pub(super) wire: bool,
    pub(super) rnics: [Rnic<Manual>; 2],
    pub(super) adapters: [*mut NDK_ADAPTER; 2],
    pub(super) things: RefCell<Vec<Thing>>,
    pub(super) requests: RefCell<Vec<Request>>,
    pub(super) posts: RefCell<Vec<Post>>,
    pub(super) connections: RefCell<Vec<Connection>>,
    pub(super) memory: RefCell<[Option<Registered>; 2]>,
    pub(super) tokens: RefCell<[(u32, usize); 2]>,
    pub(super) pages: [Lent<u8>; 2],
    pub(super) mappings: RefCell<[Option<Mapping>; 2]>,
    /// The notification type that each CQ is armed for, and whether it was moderated ever.
    pub(super) armed: RefCell<[Option<u32>; 2]>,
    pub(super) moderated: RefCell<[bool; 2]>,
    /// Results that were taken from each CQ: successes, and others.
    pub(super) taken: RefCell<[[usize; 2]; 2]>,
    pub(super) paused: Cell<bool>,
    /// Beginnings and ends of calls that resume connect events.
    pub(super) resumes: Cell<u64>,
    /// Objects that ended before a connector that was connecting with another QP: a fault if that connect is
    /// refused. The number of its request, and the failure.
    pub(super) suspicions: RefCell<Vec<(usize, String)>>,
    /// Connect events were paused when the present DPC began.
    pub(super) paused_at_start: Cell<bool>,
    /// Calls that have not returned, the outermost first.
    pub(super) calls: RefCell<Vec<Op>>,
    pub(super) interruptions: RefCell<VecDeque<Interruption>>,
    pub(super) watch: Cell<Option<usize>>,
    pub(super) points: Cell<usize>,
    pub(super) trail: RefCell<Vec<Event>>,
    pub(super) failures: RefCell<Vec<String>>,
    /// An interruption was none that a legal consumer makes.
    pub(super) skipped: Cell<bool>,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// The world of this thread from now on, or none.
pub(super) fn enter(world: Option<Rc<World>>) {
    let earlier = WORLD.replace(world);
    drop(earlier);
}

fn world() -> Rc<World> {
    WORLD.with_borrow(Clone::clone).expect("callbacks come while there is a world")
}

/// Meaning of a callback context: the number of a request or of an object.
#[derive(Clone, Copy)]
pub(super) enum Context {
    Request(usize),
    Thing(usize),
}

impl Context {
    pub(super) fn pointer(self) -> PVOID {
        match self {
            Self::Request(number) => request(number << 4 | 1),
            Self::Thing(number) => request(number << 4 | 2),
        }
    }

    fn number(pointer: PVOID, kind: usize) -> usize {
        let word = pointer.addr();
        if word & 15 != kind {
            world().fail(format!("a callback has the context {word:#x} of another"));
        }
        word >> 4
    }
}

impl World {
    pub(super) fn fail(&self, what: String) {
        self.failures.borrow_mut().push(what);
    }

    pub(super) fn note(&self, event: Event) {
        self.trail.borrow_mut().push(event);
    }

    /// The object in a role that was made last.
    pub(super) fn find(&self, end: End, role: Role) -> Option<usize> {
        self.things.borrow().iter().rposition(|thing| thing.end == end && thing.role == role)
    }

    /// The object in a role, if it is open.
    pub(super) fn open(&self, end: End, role: Role) -> Option<usize> {
        self.find(end, role).filter(|id| self.things.borrow()[*id].state == State::Open)
    }

    /// The pointer of the object in a role.
    pub(super) fn pointer<T>(&self, end: End, role: Role) -> *mut T {
        let id = self.find(end, role).expect("the stage has the object");
        virtual_address(self.things.borrow()[id].pointer).cast()
    }

    /// A point is reached: another processor may do something.
    pub(super) fn point(&self, point: Point) {
        self.interrupt();
        if point == Point::Dpc {
            self.paused_at_start.set(self.paused.get());
        }
    }

    fn interrupt(&self) {
        let Some(left) = self.watch.get() else { return };
        self.points.set(self.points.get() + 1);
        if left > 1 {
            self.watch.set(Some(left - 1));
            return;
        }
        self.watch.set(None);
        let Some(interruption) = self.interruptions.borrow_mut().pop_front() else { return };
        self.watch_next();
        if !self.perform(interruption.op) {
            self.skipped.set(true);
        }
        if interruption.deferred {
            self.perform(Op::Dpc);
        }
    }

    /// Counts points until the next interruption.
    pub(super) fn watch_next(&self) {
        self.watch.set(self.interruptions.borrow().front().map(|next| next.after));
    }

    /// A callback of `thing` begins; `body` is the consumer's.
    fn inside(&self, id: usize, what: &str, body: impl FnOnce()) {
        if held() != 0 {
            self.fail(format!("a lock is held in {what}"));
        }
        {
            let mut things = self.things.borrow_mut();
            let thing = &mut things[id];
            if matches!(thing.state, State::Completing | State::Gone) {
                let at = format!("{what} of {:?} {:?} after its close completed", thing.end, thing.role);
                self.fail(at);
            }
            thing.inside += 1;
        }
        body();
        reach(Point::Callback);
        self.things.borrow_mut()[id].inside -= 1;
    }

    fn completed(&self, number: usize, status: NTSTATUS) {
        let (what, thing) = {
            let mut requests = self.requests.borrow_mut();
            let request = &mut requests[number];
            request.completions.push(status);
            (request.what, request.thing)
        };
        self.note(Event::Cqe(what, status));
        self.inside(thing, "a request completion", || self.judge_completion(number));
        self.requests.borrow_mut()[number].returned += 1;
    }

    /// A create is completed: with the object, or without.
    fn created(&self, number: usize, status: NTSTATUS, object: PVOID) {
        let what = {
            let mut requests = self.requests.borrow_mut();
            requests[number].completions.push(status);
            requests[number].what
        };
        self.note(Event::Cqe(what, status));
        if held() != 0 {
            self.fail("a lock is held in the completion of a create".to_owned());
        }
        if object.is_null() == (status == STATUS_SUCCESS) {
            self.fail(format!("a create is completed with {status:#010x} and {object:p}"));
        }
        self.judge_completion(number);
        let made =
            (status == STATUS_SUCCESS).then(|| self.add(NEAR, self.created_role(), object, Vec::new()));
        if let Some(id) = made {
            self.things.borrow_mut()[id].inside += 1;
        }
        reach(Point::Callback);
        if let Some(id) = made {
            self.things.borrow_mut()[id].inside -= 1;
        }
        self.requests.borrow_mut()[number].returned += 1;
    }

    /// The role of a shared endpoint that is made: the first is that of the stage.
    pub(super) fn created_role(&self) -> Role {
        if self.find(NEAR, Role::Shared).is_none() { Role::Shared } else { Role::Created }
    }

    fn closed(&self, id: usize) {
        let (end, role) = {
            let mut things = self.things.borrow_mut();
            let thing = &mut things[id];
            let pends = thing.state == State::Closing && thing.closed.is_none_or(|it| it == STATUS_PENDING);
            if !pends {
                self.fail(format!("a close completion of {:?} {:?} that is not owed", thing.end, thing.role));
            }
            thing.state = State::Completing;
            (thing.end, thing.role)
        };
        self.note(Event::Closed(end, role));
        if held() != 0 {
            self.fail("a lock is held in a close completion".to_owned());
        }
        self.judge_end(id);
        self.judge_endpoint(id);
        reach(Point::Callback);
        self.gone(id);
    }

    /// An object is gone, and what was lent to it comes back.
    pub(super) fn gone(&self, id: usize) {
        let (end, role) = {
            let mut things = self.things.borrow_mut();
            things[id].state = State::Gone;
            (things[id].end, things[id].role)
        };
        if role == Role::Mr {
            let back = self.memory.borrow_mut()[end].take();
            drop(back);
        }
    }

    /// The number of the connection that the last connect begins that may still come about.
    fn connecting(&self) -> Option<usize> {
        let requests = self.requests.borrow();
        let open = |request: &&Request| {
            let accepted = matches!(request.status, None | Some(STATUS_PENDING));
            request.connection.is_some() && accepted && request.completions.is_empty()
        };
        let last = requests.iter().rev().find(open).and_then(|request| request.connection);
        last.or_else(|| self.connections.borrow().len().checked_sub(1))
    }

    fn indicated(&self, listener: usize, connector: PVOID) {
        self.note(Event::Indicated);
        if self.paused_at_start.get() && self.paused.get() {
            self.fail("a connect event while connect events are paused".to_owned());
        }
        let connection = self.connecting();
        let id = self.add(1, Role::Connector, connector, vec![listener]);
        self.things.borrow_mut()[id].connection = connection;
        self.inside(listener, "a connect event", || {});
    }

    fn disconnected(&self, id: usize) {
        let (end, connection, events) = {
            let mut things = self.things.borrow_mut();
            let thing = &mut things[id];
            thing.disconnected += 1;
            (thing.end, thing.connection, thing.disconnected)
        };
        self.note(Event::Disconnected(end));
        let known = connection.is_some_and(|number| self.connections.borrow()[number].came_about());
        if events > 1 || !known {
            self.fail(format!("disconnect event {events} of connector {end}, which was connected: {known}"));
        }
        if let Some(number) = connection {
            self.connections.borrow_mut()[number].disturbed = true;
        }
        self.inside(id, "a disconnect event", || {});
    }

    fn notified(&self, id: usize) {
        let (end, role) = {
            let things = self.things.borrow();
            (things[id].end, things[id].role)
        };
        self.note(Event::Notified(end, role));
        if role == Role::Cq {
            self.armed.borrow_mut()[end] = None;
        }
        self.inside(id, "a notification", || {});
    }

    /// Enters an object that exists.
    pub(super) fn add(&self, end: End, role: Role, pointer: PVOID, antecedents: Vec<usize>) -> usize {
        let mut things = self.things.borrow_mut();
        things.push(Thing {
            end,
            role,
            pointer: pointer.expose_provenance(),
            state: State::Open,
            closed: None,
            inside: 0,
            antecedents,
            tied: Vec::new(),
            connection: None,
            disconnected: 0,
        });
        things.len() - 1
    }
}

pub(super) unsafe extern "efiapi" fn on_completion(context: PVOID, status: NTSTATUS) {
    world().completed(Context::number(context, 1), status);
}

pub(super) unsafe extern "efiapi" fn on_create(
    context: PVOID,
    status: NTSTATUS,
    object: *mut NDK_OBJECT_HEADER,
) {
    world().created(Context::number(context, 1), status, object.cast());
}

pub(super) unsafe extern "efiapi" fn on_close(context: PVOID) {
    world().closed(Context::number(context, 2));
}

pub(super) unsafe extern "efiapi" fn on_connect(context: PVOID, connector: *mut NDK_CONNECTOR) {
    world().indicated(Context::number(context, 2), connector.cast());
}

pub(super) unsafe extern "efiapi" fn on_disconnect(context: PVOID) {
    world().disconnected(Context::number(context, 2));
}

pub(super) unsafe extern "efiapi" fn on_notification(context: PVOID, _: NTSTATUS) {
    world().notified(Context::number(context, 2));
}

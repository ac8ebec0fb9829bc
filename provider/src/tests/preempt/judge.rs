//! The rules that hold whatever the interleaving, each judged at the moment to which it applies.

use sys::ndk::NDK_CQ_NOTIFY_ANY;
use sys::status::*;

use super::op::{End, FAR, NEAR, Op};
use super::stage::{CREATED_PORT, SHARED_PORT, address};
use super::thing::{Queue, Request, Role, State, Thing, What};
use super::world::World;
use crate::connection::Endpoint;

impl World {
    /// A completion has come: of a request that pends, once, with a status that the documentation has for it.
    pub(super) fn judge_completion(&self, number: usize) {
        let (what, thing, status, completions) = {
            let requests = self.requests.borrow();
            let request = &requests[number];
            (request.what, request.thing, request.status, request.completions.clone())
        };
        if completions.len() != 1 || status.is_some_and(|status| status != STATUS_PENDING) {
            self.fail(format!("{what:?}, which answered {status:x?}, is completed with {completions:x?}"));
        }
        let status = completions[completions.len() - 1];
        let closed = self.things.borrow().get(thing).is_some_and(|thing| thing.state != State::Open);
        let permitted = match what {
            What::Listen => {
                matches!(status, STATUS_SUCCESS | STATUS_ADDRESS_ALREADY_ASSOCIATED | STATUS_INVALID_ADDRESS)
            }
            What::Connect => matches!(
                status,
                STATUS_SUCCESS
                    | STATUS_CONNECTION_REFUSED
                    | STATUS_CONNECTION_ACTIVE
                    | STATUS_INVALID_ADDRESS
                    | STATUS_HOST_UNREACHABLE
            ),
            What::Accept => matches!(status, STATUS_SUCCESS | STATUS_CONNECTION_ABORTED),
            What::Disconnect | What::Deregister => status == STATUS_SUCCESS,
            What::CreateShared => matches!(
                status,
                STATUS_SUCCESS
                    | STATUS_INVALID_ADDRESS
                    | STATUS_SHARING_VIOLATION
                    | STATUS_ADDRESS_ALREADY_EXISTS
            ),
        };
        // What TCP finds out it tells later (docs/wire.md).
        let permitted = permitted
            || self.wire
                && match what {
                    What::Listen => status == STATUS_SHARING_VIOLATION,
                    What::Connect => matches!(status, STATUS_IO_TIMEOUT | STATUS_SHARING_VIOLATION),
                    What::Accept => status == STATUS_IO_TIMEOUT,
                    What::Disconnect | What::Deregister | What::CreateShared => false,
                };
        let cancelled = status == STATUS_CANCELLED && (closed || self.has_closed_a_tie(number));
        if !(permitted || cancelled) {
            self.fail(format!("{what:?} is completed with {status:#010x}"));
        }
        self.settle_request(number, status);
    }

    /// Returns true if an object is closed that would be an antecedent of the connection: that cancels a
    /// pending connect or accept too (CL-4).
    fn has_closed_a_tie(&self, number: usize) -> bool {
        let requests = self.requests.borrow();
        let (request, things) = (&requests[number], self.things.borrow());
        matches!(request.what, What::Connect | What::Accept)
            && request.ties.iter().any(|id| things[*id].state != State::Open)
    }

    /// Updates the consumer's state by the outcome of a request, inline or not.
    pub(super) fn settle_request(&self, number: usize, status: NTSTATUS) {
        let (what, thing, ties, connection, is_completed) = {
            let Request { what, thing, ties, connection, completions, .. } = &self.requests.borrow()[number];
            (*what, *thing, ties.clone(), *connection, !completions.is_empty())
        };
        match what {
            What::Connect | What::Accept => {
                let tied = if matches!(status, STATUS_PENDING | STATUS_SUCCESS) { ties } else { Vec::new() };
                let thing = &mut self.things.borrow_mut()[thing];
                // A connect that fails says nothing of another, but one that is completed, maybe before its call has
                // returned, was accepted, and has ended those before it.
                let concerns = connection.is_none_or(|number| {
                    let is_newer = thing.connection.is_none_or(|other| other < number);
                    thing.connection == Some(number) || (is_completed && is_newer)
                });
                if !tied.is_empty() || concerns {
                    thing.tied = tied;
                    thing.connection = connection.or(thing.connection);
                }
            }
            What::Deregister if matches!(status, STATUS_SUCCESS) => {
                let end = self.things.borrow()[thing].end;
                let back = self.memory.borrow_mut()[end].take();
                drop(back);
            }
            What::Listen | What::Disconnect | What::Deregister | What::CreateShared => {}
        }
    }

    /// An object is about to be gone: nothing may be left that it has to outlive (CL-3, CL-5, CL-6).
    pub(super) fn judge_end(&self, id: usize) {
        let things = self.things.borrow();
        let thing = &things[id];
        let name = format!("{:?} of end {}", thing.role, thing.end);
        if thing.inside != 0 {
            self.fail(format!("{name} is closed during {} of its callbacks", thing.inside));
        }
        for request in self.requests.borrow().iter().filter(|request| request.thing == id) {
            if request.status == Some(STATUS_PENDING) && request.returned != 1 {
                self.fail(format!("{name} is closed before its {:?} has completed", request.what));
            }
        }
        for successor in things.iter() {
            let is_one = successor.antecedents.contains(&id) || successor.tied.contains(&id);
            let stays = match successor.state {
                State::Gone => false,
                State::Open | State::Completing => true,
                // Its close may be about to answer that it is gone.
                State::Closing => successor.closed.is_some(),
            };
            if !(is_one && stays) {
                continue;
            }
            let failure = format!("{name} is closed before its successor {:?}", successor.role);
            match self.connect_underway(successor, id) {
                Some(request) => self.suspicions.borrow_mut().push((request, failure)),
                None => self.fail(failure),
            }
        }
    }

    /// The connect that is called for a connector and would tie others than `id`. If it is accepted, the
    /// connector may have given up the QP of its last attempt already.
    fn connect_underway(&self, connector: &Thing, id: usize) -> Option<usize> {
        if connector.antecedents.contains(&id) {
            return None;
        }
        let things = self.things.borrow();
        self.requests.borrow().iter().position(|request| {
            let is_own = things.get(request.thing).is_some_and(|thing| std::ptr::eq(thing, connector));
            is_own && request.what == What::Connect && request.status.is_none() && !request.ties.contains(&id)
        })
    }

    /// A request has answered: one that is refused has left the connector's ties as they were.
    pub(super) fn judge_suspicions(&self, number: usize, status: NTSTATUS) {
        let suspicions = self.suspicions.take();
        for (request, failure) in suspicions {
            if request != number {
                self.suspicions.borrow_mut().push((request, failure));
            } else if status != STATUS_PENDING {
                self.fail(failure);
            }
        }
    }

    /// An object is about to be gone: the address that it was the last to have is free (CL-12).
    pub(super) fn judge_endpoint(&self, id: usize) {
        let (end, role) = {
            let things = self.things.borrow();
            let owns = |role| matches!(role, Role::Connector | Role::Listener | Role::Created);
            let other = |(other, thing): (usize, &Thing)| {
                let created = [thing, &things[id]].map(|thing| thing.role == Role::Created);
                let both = owns(thing.role) && owns(things[id].role) && created[0] == created[1];
                let same = thing.end == things[id].end && both;
                other != id && same && thing.state != State::Gone
            };
            if things.iter().enumerate().any(other) {
                return;
            }
            (things[id].end, things[id].role)
        };
        let place = match role {
            Role::Connector | Role::Listener => address(end),
            Role::Shared => (address(end).ip(), SHARED_PORT).into(),
            Role::Created if !self.is_creating() => (address(end).ip(), CREATED_PORT).into(),
            _ => return,
        };
        // Connect requests that wait at a listener have its endpoint, and nothing is known of them here.
        let hidden = role == Role::Connector && end == FAR;
        let watch = self.watch.take();
        let bound = Endpoint::bind(self.rnics[end].state().fabric(), place);
        if bound.is_err() && !hidden {
            self.fail(format!("{place} is in use when {role:?} of end {end} is closed"));
        }
        drop(bound);
        self.watch.set(watch);
    }

    /// Returns true if a create of a shared endpoint may have its address already.
    fn is_creating(&self) -> bool {
        let pends = |request: &Request| {
            let accepted = matches!(request.status, None | Some(STATUS_PENDING));
            request.what == What::CreateShared && accepted && request.completions.is_empty()
        };
        self.requests.borrow().iter().any(pends)
    }

    /// An end whose peer has closed its QP or connector, or disconnected, was told.
    pub(super) fn judge_events(&self) {
        let ends = [NEAR, FAR].map(|end| (self.find(end, Role::Connector), self.find(end, Role::Qp)));
        let [(Some(near), near_qp), (Some(far), far_qp)] = ends else { return };
        let things = self.things.borrow();
        let connection = things[near].connection;
        let established = connection.is_some_and(|number| self.connections.borrow()[number].established);
        if !established || things[far].connection != connection {
            return;
        }
        let open = |id: usize| things[id].state == State::Open;
        // Over a network the end of a stream is behind what was sent before, which may lie until its receiver has no
        // more patience.
        let lies = self.wire && self.posts.borrow().iter().any(|post| post.queue == Queue::Initiator);
        let left = |connector: usize, qp: Option<usize>| {
            let tied = qp.filter(|qp| things[connector].tied.contains(qp));
            let has_disconnected = !lies && self.has_disconnected(connector);
            !open(connector) || tied.is_some_and(|qp| !open(qp)) || has_disconnected
        };
        for (one, own, other, qp) in [(near, near_qp, far, far_qp), (far, far_qp, near, near_qp)] {
            let told = things[one].disconnected != 0 || self.has_disconnected(one);
            if left(other, qp) && open(one) && !told && own.is_some_and(open) {
                self.fail(format!("end {} was not told that its peer has gone", things[one].end));
            }
        }
    }

    /// No connect or accept pends whose QP, or whose peer's QP, is closed: nothing waits for the peer's
    /// consumer (CL-4). The DPCs have been made.
    pub(super) fn judge_attempts(&self) {
        let (requests, things) = (self.requests.borrow(), self.things.borrow());
        let pends =
            |request: &Request| request.status == Some(STATUS_PENDING) && request.completions.is_empty();
        let has_lost_qp = |request: &Request| {
            let is_qp = |id: &&usize| matches!(things[**id].role, Role::Qp | Role::Spare);
            request.ties.iter().filter(is_qp).any(|id| things[*id].state != State::Open)
        };
        let attempts = |request: &&Request| matches!(request.what, What::Connect | What::Accept);
        for request in requests.iter().filter(attempts).filter(|request| pends(request)) {
            let peers = requests.iter().filter(|peer| {
                let connection = things[request.thing].connection;
                let is_peer = peer.what == What::Connect && peer.connection == connection;
                // A connect that was refused has offered nothing.
                request.what == What::Accept && is_peer && peer.status == Some(STATUS_PENDING)
            });
            let peer_is_lost = peers.filter(|peer| peer.connection.is_some()).any(has_lost_qp);
            if has_lost_qp(request) || peer_is_lost {
                self.fail(format!("{:?} pends though a QP of the attempt is closed", request.what));
            }
        }
    }

    /// A CQ that is armed and has a result for it was notified (CQ-2, CQ-3).
    pub(super) fn judge_arm(&self, end: End) {
        let armed = self.armed.borrow()[end];
        let before = self.taken.borrow()[end];
        self.perform(Op::Poll(end));
        let taken = self.taken.borrow()[end];
        let [plain, others] = [0, 1].map(|kind| taken[kind] - before[kind]);
        let missed = match armed {
            Some(NDK_CQ_NOTIFY_ANY) => plain + others,
            Some(_) => others,
            None => 0,
        };
        if missed != 0 {
            self.fail(format!("the CQ of end {end} is armed, has {missed} results, and was not notified"));
        }
    }

    fn has_disconnected(&self, connector: usize) -> bool {
        self.requests.borrow().iter().any(|request| {
            let accepted = matches!(request.status, Some(STATUS_SUCCESS | STATUS_PENDING));
            request.thing == connector && request.what == What::Disconnect && accepted
        })
    }

    /// The answer of a call that is not a request is one that the documentation has for it.
    pub(super) fn judge_answer(&self, op: Op, status: NTSTATUS) {
        const GONE: [NTSTATUS; 2] = [STATUS_CONNECTION_INVALID, STATUS_CONNECTION_ABORTED];
        let permitted: &[NTSTATUS] = match op {
            Op::Connect(_) | Op::ConnectShared => &[
                STATUS_PENDING,
                STATUS_CONNECTION_REFUSED,
                STATUS_CONNECTION_ACTIVE,
                STATUS_SHARING_VIOLATION,
                STATUS_ADDRESS_ALREADY_EXISTS,
                STATUS_INVALID_ADDRESS,
                STATUS_HOST_UNREACHABLE,
            ],
            Op::ConnectIndicated => &[
                STATUS_CONNECTION_ACTIVE,
                STATUS_CONNECTION_INVALID,
                STATUS_CONNECTION_REFUSED,
                STATUS_INVALID_ADDRESS,
                STATUS_HOST_UNREACHABLE,
            ],
            Op::Accept(_) => &[
                STATUS_PENDING,
                STATUS_CONNECTION_ACTIVE,
                STATUS_CONNECTION_ABORTED,
                STATUS_CONNECTION_INVALID,
            ],
            Op::Reject(_) | Op::CompleteConnect => &[STATUS_SUCCESS, GONE[0], GONE[1]],
            Op::Disconnect(_) => &[STATUS_SUCCESS, STATUS_PENDING, STATUS_CONNECTION_INVALID],
            Op::Listen => {
                &[STATUS_SUCCESS, STATUS_PENDING, STATUS_ADDRESS_ALREADY_ASSOCIATED, STATUS_INVALID_ADDRESS]
            }
            Op::CreateShared => &[
                STATUS_SUCCESS,
                STATUS_PENDING,
                STATUS_INVALID_ADDRESS,
                STATUS_SHARING_VIOLATION,
                STATUS_ADDRESS_ALREADY_EXISTS,
            ],
            Op::Close(..) => &[STATUS_SUCCESS, STATUS_PENDING],
            Op::Send(_) | Op::PollAndSend(_) | Op::SendAndInvalidate(_) | Op::Write(_) | Op::Read(_) => {
                &[STATUS_SUCCESS, STATUS_CONNECTION_INVALID, STATUS_INSUFFICIENT_RESOURCES]
            }
            Op::Bind(_) | Op::FastRegister(_) | Op::Invalidate(..) => &[
                STATUS_SUCCESS,
                STATUS_CONNECTION_INVALID,
                STATUS_INSUFFICIENT_RESOURCES,
                STATUS_INVALID_DEVICE_STATE,
                STATUS_ACCESS_VIOLATION,
            ],
            Op::Receive(_) => &[STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST],
            Op::ReceiveShared => &[STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES],
            Op::Register(_) | Op::InitialiseFast(_) => &[STATUS_SUCCESS, STATUS_INVALID_DEVICE_STATE],
            Op::Deregister(_) => {
                &[STATUS_SUCCESS, STATUS_PENDING, STATUS_INVALID_DEVICE_STATE, STATUS_DEVICE_BUSY]
            }
            _ => &[STATUS_SUCCESS],
        };
        if !permitted.contains(&status) {
            self.fail(format!("{op:?} answers {status:#010x}"));
        }
    }

    /// NdkDisconnect is for a connection that came about.
    pub(super) fn judge_disconnect(&self, thing: usize, status: NTSTATUS) {
        if status == STATUS_CONNECTION_INVALID {
            return;
        }
        let connection = self.things.borrow()[thing].connection;
        let came_about = connection.is_some_and(|number| self.connections.borrow()[number].came_about());
        if !came_about {
            self.fail("NdkDisconnect of a connection that never came about is accepted".to_owned());
        }
    }

    /// Everything is closed, and the DPCs are made: nothing is owed any more.
    pub(super) fn judge_all(&self) {
        for thing in self.things.borrow().iter().filter(|thing| thing.state != State::Gone) {
            self.fail(format!("{:?} of end {} is {:?} for ever", thing.role, thing.end, thing.state));
        }
        for request in self.requests.borrow().iter() {
            let owed = usize::from(request.status == Some(STATUS_PENDING));
            if request.completions.len() != owed {
                let (what, status) = (request.what, request.status);
                self.fail(format!(
                    "{what:?} answered {status:x?}; completions: {}",
                    request.completions.len()
                ));
            }
        }
    }

    /// Checks that every request posted to a QP for which `chosen` holds has its result.
    pub(super) fn judge_posts(&self, when: &str, chosen: impl Fn(usize) -> bool) {
        for post in self.posts.borrow().iter() {
            let Some(qp) = post.qp.filter(|qp| chosen(*qp)) else { continue };
            let owed = usize::from(post.status == Some(STATUS_SUCCESS));
            if post.results.len() != owed {
                let thing = &self.things.borrow()[qp];
                let (end, role, count) = (thing.end, thing.role, post.results.len());
                self.fail(format!("{when}: a post to {role:?} of end {end} has {count} results, not {owed}"));
            }
        }
    }
}

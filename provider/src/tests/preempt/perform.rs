//! Makes the calls that operations stand for, if a legal consumer may make them now, and keeps account.

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;

use test_kernel::network;

use super::op::{End, FAR, NEAR, Op};
use super::stage::{CREATED_PORT, address};
use super::thing::{Request, Role, State, What};
use super::world::{Context, Event, World, on_close, on_completion};
use crate::tests::consumer::{Lent, call, sockaddr, virtual_address};

/// An address that is lent for a call.
pub(super) fn lend_address(end: End) -> (Lent<u8>, u32) {
    sockaddr(address(end))
}

/// The near end's address with another port, lent for a call.
pub(super) fn lend_near(port: u16) -> (Lent<u8>, u32) {
    sockaddr((address(NEAR).ip(), port).into())
}

impl World {
    /// Returns true if the consumer may do `op` now.
    pub(super) fn may(&self, op: Op) -> bool {
        op.uses().iter().all(|(end, role)| self.open(*end, *role).is_some())
            && self.calls.borrow().iter().all(|other| op.may_meet(*other))
            && self.is_there(op)
    }

    /// Returns true if the logical address mapping that `op` builds or releases is in the right state for it.
    fn is_there(&self, op: Op) -> bool {
        match op {
            Op::ReleaseMapping(end) => self.mappings.borrow()[end].is_some(),
            Op::BuildMapping(end) => self.mappings.borrow()[end].is_none(),
            _ => true,
        }
    }

    /// Does `op`, if it is legal now. Returns true if it was.
    pub(super) fn perform(&self, op: Op) -> bool {
        if !self.may(op) {
            return false;
        }
        self.note(Event::Call(op));
        self.calls.borrow_mut().push(op);
        let status = self.do_it(op);
        let finished = self.calls.borrow_mut().pop();
        assert_eq!(finished, Some(op), "calls return in the reverse order");
        self.note(Event::Returned(op, status));
        self.judge_answer(op, status);
        true
    }

    fn do_it(&self, op: Op) -> NTSTATUS {
        match op {
            Op::Connect(qp) => self.connect(qp),
            Op::ConnectShared => self.connect_shared(),
            Op::CreateShared => self.create_shared(CREATED_PORT),
            Op::ConnectIndicated => self.connect_indicated(),
            Op::Accept(qp) => self.accept(qp),
            Op::Reject(end) => {
                let data = Lent::new(b"no");
                let connector = self.pointer::<NDK_CONNECTOR>(end, Role::Connector);
                let status = call!(connector, NdkReject, data.pointer().cast(), 2);
                if status == STATUS_SUCCESS {
                    self.disturb(end);
                }
                status
            }
            Op::CompleteConnect => self.complete_connect(),
            Op::Disconnect(end) => self.disconnect(end),
            Op::Query(end) => self.query(end),
            Op::Listen => {
                let listener = self.find(FAR, Role::Listener).expect("it is open");
                let request = self.begin(What::Listen, listener, Vec::new());
                let (at, length) = lend_address(FAR);
                let (at, context) = (at.pointer().cast::<SOCKADDR>(), Context::Request(request).pointer());
                let listener = self.pointer::<NDK_LISTENER>(FAR, Role::Listener);
                let status = call!(listener, NdkListen, at, length, Some(on_completion), context);
                self.end(request, status)
            }
            Op::Pause => self.control_connect_events(true),
            Op::Resume => self.control_connect_events(false),
            Op::Close(end, role) => {
                self.disturb(end);
                self.close(self.find(end, role).expect("it is open"))
            }
            Op::Timers => {
                for end in [NEAR, FAR] {
                    self.disturb(end);
                }
                test_kernel::expire_timers();
                STATUS_SUCCESS
            }
            Op::Dpc => {
                let paused = self.paused_at_start.get();
                test_kernel::pump();
                while self.wire && !network::actions().is_empty() {
                    self.paused_at_start.set(self.paused.get());
                    network::step(0);
                    test_kernel::pump();
                }
                self.paused_at_start.set(paused);
                STATUS_SUCCESS
            }
            Op::Explain(end) => {
                self.explain(end);
                STATUS_SUCCESS
            }
            Op::RemoveAddress(end) => {
                assert!(self.rnics[end].set_addresses(&[]).is_ok());
                STATUS_SUCCESS
            }
            Op::Arrive(end) => {
                self.rnics[end].look_up(test_kernel::passive(), |_| {
                    assert!(self.rnics[end].set_addresses(&[address(end).ip()]).is_ok());
                    Ok(())
                });
                STATUS_SUCCESS
            }
            Op::LookUp(end) => {
                self.rnics[end].look_up(test_kernel::passive(), |_| Ok(()));
                STATUS_SUCCESS
            }
            Op::Disable(end) => {
                self.rnics[end].set_enabled(false);
                STATUS_SUCCESS
            }
            _ => self.do_post(op),
        }
    }

    pub(super) fn begin(&self, what: What, thing: usize, ties: Vec<usize>) -> usize {
        let mut requests = self.requests.borrow_mut();
        requests.push(Request {
            what,
            thing,
            ties,
            connection: None,
            status: None,
            completions: Vec::new(),
            returned: 0,
        });
        requests.len() - 1
    }

    pub(super) fn end(&self, number: usize, status: NTSTATUS) -> NTSTATUS {
        let (what, completions) = {
            let mut requests = self.requests.borrow_mut();
            requests[number].status = Some(status);
            (requests[number].what, requests[number].completions.clone())
        };
        self.judge_suspicions(number, status);
        if status != STATUS_PENDING && !completions.is_empty() {
            self.fail(format!("{what:?} answers {status:#010x} and is completed too"));
        }
        if status == STATUS_PENDING && completions.is_empty() {
            self.settle_request(number, status);
        }
        if status != STATUS_PENDING && what == What::Deregister {
            self.settle_request(number, status);
        }
        status
    }

    fn query(&self, end: End) -> NTSTATUS {
        let connector = self.pointer::<NDK_CONNECTOR>(end, Role::Connector);
        let (inbound, outbound, length) = (Lent::new(&[0_u32]), Lent::new(&[0_u32]), Lent::new(&[64_u32]));
        let buffer = Lent::new(&[0_u8; 64]);
        let data = buffer.pointer().cast();
        let (inbound, outbound) = (inbound.pointer(), outbound.pointer());
        call!(connector, NdkGetConnectionData, inbound, outbound, data, length.pointer());
        for local in [true, false] {
            self.address_of(end, local);
        }
        STATUS_SUCCESS
    }

    /// The status of asking a connector for an address.
    pub(super) fn address_of(&self, end: End, local: bool) -> NTSTATUS {
        let connector = self.pointer::<NDK_CONNECTOR>(end, Role::Connector);
        let (buffer, length) = (Lent::new(&[0_u8; 64]), Lent::new(&[64_u32]));
        let at = buffer.pointer().cast::<SOCKADDR>();
        if local {
            call!(connector, NdkGetLocalAddress, at, length.pointer())
        } else {
            call!(connector, NdkGetPeerAddress, at, length.pointer())
        }
    }

    /// Calls that overlap have no order: connect events count as paused only if no resume began or ended during
    /// the pause.
    fn control_connect_events(&self, pause: bool) -> NTSTATUS {
        let resumes = self.resumes.get();
        if !pause {
            self.resumed();
        }
        call!(self.pointer::<NDK_LISTENER>(FAR, Role::Listener), NdkControlConnectEvents, pause.into());
        if !pause {
            self.resumed();
        } else if self.resumes.get() == resumes {
            self.paused.set(true);
        }
        STATUS_SUCCESS
    }

    fn resumed(&self) {
        self.resumes.set(self.resumes.get() + 1);
        self.paused.set(false);
    }

    /// NdkCloseObject.
    pub(super) fn close(&self, id: usize) -> NTSTATUS {
        let object = {
            let mut things = self.things.borrow_mut();
            things[id].state = State::Closing;
            virtual_address(things[id].pointer).cast::<NDK_OBJECT_HEADER>()
        };
        // SAFETY: the object is open; every object's table but the adapter's begins with close.
        let close = unsafe { (*(*object.cast::<NDK_PD>()).Dispatch).NdkClosePd };
        let close = close.expect("no slot is empty");
        // SAFETY: the consumer hands the object over.
        let status = unsafe { close(object, Some(on_close), Context::Thing(id).pointer()) };
        let state = {
            let mut things = self.things.borrow_mut();
            things[id].closed = Some(status);
            things[id].state
        };
        match (status, state) {
            (STATUS_SUCCESS, State::Closing) => {
                self.judge_end(id);
                self.judge_endpoint(id);
                self.gone(id);
            }
            (STATUS_PENDING, _) => {}
            _ => self.fail(format!("a close answers {status:#010x} in state {state:?}")),
        }
        status
    }

    fn explain(&self, end: End) {
        let at = |thing: &super::thing::Thing| (thing.end == end).then_some(virtual_address(thing.pointer));
        let handles: Vec<_> = self.things.borrow().iter().filter_map(at).collect();
        let rnic = &self.rnics[end];
        for handle in handles {
            // What is gone is not found, or another object has its place.
            let _found = rnic.state().objects().explain(handle.cast_const().cast(), |_| {});
        }
        rnic.connections(|_, _| {});
        rnic.endpoints(|_, _| {});
    }

    /// A deregistration.
    pub(super) fn deregister(&self, end: End) -> NTSTATUS {
        let mr = self.find(end, Role::Mr).expect("it is open");
        let request = self.begin(What::Deregister, mr, Vec::new());
        let status = call!(
            self.pointer::<NDK_MR>(end, Role::Mr),
            NdkDeregisterMr,
            Some(on_completion),
            Context::Request(request).pointer()
        );
        self.end(request, status)
    }
}

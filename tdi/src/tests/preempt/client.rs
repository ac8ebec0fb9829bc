//! Two clients, what they have open, and all that they may do at once.
//!
//! # The rules of a legal client
//!
//! | rule | why | kept by |
//! |---|---|---|
//! | a file is cleaned up once | its last handle is closed once | [`Clients::clean_up`] |
//! | it is closed once, after its cleanup has returned and when no request for it is being sent | each of both holds a reference to the file object | [`Clients::close`] |
//! | an adapter goes and returns by turns, one step at a time | the plug and play manager takes one step at a time | [`Clients::disable`], [`Clients::enable`] |
//! | a request is cancelled while it is known, once | `IoCancelIrp` takes the cancel routine | `Pending::cancel` |
//!
//! All else may happen at once, with anything.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::rc::Rc;

use sys::status::{NTSTATUS, STATUS_FILE_CLOSED};
use test_kernel::pump;

use super::super::access::TestOpener;
use super::super::client::{Client, FAR, NEAR, Tcp};
use super::super::host::Pending;
use crate::address_object::State;
use crate::{Command, Id, completion_status};

/// The files that the clients begin with; each of the others is opened by an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Which {
    Near,
    Far,
    /// Another endpoint on the far side.
    Spare,
    NearAddress,
    FarAddress,
    /// Opened later, on the far side.
    Third,
}

pub(super) const FILES: [Which; 6] =
    [Which::Near, Which::Far, Which::Spare, Which::NearAddress, Which::FarAddress, Which::Third];

impl Which {
    /// The place in [`FILES`].
    fn number(self) -> usize {
        FILES.iter().position(|which| *which == self).expect("every file is listed")
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Open,
    CleaningUp,
    CleanedUp,
    Closed,
}

struct File {
    id: Id,
    phase: Cell<Phase>,
    /// Requests that are being sent, and operations that refer to the file object.
    references: Cell<u32>,
}

impl File {
    fn new(id: Id) -> Self {
        Self { id, phase: Cell::new(Phase::Open), references: Cell::new(0) }
    }
}

struct Sent {
    /// The file by which it was sent; none of a request that a handler gave.
    file: Option<Id>,
    minor: u8,
    pending: Pending,
}

pub(super) struct Clients {
    pub(super) client: Client,
    files: RefCell<Vec<Option<Rc<File>>>>,
    sent: RefCell<Vec<Sent>>,
    adapters: [Cell<bool>; 2],
    /// An adapter goes or returns.
    moving: Cell<bool>,
}

impl Clients {
    pub(super) fn new(tcp: Tcp) -> Self {
        let client = Client::with(tcp);
        let near_address = client.open_address(NEAR, true).unwrap();
        let far_address = client.open_address(FAR, true).unwrap();
        let [near, far, spare] =
            [(near_address, Which::Near), (far_address, Which::Far), (far_address, Which::Spare)]
                .map(|(at, which)| client.associated_as(at, which.number()));
        let files = [near, far, spare, near_address, far_address].map(|id| Some(Rc::new(File::new(id))));
        let files = RefCell::new(files.into_iter().chain([None]).collect());
        let adapters = [const { Cell::new(true) }; 2];
        Self { client, files, sent: RefCell::default(), adapters, moving: Cell::new(false) }
    }

    fn file(&self, which: Which) -> Option<Rc<File>> {
        self.files.borrow()[which.number()].clone()
    }

    /// Does something with a file object, to which it has a reference.
    fn with(&self, which: Which, does: impl FnOnce(Id)) {
        let Some(file) = self.file(which).filter(|file| file.phase.get() != Phase::Closed) else { return };
        file.references.set(file.references.get() + 1);
        does(file.id);
        file.references.set(file.references.get() - 1);
    }

    /// Sends a request that may wait, as the driver does.
    pub(super) fn submit(&self, which: Which, minor: u8, command: Command, data: Vec<u8>) {
        self.with(which, |id| match self.client.transport.enter(id) {
            Ok(_entered) => {
                let (record, pending) = self.client.record(data);
                self.sent.borrow_mut().push(Sent { file: Some(id), minor, pending });
                self.client.transport.submit(id, command, record);
            }
            Err(status) => assert_eq!(status, STATUS_FILE_CLOSED),
        });
    }

    /// Sends a request that was cancelled before, as one that was forced to pend may be.
    pub(super) fn submit_cancelled(&self, which: Which, minor: u8, command: Command) {
        self.with(which, |id| {
            if let Ok(_entered) = self.client.transport.enter(id) {
                let (record, pending) = self.client.record(Vec::new());
                pending.cancel(&self.client.transport);
                self.sent.borrow_mut().push(Sent { file: Some(id), minor, pending });
                self.client.transport.submit(id, command, record);
            }
        });
    }

    /// Notes a request that a handler gives.
    pub(super) fn note(&self, minor: u8, pending: Pending) {
        self.sent.borrow_mut().push(Sent { file: None, minor, pending });
    }

    /// Sends a request that never waits, as the driver does.
    pub(super) fn inline(&self, which: Which, minor: u8, ask: impl FnOnce(Id) -> Result<(), NTSTATUS>) {
        self.with(which, |id| {
            let done = self.client.transport.enter(id).and_then(|_entered| ask(id));
            let status = done.err().unwrap_or(0);
            assert!(
                completion_status::is_permitted(minor, status),
                "minor function {minor} ended with {status:#010X}"
            );
        });
    }

    /// Does something with the number of a file that the caller refers to.
    pub(super) fn referring(&self, which: Which, does: impl FnOnce(Id)) {
        self.with(which, does);
    }

    pub(super) fn id(&self, which: Which) -> Option<Id> {
        self.file(which).map(|file| file.id)
    }

    /// Opens the third file: the far address once more, shared.
    pub(super) fn open_third(&self) {
        if self.file(Which::Third).is_some() {
            return;
        }
        if let Ok(id) = self.client.open_address_as(FAR, Some(&TestOpener::ANY)) {
            let mut files = self.files.borrow_mut();
            let place = &mut files[Which::Third.number()];
            if place.is_none() {
                *place = Some(Rc::new(File::new(id)));
                return;
            }
            drop(files);
            // Another processor opened it, too.
            self.client.close(id);
        }
    }

    pub(super) fn clean_up(&self, which: Which) {
        let Some(file) = self.file(which).filter(|file| file.phase.get() == Phase::Open) else { return };
        file.phase.set(Phase::CleaningUp);
        self.client.transport.cleanup(file.id, test_kernel::passive());
        file.phase.set(Phase::CleanedUp);
        let left = self.sent.borrow().iter().find_map(|sent| {
            (sent.file == Some(file.id) && sent.pending.outcome().is_none()).then_some(sent.minor)
        });
        assert_eq!(left, None, "a request is outstanding after the cleanup of {which:?}");
    }

    pub(super) fn close(&self, which: Which) {
        let ready = |file: &Rc<File>| file.phase.get() == Phase::CleanedUp && file.references.get() == 0;
        let Some(file) = self.file(which).filter(ready) else { return };
        file.phase.set(Phase::Closed);
        self.client.transport.close(file.id);
    }

    /// Returns whether handlers that concern the endpoint with this context may run.
    pub(super) fn may_be_called_for(&self, context: *mut c_void) -> bool {
        let which = FILES.into_iter().find(|which| which.number() == context.addr());
        which.is_some_and(|which| self.may_be_called(which))
    }

    /// Returns whether handlers of a file may run.
    pub(super) fn may_be_called(&self, which: Which) -> bool {
        self.file(which).is_some_and(|file| matches!(file.phase.get(), Phase::Open | Phase::CleaningUp))
    }

    pub(super) fn disable(&self, which: usize) {
        if self.adapters[which].get() && !self.moving.replace(true) {
            self.client.disable(which);
            self.adapters[which].set(false);
            self.moving.set(false);
        }
    }

    pub(super) fn enable(&self, which: usize) {
        if !self.adapters[which].get() && !self.moving.replace(true) {
            self.client.enable(which);
            self.adapters[which].set(true);
            self.moving.set(false);
        }
    }

    /// Cancels one of the requests: the newest has number 0.
    pub(super) fn cancel(&self, back: usize) {
        let pending = self.sent.borrow().iter().rev().nth(back).map(|sent| sent.pending.clone());
        if let Some(pending) = pending {
            pending.cancel(&self.client.transport);
        }
    }

    /// Cancels everything: after that nothing waits, also without a cleanup.
    fn cancel_all(&self) {
        let all: Vec<_> = self.sent.borrow().iter().map(|sent| sent.pending.clone()).collect();
        all.iter().for_each(|pending| pending.cancel(&self.client.transport));
        pump();
        let left =
            self.sent.borrow().iter().find_map(|sent| {
                sent.pending.outcome().is_none().then_some((sent.minor, sent.pending.serial))
            });
        assert_eq!(left, None, "a request (minor function, serial number) outlives its cancel");
    }

    /// Asserts that, when nothing moves any more, no endpoint has work left, and none waits for what can't come.
    fn is_at_rest(&self) {
        let mut locked = self.client.transport.lock();
        let ids: Vec<_> = locked.files.iter().map(|(id, _)| id).collect();
        for id in ids {
            if let Some(endpoint) = locked.endpoint(id) {
                let (listens, listed) = (endpoint.is_listening(), endpoint.listed);
                assert_eq!(listens, listed, "an endpoint is listed just while it listens");
                let (address, uses) = (endpoint.address, listens || endpoint.link().is_some());
                assert!(locked.step(id).is_none(), "an endpoint has something to do that woke nothing");
                let address = address.and_then(|address| locked.address(address));
                let dead = address.is_some_and(|address| matches!(address.state, State::AdapterGone { .. }));
                assert!(!dead || !uses, "an endpoint uses an address whose adapter is gone");
                continue;
            }
            let Some(address) = locked.address(id) else { continue };
            let dead = matches!(address.state, State::AdapterGone { .. });
            let (listens, waits) = (Vec::from(address.listens.clone()), address.receives.any());
            assert!(!dead || !waits, "a request waits at an address whose adapter is gone");
            let kept = address.state.any(|listener| self.client.transport.has_gone(listener));
            assert!(!kept, "an address object has kept an address that is gone");
            for listen in listens {
                let listening = locked.endpoint(listen).is_some_and(|endpoint| endpoint.is_listening());
                assert!(listening, "an endpoint is listed that does not listen");
            }
        }
        assert_eq!(locked.datagrams.under_way(), 0, "a datagram is under way");
    }

    /// Asserts all rules when all operations are over. See the head of [`super`].
    pub(super) fn end(self: Rc<Self>) {
        self.client.transport.tick();
        pump();
        self.is_at_rest();
        self.cancel_all();
        self.probe();
        for which in FILES {
            self.clean_up(which);
            self.close(which);
            self.enable(0);
            self.enable(1);
        }
        pump();
        let sent = self.sent.take();
        for Sent { minor, pending, .. } in &sent {
            let status = pending.outcome().expect("it has completed").status;
            assert!(
                completion_status::is_permitted(*minor, status),
                "minor function {minor} ended with {status:#010X}"
            );
        }
        for place in ["10.0.0.1:139", FAR] {
            match self.client.address(place) {
                Ok(address) => self.client.close(address),
                Err(status) => panic!("{place} is in use after the end: {status:#010X}"),
            }
        }
        assert_eq!(super::super::access::lists().0, 0, "an access list is left");
        Rc::into_inner(self).expect("all operations are over").client.tear_down();
    }

    /// Endpoints whose files are open can be used again, whatever they went through: aborted, associated with
    /// addresses of adapters that are there, they connect and carry data.
    fn probe(&self) {
        let transport = &self.client.transport;
        self.enable(0);
        self.enable(1);
        self.client.return_address(1);
        let open = |which| self.file(which).is_some_and(|file| file.phase.get() == Phase::Open);
        if !open(Which::Near) || !open(Which::Far) {
            return;
        }
        let ends = [Which::Near, Which::Far].map(|which| self.id(which).unwrap());
        for end in ends {
            self.client.disconnect(end, 0);
        }
        pump();
        let address = self.client.open_address("10.0.0.2:4000", false).unwrap();
        for end in ends {
            let _idle = transport.disassociate(end);
            assert_eq!(transport.associate(end, address), Ok(()), "an endpoint that was aborted is idle");
        }
        let listen = self.client.listen(ends[1]);
        let connect = self.client.connect(ends[0], "10.0.0.2:4000");
        pump();
        let receive = self.client.receive(ends[1], 4);
        let send = self.client.send(ends[0], b"data");
        pump();
        let outcomes = [listen, connect, receive, send].map(|request| request.outcome().map(|o| o.status));
        assert_eq!(outcomes, [Some(0); 4], "endpoints that were aborted connect anew");
        self.client.close(address);
    }

    /// This value as the context of a handler.
    pub(super) fn as_context(&self) -> *mut c_void {
        (&raw const *self).cast_mut().cast()
    }

    /// Registers a handler on an address, or takes it back.
    pub(super) fn set_event(&self, which: Which, event: i32, function: Option<*const ()>) {
        self.inline(which, sys::tdi::TDI_SET_EVENT_HANDLER, |id| {
            let function = function.map_or(null_mut(), |function| function.cast_mut().cast());
            self.client.transport.set_event(id, event, function, self.as_context())
        });
    }
}

//! Calls of handlers, and the requests that these give away, with a cleanup at each point.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::rc::Rc;

use sys::status::*;
use sys::tdi::*;
use sys::wdm::IRP;
use test_kernel::{Strike, preempted, pump};

use super::client::{FAR, Pair};
use super::host::{self, Pending, Record, give};
use crate::ndk::message::WINDOW;
use crate::{Command, HandlerIrp, Id, Request, Source};

/// The calls of the handlers below.
#[derive(Default)]
struct Watch {
    running: Cell<bool>,
    cleaned_up: Cell<bool>,
    /// The cleanup came while a handler was running.
    preempted: Cell<bool>,
    /// A handler was running when the cleanup had returned.
    late: Cell<bool>,
    /// A request that the next call gives away.
    gives: RefCell<Option<HandlerIrp<Record>>>,
    given: RefCell<Option<Pending>>,
    /// It had been given away, and was not complete, when the cleanup had returned.
    outstanding: Cell<bool>,
}

impl Watch {
    /// A handler runs, and takes its time. Returns what it gives away.
    fn called(&self) -> *mut IRP {
        self.running.set(true);
        host::point();
        self.running.set(false);
        self.late.set(self.late.get() || self.cleaned_up.get());
        self.gives.take().map_or(null_mut(), give)
    }

    fn cleanup_begins(&self) {
        self.preempted.set(self.running.get());
    }

    fn cleanup_has_returned(&self) {
        self.cleaned_up.set(true);
        let given = self.gives.borrow().is_none();
        let open = self.given.borrow().as_ref().is_some_and(|pending| pending.outcome().is_none());
        self.outstanding.set(given && open);
    }
}

macro_rules! handlers {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {
        $(unsafe extern "efiapi" fn $name(context: *mut c_void, $($argument: $type),*) -> NTSTATUS {
            // SAFETY: the tests register it with this context.
            let irp = unsafe { &*context.cast::<Watch>() }.called();
            assert!(irp.is_null(), "nothing can be given away by this");
            STATUS_SUCCESS
        })+
    };
}

macro_rules! giving_handlers {
    ($($name:ident($($argument:ident: $type:ty),*) else $refused:ident;)+) => {
        $(unsafe extern "efiapi" fn $name(
            context: *mut c_void,
            $($argument: $type,)*
            place: *mut *mut IRP
        ) -> NTSTATUS {
            // SAFETY: the tests register it with this context.
            let irp = unsafe { &*context.cast::<Watch>() }.called();
            // SAFETY: the transport passes a place for it.
            unsafe { place.write(irp) };
            if irp.is_null() { $refused } else { STATUS_MORE_PROCESSING_REQUIRED }
        })+
    };
}

handlers! {
    disconnected(_1: *mut c_void, _2: i32, _3: *const c_void, _4: i32, _5: *const c_void, _6: u32);
    possible(_1: *mut c_void, _2: u32);
    failed(_1: NTSTATUS);
    failed_ex(_1: NTSTATUS, _2: *mut c_void);
}

giving_handlers! {
    asked(_1: i32, _2: *const c_void, _3: i32, _4: *const c_void, _5: i32, _6: *const c_void, _7: *mut *mut c_void)
        else STATUS_CONNECTION_REFUSED;
    shown(_1: *mut c_void, _2: u32, _3: u32, _4: u32, _5: *mut u32, _6: *const c_void)
        else STATUS_DATA_NOT_ACCEPTED;
    shown_datagram(_1: i32, _2: *const c_void, _3: i32, _4: *const c_void, _5: u32, _6: u32, _7: u32,
        _8: *mut u32, _9: *const c_void) else STATUS_DATA_NOT_ACCEPTED;
}

type Act = fn(&Pair);
type Pick = fn(&Pair) -> Id;

/// The steps that make the transport call a handler: before it may be preempted, and then.
struct Cause {
    event: i32,
    handler: *const (),
    before: Act,
    then: Act,
}

/// The most bytes of a message: as many as are contiguous in a test's buffer.
const RUN: usize = 1000;

fn nothing(_: &Pair) {}

fn sends(pair: &Pair, flags: u32) {
    pair.client.submit(pair.near, Command::Send { length: 4, flags }, vec![7; 4]);
    pump();
}

fn cause(event: i32) -> Cause {
    let (handler, before, then): (*const (), Act, Act) = match event {
        TDI_EVENT_CONNECT => (code_address!(asked), nothing, |pair| {
            let other = pair.client.associated(pair.near_address);
            pair.client.connect(other, FAR);
            pump();
            pair.client.close(other);
        }),
        TDI_EVENT_DISCONNECT => (code_address!(disconnected), Pair::establish, |pair| {
            pair.client.disconnect(pair.near, TDI_DISCONNECT_RELEASE);
            pump();
        }),
        TDI_EVENT_RECEIVE => (code_address!(shown), Pair::establish, |pair| sends(pair, 0)),
        TDI_EVENT_RECEIVE_EXPEDITED => {
            (code_address!(shown), Pair::establish, |pair| sends(pair, TDI_SEND_EXPEDITED))
        }
        TDI_EVENT_RECEIVE_DATAGRAM => (code_address!(shown_datagram), nothing, |pair| {
            pair.client.send_datagram(pair.near_address, FAR, b"data");
            pump();
        }),
        TDI_EVENT_SEND_POSSIBLE => (code_address!(possible), is_refused, |pair| {
            for _ in 0..=WINDOW {
                pair.client.receive(pair.near, RUN);
                pump();
            }
        }),
        TDI_EVENT_ERROR => (code_address!(failed), nothing, |pair| pair.client.disable(1)),
        TDI_EVENT_ERROR_EX => (code_address!(failed_ex), nothing, |pair| pair.client.disable(1)),
        other => panic!("the transport has no event {other}"),
    };
    Cause { event, handler, before, then }
}

/// The far end's send, which may not wait, is refused.
fn is_refused(pair: &Pair) {
    pair.establish();
    pair.client.send(pair.far, &vec![0; RUN * (WINDOW + 1)]);
    pair.client.submit(pair.far, Command::Send { length: 1, flags: TDI_SEND_NON_BLOCKING }, vec![0]);
    pump();
}

/// The outcome of a cleanup at one point.
struct Seen {
    /// A handler was running when it began.
    preempted: bool,
    /// A handler ran when it had returned.
    late: bool,
    /// The request that the handler gave away was not complete when the cleanup had returned.
    outstanding: bool,
    /// The status of that request.
    status: Option<NTSTATUS>,
}

/// Plays the cause with a cleanup that preempts it, at each of its points. `gives` is for what request of which file
/// the handler gives away.
fn at_each_point(cause: &Cause, cleaned: Pick, gives: impl Fn(&Pair) -> Option<(Id, Command)>) -> Vec<Seen> {
    let (mut points, mut seen) = (1, Vec::new());
    while seen.len() < points {
        let (pair, watch) = (Rc::new(Pair::new()), Rc::new(Watch::default()));
        (cause.before)(&pair);
        if let Some((file, command)) = gives(&pair) {
            let (request, pending) = pair.client.record(vec![0; 4]);
            watch.gives.replace(Some(HandlerIrp { request, file: Some(file), command }));
            watch.given.replace(Some(pending));
        }
        let (context, handler) = (Rc::as_ptr(&watch).cast_mut().cast(), cause.handler.cast_mut().cast());
        let set = pair.client.transport.set_event(pair.far_address, cause.event, handler, context);
        assert_eq!(set, Ok(()));
        let (closer, closed) = (Rc::clone(&pair), Rc::clone(&watch));
        let work = Box::new(move || {
            closed.cleanup_begins();
            closer.client.transport.cleanup(cleaned(&closer), test_kernel::passive());
            closed.cleanup_has_returned();
        });
        let strike = Strike { processor: 0, point: seen.len(), work };
        points = preempted(vec![strike], || (cause.then)(&pair));
        if let Some(unused) = watch.gives.take() {
            Request::complete(unused.request, STATUS_CANCELLED, 0);
            watch.given.take();
        }
        let status = watch.given.take().and_then(|given| given.outcome()).map(|outcome| outcome.status);
        seen.push(Seen {
            preempted: watch.preempted.get(),
            late: watch.late.get(),
            outstanding: watch.outstanding.get(),
            status,
        });
        Rc::into_inner(pair).unwrap().tear_down();
    }
    seen
}

fn far(pair: &Pair) -> Id {
    pair.far
}

fn far_address(pair: &Pair) -> Id {
    pair.far_address
}

#[track_caller]
fn holds(event: i32, cleaned: Pick) {
    let seen = at_each_point(&cause(event), cleaned, |_| None);
    assert!(
        seen.iter().all(|seen| !seen.late),
        "a handler of event {event} runs after a cleanup of its file"
    );
    assert!(seen.iter().any(|seen| seen.preempted), "no handler of event {event} was preempted");
}

#[test]
fn handler_in_progress_holds_cleanup_of_its_address() {
    for event in [
        TDI_EVENT_CONNECT,
        TDI_EVENT_DISCONNECT,
        TDI_EVENT_RECEIVE,
        TDI_EVENT_RECEIVE_EXPEDITED,
        TDI_EVENT_RECEIVE_DATAGRAM,
        TDI_EVENT_SEND_POSSIBLE,
        TDI_EVENT_ERROR,
        TDI_EVENT_ERROR_EX,
    ] {
        holds(event, far_address);
    }
}

#[test]
fn handler_in_progress_holds_cleanup_of_endpoint_whose_context_it_has() {
    for event in
        [TDI_EVENT_DISCONNECT, TDI_EVENT_RECEIVE, TDI_EVENT_RECEIVE_EXPEDITED, TDI_EVENT_SEND_POSSIBLE]
    {
        holds(event, far);
    }
}

#[test]
fn request_given_by_handler_during_cleanup_of_its_file_completes_before_that_returns() {
    let receive = Command::Receive { length: 4, flags: 0 };
    let datagram = Command::ReceiveDatagram { from: Source::Any, length: 4, flags: 0 };
    let all: [(i32, Pick, Command, usize); 3] = [
        // The cleanup of the endpoint may come, and return, before the transport knows for which one the client
        // accepts.
        (TDI_EVENT_CONNECT, far, Command::Accept, 1),
        (TDI_EVENT_RECEIVE, far, receive, 0),
        (TDI_EVENT_RECEIVE_DATAGRAM, far_address, datagram, 0),
    ];
    for (event, file, command, late) in all {
        let seen = at_each_point(&cause(event), file, |pair| Some((file(pair), command)));
        let outstanding = seen.iter().filter(|seen| seen.outstanding).count();
        assert!(outstanding <= late, "a request that was taken over is outstanding after a cleanup");
        let statuses: Vec<_> = seen.iter().filter_map(|seen| seen.status).collect();
        for status in &statuses {
            let tabled = [STATUS_SUCCESS, STATUS_CANCELLED, STATUS_FILE_CLOSED].contains(status);
            assert!(tabled, "event {event}: {status:#010X}");
        }
        assert!(statuses.contains(&STATUS_FILE_CLOSED), "no cleanup came before the request");
    }
}

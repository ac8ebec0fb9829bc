//! Datagrams between address objects.

use std::ffi::c_void;
use std::net::SocketAddr;

use sys::status::*;
use sys::tdi::{
    TDI_EVENT_ERROR, TDI_EVENT_RECEIVE_DATAGRAM, TDI_RECEIVE_COPY_LOOKAHEAD, TDI_RECEIVE_ENTIRE_MESSAGE,
    TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_NORMAL, TDI_RECEIVE_PEEK,
};
use sys::wdm::IRP;

use super::client::{Client, FAR, NEAR, done, failed};
use super::host::{Log, Outcome, Pending, give, pump, pump_once};
use crate::address::TransportAddresses;
use crate::datagram::MAX_UNDER_WAY;
use crate::ea::Opening;
use crate::{Adopted, Command, Id, MAX_DATAGRAM, Source, Transport};

/// A port that is named, on the near side.
const HERE: &str = "10.0.0.1:7000";

/// Two address objects, at `HERE` and at `FAR`.
struct Ends {
    client: Client,
    near: Id,
    far: Id,
}

impl Ends {
    fn new() -> Self {
        let client = Client::new();
        let (near, far) = (client.address(HERE).unwrap(), client.address(FAR).unwrap());
        Self { client, near, far }
    }

    fn send(&self, data: &[u8]) -> Pending {
        self.client.send_datagram(self.near, FAR, data)
    }

    fn receive(&self, length: usize) -> Pending {
        self.client.receive_datagram(self.far, Source::Anyone, length)
    }

    fn tear_down(self) {
        for file in [self.near, self.far] {
            self.client.close(file);
        }
        self.client.tear_down();
    }
}

/// What a receive has brought, and from whom.
#[track_caller]
fn brought(receive: &Pending) -> (Vec<u8>, SocketAddr) {
    let outcome = receive.outcome().expect("the receive is over");
    assert_eq!(outcome.status, STATUS_SUCCESS);
    (receive.data()[..outcome.information].to_vec(), receive.peer().expect("it says from whom"))
}

#[test]
fn a_datagram_arrives_whole_and_says_from_whom() {
    let ends = Ends::new();
    // Longer than what is contiguous in a test's buffer.
    let sizes = [0, 1, 2500, MAX_DATAGRAM];
    let receives = sizes.map(|_| ends.receive(MAX_DATAGRAM));
    for size in sizes {
        let data: Vec<u8> = (0..size).map(|i| (i % 249) as u8).collect();
        assert_eq!(ends.send(&data).outcome(), done(size));
    }
    pump();
    for (receive, size) in receives.iter().zip(sizes) {
        let (data, from) = brought(receive);
        assert_eq!((data.len(), from), (size, HERE.parse().unwrap()));
        assert!(data.iter().enumerate().all(|(i, byte)| *byte == (i % 249) as u8));
    }
    ends.tear_down();
}

#[test]
fn a_datagram_that_is_longer_than_the_buffer_is_cut() {
    let ends = Ends::new();
    let received = ends.receive(4);
    // A length of 0 is that of the buffer.
    let all = Command::ReceiveDatagram { from: Source::Anyone, length: 0, flags: TDI_RECEIVE_NORMAL };
    let next = ends.client.submit(ends.far, all, vec![0; 5]);
    ends.send(b"too long");
    ends.send(b"fits.");
    pump();
    let cut = Some(Outcome { status: STATUS_BUFFER_OVERFLOW, information: 4 });
    assert_eq!((received.outcome(), received.data()), (cut, b"too ".to_vec()));
    assert_eq!(brought(&next).0, b"fits.", "what was cut off is lost");
    ends.tear_down();
}

#[test]
fn a_receive_waits_for_the_source_that_it_names() {
    let ends = Ends::new();
    let other = ends.client.address(NEAR).unwrap();
    let from = |address: &str| Source::Address(address.parse().unwrap());
    let picky = ends.client.receive_datagram(ends.far, from(HERE), 9);
    let anyone = ends.receive(9);
    ends.client.send_datagram(other, FAR, b"other");
    pump();
    assert_eq!((picky.outcome(), brought(&anyone).0), (None, b"other".to_vec()));
    ends.send(b"here");
    pump();
    assert_eq!(brought(&picky), (b"here".to_vec(), HERE.parse().unwrap()));
    ends.client.close(other);
    ends.tear_down();
}

#[test]
fn a_peek_leaves_the_datagram_to_the_next() {
    let ends = Ends::new();
    let peek = Command::ReceiveDatagram { from: Source::Anyone, length: 3, flags: TDI_RECEIVE_PEEK };
    let peeked = ends.client.submit(ends.far, peek, vec![0; 3]);
    let received = ends.receive(9);
    ends.send(b"looked at");
    pump();
    let cut = Some(Outcome { status: STATUS_BUFFER_OVERFLOW, information: 3 });
    assert_eq!((peeked.outcome(), brought(&received).0), (cut, b"looked at".to_vec()));
    ends.tear_down();
}

#[test]
fn what_nobody_waits_for_is_lost_and_no_error() {
    let ends = Ends::new();
    assert_eq!(ends.send(b"lost").outcome(), done(4));
    assert_eq!(ends.client.send_datagram(ends.near, "10.0.0.2:9", b"nobody").outcome(), done(6));
    pump();
    let received = ends.receive(9);
    ends.send(b"found");
    pump();
    assert_eq!(brought(&received).0, b"found");
    ends.tear_down();
}

#[test]
fn sends_that_can_not_go_are_refused() {
    let ends = Ends::new();
    let refused = |to: Option<&str>, length, room, status| {
        let command = Command::SendDatagram { to: to.map(|to| to.parse().unwrap()), length };
        let sent = ends.client.submit(ends.near, command, vec![0; room]);
        assert_eq!(sent.outcome(), failed(status), "{to:?}");
    };
    refused(None, 1, 1, STATUS_INVALID_ADDRESS);
    refused(Some("[::1]:7"), 1, 1, STATUS_INVALID_ADDRESS);
    refused(Some("0.0.0.0:7"), 1, 1, STATUS_INVALID_ADDRESS);
    refused(Some("10.0.0.9:7"), 1, 1, STATUS_HOST_UNREACHABLE);
    refused(Some(FAR), 2, 1, STATUS_INVALID_PARAMETER);
    refused(Some(FAR), MAX_DATAGRAM + 1, MAX_DATAGRAM + 1, STATUS_INVALID_BUFFER_SIZE);
    let receive = |from, length, flags| {
        let command = Command::ReceiveDatagram { from, length, flags };
        ends.client.submit(ends.far, command, vec![0; 4]).outcome()
    };
    assert_eq!(receive(Source::Unknown, 4, 0), failed(STATUS_INVALID_ADDRESS));
    assert_eq!(receive(Source::Anyone, 5, 0), failed(STATUS_INVALID_PARAMETER));
    assert_eq!(receive(Source::Anyone, 4, TDI_RECEIVE_EXPEDITED), failed(STATUS_INVALID_PARAMETER));
    let control = ends.client.transport.create(&Opening::ControlChannel, false).unwrap();
    let endpoint = ends.client.endpoint(1);
    for file in [control, endpoint] {
        let wrong = failed(STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(ends.client.send_datagram(file, FAR, b"x").outcome(), wrong);
        assert_eq!(ends.client.receive_datagram(file, Source::Anyone, 1).outcome(), wrong);
        ends.client.close(file);
    }
    ends.tear_down();
}

#[test]
fn only_so_many_are_under_way() {
    let ends = Ends::new();
    for _ in 0..MAX_UNDER_WAY {
        assert_eq!(ends.send(b"x").outcome(), done(1));
    }
    assert_eq!(ends.send(b"x").outcome(), failed(STATUS_INSUFFICIENT_RESOURCES));
    pump();
    assert_eq!(ends.send(b"x").outcome(), done(1));
    ends.tear_down();
}

#[test]
fn every_address_object_that_the_destination_names_gets_it() {
    let client = Client::new();
    let near = client.address(HERE).unwrap();
    let all = ["0.0.0.0:4000", "0.0.0.0:4000"].map(|at| client.open_address(at, true).unwrap());
    let receives = all.map(|file| client.receive_datagram(file, Source::Anyone, 9));
    client.send_datagram(near, "10.0.0.2:4000", b"to all");
    pump();
    for receive in &receives {
        assert_eq!(brought(receive), (b"to all".to_vec(), HERE.parse().unwrap()));
    }
    // From a wildcard it comes from one of the host's addresses.
    let received = client.receive_datagram(near, Source::Anyone, 9);
    client.send_datagram(all[0], HERE, b"back");
    pump();
    let (data, from) = brought(&received);
    assert_eq!((&data[..], from.port()), (&b"back"[..], 4000));
    assert!(["10.0.0.1", "10.0.0.2"].contains(&from.ip().to_string().as_str()));
    for file in all.into_iter().chain([near]) {
        client.close(file);
    }
    client.tear_down();
}

#[test]
fn receives_that_wait_are_cancelled_and_end_with_their_file_in_order() {
    let ends = Ends::new();
    let waits = [0, 1, 2, 3].map(|_| ends.receive(9));
    waits[1].cancel(&ends.client.transport);
    pump();
    assert_eq!(waits[1].outcome(), failed(STATUS_CANCELLED));
    // This one's cancel routine runs inside the cleanup's wait at the earliest.
    waits[2].cancel(&ends.client.transport);
    ends.client.log.take();
    ends.client.transport.cleanup(ends.far);
    for wait in &waits {
        assert_eq!(wait.outcome(), failed(STATUS_CANCELLED), "a cleanup waits for all");
    }
    assert_eq!(ends.client.log.take(), [&waits[0], &waits[3], &waits[2]].map(|wait| wait.serial));
    ends.client.transport.close(ends.far);
    ends.client.close(ends.near);
    ends.client.tear_down();
}

#[test]
fn a_sender_may_go_before_its_datagram_has_arrived() {
    let ends = Ends::new();
    let received = ends.receive(9);
    ends.send(b"farewell");
    ends.client.close(ends.near);
    assert_eq!(brought(&received).0, b"farewell");
    ends.client.close(ends.far);
    ends.client.tear_down();
}

/// What a handler has seen, and what it does.
struct Seen {
    shown: Vec<(SocketAddr, u32, Vec<u8>)>,
    errors: Vec<NTSTATUS>,
    /// Bytes to take at the next call, with a receive for the rest.
    rest: Option<(u32, Log, Id, Pending)>,
    /// Answers each datagram by another one.
    answer: Option<(Transport<super::host::Host>, Id, Log)>,
}

unsafe extern "win64" fn datagram_handler(
    context: *mut c_void,
    source_length: i32,
    source: *const c_void,
    options_length: i32,
    options: *const c_void,
    flags: u32,
    indicated: u32,
    available: u32,
    taken: *mut u32,
    data: *const c_void,
    irp: *mut *mut IRP,
) -> NTSTATUS {
    assert!(options.is_null() && options_length == 0);
    assert_eq!(indicated, available);
    // SAFETY: the tests register it with this context.
    let seen = unsafe { &mut *context.cast::<Seen>() };
    // SAFETY: the transport passes an address of this length.
    let source = unsafe { std::slice::from_raw_parts(source.cast::<u8>(), source_length as usize) };
    // SAFETY: the transport shows so many bytes.
    let data = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), indicated as usize) };
    let from = TransportAddresses::parse(source).unwrap().next().unwrap();
    seen.shown.push((from, flags, data.to_vec()));
    if let Some((transport, file, log)) = &seen.answer {
        let (request, _) = log.request(99, data.to_vec(), 100);
        transport.submit(*file, Command::SendDatagram { to: Some(from), length: data.len() }, request);
    }
    let Some((take, log, file, pending)) = &mut seen.rest else {
        // SAFETY: the transport passes a place for it.
        unsafe { taken.write(indicated) };
        return STATUS_SUCCESS;
    };
    let (request, other) = log.request(88, vec![0; 4], 4);
    *pending = other;
    let command = Command::ReceiveDatagram { from: Source::Anyone, length: 4, flags: 0 };
    // SAFETY: the transport passes places for both.
    unsafe {
        taken.write(*take);
        irp.write(give(Adopted { request, file: Some(*file), command }));
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

unsafe extern "win64" fn error_handler(context: *mut c_void, status: NTSTATUS) -> NTSTATUS {
    // SAFETY: the tests register it with this context.
    unsafe { &mut *context.cast::<Seen>() }.errors.push(status);
    STATUS_SUCCESS
}

fn watch(client: &Client, file: Id) -> Box<Seen> {
    let mut seen = Box::new(Seen { shown: Vec::new(), errors: Vec::new(), rest: None, answer: None });
    let context = (&raw mut *seen).cast();
    for (event, handler) in [
        (TDI_EVENT_RECEIVE_DATAGRAM, datagram_handler as *const () as *mut c_void),
        (TDI_EVENT_ERROR, error_handler as *const () as *mut c_void),
    ] {
        assert_eq!(client.transport.set_event(file, event, handler, context), Ok(()));
    }
    seen
}

#[test]
fn a_handler_is_shown_what_no_receive_waits_for() {
    let ends = Ends::new();
    let seen = watch(&ends.client, ends.far);
    let waits = ends.receive(9);
    let picky = ends.client.receive_datagram(ends.far, Source::Address("10.0.0.9:1".parse().unwrap()), 9);
    ends.send(b"first");
    ends.send(b"second");
    pump();
    assert_eq!(brought(&waits).0, b"first");
    let flags = TDI_RECEIVE_NORMAL | TDI_RECEIVE_COPY_LOOKAHEAD | TDI_RECEIVE_ENTIRE_MESSAGE;
    assert_eq!(seen.shown, [(HERE.parse().unwrap(), flags, b"second".to_vec())]);
    assert_eq!(picky.outcome(), None);
    ends.tear_down();
    drop(seen);
}

#[test]
fn a_handler_takes_the_rest_by_a_receive_of_its_own() {
    for (file_of, outcome, data) in [
        (true, Some(Outcome { status: STATUS_BUFFER_OVERFLOW, information: 4 }), b"cdef"),
        (false, failed(STATUS_INVALID_ADDRESS), &[0; 4]),
    ] {
        let ends = Ends::new();
        let mut seen = watch(&ends.client, ends.far);
        let (unused, pending) = ends.client.log.request(0, Vec::new(), 1);
        crate::Request::complete(unused, STATUS_SUCCESS, 0);
        let file = if file_of { ends.far } else { ends.near };
        seen.rest = Some((2, ends.client.log.clone(), file, pending));
        ends.send(b"abcdefgh");
        pump();
        let (.., rest) = seen.rest.take().unwrap();
        assert_eq!((rest.outcome(), &rest.data()[..]), (outcome, &data[..]));
        ends.tear_down();
        drop(seen);
    }
}

#[test]
fn handlers_that_answer_each_other_run_one_after_the_other() {
    let ends = Ends::new();
    let (mut near, mut far) = (watch(&ends.client, ends.near), watch(&ends.client, ends.far));
    near.answer = Some((ends.client.transport.clone(), ends.near, ends.client.log.clone()));
    far.answer = Some((ends.client.transport.clone(), ends.far, ends.client.log.clone()));
    ends.send(b"ping");
    // The conversation has no end, and every deferred call has.
    assert!(pump_once() && pump_once());
    assert_eq!(near.shown.len() + far.shown.len(), 2 * MAX_UNDER_WAY);
    near.answer = None;
    pump();
    assert_eq!(near.shown.len(), far.shown.len());
    ends.tear_down();
    drop((near, far));
}

#[test]
fn no_handler_is_called_after_its_address_was_cleaned_up() {
    let ends = Ends::new();
    let seen = watch(&ends.client, ends.far);
    ends.send(b"late");
    ends.client.transport.cleanup(ends.far);
    pump();
    assert!(seen.shown.is_empty());
    ends.client.transport.close(ends.far);
    ends.client.close(ends.near);
    ends.client.tear_down();
    drop(seen);
}

#[test]
fn the_client_is_told_when_the_port_of_its_address_goes() {
    let mut ends = Ends::new();
    let (near, far) = (watch(&ends.client, ends.near), watch(&ends.client, ends.far));
    let waits = ends.receive(9);
    ends.client.remove_port(1);
    assert_eq!((&near.errors[..], &far.errors[..]), (&[][..], &[STATUS_ADDRESS_CLOSED][..]));
    assert_eq!(ends.send(b"x").outcome(), failed(STATUS_HOST_UNREACHABLE));
    assert_eq!(ends.client.send_datagram(ends.far, HERE, b"x").outcome(), failed(STATUS_INVALID_ADDRESS));
    assert_eq!(waits.outcome(), None, "it may come again");
    ends.tear_down();
    drop((near, far));
}

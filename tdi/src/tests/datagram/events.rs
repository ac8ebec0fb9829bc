//! Datagrams that a client's handlers are shown, and their answers.

use std::ffi::c_void;
use std::net::SocketAddr;

use provider::number::usize_from;
use sys::status::*;
use sys::tdi::{
    TDI_EVENT_ERROR, TDI_EVENT_ERROR_EX, TDI_EVENT_RECEIVE_DATAGRAM, TDI_RECEIVE_COPY_LOOKAHEAD,
    TDI_RECEIVE_ENTIRE_MESSAGE, TDI_RECEIVE_NORMAL,
};
use sys::wdm::IRP;

use super::super::client::{Client, FAR, failed};
use super::super::host::{Host, Log, Outcome, Pending, give};
use super::{Ends, HERE, brought};
use crate::address::{TransportAddress, TransportAddresses};
use crate::datagram::MAX_UNDER_WAY;
use crate::{Command, HandlerIrp, Id, Source, Transport};
use test_kernel::{pump, pump_once};

/// The calls of a handler, and its answer.
#[derive(Default)]
struct Seen {
    shown: Vec<(SocketAddr, u32, Vec<u8>)>,
    errors: Vec<NTSTATUS>,
    /// The addresses of extended errors.
    extended: Vec<SocketAddr>,
    /// Bytes to take at the next call, with a receive for the rest.
    rest: Option<(u32, Log, Id, Pending)>,
    /// Answers each datagram by another one.
    answer: Option<(Transport<Host>, Id, Log)>,
}

unsafe extern "efiapi" fn datagram_handler(
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
    let source =
        unsafe { std::slice::from_raw_parts(source.cast::<u8>(), usize::try_from(source_length).unwrap()) };
    // SAFETY: the transport shows so many bytes.
    let data = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), usize_from(indicated)) };
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
    let command = Command::ReceiveDatagram { from: Source::Any, length: 4, flags: 0 };
    // SAFETY: the transport passes places for both.
    unsafe {
        taken.write(*take);
        irp.write(give(HandlerIrp { request, file: Some(*file), command }));
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

unsafe extern "efiapi" fn error_handler(context: *mut c_void, status: NTSTATUS) -> NTSTATUS {
    // SAFETY: the tests register it with this context.
    unsafe { &mut *context.cast::<Seen>() }.errors.push(status);
    STATUS_SUCCESS
}

/// An extended error has the address besides.
unsafe extern "efiapi" fn extended_handler(
    context: *mut c_void,
    status: NTSTATUS,
    buffer: *mut c_void,
) -> NTSTATUS {
    assert_eq!(status, STATUS_ADDRESS_CLOSED);
    let length = TransportAddress::new(FAR.parse().unwrap()).bytes().len();
    // SAFETY: the transport passes an address of the family of its own.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) };
    let address = TransportAddresses::parse(bytes).and_then(|mut all| all.next());
    // SAFETY: the tests register it with this context.
    unsafe { &mut *context.cast::<Seen>() }.extended.extend(address);
    STATUS_SUCCESS
}

fn watch(client: &Client, file: Id) -> Box<Seen> {
    let mut seen = Box::new(Seen::default());
    let context = (&raw mut *seen).cast();
    for (event, handler) in [
        (TDI_EVENT_RECEIVE_DATAGRAM, code_address!(datagram_handler).cast_mut().cast()),
        (TDI_EVENT_ERROR, code_address!(error_handler).cast_mut().cast()),
        (TDI_EVENT_ERROR_EX, code_address!(extended_handler).cast_mut().cast()),
    ] {
        assert_eq!(client.transport.set_event(file, event, handler, context), Ok(()));
    }
    seen
}

#[test]
fn handler_is_shown_what_no_receive_waits_for() {
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
fn handler_takes_the_rest_by_a_receive_of_its_own() {
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
    // The conversation has no end, and every DPC has.
    assert!(pump_once() && pump_once());
    assert_eq!(near.shown.len() + far.shown.len(), 2 * MAX_UNDER_WAY);
    near.answer = None;
    pump();
    assert_eq!(near.shown.len(), far.shown.len());
    ends.tear_down();
    drop((near, far));
}

#[test]
fn handler_is_not_called_after_the_cleanup_of_its_address() {
    let ends = Ends::new();
    let seen = watch(&ends.client, ends.far);
    ends.send(b"late");
    ends.client.transport.cleanup(ends.far, test_kernel::passive());
    pump();
    assert!(seen.shown.is_empty());
    ends.client.transport.close(ends.far);
    ends.client.close(ends.near);
    ends.client.tear_down();
    drop(seen);
}

#[test]
fn removal_of_an_addresses_rnic_calls_the_error_handler() {
    let mut ends = Ends::new();
    let (near, far) = (watch(&ends.client, ends.near), watch(&ends.client, ends.far));
    let waits = ends.receive(9);
    ends.client.remove_rnic(1);
    assert_eq!((&near.errors[..], &far.errors[..]), (&[][..], &[STATUS_ADDRESS_CLOSED][..]));
    assert_eq!((&near.extended[..], &far.extended[..]), (&[][..], &[FAR.parse().unwrap()][..]));
    assert_eq!(ends.send(b"x").outcome(), failed(STATUS_HOST_UNREACHABLE));
    assert_eq!(ends.client.send_datagram(ends.far, HERE, b"x").outcome(), failed(STATUS_ADDRESS_CLOSED));
    assert_eq!(waits.outcome(), failed(STATUS_ADDRESS_CLOSED));
    ends.tear_down();
    drop((near, far));
}

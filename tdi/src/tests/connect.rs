//! Opening, associating, connecting.

use std::ffi::c_void;
use std::ptr::null_mut;

use sys::status::*;
use sys::tdi::{TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE, TDI_EVENT_CONNECT};
use test_kernel::pump;

use super::client::{Client, FAR, NEAR, Pair, done, failed};
use super::host::{Log, give, pass};
use crate::ea::Opening;
use crate::{Command, HandlerIrp, Id};

#[test]
fn connect_meets_a_listen_and_each_learns_of_the_other() {
    let pair = Pair::new();
    let (listen, connect) = (pair.client.listen(pair.far), pair.client.connect(pair.near, FAR));
    assert_eq!((listen.outcome(), connect.outcome()), (None, None));
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    assert_eq!(connect.peer(), Some(FAR.parse().unwrap()));
    let near = pair.client.transport.lock().address(pair.near_address).unwrap().local();
    assert_eq!(listen.peer(), Some(near));
    pair.tear_down();
}

#[test]
fn time_limit_of_a_connect_that_fails_at_once_ends_nothing_that_comes_later() {
    let pair = Pair::new();
    let to = Some("10.0.0.9:139".parse().unwrap());
    let nowhere = pair.client.submit(pair.far, Command::Connect { to, limit: Some(50) }, Vec::new());
    pump();
    assert_eq!(nowhere.outcome(), failed(STATUS_REMOTE_NOT_LISTENING));
    let listen = pair.client.listen(pair.far);
    pass(100);
    pair.client.transport.tick();
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    pair.tear_down();
}

#[test]
fn listens_are_served_in_their_order() {
    let pair = Pair::new();
    let listens: Vec<_> = (0..3)
        .map(|_| {
            let endpoint = pair.client.associated(pair.far_address);
            (endpoint, pair.client.listen(endpoint))
        })
        .collect();
    for served in 1..=3 {
        let near = pair.client.associated(pair.near_address);
        let connect = pair.client.connect(near, FAR);
        pump();
        assert_eq!(connect.outcome(), done(0));
        let done_now = listens.iter().take_while(|(_, listen)| listen.outcome().is_some()).count();
        assert_eq!(done_now, served);
        pair.client.close(near);
    }
    for (endpoint, _) in listens {
        pair.client.close(endpoint);
    }
    pair.tear_down();
}

#[test]
fn connect_without_a_listener_fails_and_can_be_retried() {
    let pair = Pair::new();
    for (to, status) in [
        (FAR, STATUS_REMOTE_NOT_LISTENING),
        ("10.0.0.2:140", STATUS_REMOTE_NOT_LISTENING),
        // Another machine's.
        ("10.0.0.9:139", STATUS_REMOTE_NOT_LISTENING),
        ("nowhere", STATUS_INVALID_ADDRESS_COMPONENT),
    ] {
        let connect = pair.client.connect(pair.near, to);
        pump();
        assert_eq!(connect.outcome(), failed(status), "{to}");
    }
    pair.establish();
    pair.tear_down();
}

#[test]
fn connect_in_completion_routine_of_failed_one_finds_endpoint_idle() {
    for to in ["10.0.0.2:140", "10.0.0.9:139"] {
        let pair = Pair::new();
        let listen = pair.client.listen(pair.far);
        let (transport, near) = (pair.client.transport.clone(), pair.near);
        let (again, second) = pair.client.record(Vec::new());
        let (first, failed) = pair.client.record(Vec::new());
        failed.when_complete(move || {
            let to = FAR.parse().ok();
            transport.submit(near, Command::Connect { to, limit: None }, again);
        });
        pair.client.transport.submit(near, Command::Connect { to: to.parse().ok(), limit: None }, first);
        pump();
        assert!(failed.outcome().is_some_and(|outcome| outcome.status < 0));
        assert_eq!((listen.outcome(), second.outcome()), (done(0), done(0)), "{to}");
        pair.tear_down();
    }
}

#[test]
fn endpoint_can_be_parted_from_address_in_completion_routine_of_abort() {
    let pair = Pair::connected();
    let (transport, near) = (pair.client.transport.clone(), pair.near);
    let (abort, pending) = pair.client.record(Vec::new());
    pending.when_complete(move || assert_eq!(transport.disassociate(near), Ok(())));
    pair.client.transport.submit(near, Command::Disconnect { flags: 0, limit: None }, abort);
    pump();
    assert_eq!(pending.outcome(), done(0));
    assert_eq!(pair.client.transport.associate(near, pair.near_address), Ok(()));
    pair.tear_down();
}

#[test]
fn connect_in_completion_routine_of_cancelled_one_finds_endpoint_idle() {
    let pair = Pair::new();
    pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let (transport, near) = (pair.client.transport.clone(), pair.near);
    let (again, second) = pair.client.record(Vec::new());
    let connect = pair.client.connect(near, FAR);
    pump();
    connect.when_complete(move || {
        transport.submit(near, Command::Connect { to: FAR.parse().ok(), limit: None }, again);
    });
    connect.cancel(&pair.client.transport);
    pump();
    assert_eq!(connect.outcome(), failed(STATUS_CANCELLED));
    let status = second.outcome().map(|outcome| outcome.status);
    assert_eq!(
        status,
        Some(STATUS_REMOTE_NOT_LISTENING),
        "the far end still holds the first connect request"
    );
    pair.tear_down();
}

#[test]
fn query_accept_listen_completes_on_a_connect_request_and_accept_connects() {
    let pair = Pair::new();
    let accept = pair.client.submit(pair.far, Command::Accept, Vec::new());
    assert_eq!(accept.outcome(), failed(STATUS_INVALID_CONNECTION));
    let listen = pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), None));
    let accept = pair.client.submit(pair.far, Command::Accept, Vec::new());
    pump();
    assert_eq!((accept.outcome(), connect.outcome()), (done(0), done(0)));
    pair.tear_down();
}

#[test]
fn connect_request_not_accepted_in_a_second_is_refused() {
    let pair = Pair::new();
    let listen = pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!(listen.outcome(), done(0));
    pass(9_999_999);
    pair.client.transport.tick();
    pump();
    assert_eq!(connect.outcome(), None);
    pass(1);
    pair.client.transport.tick();
    pump();
    assert_eq!(connect.outcome(), failed(STATUS_REMOTE_NOT_LISTENING));
    let accept = pair.client.submit(pair.far, Command::Accept, Vec::new());
    assert_eq!(accept.outcome(), failed(STATUS_INVALID_CONNECTION));
    pair.tear_down();
}

#[test]
fn connect_request_is_refused_by_a_disconnect() {
    for flags in [0, TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE] {
        let pair = Pair::new();
        pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
        let connect = pair.client.connect(pair.near, FAR);
        pump();
        let disconnect = pair.client.disconnect(pair.far, flags);
        pump();
        assert_eq!(disconnect.outcome(), done(0));
        assert_eq!(connect.outcome(), failed(STATUS_REMOTE_NOT_LISTENING));
        pair.tear_down();
    }
}

#[test]
fn connect_that_takes_too_long_times_out() {
    let pair = Pair::new();
    pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let to = Some(FAR.parse().unwrap());
    let connect = pair.client.submit(pair.near, Command::Connect { to, limit: Some(50) }, Vec::new());
    pump();
    pass(50);
    pair.client.transport.tick();
    pump();
    assert_eq!(connect.outcome(), failed(STATUS_IO_TIMEOUT));
    pair.tear_down();
}

#[test]
fn pending_connect_or_listen_is_ended_by_abort_and_by_cancel() {
    let pair = Pair::new();
    let listen = pair.client.listen(pair.far);
    let abort = pair.client.disconnect(pair.far, 0);
    pump();
    assert_eq!((listen.outcome(), abort.outcome()), (failed(STATUS_CONNECTION_ABORTED), done(0)));
    let listen = pair.client.listen(pair.far);
    listen.cancel(&pair.client.transport);
    pump();
    assert_eq!(listen.outcome(), failed(STATUS_CANCELLED));
    pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    connect.cancel(&pair.client.transport);
    pump();
    assert_eq!(connect.outcome(), failed(STATUS_CANCELLED));
    // The connect request's peer has gone, so it can't be accepted any more.
    let accept = pair.client.submit(pair.far, Command::Accept, Vec::new());
    pump();
    assert_eq!(accept.outcome().unwrap().status, STATUS_CONNECTION_ABORTED);
    pair.establish();
    pair.tear_down();
}

#[test]
fn request_that_was_cancelled_before_it_waits_completes_as_cancelled() {
    let pair = Pair::connected();
    let (record, pending) = pair.client.log.request(99, vec![0; 4], 4);
    pending.cancel(&pair.client.transport);
    pair.client.transport.submit(pair.near, Command::Receive { length: 4, flags: 0 }, record);
    assert_eq!(pending.outcome(), failed(STATUS_CANCELLED));
    pair.tear_down();
}

#[test]
fn endpoint_is_associated_with_one_address_at_a_time() {
    let pair = Pair::new();
    let transport = &pair.client.transport;
    assert_eq!(transport.associate(pair.near, pair.far_address), Err(STATUS_INVALID_CONNECTION));
    assert_eq!(transport.disassociate(pair.near), Ok(()));
    assert_eq!(transport.disassociate(pair.near), Err(STATUS_INVALID_CONNECTION));
    let connect = pair.client.connect(pair.near, FAR);
    assert_eq!(connect.outcome(), failed(STATUS_INVALID_CONNECTION));
    assert_eq!(transport.associate(pair.near, pair.far), Err(STATUS_INVALID_HANDLE));
    assert_eq!(transport.associate(pair.near_address, pair.far_address), Err(STATUS_INVALID_DEVICE_REQUEST));
    assert_eq!(transport.associate(pair.near, pair.near_address), Ok(()));
    pair.establish();
    assert_eq!(transport.disassociate(pair.near), Err(STATUS_INVALID_CONNECTION));
    assert_eq!(transport.associate(pair.near, pair.near_address), Err(STATUS_CONNECTION_ACTIVE));
    pair.tear_down();
}

#[test]
fn connection_is_made_once_at_a_time() {
    let pair = Pair::connected();
    for again in [pair.client.connect(pair.near, FAR), pair.client.listen(pair.near)] {
        assert_eq!(again.outcome(), failed(STATUS_INVALID_CONNECTION));
    }
    pair.tear_down();
}

#[test]
fn exclusive_address_is_open_once_and_a_shared_one_as_often_as_wanted() {
    let client = Client::new();
    let alone = client.address(FAR).unwrap();
    for shared in [false, true] {
        assert_eq!(client.open_address(FAR, shared), Err(STATUS_SHARING_VIOLATION));
    }
    client.close(alone);
    let all: Vec<_> = (0..3).map(|_| client.open_address(FAR, true).unwrap()).collect();
    assert_eq!(client.address(FAR), Err(STATUS_SHARING_VIOLATION));
    // The first one's listener serves the others, also after it has gone.
    client.close(all[0]);
    let near = client.address(NEAR).unwrap();
    let (active, passive) = (client.associated(near), client.associated(all[2]));
    let (listen, connect) = (client.listen(passive), client.connect(active, FAR));
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    for file in [active, passive, near, all[1], all[2]] {
        client.close(file);
    }
    client.tear_down();
}

#[test]
fn address_that_is_not_local_or_none_is_refused_and_the_first_local_one_is_taken() {
    let client = Client::new();
    assert_eq!(client.address("10.0.0.3:7"), Err(STATUS_INVALID_ADDRESS));
    assert_eq!(client.address("[::]:7"), Err(STATUS_INVALID_ADDRESS));
    for list in [&[][..], &[1, 0, 0, 0], &[0xFF; 40]] {
        let refused = client.transport.create(&Opening::Address(list), None, test_kernel::passive());
        assert_eq!(refused, Err(STATUS_INVALID_PARAMETER));
    }
    let mut list = vec![2, 0, 0, 0];
    for address in ["10.0.0.3:7", "10.0.0.1:8"] {
        list.extend(&crate::address::TransportAddress::new(address.parse().unwrap()).bytes()[4..]);
    }
    let second = client.transport.create(&Opening::Address(&list), None, test_kernel::passive()).unwrap();
    assert_eq!(client.transport.lock().address(second).unwrap().local(), "10.0.0.1:8".parse().unwrap());
    client.close(second);
    client.tear_down();
}

#[test]
fn wildcard_takes_connections_at_every_address_of_its_family() {
    let client = Client::new();
    let any = client.address("0.0.0.0:139").unwrap();
    for taken in ["10.0.0.1:139", FAR, "0.0.0.0:139"] {
        assert_eq!(client.address(taken), Err(STATUS_SHARING_VIOLATION));
    }
    let near = client.address(NEAR).unwrap();
    let connections = ["10.0.0.1:139", FAR].map(|at| {
        let (active, passive) = (client.associated(near), client.associated(any));
        let (listen, connect) = (client.listen(passive), client.connect(active, at));
        pump();
        assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
        [active, passive]
    });
    connections.into_iter().flatten().chain([near, any]).for_each(|file| client.close(file));
    pump();
    let again = [FAR, "10.0.0.1:139"].map(|at| client.address(at).unwrap());
    again.into_iter().for_each(|file| client.close(file));
    client.tear_down();
}

#[test]
fn connection_may_come_from_a_wildcard() {
    let client = Client::new();
    let (any, far) = (client.address("0.0.0.0:0").unwrap(), client.address(FAR).unwrap());
    let (active, passive) = (client.associated(any), client.associated(far));
    let (listen, connect) = (client.listen(passive), client.connect(active, FAR));
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    assert_eq!(listen.peer().map(|peer| peer.ip()), Some([10, 0, 0, 1].into()));
    [active, passive, any, far].into_iter().for_each(|file| client.close(file));
    client.tear_down();
}

/// The answer of a test's connect handler.
struct Acceptor {
    log: Log,
    file: Option<Id>,
    command: Command,
}

unsafe extern "efiapi" fn connect_handler(
    context: *mut c_void,
    length: i32,
    address: *const c_void,
    _: i32,
    _: *const c_void,
    _: i32,
    _: *const c_void,
    connection: *mut *mut c_void,
    irp: *mut *mut sys::wdm::IRP,
) -> NTSTATUS {
    // SAFETY: the tests register it with this context.
    let acceptor = unsafe { &*context.cast::<Acceptor>() };
    // SAFETY: the transport passes so many bytes.
    let address =
        unsafe { std::slice::from_raw_parts(address.cast::<u8>(), usize::try_from(length).unwrap()) };
    assert!(crate::address::TransportAddresses::parse(address).unwrap().next().is_some());
    let Some(file) = acceptor.file else { return STATUS_CONNECTION_REFUSED };
    let (request, pending) = acceptor.log.request(77, Vec::new(), 1);
    drop(pending);
    // SAFETY: the transport passes places for both.
    unsafe {
        connection.write(std::ptr::without_provenance_mut(0xC0));
        irp.write(give(HandlerIrp { request, file: Some(file), command: acceptor.command }));
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

fn asked(pair: &Pair, file: Option<Id>, command: Command) -> Box<Acceptor> {
    let acceptor = Box::new(Acceptor { log: pair.client.log.clone(), file, command });
    let context = (&raw const *acceptor).cast_mut().cast();
    let handler = code_address!(connect_handler).cast_mut().cast();
    let set = pair.client.transport.set_event(pair.far_address, TDI_EVENT_CONNECT, handler, context);
    assert_eq!(set, Ok(()));
    acceptor
}

#[test]
fn client_accepts_from_its_connect_handler() {
    let pair = Pair::new();
    let acceptor = asked(&pair, Some(pair.far), Command::Accept);
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!(connect.outcome(), done(0));
    assert_eq!(pair.client.log.take(), [0, 77]);
    let received = pair.client.receive(pair.far, 5);
    pair.client.send(pair.near, b"hello");
    pump();
    assert_eq!((received.outcome(), &received.data()[..]), (done(5), &b"hello"[..]));
    pair.tear_down();
    drop(acceptor);
}

#[test]
fn pending_listen_goes_before_the_connect_handler() {
    let pair = Pair::new();
    let acceptor = asked(&pair, None, Command::Accept);
    let refused = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!(refused.outcome(), failed(STATUS_REMOTE_NOT_LISTENING));
    pair.establish();
    pair.tear_down();
    drop(acceptor);
}

#[test]
fn handler_can_accept_only_for_an_idle_endpoint_of_its_address() {
    let pair = Pair::new();
    for (file, command) in [
        (pair.near, Command::Accept),
        (pair.far_address, Command::Accept),
        (pair.far, Command::Listen { query: false }),
    ] {
        let acceptor = asked(&pair, Some(file), command);
        let connect = pair.client.connect(pair.near, FAR);
        pump();
        assert_eq!(connect.outcome(), failed(STATUS_REMOTE_NOT_LISTENING));
        drop(acceptor);
    }
    let unset = pair.client.transport.set_event(pair.far_address, TDI_EVENT_CONNECT, null_mut(), null_mut());
    assert_eq!(unset, Ok(()));
    pair.tear_down();
}

#[test]
fn listen_sent_while_drive_loop_works_is_offered_connection() {
    let pair = Pair::new();
    let first = pair.client.listen(pair.far);
    let pair = std::rc::Rc::new(pair);
    let both = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let (inside, results) = (std::rc::Rc::clone(&pair), std::rc::Rc::clone(&both));
    first.when_complete(move || {
        // The drive loop of the endpoint is below this routine, and has not seen the listen when the connect
        // request comes.
        let listen = inside.client.listen(inside.far);
        let connect = inside.client.connect(inside.near, FAR);
        pump();
        results.borrow_mut().extend([listen, connect]);
    });
    first.cancel(&pair.client.transport);
    pump();
    assert_eq!(first.outcome(), failed(STATUS_CANCELLED));
    let outcomes: Vec<_> = both.take().iter().map(|request| request.outcome()).collect();
    assert_eq!(outcomes, [done(0), done(0)]);
    std::rc::Rc::into_inner(pair).unwrap().tear_down();
}

#[test]
fn requests_for_new_connection_wait_while_last_one_ends() {
    let pair = Pair::connected();
    let address = pair.client.address("10.0.0.2:140").unwrap();
    let other = pair.client.associated(address);
    let aborts = [pair.near, pair.far].map(|end| pair.client.disconnect(end, 0));
    // The client learns by this that there is no connection any more.
    assert_eq!(pair.client.receive(pair.far, 1).outcome(), failed(STATUS_INVALID_CONNECTION));
    let elsewhere = pair.client.listen(other);
    let listen = pair.client.listen(pair.far);
    let connect = pair.client.connect(pair.near, "10.0.0.2:140");
    assert_eq!((listen.outcome(), connect.outcome()), (None, None));
    pump();
    assert_eq!(aborts.map(|abort| abort.outcome()), [done(0); 2]);
    assert_eq!((elsewhere.outcome(), connect.outcome()), (done(0), done(0)));
    assert_eq!(listen.outcome(), None);
    // What waits so is cancelled by a cleanup, and an abort ends it.
    let abort = pair.client.disconnect(pair.near, 0);
    let again = pair.client.connect(pair.near, FAR);
    let ends = pair.client.disconnect(pair.near, 0);
    pump();
    assert_eq!((abort.outcome(), ends.outcome()), (done(0), done(0)));
    assert_eq!(again.outcome(), failed(STATUS_CONNECTION_ABORTED));
    let (abort, held) = (pair.client.disconnect(other, 0), pair.client.listen(other));
    pair.client.close(other);
    assert!(abort.outcome().is_some());
    assert_eq!(held.outcome(), failed(STATUS_CANCELLED));
    pair.client.close(address);
    pair.tear_down();
}

#[test]
fn listen_that_waits_for_last_connection_to_end_counts_for_connects() {
    let pair = Pair::connected();
    let aborts = [pair.near, pair.far].map(|end| pair.client.disconnect(end, 0));
    let listen = pair.client.listen(pair.far);
    let spare = pair.client.associated(pair.near_address);
    let connect = pair.client.connect(spare, FAR);
    pump();
    assert_eq!(aborts.map(|abort| abort.outcome()), [done(0); 2]);
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    pair.client.close(spare);
    pair.tear_down();
}

#[test]
fn accept_cancelled_before_it_was_seen_drops_the_connect_request_of_a_removed_adapter() {
    let pair = Pair::new();
    let listen = pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!(listen.outcome(), done(0));
    let (record, accept) = pair.client.record(Vec::new());
    accept.cancel(&pair.client.transport);
    // The adapter goes while the endpoint has a drive loop, which then finds the accept first.
    pair.client.transport.lock().endpoint(pair.far).unwrap().driving = true;
    pair.client.take_address(1);
    pair.client.transport.submit(pair.far, Command::Accept, record);
    pair.client.transport.lock().endpoint(pair.far).unwrap().driving = false;
    pair.client.transport.drive(pair.far);
    pump();
    assert_eq!(accept.outcome(), failed(STATUS_CANCELLED));
    assert_eq!(connect.outcome(), failed(STATUS_REMOTE_NOT_LISTENING));
    // The address object is gone; another one has nothing to do with that.
    pair.client.return_address(1);
    assert_eq!(pair.client.transport.disassociate(pair.far), Ok(()));
    let other = pair.client.address("10.0.0.2:140").unwrap();
    assert_eq!(pair.client.transport.associate(pair.far, other), Ok(()));
    let (listen, connect) = (pair.client.listen(pair.far), pair.client.connect(pair.near, "10.0.0.2:140"));
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    pair.client.close(other);
    pair.tear_down();
}

#[test]
fn accept_cancelled_before_it_arrives_refuses_its_connect_request_without_the_lock() {
    let pair = Pair::new();
    let listen = pair.client.submit(pair.far, Command::Listen { query: true }, Vec::new());
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!(listen.outcome(), done(0));
    let (record, accept) = pair.client.record(Vec::new());
    accept.cancel(&pair.client.transport);
    let inner = super::host::locks_under_lock_of(&pair.client.transport, || {
        pair.client.transport.submit(pair.far, Command::Accept, record);
    });
    assert_eq!(inner, 0, "something is called out with the lock held");
    pump();
    assert_eq!(accept.outcome(), failed(STATUS_CANCELLED));
    assert_eq!(connect.outcome(), failed(STATUS_REMOTE_NOT_LISTENING));
    pair.tear_down();
}

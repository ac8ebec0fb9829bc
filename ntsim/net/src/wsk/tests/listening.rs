//! Listening sockets: inspection, acceptance, addresses.

use sys::status::*;
use sys::wsk::*;

use super::fixture::*;

const AT: &str = "127.0.0.2:0";

/// A listener in conditional accept mode.
pub(super) fn conditional(
    fixture: &Fixture,
    owner: &std::sync::Arc<Owner>,
) -> (Listener, core::net::SocketAddr) {
    let at = AT.parse().unwrap();
    let listener = fixture.listener(owner, at);
    assert_eq!(set(listener.socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1), STATUS_SUCCESS);
    assert_eq!(bind(listener.socket, at), STATUS_SUCCESS);
    assert_eq!(enable(listener.socket, WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE), STATUS_SUCCESS);
    let at = local(listener.socket);
    (listener, at)
}

#[test]
fn rejected_inspection_refuses_the_connection() {
    let fixture = Fixture::new();
    let owner = Owner::new();
    let (listener, to) = conditional(&fixture, &owner);
    *listener.owner.inspect.lock() = WSK_INSPECT_ACTION::WskInspectReject;
    let refused = fixture.connect(&owner, AT.parse().unwrap(), to);
    assert_eq!(refused, Err(STATUS_CONNECTION_REFUSED));
    assert_eq!(close(listener.socket), STATUS_SUCCESS);
    assert!(fixture.rules().is_empty());
}

#[test]
fn pended_inspection_is_completed_later() {
    let fixture = Fixture::new();
    let owner = Owner::new();
    let (listener, to) = conditional(&fixture, &owner);
    *owner.inspect.lock() = WSK_INSPECT_ACTION::WskInspectPend;
    let socket = fixture.connection(&owner, to);
    assert_eq!(bind(socket, AT.parse().unwrap()), STATUS_SUCCESS);
    let to = crate::wsk::address::native(to);
    let remote = (&raw const to).cast();
    let connect =
        Pending::start(|irp| unsafe { functions(socket).WskConnect.unwrap()(socket, remote, 0, irp) });
    owner.until(|owner| !owner.inspected.lock().is_empty());
    assert!(!connect.is_done());
    let id = owner.inspected.lock()[0];
    assert_eq!(decide(listener.socket, id, WSK_INSPECT_ACTION::WskInspectAccept), STATUS_SUCCESS);
    assert_eq!(connect.wait().0, STATUS_SUCCESS);
    let there = owner.accepted();
    for socket in [socket, there, listener.socket] {
        assert_eq!(close(socket), STATUS_SUCCESS);
    }
    assert!(fixture.rules().is_empty());
}

#[test]
fn peer_that_gives_up_during_an_inspection_aborts_it() {
    let fixture = Fixture::new();
    let owner = Owner::new();
    let (listener, to) = conditional(&fixture, &owner);
    *owner.inspect.lock() = WSK_INSPECT_ACTION::WskInspectPend;
    let socket = fixture.connection(&owner, to);
    assert_eq!(bind(socket, AT.parse().unwrap()), STATUS_SUCCESS);
    let to = crate::wsk::address::native(to);
    let remote = (&raw const to).cast();
    let connect =
        Pending::start(|irp| unsafe { functions(socket).WskConnect.unwrap()(socket, remote, 0, irp) });
    owner.until(|owner| !owner.inspected.lock().is_empty());
    assert_eq!(close(socket), STATUS_SUCCESS);
    assert_eq!(connect.wait().0, STATUS_CANCELLED);
    owner.until(|owner| !owner.aborted.lock().is_empty());
    let id = owner.inspected.lock()[0];
    assert_eq!(*owner.aborted.lock(), [id.1]);
    assert_eq!(decide(listener.socket, id, WSK_INSPECT_ACTION::WskInspectAccept), STATUS_SUCCESS);
    assert_eq!(close(listener.socket), STATUS_SUCCESS);
    assert!(fixture.rules().is_empty());
}

#[test]
fn connection_that_the_event_refuses_is_reset() {
    let fixture = Fixture::new();
    let (owner, own) = (Owner::new(), Owner::new());
    let (listener, to) = fixture.listening(&owner, AT.parse().unwrap());
    *owner.accept.lock() = STATUS_REQUEST_NOT_ACCEPTED;
    let socket = fixture.connect(&own, AT.parse().unwrap(), to).unwrap();
    match enable(socket, WSK_EVENT_DISCONNECT) {
        STATUS_SUCCESS => own.until(|own| *own.ends.lock() == [WSK_FLAG_ABORTIVE]),
        // The reset came first.
        status => assert_eq!(status, STATUS_FILE_FORCED_CLOSED),
    }
    assert_eq!((close(socket), close(listener.socket)), (STATUS_SUCCESS, STATUS_SUCCESS));
    assert!(fixture.rules().is_empty());
}

#[test]
fn accept_request_takes_precedence_and_inherits_no_events() {
    let fixture = Fixture::new();
    let (owner, own) = (Owner::new(), Owner::new());
    let (listener, to) = fixture.listening(&owner, AT.parse().unwrap());
    let socket = listener.socket;
    let table = unsafe { &*(*socket).Dispatch.cast::<WSK_PROVIDER_LISTEN_DISPATCH>() };
    let none = core::ptr::null_mut();
    let accept = Pending::start(|irp| unsafe {
        table.WskAccept.unwrap()(socket, 0, none, core::ptr::null(), none.cast(), none.cast(), irp)
    });
    let here = fixture.connect(&own, AT.parse().unwrap(), to).unwrap();
    let (status, there) = accept.wait();
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(send(here, b"bytes"), (STATUS_SUCCESS, 5));
    let there = there as *mut WSK_SOCKET;
    let room = Buffer::new(vec![0; 5]);
    assert_eq!(start_receive(there, room.all(), 0).wait(), (STATUS_SUCCESS, 5));
    drop(room);
    for socket in [here, there, socket] {
        assert_eq!(close(socket), STATUS_SUCCESS);
    }
    assert!(fixture.rules().is_empty());
}

#[test]
fn address_is_for_one_socket_unless_all_agree_to_share_it() {
    let fixture = Fixture::new();
    let owner = Owner::new();
    let (listener, to) = fixture.listening(&owner, AT.parse().unwrap());
    let other = fixture.listener(&owner, to);
    assert_eq!(bind(other.socket, to), STATUS_ADDRESS_ALREADY_EXISTS);
    let shared = "127.0.0.3:700".parse().unwrap();
    let sockets: Vec<_> = (0..3).map(|_| fixture.connection(&owner, shared)).collect();
    assert_eq!(set(sockets[0], SOL_SOCKET, SO_REUSEADDR, 1), STATUS_SUCCESS);
    assert_eq!(set(sockets[1], SOL_SOCKET, SO_REUSEADDR, 1), STATUS_SUCCESS);
    assert_eq!(set(sockets[1], SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1), STATUS_INVALID_PARAMETER);
    let bound: Vec<_> = sockets.iter().map(|&socket| bind(socket, shared)).collect();
    assert_eq!(bound, [STATUS_SUCCESS, STATUS_SUCCESS, STATUS_ADDRESS_ALREADY_EXISTS]);
    for socket in sockets.into_iter().chain([other.socket, listener.socket]) {
        assert_eq!(close(socket), STATUS_SUCCESS);
    }
    assert!(fixture.rules().is_empty());
}

#[test]
fn exclusive_address_stays_taken_while_a_connection_has_it() {
    let fixture = Fixture::new();
    let (owner, own) = (Owner::new(), Owner::new());
    let at = "127.0.0.2:445".parse().unwrap();
    let listener = fixture.listener(&owner, at);
    assert_eq!(set(listener.socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1), STATUS_SUCCESS);
    assert_eq!(bind(listener.socket, at), STATUS_SUCCESS);
    assert_eq!(enable(listener.socket, WSK_EVENT_ACCEPT), STATUS_SUCCESS);
    let here = fixture.connect(&own, AT.parse().unwrap(), at).unwrap();
    let there = owner.accepted();
    assert_eq!(close(listener.socket), STATUS_SUCCESS);
    let second = fixture.listener(&owner, at);
    assert_eq!(bind(second.socket, at), STATUS_ADDRESS_ALREADY_EXISTS);
    assert_eq!((close(here), close(there)), (STATUS_SUCCESS, STATUS_SUCCESS));
    assert_eq!(bind(second.socket, at), STATUS_SUCCESS);
    assert_eq!(close(second.socket), STATUS_SUCCESS);
    assert!(fixture.rules().is_empty());
}

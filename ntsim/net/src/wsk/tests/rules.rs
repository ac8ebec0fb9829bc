//! Mistakes of drivers with sockets.

use core::ptr;

use nt::io::{IoAllocateIrp, IoFreeIrp, IoReuseIrp};
use sys::status::*;
use sys::wsk::*;

use super::connection::{PLACES, Pair};
use super::fixture::*;
use crate::wsk::client::WskDeregister;

#[test]
fn request_without_a_routine_and_request_in_use_are_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    let room = Buffer::new(vec![0; 4]);
    let mut buffer = room.all();
    let receive = functions(pair.here.0).WskReceive.unwrap();
    let irp = unsafe { IoAllocateIrp(1, 0) };
    let bare = unsafe { receive(pair.here.0, &mut buffer, 0, irp) };
    assert_eq!(bare, STATUS_PENDING);
    let pending = start_receive(pair.here.0, room.all(), 0);
    let again = unsafe { receive(pair.here.0, &mut buffer, 0, pending.irp) };
    assert_eq!(again, STATUS_INVALID_PARAMETER, "WskIrpReused");
    send(pair.there.0, b"12345678");
    let used = pending.irp;
    pair.here.1.until(|_| pending.is_done());
    assert_eq!(unsafe { receive(pair.here.0, &mut buffer, 0, used) }, STATUS_INVALID_PARAMETER);
    unsafe { IoReuseIrp(used, STATUS_SUCCESS) };
    pending.wait();
    unsafe { IoFreeIrp(irp) };
    assert_eq!(unsafe { receive(pair.here.0, &mut buffer, 0, ptr::null_mut()) }, STATUS_INVALID_PARAMETER);
    drop(room);
    pair.close();
    let rules = fixture.rules();
    assert_eq!(rules, ["WskIrpNoRoutine", "WskIrpReused", "CompleteRequest", "WskIrp"]);
}

#[test]
fn chain_that_is_too_short_or_not_locked_is_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    let buffer = Buffer::new(vec![0; 16]);
    let short = WSK_BUF { Length: 17, ..buffer.all() };
    assert_eq!(start_send(pair.here.0, short).wait().0, STATUS_INVALID_PARAMETER);
    let beyond = WSK_BUF { Offset: 17, Length: 0, ..buffer.all() };
    assert_eq!(start_send(pair.here.0, WSK_BUF { Length: 1, ..beyond }).wait().0, STATUS_INVALID_PARAMETER);
    let flags = unsafe { (*buffer.mdl).MdlFlags };
    unsafe { (*buffer.mdl).MdlFlags = 0 };
    assert_eq!(start_send(pair.here.0, buffer.all()).wait().0, STATUS_INVALID_PARAMETER);
    unsafe { (*buffer.mdl).MdlFlags = flags };
    drop(buffer);
    pair.close();
    assert_eq!(fixture.rules(), ["WskBufferShort", "WskBufferShort", "WskBufferUnlocked"]);
}

#[test]
fn memory_that_is_changed_during_its_send_is_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.receive.lock().push_back(Take::Refuse);
    let mut buffer = Buffer::new(vec![1; 2 << 20]);
    let pending = start_send(pair.here.0, buffer.all());
    pair.there.1.until(|owner| *owner.indications.lock() == 1);
    buffer.bytes[0] = 2;
    resume(pair.there.0);
    assert_eq!(pending.wait().0, STATUS_SUCCESS);
    drop(buffer);
    pair.close();
    assert_eq!(fixture.rules(), ["WskBufferTouched"]);
}

#[test]
fn call_behind_a_close_and_a_second_close_are_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    let (table, socket) = (functions(pair.here.0), pair.here.0);
    let second = basic(socket).WskCloseSocket.unwrap();
    // The object is there until the first close is complete.
    let first = Pending::start(|irp| {
        let status = unsafe { second(socket, irp) };
        assert_eq!(request(|irp| unsafe { second(socket, irp) }).0, STATUS_FILE_FORCED_CLOSED);
        status
    });
    assert_eq!(first.wait().0, STATUS_SUCCESS);
    assert_eq!(unsafe { table.WskRelease.unwrap()(socket, ptr::null_mut()) }, STATUS_FILE_FORCED_CLOSED);
    assert_eq!((close(pair.there.0), close(pair.listener.socket)), (STATUS_SUCCESS, STATUS_SUCCESS));
    let rules = fixture.rules();
    assert!(matches!(rules[..], ["WskCloseTwice", "WskCallAfterClose"] | ["WskCallAfterClose"]), "{rules:?}");
}

#[test]
fn data_that_is_retained_at_the_close_or_released_twice_is_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.receive.lock().extend([Take::Retain, Take::Retain]);
    send(pair.here.0, b"one");
    pair.there.1.until(|owner| owner.retained.lock().len() == 1);
    send(pair.here.0, b"two");
    pair.there.1.until(|owner| owner.retained.lock().len() == 2);
    let first = pair.there.1.retained.lock()[0];
    let socket = pair.there.0;
    assert_eq!((release(socket, first), release(socket, first)), (STATUS_SUCCESS, STATUS_INVALID_PARAMETER));
    pair.close();
    assert_eq!(fixture.rules(), ["WskReleaseTwice", "WskRetained"]);
}

#[test]
fn event_that_accepts_more_than_there_is_is_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.receive.lock().push_back(Take::TooMuch);
    send(pair.here.0, b"few");
    pair.there.1.until(|owner| *owner.indications.lock() == 1);
    pair.close();
    assert_eq!(fixture.rules(), ["WskAcceptedTooMuch"]);
}

#[test]
fn options_and_events_at_the_wrong_stage_are_found() {
    let fixture = Fixture::new();
    let owner = Owner::new();
    let at = PLACES[0].parse().unwrap();
    let listener = fixture.listener(&owner, at);
    assert_eq!(enable(listener.socket, WSK_EVENT_ACCEPT), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(bind(listener.socket, at), STATUS_SUCCESS);
    let late = set(listener.socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1);
    assert_eq!(late, STATUS_INVALID_DEVICE_STATE);
    assert_eq!(close(listener.socket), STATUS_SUCCESS);
    let socket = fixture.connection(&owner, at);
    assert_eq!(bind(socket, at), STATUS_SUCCESS);
    assert_eq!(enable(socket, WSK_EVENT_RECEIVE), STATUS_INVALID_DEVICE_STATE);
    assert_eq!(close(socket), STATUS_SUCCESS);
    assert_eq!(fixture.rules(), ["WskEventBeforeBind", "WskOptionOrder", "WskEventBeforeBind"]);
}

#[test]
fn send_behind_a_disconnect_is_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    assert_eq!(start_disconnect(pair.here.0, None, 0).wait().0, STATUS_SUCCESS);
    assert_eq!(send(pair.here.0, b"late").0, STATUS_INVALID_DEVICE_STATE);
    pair.close();
    assert_eq!(fixture.rules(), ["WskSendAfterDisconnect"]);
}

#[test]
fn ideal_backlog_is_asked_for_with_a_request_and_events_are_enabled_without() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    let mut ideal = 0_usize;
    let control = basic(pair.here.0).WskControlSocket.unwrap();
    let (kind, none) = (WSK_CONTROL_SOCKET_TYPE::WskIoctl, ptr::null_mut());
    let room = (&raw mut ideal).cast();
    let code = SIO_WSK_QUERY_IDEAL_SEND_BACKLOG;
    let ask = |irp| unsafe { control(pair.here.0, kind, code, 0, 0, none, 8, room, ptr::null_mut(), irp) };
    assert_eq!(request(ask), (STATUS_SUCCESS, 8));
    assert!(ideal > 0);
    assert_eq!(ask(ptr::null_mut()), STATUS_INVALID_PARAMETER);
    pair.close();
    assert_eq!(fixture.rules(), ["WskControlSocket"]);
}

#[test]
fn socket_that_is_never_closed_keeps_the_deregistration() {
    let mut fixture = Fixture::new();
    let owner = Owner::new();
    let listener = fixture.listener(&owner, PLACES[0].parse().unwrap());
    fixture.release();
    let registration = fixture.registration();
    let body = move || unsafe { WskDeregister(registration.ptr()) };
    let waiter = ntsim_core::sched::spawn("waiter", body).unwrap();
    owner.until(|_| !ntsim_core::verifier::findings().is_empty());
    assert!(!waiter.ended());
    assert_eq!(close(listener.socket), STATUS_SUCCESS);
    owner.until(|_| waiter.ended());
    assert_eq!(fixture.machine.take().unwrap().shutdown().rules(), ["WskDeregisterHang"]);
}

#[test]
fn socket_that_is_left_at_shutdown_is_found() {
    let mut fixture = Fixture::new();
    fixture.connection(&Owner::new(), PLACES[0].parse().unwrap());
    let rules = fixture.machine.take().unwrap().shutdown().rules();
    assert_eq!(rules, ["WskSocketLeak", "WskDeregister"]);
}

#[test]
fn close_during_a_call_in_another_thread_is_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    let call = crate::wsk::socket::call(pair.here.0, "WskSend").unwrap();
    let socket = ntsim_core::address::Va::of(pair.here.0);
    let done = std::sync::Arc::new(core::sync::atomic::AtomicBool::new(false));
    let told = done.clone();
    let body = move || {
        assert_eq!(close(socket.ptr()), STATUS_SUCCESS);
        told.store(true, core::sync::atomic::Ordering::Release);
    };
    ntsim_core::sched::spawn("closer", body).unwrap();
    pair.here.1.until(|_| done.load(core::sync::atomic::Ordering::Acquire));
    drop(call);
    assert_eq!((close(pair.there.0), close(pair.listener.socket)), (STATUS_SUCCESS, STATUS_SUCCESS));
    assert_eq!(fixture.rules(), ["WskCloseDuringCall"]);
}

#[test]
fn event_that_waits_is_found() {
    let fixture = Fixture::new();
    let pair = Pair::new(&fixture, PLACES[0]);
    pair.there.1.receive.lock().push_back(Take::Sleep);
    send(pair.here.0, b"wake");
    pair.there.1.until(|owner| *owner.indications.lock() == 1);
    pair.close();
    let rules = fixture.rules();
    assert!(rules.contains(&"WskWaits"), "{rules:?}");
    // At DISPATCH_LEVEL it breaks the rule of the level, too.
    assert!(rules.iter().all(|rule| ["WskWaits", "Irql"].contains(rule)), "{rules:?}");
}

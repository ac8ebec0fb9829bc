//! Requests that name an address which the RNIC does not have yet (NdkListen, NdkConnect).

use std::ffi::c_void;
use std::net::SocketAddr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering};

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;

use crate::kernel::event::{Event, RequestCall};

use super::consumer::{Log, Pair, Seen, Side, call, close, completed, sockaddr, virtual_address};

unsafe extern "efiapi" fn count(context: *mut c_void) {
    // SAFETY: the context is the counter of the test, which outlives the RNIC.
    unsafe { &*context.cast::<AtomicU32>() }.fetch_add(1, Ordering::Relaxed);
}

/// Takes a side's address away and lets it be looked up; what counts the look-ups.
fn without_address(side: &Side) -> &'static AtomicU32 {
    let counter: &'static AtomicU32 = Box::leak(Box::default());
    side.rnic.set_addresses(&[]).unwrap();
    // SAFETY: the counter is never freed.
    unsafe { side.rnic.on_unknown_address(Some((count, std::ptr::from_ref(counter).cast_mut().cast()))) };
    counter
}

/// Looks a side's addresses up, after its address has arrived.
fn arrive(side: &Side) {
    side.rnic.look_up(test_kernel::passive(), |_| {
        side.rnic.set_addresses(&[side.address.ip()]).unwrap();
        Ok(())
    });
}

fn listen(pair: &Pair) -> NTSTATUS {
    let ((address, length), context) = (sockaddr(pair.far.address), pair.log.context("listen"));
    call!(pair.listener, NdkListen, address.as_ptr().cast::<SOCKADDR>(), length, Some(completed), context)
}

#[test]
fn listen_on_an_arriving_address_pends_and_succeeds() {
    let pair = Pair::new();
    let looked_up = without_address(&pair.far);
    assert_eq!(listen(&pair), STATUS_PENDING);
    assert_eq!((looked_up.load(Ordering::Relaxed), pair.log.pump()), (1, vec![]));
    arrive(&pair.far);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("listen", STATUS_SUCCESS)]);
    pair.tear_down();
}

#[test]
fn listen_on_an_unknown_address_is_refused_after_a_look_up() {
    let pair = Pair::new();
    without_address(&pair.far);
    assert_eq!(listen(&pair), STATUS_PENDING);
    pair.far.rnic.look_up(test_kernel::passive(), |_| Ok(()));
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("listen", STATUS_INVALID_ADDRESS)]);
    assert_eq!(listen(&pair), STATUS_PENDING);
    pair.far.rnic.look_up(test_kernel::passive(), |_| Err(STATUS_NO_MEMORY));
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("listen", STATUS_INSUFFICIENT_RESOURCES)]);
    // Without a completion it can't pend.
    assert_eq!(pair.listen(), STATUS_INVALID_ADDRESS);
    pair.tear_down();
}

#[test]
fn listener_closed_during_a_look_up_closes_after_its_request() {
    let mut pair = Pair::new();
    without_address(&pair.far);
    assert_eq!(listen(&pair), STATUS_PENDING);
    assert_eq!(close!(pair.log, pair.listener, NdkCloseListener, "closed"), STATUS_PENDING);
    arrive(&pair.far);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("listen", STATUS_CANCELLED), Seen::Closed("closed")]);
    pair.listener = pair.far.create_listener(&pair.log);
    pair.tear_down();
}

#[test]
fn request_that_comes_during_a_look_up_waits_for_the_next() {
    let pair = Pair::new();
    without_address(&pair.far);
    pair.far.rnic.look_up(test_kernel::passive(), |_| {
        assert_eq!(listen(&pair), STATUS_PENDING);
        Ok(())
    });
    assert_eq!(pair.log.pump(), []);
    arrive(&pair.far);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("listen", STATUS_SUCCESS)]);
    pair.tear_down();
}

#[test]
fn connect_from_an_arriving_address_pends_and_connects() {
    let mut pair = Pair::new();
    assert_eq!(pair.listen(), STATUS_SUCCESS);
    without_address(&pair.near);
    assert_eq!(pair.connect(b"hello"), STATUS_PENDING);
    assert_eq!(pair.log.pump(), []);
    arrive(&pair.near);
    pair.take_connect_request();
    assert_eq!(pair.accept(b"welcome"), STATUS_PENDING);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    pair.tear_down();
}

#[test]
fn connect_from_an_unknown_address_is_refused_after_a_look_up() {
    let mut pair = Pair::new();
    without_address(&pair.near);
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    pair.near.rnic.look_up(test_kernel::passive(), |_| Ok(()));
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_INVALID_ADDRESS)]);
    let none = null_mut();
    // SAFETY: this ends what `without_address` began.
    unsafe { pair.near.rnic.on_unknown_address(None) };
    assert_eq!(pair.connect_again(b""), STATUS_INVALID_ADDRESS);
    assert_ne!(pair.near.connector, none);
    pair.tear_down();
}

/// The kinds, addresses and statuses of the requests that events have called complete since.
fn completions() -> Vec<(RequestCall, Option<SocketAddr>, Option<SocketAddr>, NTSTATUS)> {
    let completed = test_kernel::take_events().into_iter().filter_map(|event| match event {
        Event::RequestCompleted { request, local, remote, status, .. } => {
            Some((request, local, remote, status.0))
        }
        _ => None,
    });
    completed.collect()
}

#[test]
fn request_that_waited_for_an_address_has_its_final_status_in_an_event() {
    let mut pair = Pair::new();
    let (near, far) = (pair.near.address, pair.far.address);
    without_address(&pair.far);
    without_address(&pair.near);
    test_kernel::listen_to_events();
    assert_eq!(listen(&pair), STATUS_PENDING);
    pair.far.rnic.look_up(test_kernel::passive(), |_| Ok(()));
    assert_eq!(completions(), [(RequestCall::Listen, Some(far), None, STATUS_INVALID_ADDRESS)]);
    test_kernel::listen_to_events();
    assert_eq!(listen(&pair), STATUS_PENDING);
    arrive(&pair.far);
    assert_eq!(completions(), [(RequestCall::Listen, Some(far), None, STATUS_SUCCESS)]);
    test_kernel::listen_to_events();
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    pair.near.rnic.look_up(test_kernel::passive(), |_| Ok(()));
    let [(RequestCall::Connect, Some(local), Some(remote), STATUS_INVALID_ADDRESS)] = completions()[..]
    else {
        panic!("one connect is complete");
    };
    assert_eq!((local.ip(), remote), (near.ip(), far));
    assert_eq!(pair.log.pump().len(), 3);
    pair.tear_down();
}

#[test]
fn connector_closed_during_a_look_up_closes_after_its_request() {
    let mut pair = Pair::new();
    pair.listen();
    without_address(&pair.near);
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "closed"), STATUS_PENDING);
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_PENDING);
    assert_eq!(pair.log.pump(), []);
    arrive(&pair.near);
    let seen = pair.log.pump();
    assert_eq!(seen[0], Seen::RequestCompleted("connect", STATUS_CANCELLED));
    assert_eq!(seen.len(), 3, "{seen:?}");
    (pair.near.connector, pair.near.qp) = (null_mut(), pair.near.create_qp());
    pair.tear_down();
}

#[test]
fn second_connect_during_a_look_up_is_refused_and_leaves_the_first() {
    let mut pair = Pair::new();
    pair.listen();
    without_address(&pair.near);
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    assert_eq!(pair.connect_again(b""), STATUS_CONNECTION_ACTIVE);
    pair.near.rnic.look_up(test_kernel::passive(), |_| Ok(()));
    assert_eq!(pair.log.pump(), [Seen::RequestCompleted("connect", STATUS_INVALID_ADDRESS)]);
    assert_eq!(pair.connect_again(b""), STATUS_PENDING, "the turn is free again");
    arrive(&pair.near);
    pair.take_connect_request();
    pair.tear_down();
}

thread_local! {
    static CREATED: std::cell::Cell<Option<(NTSTATUS, usize)>> = const { std::cell::Cell::new(None) };
}

unsafe extern "efiapi" fn created(_: *mut c_void, status: NTSTATUS, object: *mut NDK_OBJECT_HEADER) {
    assert_eq!(CREATED.replace(Some((status, object.expose_provenance()))), None, "one completion");
}

fn create_shared(pair: &Pair) -> NTSTATUS {
    create_shared_with(pair, created, null_mut())
}

fn create_shared_with(pair: &Pair, completion: NDK_FN_CREATE_COMPLETION, context: *mut c_void) -> NTSTATUS {
    let (address, length) = sockaddr("10.0.0.1:5000".parse().unwrap());
    let at = address.as_ptr().cast::<SOCKADDR>();
    let mut out = null_mut();
    let status =
        call!(pair.near.adapter, NdkCreateSharedEndpoint, at, length, Some(completion), context, &mut out);
    assert!(out.is_null(), "a create that does not succeed inline hands nothing out");
    status
}

#[test]
fn shared_endpoint_of_an_arriving_address_pends_and_connects_after_the_address_was_away() {
    let mut pair = Pair::new();
    pair.listen();
    without_address(&pair.near);
    assert_eq!(create_shared(&pair), STATUS_PENDING);
    assert_eq!(CREATED.take(), None);
    arrive(&pair.near);
    let (status, shared) = CREATED.take().expect("the create is completed");
    assert_eq!(status, STATUS_SUCCESS);
    let shared: *mut NDK_SHARED_ENDPOINT = virtual_address(shared).cast();
    without_address(&pair.near);
    pair.near.connector = pair.near.create_connector();
    let ((remote, length), context) = (sockaddr(pair.far.address), pair.log.context("connect"));
    let (to, none) = (remote.as_ptr().cast::<SOCKADDR>(), std::ptr::null());
    let connector = pair.near.connector;
    let (qp, done): (_, Option<NDK_FN_REQUEST_COMPLETION>) = (pair.near.qp, Some(completed));
    let status =
        call!(connector, NdkConnectWithSharedEndpoint, qp, shared, to, length, 0, 0, none, 0, done, context);
    assert_eq!(status, STATUS_PENDING);
    assert_eq!(close!(pair.log, shared, NdkCloseSharedEndpoint, "shared"), STATUS_PENDING);
    arrive(&pair.near);
    assert_eq!(
        pair.log.pump(),
        [Seen::RequestCompleted("connect", STATUS_CANCELLED), Seen::Closed("shared")]
    );
    pair.tear_down();
}

thread_local! {
    static CLOSED: std::cell::Cell<Option<(NTSTATUS, usize)>> = const { std::cell::Cell::new(None) };
}

/// Closes the new object, and notes the status and how many callbacks came inside the close.
unsafe extern "efiapi" fn created_and_closed(
    context: *mut c_void,
    status: NTSTATUS,
    object: *mut NDK_OBJECT_HEADER,
) {
    assert_eq!(status, STATUS_SUCCESS);
    // SAFETY: the test passes its log, which outlives the create.
    let log = unsafe { &*context.cast::<Log>() };
    let shared: *mut NDK_SHARED_ENDPOINT = object.cast();
    let before = log.count();
    let status = close!(log, shared, NdkCloseSharedEndpoint, "shared");
    CLOSED.set(Some((status, log.count() - before)));
}

#[test]
fn shared_endpoint_closed_in_its_create_completion_closes_once_that_has_returned() {
    let pair = Pair::new();
    without_address(&pair.near);
    let log = std::ptr::from_ref(&pair.log).cast_mut().cast();
    assert_eq!(create_shared_with(&pair, created_and_closed, log), STATUS_PENDING);
    arrive(&pair.near);
    assert_eq!(CLOSED.take(), Some((STATUS_PENDING, 0)), "no callback comes after a close");
    assert_eq!(pair.log.pump(), [Seen::Closed("shared")]);
    pair.tear_down();
}

#[test]
fn shared_endpoint_of_an_unknown_address_is_refused_after_a_look_up() {
    let pair = Pair::new();
    without_address(&pair.near);
    assert_eq!(create_shared(&pair), STATUS_PENDING);
    pair.near.rnic.look_up(test_kernel::passive(), |_| Ok(()));
    assert_eq!(CREATED.take(), Some((STATUS_INVALID_ADDRESS, 0)));
    assert_eq!(create_shared(&pair), STATUS_PENDING);
    pair.near.rnic.look_up(test_kernel::passive(), |_| Err(STATUS_NO_MEMORY));
    assert_eq!(CREATED.take(), Some((STATUS_INSUFFICIENT_RESOURCES, 0)));
    pair.tear_down();
}

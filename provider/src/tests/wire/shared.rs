//! Ports that the network finds, and ports that connections share.

use std::cell::Cell;
use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::sockaddr::SOCKADDR;
use sys::status::*;
use sys::wdm::PVOID;
use test_kernel::network;

use super::{connected, listening, run, tear_down};
use crate::tests::consumer::{Pair, Seen, call, close, completed, sockaddr, virtual_address};

thread_local! {
    static CREATED: Cell<Option<(NTSTATUS, *mut NDK_SHARED_ENDPOINT)>> = const { Cell::new(None) };
}

unsafe extern "efiapi" fn created(_: PVOID, status: NTSTATUS, object: *mut NDK_OBJECT_HEADER) {
    CREATED.set(Some((status, object.cast())));
}

/// NdkCreateSharedEndpoint at the near address, with this port.
fn create(pair: &Pair, port: u16) -> Result<*mut NDK_SHARED_ENDPOINT, NTSTATUS> {
    let (address, length) = sockaddr((pair.near.address.ip(), port).into());
    let mut out = null_mut();
    let address = address.as_ptr().cast::<SOCKADDR>();
    let status = call!(
        pair.near.adapter,
        NdkCreateSharedEndpoint,
        address,
        length,
        Some(created),
        null_mut(),
        &mut out
    );
    if status != STATUS_PENDING {
        return Err(status);
    }
    assert_eq!(run(pair), []);
    match CREATED.take().expect("the creation is complete") {
        (STATUS_SUCCESS, endpoint) => Ok(endpoint),
        (status, _) => Err(status),
    }
}

fn connect(pair: &Pair, endpoint: *mut NDK_SHARED_ENDPOINT) -> NTSTATUS {
    let (remote, length) = sockaddr(pair.far.address);
    let (qp, context) = (pair.near.qp, pair.log.context("connect"));
    let remote = remote.as_ptr().cast::<SOCKADDR>();
    call!(
        pair.near.connector,
        NdkConnectWithSharedEndpoint,
        qp,
        endpoint,
        remote,
        length,
        8,
        16,
        null(),
        0,
        Some(completed),
        context
    )
}

#[test]
fn connection_from_a_shared_endpoint_has_its_port() {
    let mut pair = listening();
    let endpoint = create(&pair, 4000).unwrap();
    assert_eq!(create(&pair, 4000), Err(STATUS_SHARING_VIOLATION));
    pair.near.connector = pair.near.create_connector();
    assert_eq!(connect(&pair, endpoint), STATUS_PENDING);
    let seen = run(&pair);
    let [Seen::Requested(_, connector)] = seen[..] else { panic!("no connect request: {seen:?}") };
    pair.far.connector = virtual_address(connector).cast();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(run(&pair), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    let mut connections = vec![];
    pair.near.rnic.connections(|local, remote| connections.push((local.port(), remote)));
    assert_eq!(connections, [(4000, pair.far.address)]);
    // Its close waits for the connector, and the port is free behind it.
    assert_eq!(close!(pair.log, endpoint, NdkCloseSharedEndpoint, "shared"), STATUS_PENDING);
    assert_eq!(run(&pair), []);
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "near"), STATUS_PENDING);
    let mut closed = run(&pair);
    closed.retain(|seen| matches!(seen, Seen::Closed(_)));
    assert_eq!(closed, [Seen::Closed("near"), Seen::Closed("shared")]);
    let again = create(&pair, 4000).unwrap();
    assert_eq!(close!(pair.log, again, NdkCloseSharedEndpoint, "again"), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::Closed("again")]);
    pair.near.connector = null_mut();
    tear_down(pair);
}

#[test]
fn shared_endpoint_without_a_port_gets_one() {
    let pair = listening();
    let endpoint = create(&pair, 0).unwrap();
    let mut ports = vec![];
    pair.near.rnic.endpoints(|address, _| ports.push(address.port()));
    assert!(ports.iter().any(|port| *port >= 50_000), "{ports:?}");
    close!(pair.log, endpoint, NdkCloseSharedEndpoint, "shared");
    assert_eq!(run(&pair), [Seen::Closed("shared")]);
    tear_down(pair);
}

#[test]
fn port_that_is_taken_here_is_not_taken_from_the_network() {
    // The network's next port is one that this driver has by loopback's table.
    let pair = connected();
    let mut taken = vec![];
    pair.near.rnic.connections(|local, _| taken.push(local.port()));
    network::set_next_port(taken[0]);
    let endpoint = create(&pair, 0).unwrap();
    let mut ports = vec![];
    pair.near.rnic.endpoints(|address, is_listener| {
        if !is_listener {
            ports.push(address.port());
        }
    });
    assert_eq!(ports, [taken[0] + 1], "AD-3");
    close!(pair.log, endpoint, NdkCloseSharedEndpoint, "shared");
    run(&pair);
    tear_down(pair);
}

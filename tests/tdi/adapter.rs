//! Address objects whose adapter goes: by OID_NDK_SET_STATE, after which it returns, or halted.

use core::net::SocketAddr;
use core::time::Duration;

use ntsim::io::File;
use sys::status::*;
use sys::tdi::TDI_QUERY_ACCEPT;
use tdi_client::datagram::{receive_datagram, send_datagram};
use tdi_client::request::{associate, connect, disassociate, listen, receive, send};
use tdi_client::{Fixture, Request};

use super::{FAR, LEVELS, NEAR, at, end_clean, fixture, succeeds};

/// Longer than a request waits that is to end.
const LONG: Duration = Duration::from_secs(20);

/// Opens an address of an adapter that has just been enabled: its addresses come a little later.
fn reopened(fixture: &Fixture, address: SocketAddr) -> File {
    loop {
        match fixture.address(address) {
            Ok(file) => return file,
            Err(status) => assert_eq!(status.0, STATUS_INVALID_ADDRESS, "{status}"),
        }
        ntsim::sched::block(Some(Duration::from_millis(1)));
    }
}

/// A connection between two addresses comes about and carries data, and a datagram arrives.
#[track_caller]
fn is_reached(fixture: &Fixture, near_address: &File, far_address: &File) {
    let near = fixture.associated(near_address, 0xA).expect("an endpoint opens");
    let far = fixture.associated(far_address, 0xB).expect("an endpoint opens");
    let listened = listen(&far, 0);
    assert_eq!([connect(&near, FAR), listened].map(Request::status), [STATUS_SUCCESS; 2]);
    let received = receive(&far, 4);
    succeeds(send(&near, b"data".to_vec()).status());
    assert_eq!(received.wait().data, b"data");
    let received = receive_datagram(far_address, None, 4);
    succeeds(send_datagram(near_address, FAR, b"gram".to_vec()).status());
    assert_eq!(received.wait().data, b"gram");
}

/// Two listens and two receives of datagrams that wait at an address.
fn waiting(endpoints: &[File; 2], address: &File) -> [Request; 4] {
    let [first, second] = endpoints;
    let [third, fourth] = [(); 2].map(|()| receive_datagram(address, None, 9));
    [listen(first, 0), listen(second, TDI_QUERY_ACCEPT), third, fourth]
}

#[track_caller]
fn all_closed(requests: impl IntoIterator<Item = Request>) {
    for request in requests {
        let minor = request.minor;
        assert!(request.wait_for(LONG).is_some(), "minor function {minor} waits for ever");
        assert_eq!(request.status(), STATUS_ADDRESS_CLOSED, "minor function {minor}");
    }
}

#[test]
fn requests_that_wait_end_when_rdma_of_their_adapter_is_disabled() {
    let fixture = fixture();
    let address = fixture.address(FAR).expect("the address opens");
    let endpoints = [1, 2].map(|context| fixture.associated(&address, context).expect("an endpoint opens"));
    let requests = waiting(&endpoints, &address);
    fixture.set_rdma(1, false).expect("RDMA can be disabled");
    let order: Vec<_> = requests.iter().map(Request::sequence).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}");
    all_closed(requests);
    // Also those that are sent afterwards, at every level, and when the adapter has returned.
    for enabled in [false, true] {
        fixture.set_rdma(1, enabled).expect("RDMA can be enabled");
        for level in LEVELS {
            all_closed(at(level, || waiting(&endpoints, &address)));
            all_closed(at(level, || [connect(&endpoints[0], NEAR), send_datagram(&address, FAR, vec![0])]));
        }
        succeeds(disassociate(&endpoints[0]));
        succeeds(associate(&endpoints[0], &address));
    }
    drop((endpoints, address));
    end_clean(fixture);
}

#[test]
fn requests_that_wait_end_when_their_adapter_is_halted() {
    let fixture = fixture();
    let address = fixture.address(FAR).expect("the address opens");
    let endpoints = [1, 2].map(|context| fixture.associated(&address, context).expect("an endpoint opens"));
    let requests = waiting(&endpoints, &address);
    fixture.halt(1);
    all_closed(requests);
    all_closed(waiting(&endpoints, &address));
    drop((endpoints, address));
    end_clean(fixture);
}

#[test]
fn new_client_gets_address_that_old_client_lost() {
    let fixture = fixture();
    let near_address = fixture.address(NEAR).expect("the near address opens");
    let old = fixture.address(FAR).expect("the far address opens");
    let endpoint = fixture.associated(&old, 0xC).expect("an endpoint opens");
    let waits = listen(&endpoint, 0);
    for round in 0..3 {
        fixture.set_rdma(1, false).expect("RDMA can be disabled");
        fixture.set_rdma(1, true).expect("RDMA can be enabled");
        let new = reopened(&fixture, FAR);
        is_reached(&fixture, &near_address, &new);
        assert_eq!(listen(&endpoint, 0).status(), STATUS_ADDRESS_CLOSED, "round {round}");
        // Its client may keep it to itself, too.
        drop(new);
        let alone = fixture.exclusive(FAR).expect("the address is free");
        is_reached(&fixture, &near_address, &alone);
    }
    assert_eq!(waits.status(), STATUS_ADDRESS_CLOSED);
    drop((endpoint, old, near_address));
    end_clean(fixture);
}

#[test]
fn wildcard_address_lives_until_its_last_adapter_goes() {
    let fixture = fixture();
    let any: SocketAddr = "0.0.0.0:139".parse().expect("an address");
    let near_address = fixture.address(NEAR).expect("the near address opens");
    let wildcard = fixture.address(any).expect("the wildcard opens");
    let endpoints = [1, 2].map(|context| fixture.associated(&wildcard, context).expect("an endpoint opens"));
    let requests = waiting(&endpoints, &wildcard);
    fixture.set_rdma(0, false).expect("RDMA can be disabled");
    assert!(requests.iter().all(|request| request.outcome().is_none()), "one adapter is left");
    let other = fixture.address(SocketAddr::new(FAR.ip(), 0)).expect("another address opens");
    succeeds(send_datagram(&other, FAR, b"x".to_vec()).status());
    let [first, second, received, waits] = requests;
    assert_eq!(received.wait().data[..1], *b"x");
    fixture.set_rdma(1, false).expect("RDMA can be disabled");
    all_closed([first, second, waits]);
    all_closed(waiting(&endpoints, &wildcard));
    drop((endpoints, wildcard, other, near_address));
    end_clean(fixture);
}

#[test]
fn address_taken_from_interface_is_gone_for_its_clients_and_opened_anew_when_it_returns() {
    let fixture = fixture();
    let near_address = fixture.address(NEAR).expect("the near address opens");
    let old = fixture.address(FAR).expect("the far address opens");
    let endpoints = [1, 2].map(|context| fixture.associated(&old, context).expect("an endpoint opens"));
    for _ in 0..2 {
        let requests = waiting(&endpoints, &old);
        fixture.set_address(1, FAR.ip(), false);
        all_closed(requests);
        let gone = fixture.address(FAR).map(drop);
        assert_eq!(gone.map_err(|status| status.0), Err(STATUS_INVALID_ADDRESS));
        fixture.set_address(1, FAR.ip(), true);
        let new = reopened(&fixture, FAR);
        is_reached(&fixture, &near_address, &new);
        all_closed(waiting(&endpoints, &old));
    }
    drop((endpoints, old, near_address));
    end_clean(fixture);
}

#[test]
fn adapter_halts_after_address_in_use_was_replaced() {
    let fixture = fixture();
    let pair = fixture.pair(NEAR, FAR).expect("a connection comes about");
    let waits = receive(&pair.far, 9);
    fixture.set_address(1, "10.0.0.113".parse().expect("an address"), true);
    fixture.set_address(1, FAR.ip(), false);
    fixture.halt(1);
    assert!(waits.wait_for(LONG).is_some(), "a receive waits for ever");
    assert_eq!(waits.status(), STATUS_CONNECTION_ABORTED);
    drop(pair);
    end_clean(fixture);
}

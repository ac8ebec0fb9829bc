//! Creates and cleanups of addresses where the network pends, and connections over it.

use std::net::SocketAddr;

use sys::status::{STATUS_BAD_NETWORK_PATH, STATUS_CANCELLED, STATUS_SHARING_VIOLATION};
use test_kernel::network::{self, Pace, set_pace};
use test_kernel::{on_trace, pump, traced};

use super::client::{Client, FAR, Pair, Tcp, done, failed};
use crate::ndk::message::{PIECE, WINDOW};

#[test]
fn create_that_waits_long_is_traced_and_succeeds_when_network_has_port() {
    let client = Client::new();
    set_pace(Pace::ByTest);
    on_trace(network::pump);
    let address = client.address(FAR).unwrap();
    assert_eq!(traced(), ["the create of an address waits for NdkListen"]);
    set_pace(Pace::Deferred);
    client.close(address);
    client.tear_down();
}

#[test]
fn cleanup_of_address_returns_when_its_port_is_free() {
    for tcp in Tcp::ALL {
        let client = Client::with(tcp);
        for _ in 0..2 {
            let address = client.address(FAR).unwrap();
            assert_eq!(client.address(FAR), Err(STATUS_SHARING_VIOLATION), "{tcp:?}");
            assert_eq!(network::live(), if tcp == Tcp::None { 0 } else { 1 });
            client.transport.cleanup(address, test_kernel::passive());
            assert_eq!(network::live(), 0, "{tcp:?}");
            let again = client.address(FAR).unwrap();
            client.close(again);
            client.transport.close(address);
        }
        client.tear_down();
    }
}

#[test]
fn cleanup_of_address_does_not_wait_for_its_connection() {
    for tcp in Tcp::ALL {
        let pair = Pair::with(tcp);
        pair.establish();
        pair.client.close(pair.far_address);
        let receive = pair.client.receive(pair.far, 1);
        assert_eq!(pair.client.send(pair.near, b"x").outcome(), None);
        pump();
        assert_eq!(receive.outcome(), done(1), "{tcp:?}");
        for file in [pair.far, pair.near, pair.near_address] {
            pair.client.close(file);
        }
        pair.client.tear_down();
    }
}

#[test]
fn cleanup_of_one_sharer_does_not_wait_for_the_other() {
    let client = Client::new();
    let [one, two] = [(); 2].map(|()| client.open_address(FAR, true).unwrap());
    client.close(one);
    assert_eq!(network::live(), 1);
    client.close(two);
    assert_eq!(network::live(), 0);
    client.tear_down();
}

#[test]
fn create_of_wildcard_that_fails_on_one_host_leaves_no_port_on_the_other() {
    let client = Client::new();
    let taken = client.address(FAR).unwrap();
    let at: SocketAddr = FAR.parse().unwrap();
    let any = SocketAddr::new([0, 0, 0, 0].into(), at.port());
    assert_eq!(client.address(&any.to_string()), Err(STATUS_SHARING_VIOLATION));
    assert_eq!(network::live(), 1, "that of the address which was taken before");
    client.close(taken);
    let wildcard = client.address(&any.to_string()).unwrap();
    client.close(wildcard);
    client.tear_down();
}

#[test]
fn connection_over_network_moves_data_and_ends_on_both_sides() {
    let pair = Pair::with(Tcp::Forced);
    pair.establish();
    let data: Vec<u8> = (0..PIECE * (WINDOW + 2)).map(|index| (index % 251).try_into().unwrap()).collect();
    let send = pair.client.send(pair.near, &data);
    let mut arrived = Vec::new();
    while arrived.len() < data.len() {
        let receive = pair.client.receive(pair.far, data.len());
        pump();
        let outcome = receive.outcome().expect("data comes");
        assert_eq!(outcome.status, 0);
        arrived.extend_from_slice(&receive.data()[..outcome.information]);
    }
    assert_eq!((send.outcome(), arrived == data), (done(data.len()), true));
    let receive = pair.client.receive(pair.far, 1);
    pair.client.close(pair.near);
    pump();
    assert!(receive.outcome().is_some_and(|outcome| outcome.status < 0));
    for file in [pair.far, pair.near_address, pair.far_address] {
        pair.client.close(file);
    }
    pair.client.tear_down();
    assert_eq!(network::live(), 0);
}

#[test]
fn connect_over_network_that_is_under_way_is_cancelled_with_its_file() {
    let pair = Pair::with(Tcp::Forced);
    let connect = pair.client.connect(pair.near, FAR);
    assert_eq!(connect.outcome(), None);
    pair.client.close(pair.near);
    assert_eq!(connect.outcome(), failed(STATUS_CANCELLED));
    for file in [pair.far, pair.near_address, pair.far_address] {
        pair.client.close(file);
    }
    pair.client.tear_down();
    assert_eq!(network::live(), 0);
}

#[test]
fn connect_to_other_machine_without_network_has_no_path() {
    let pair = Pair::with(Tcp::None);
    let connect = pair.client.connect(pair.near, "10.0.0.9:139");
    pump();
    assert_eq!(connect.outcome(), failed(STATUS_BAD_NETWORK_PATH));
    pair.tear_down();
}

//! Creates of addresses that TCP/IP has and the driver has not read yet.

use std::net::{IpAddr, SocketAddr};

use sys::status::*;
use test_kernel::pump;

use super::client::{Client, FAR, NEAR, done};

const NEW: &str = "10.0.0.3:139";
const ANY: &str = "0.0.0.0:139";

fn host(at: &str) -> IpAddr {
    at.parse::<SocketAddr>().unwrap().ip()
}

/// A client whose second interface has got [`NEW`], too.
fn ahead() -> Client {
    let client = Client::new();
    client.change_addresses(1, &[host(FAR), host(NEW)]);
    client
}

/// A connection to the new address comes about.
#[track_caller]
fn is_reached(client: &Client, address: crate::Id) {
    let near_address = client.address(NEAR).unwrap();
    let (near, far) = (client.associated(near_address), client.associated(address));
    let (listen, connect) = (client.listen(far), client.connect(near, NEW));
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    [near, far, near_address].into_iter().for_each(|file| client.close(file));
}

#[test]
fn create_of_an_address_that_is_not_read_yet_succeeds() {
    let client = ahead();
    let address = client.address(NEW).expect("the address is read by the create");
    is_reached(&client, address);
    client.close(address);
    client.tear_down();
}

#[test]
fn wildcard_covers_an_address_that_is_not_read_yet() {
    let client = ahead();
    let wildcard = client.address(ANY).unwrap();
    is_reached(&client, wildcard);
    client.close(wildcard);
    client.tear_down();
}

#[test]
fn create_of_an_address_whose_loss_is_not_read_yet_is_refused() {
    let client = Client::new();
    let shared = client.open_address(FAR, true).unwrap();
    client.change_addresses(1, &[]);
    for share in [false, true] {
        assert_eq!(client.open_address(FAR, share), Err(STATUS_INVALID_ADDRESS));
    }
    client.close(shared);
    client.tear_down();
}

#[test]
fn create_of_a_file_that_is_no_address_reads_nothing() {
    let client = ahead();
    client.close(client.endpoint(1));
    assert_eq!(client.refreshed(), [0, 0]);
    client.close(client.address(FAR).unwrap());
    assert_eq!(client.refreshed(), [1, 1]);
    client.tear_down();
}

#[test]
fn create_without_memory_to_read_addresses_fails_and_leaves_nothing() {
    let client = ahead();
    client.starve(0, true);
    for at in [NEW, ANY] {
        assert_eq!(client.address(at), Err(STATUS_INSUFFICIENT_RESOURCES));
    }
    assert_eq!(client.refreshed(), [2, 0], "the create has failed with the first");
    client.starve(0, false);
    client.close(client.address(NEW).unwrap());
    client.tear_down();
}

/// The create finds what the driver would have found later: an address that has gone ends.
#[test]
fn create_that_reads_the_loss_of_an_address_ends_what_runs_over_it() {
    let client = Client::new();
    let lost = client.address(FAR).unwrap();
    let endpoint = client.associated(lost);
    let listen = client.listen(endpoint);
    client.change_addresses(1, &[host(NEW)]);
    let address = client.address(NEW).unwrap();
    assert_eq!(listen.outcome().map(|outcome| outcome.status), Some(STATUS_ADDRESS_CLOSED));
    is_reached(&client, address);
    [endpoint, lost, address].into_iter().for_each(|file| client.close(file));
    client.tear_down();
}

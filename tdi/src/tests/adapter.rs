//! Address objects whose adapter goes, and returns.

use std::cell::Cell;
use std::ffi::c_void;

use sys::status::*;
use sys::tdi::TDI_EVENT_ERROR;
use test_kernel::pump;

use super::access::TestOpener;
use super::client::{Client, FAR, NEAR, Pair, done, failed};
use super::host::Pending;
use crate::{Command, Id, Source};

const CLOSED: Option<super::host::Outcome> = failed(STATUS_ADDRESS_CLOSED);
const ANY: &str = "0.0.0.0:139";

fn query(client: &Client, file: Id) -> Pending {
    client.submit(file, Command::Listen { query: true }, Vec::new())
}

/// A connection between two addresses comes about, and carries data.
#[track_caller]
fn connects(client: &Client, from: Id, address: Id, to: &str) {
    let (active, passive) = (client.associated(from), client.associated(address));
    let (listen, connect) = (client.listen(passive), client.connect(active, to));
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    let (receive, send) = (client.receive(passive, 4), client.send(active, b"data"));
    pump();
    assert_eq!((receive.outcome(), send.outcome()), (done(4), done(4)));
    client.close(active);
    client.close(passive);
}

#[test]
fn requests_that_wait_end_when_adapter_of_address_goes() {
    let pair = Pair::new();
    let second = pair.client.associated(pair.far_address);
    let listens = [pair.client.listen(pair.far), query(&pair.client, second)];
    let receives = [(); 2].map(|()| pair.client.receive_datagram(pair.far_address, Source::Any, 9));
    pair.client.disable(1);
    for request in listens.iter().chain(&receives) {
        assert_eq!(request.outcome(), CLOSED);
    }
    let order: Vec<_> = listens.iter().chain(&receives).map(|request| request.serial).collect();
    assert_eq!(pair.client.log.take(), order);
    pair.client.close(second);
    pair.tear_down();
}

#[test]
fn requests_after_adapter_of_address_went_fail_with_address_closed() {
    let pair = Pair::new();
    pair.client.disable(1);
    for returned in [false, true] {
        if returned {
            pair.client.enable(1);
        }
        let client = &pair.client;
        for request in [
            client.listen(pair.far),
            query(client, pair.far),
            client.connect(pair.far, FAR),
            client.send_datagram(pair.far_address, FAR, b"x"),
            client.receive_datagram(pair.far_address, Source::Any, 9),
        ] {
            assert_eq!(request.outcome(), CLOSED, "returned: {returned}");
        }
        // What concerns the files alone is still served.
        assert_eq!(client.transport.disassociate(pair.far), Ok(()));
        assert_eq!(client.transport.associate(pair.far, pair.far_address), Ok(()));
        assert_eq!(
            client.submit(pair.far, Command::Accept, Vec::new()).outcome(),
            failed(STATUS_INVALID_CONNECTION)
        );
    }
    pair.tear_down();
}

#[test]
fn address_is_free_for_new_client_after_adapter_returned() {
    for shared in [false, true] {
        let client = Client::new();
        let near = client.address(NEAR).unwrap();
        let old = client.open_address(FAR, shared).unwrap();
        let endpoint = client.associated(old);
        let listen = client.listen(endpoint);
        client.disable(1);
        assert_eq!(listen.outcome(), CLOSED);
        client.enable(1);
        let new = client.open_address(FAR, !shared).unwrap();
        assert_eq!(client.listen(endpoint).outcome(), CLOSED);
        connects(&client, near, new, FAR);
        let receive = client.receive_datagram(new, Source::Any, 4);
        client.send_datagram(near, FAR, b"data");
        pump();
        assert_eq!(receive.outcome(), done(4));
        // The dead one goes, and takes nothing with it.
        client.close(endpoint);
        client.close(old);
        connects(&client, near, new, FAR);
        [new, near].into_iter().for_each(|file| client.close(file));
        client.tear_down();
    }
}

#[test]
fn access_list_of_dead_address_no_longer_counts() {
    let client = Client::new();
    let owner = TestOpener { who: 1, admits: &[1], memory: true };
    let stranger = TestOpener { who: 2, admits: &[2], memory: true };
    let old = client.open_address_as(FAR, Some(&owner)).unwrap();
    assert_eq!(client.open_address_as(FAR, Some(&stranger)), Err(STATUS_ACCESS_DENIED));
    client.disable(1);
    client.enable(1);
    let new = client.open_address_as(FAR, Some(&stranger)).unwrap();
    assert_eq!(client.open_address_as(FAR, Some(&owner)), Err(STATUS_ACCESS_DENIED));
    [old, new].into_iter().for_each(|file| client.close(file));
    client.tear_down();
}

#[test]
fn sharers_of_address_lose_it_together_in_any_order_of_opens() {
    for first_closed in [false, true] {
        let client = Client::new();
        let all = [(); 3].map(|()| client.open_address(FAR, true).unwrap());
        let endpoints = all.map(|address| client.associated(address));
        let listens = endpoints.map(|endpoint| client.listen(endpoint));
        if first_closed {
            client.close(all[0]);
        }
        client.disable(1);
        for (listen, address) in listens.iter().zip(all) {
            assert_eq!(listen.outcome(), CLOSED);
            let receive = client.receive_datagram(address, Source::Any, 1).outcome();
            let late = first_closed && address == all[0];
            assert_eq!(receive, if late { failed(STATUS_FILE_CLOSED) } else { CLOSED });
        }
        endpoints.into_iter().chain(all).for_each(|file| client.close(file));
        client.tear_down();
    }
}

#[test]
fn wildcard_lives_until_its_last_adapter_went() {
    let client = Client::new();
    let near = client.address("10.0.0.1:0").unwrap();
    let any = client.address(ANY).unwrap();
    let endpoint = client.associated(any);
    let (listen, receive) = (client.listen(endpoint), client.receive_datagram(any, Source::Any, 9));
    client.disable(1);
    assert_eq!((listen.outcome(), receive.outcome()), (None, None));
    // What is left of it is served.
    let active = client.associated(near);
    let connect = client.connect(active, "10.0.0.1:139");
    client.send_datagram(near, "10.0.0.1:139", b"x");
    pump();
    assert_eq!((listen.outcome(), connect.outcome(), receive.outcome()), (done(0), done(0), done(1)));
    client.close(active);
    client.close(endpoint);
    // The adapter that returns is free for others, as the wildcard was not bound on it.
    client.enable(1);
    let far = client.address(FAR).unwrap();
    connects(&client, near, far, FAR);
    let endpoint = client.associated(any);
    let (listen, receive) = (client.listen(endpoint), client.receive_datagram(any, Source::Any, 9));
    client.disable(0);
    assert_eq!((listen.outcome(), receive.outcome()), (CLOSED, CLOSED));
    client.enable(0);
    assert_eq!(client.listen(endpoint).outcome(), CLOSED);
    let again = client.address("10.0.0.1:139").unwrap();
    [endpoint, any, near, far, again].into_iter().for_each(|file| client.close(file));
    client.tear_down();
}

thread_local! {
    /// The number of calls of the handler below.
    static TOLD: Cell<usize> = const { Cell::new(0) };
}

unsafe extern "efiapi" fn error_handler(_: *mut c_void, status: NTSTATUS) -> NTSTATUS {
    assert_eq!(status, STATUS_ADDRESS_CLOSED);
    TOLD.set(TOLD.get() + 1);
    STATUS_SUCCESS
}

#[test]
fn client_of_address_is_told_once_when_its_last_adapter_went() {
    let client = Client::new();
    let handler = code_address!(error_handler).cast_mut().cast();
    let addresses = [ANY, "10.0.0.2:7", NEAR].map(|at| client.address(at).unwrap());
    for address in addresses {
        let set = client.transport.set_event(address, TDI_EVENT_ERROR, handler, std::ptr::null_mut());
        assert_eq!(set, Ok(()));
    }
    for (which, told) in [(1, 1), (0, 3)] {
        client.disable(which);
        assert_eq!(TOLD.get(), told);
    }
    client.enable(0);
    client.disable(0);
    assert_eq!(TOLD.get(), 3);
    addresses.into_iter().for_each(|file| client.close(file));
    client.tear_down();
}

#[test]
fn address_taken_from_live_adapter_is_gone_and_opened_anew_when_it_returns() {
    for shared in [false, true] {
        let pair = Pair::new();
        let client = &pair.client;
        let handler = code_address!(error_handler).cast_mut().cast();
        let set =
            client.transport.set_event(pair.far_address, TDI_EVENT_ERROR, handler, std::ptr::null_mut());
        assert_eq!(set, Ok(()));
        let told = TOLD.get();
        let second = client.associated(pair.far_address);
        let listens = [client.listen(pair.far), query(client, second)];
        let receives = [(); 2].map(|()| client.receive_datagram(pair.far_address, Source::Any, 9));
        // What does not concern the address changes nothing.
        client.return_address(1);
        client.take_address(0);
        assert!(listens.iter().chain(&receives).all(|request| request.outcome().is_none()));
        client.return_address(0);
        client.take_address(1);
        let order: Vec<_> = listens.iter().chain(&receives).map(|request| request.serial).collect();
        assert_eq!(client.log.take(), order);
        assert!(listens.iter().chain(&receives).all(|request| request.outcome() == CLOSED));
        assert_eq!(TOLD.get(), told + 1);
        assert_eq!(client.open_address(FAR, shared), Err(STATUS_INVALID_ADDRESS));
        assert_eq!(client.listen(pair.far).outcome(), CLOSED);
        client.return_address(1);
        pump();
        let (near, new) = (client.address(NEAR).unwrap(), client.open_address(FAR, shared).unwrap());
        assert_eq!(client.listen(pair.far).outcome(), CLOSED);
        connects(client, near, new, FAR);
        [second, near, new].into_iter().for_each(|file| client.close(file));
        pair.tear_down();
    }
}

#[test]
fn connection_over_address_that_is_taken_is_aborted() {
    let pair = Pair::connected();
    let (near, far) = (pair.client.receive(pair.near, 1), pair.client.receive(pair.far, 1));
    pair.client.take_address(1);
    pump();
    assert_eq!(far.outcome(), failed(STATUS_CONNECTION_ABORTED));
    assert_eq!(near.outcome(), failed(STATUS_CONNECTION_RESET));
    pair.tear_down();
}

#[test]
fn address_that_returned_before_its_loss_was_noticed_is_kept() {
    let pair = Pair::new();
    let listen = pair.client.listen(pair.far);
    let (network, port) = (pair.client.transport.network(), pair.client.rnic(1));
    let taken = network.set_addresses(port, &[]).unwrap();
    network
        .set_addresses(port, &[FAR.parse::<std::net::SocketAddr>().unwrap().ip()])
        .unwrap()
        .end(&pair.client.transport, test_kernel::passive());
    taken.end(&pair.client.transport, test_kernel::passive());
    let connect = pair.client.connect(pair.near, FAR);
    pump();
    assert_eq!((listen.outcome(), connect.outcome()), (done(0), done(0)));
    pair.tear_down();
}

#[test]
fn adapter_goes_whose_address_moved_to_another_while_in_use() {
    let pair = Pair::connected();
    let second = pair.client.associated(pair.far_address);
    let (listen, receive) = (pair.client.listen(second), pair.client.receive(pair.far, 1));
    let network = pair.client.transport.network();
    let far = FAR.parse::<std::net::SocketAddr>().unwrap().ip();
    // The client hears of it when the network's owner comes to that; the adapter may go before.
    let taken = network.set_addresses(pair.client.rnic(1), &[]).unwrap();
    let moved = network.set_addresses(pair.client.rnic(0), &["10.0.0.1".parse().unwrap(), far]).unwrap();
    pair.client.disable(1);
    assert_eq!((listen.outcome(), receive.outcome()), (CLOSED, failed(STATUS_CONNECTION_ABORTED)));
    [taken, moved].into_iter().for_each(|change| change.end(&pair.client.transport, test_kernel::passive()));
    pair.client.enable(1);
    pair.client.close(second);
    pair.tear_down();
}

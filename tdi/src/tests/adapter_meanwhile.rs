//! Operations of clients while an adapter goes, at each point.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use sys::status::{STATUS_ADDRESS_CLOSED, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET};
use test_kernel::{Strike, preempted, pump};

use super::client::{Client, FAR, Pair, failed};

/// Takes an adapter away at each point of something that a client does; `then` looks what has become of it.
fn adapter_goes_at_each_point<T: 'static>(
    which: usize,
    begin: impl Fn(&Client) -> T,
    does: impl Fn(&Client, &T),
    then: impl Fn(&Client, T),
) {
    for point in 0.. {
        let (client, gone) = (Rc::new(Client::new()), Rc::new(Cell::new(false)));
        let begun = begin(&client);
        let (goes, went) = (Rc::clone(&client), Rc::clone(&gone));
        let work = Box::new(move || {
            went.set(true);
            goes.disable(which);
        });
        preempted(vec![Strike { processor: 0, point, work }], || does(&client, &begun));
        pump();
        let client = Rc::into_inner(client).unwrap();
        if !gone.get() {
            // What the client does has fewer points.
            assert!(point > 1, "nothing was preempted");
            client.disable(which);
        }
        then(&client, begun);
        client.tear_down();
        if !gone.get() {
            break;
        }
    }
}

#[test]
fn create_while_its_adapter_goes_keeps_no_listener_of_it() {
    adapter_goes_at_each_point(
        1,
        |_| Cell::new(None),
        |client, made| made.set(Some(client.address(FAR))),
        |client, made| {
            let made = made.take().unwrap();
            if let Ok(address) = made {
                let endpoint = client.associated(address);
                assert_eq!(client.listen(endpoint).outcome(), failed(STATUS_ADDRESS_CLOSED));
                client.close(endpoint);
            }
            client.enable(1);
            let again = client.address(FAR).unwrap();
            client.close(again);
            made.into_iter().for_each(|address| client.close(address));
        },
    );
}

#[test]
fn create_that_reads_addresses_while_their_adapter_goes_leaves_nothing_of_it() {
    const NEW: &str = "10.0.0.3:139";
    let ip = |at: &str| at.parse::<SocketAddr>().unwrap().ip();
    adapter_goes_at_each_point(
        1,
        |client| {
            client.change_addresses(1, &[ip(FAR), ip(NEW)]);
            Cell::new(None)
        },
        |client, made| made.set(Some(client.address(NEW))),
        |client, made| {
            if let Ok(address) = made.take().unwrap() {
                assert_eq!(client.refreshed(), [1, 1]);
                client.close(address);
            }
        },
    );
}

/// An address object that has lost its address loses its connections with it, also if the address returns before they
/// are aborted; one that has not lost it keeps them.
#[test]
fn connections_go_with_the_listener_of_an_address_that_returns_meanwhile() {
    let mut outcomes = [false; 2];
    for point in 0.. {
        let (pair, returned) = (Rc::new(Pair::connected()), Rc::new(Cell::new(false)));
        let receives = [pair.near, pair.far].map(|file| pair.client.receive(file, 9));
        let (returns, came) = (Rc::clone(&pair), Rc::clone(&returned));
        let work = Box::new(move || {
            came.set(true);
            returns.client.return_address(1);
        });
        preempted(vec![Strike { processor: 0, point, work }], || pair.client.take_address(1));
        pump();
        let pair = Rc::into_inner(pair).unwrap();
        let other = pair.client.associated(pair.far_address);
        let listen = pair.client.listen(other);
        let gone = listen.outcome() == failed(STATUS_ADDRESS_CLOSED);
        let ended = receives.map(|receive| receive.outcome());
        let expected = [failed(STATUS_CONNECTION_RESET), failed(STATUS_CONNECTION_ABORTED)];
        assert_eq!(ended, if gone { expected } else { [None; 2] }, "point {point}");
        outcomes[usize::from(gone)] = true;
        pair.client.close(other);
        pair.tear_down();
        if !returned.get() {
            break;
        }
    }
    assert_eq!(outcomes, [true; 2], "the address returned early, and late");
}

#[test]
fn connect_from_wildcard_whose_adapter_goes_meanwhile_leaves_no_link_over_it() {
    adapter_goes_at_each_point(
        0,
        |client| {
            let (any, far) = (client.address("0.0.0.0:0").unwrap(), client.address(FAR).unwrap());
            let listening = client.associated(far);
            client.listen(listening);
            [client.associated(any), listening, any, far]
        },
        |client, files| {
            client.connect(files[0], FAR);
        },
        |client, files| {
            let over = client.transport.lock().endpoint(files[0]).and_then(|endpoint| endpoint.place());
            let over = over.map(|(_, local)| local.ip().to_string());
            assert_ne!(over.as_deref(), Some("10.0.0.1"), "a link runs over an adapter that is gone");
            files.into_iter().for_each(|file| client.close(file));
        },
    );
}

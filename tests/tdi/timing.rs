//! Time limits of connects and of connect requests.

use core::time::Duration;
use std::thread;

use sys::status::*;
use sys::tdi::{TDI_DISCONNECT_RELEASE, TDI_QUERY_ACCEPT};
use tdi_client::request::{accept, connect, connect_within, disconnect_within, listen, receive, send};

use super::{FAR, NEAR, end_clean, fixture, pair, succeeds};

#[test]
fn unanswered_connect_ends_at_its_time_limit() {
    let fixture = fixture();
    let near_address = fixture.address(NEAR).expect("the near address opens");
    let far_address = fixture.address(FAR).expect("the far address opens");
    let near = fixture.associated(&near_address, 0xA).expect("an endpoint opens");
    assert_eq!(connect(&near, FAR).status(), STATUS_REMOTE_NOT_LISTENING);
    let far = fixture.associated(&far_address, 0xB).expect("an endpoint opens");
    let offered = listen(&far, TDI_QUERY_ACCEPT);
    let connected = connect_within(&near, FAR, Duration::from_millis(50));
    succeeds(offered.status());
    assert_eq!(connected.status(), STATUS_IO_TIMEOUT);
    drop((near, far, near_address, far_address));
    end_clean(fixture);
}

#[test]
fn offer_that_is_not_accepted_in_time_is_rejected() {
    let fixture = fixture();
    let near_address = fixture.address(NEAR).expect("the near address opens");
    let far_address = fixture.address(FAR).expect("the far address opens");
    let near = fixture.associated(&near_address, 0xA).expect("an endpoint opens");
    let far = fixture.associated(&far_address, 0xB).expect("an endpoint opens");
    let offered = listen(&far, TDI_QUERY_ACCEPT);
    let connected = connect(&near, FAR);
    let offer = offered.wait();
    succeeds(offer.status);
    assert_eq!(offer.peer.map(|peer| peer.ip()), Some(NEAR.ip()));
    assert_eq!(connected.status(), STATUS_REMOTE_NOT_LISTENING, "the transport rejects it after a second");
    assert_eq!(accept(&far).status(), STATUS_INVALID_CONNECTION);
    // A connect request that is accepted in time becomes a connection.
    let offered = listen(&far, TDI_QUERY_ACCEPT);
    let connected = connect(&near, FAR);
    succeeds(offered.status());
    succeeds(accept(&far).status());
    succeeds(connected.status());
    drop((near, far, near_address, far_address));
    end_clean(fixture);
}

/// More than one period of the driver's clock, and longer than any limit of the tests below.
const LATER: Duration = Duration::from_millis(300);
const SHORT: Duration = Duration::from_millis(1);

#[test]
fn limit_of_connect_cancelled_before_driver_sees_it_spares_next_connection() {
    let fixture = fixture();
    let near_address = fixture.address(NEAR).expect("the near address opens");
    let far_address = fixture.address(FAR).expect("the far address opens");
    let near = fixture.associated(&near_address, 0xA).expect("an endpoint opens");
    let far = fixture.associated(&far_address, 0xB).expect("an endpoint opens");
    // A request that is forced to pend reaches the driver later; seeds differ in whether it is.
    for seed in 0..8 {
        ntsim::io::force_pending(Some(seed));
        let cancelled = connect_within(&far, NEAR, SHORT);
        cancelled.cancel();
        ntsim::io::force_pending(None);
        let ended = cancelled.status();
        super::is_one_of(ended, &[STATUS_CANCELLED, STATUS_REMOTE_NOT_LISTENING]);
        let listened = listen(&far, 0);
        thread::sleep(LATER);
        let connected = connect(&near, FAR);
        assert_eq!(
            [connected, listened].map(tdi_client::Request::status),
            [STATUS_SUCCESS; 2],
            "seed {seed}"
        );
        succeeds(tdi_client::request::disconnect(&near, 0).status());
        while tdi_client::request::disconnect(&far, 0).wait().status == STATUS_SUCCESS {}
    }
    drop((near, far, near_address, far_address));
    end_clean(fixture);
}

#[test]
fn limit_of_cancelled_release_spares_connection_that_carries_data() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let release = disconnect_within(&pair.near, TDI_DISCONNECT_RELEASE, Duration::from_millis(200));
    release.cancel();
    assert_eq!(release.status(), STATUS_CANCELLED);
    thread::sleep(LATER + LATER);
    // This side has ended its stream, the other one has not.
    let received = receive(&pair.near, 4);
    succeeds(send(&pair.far, b"data".to_vec()).status());
    assert_eq!(received.wait().data, b"data");
    drop(pair);
    end_clean(fixture);
}

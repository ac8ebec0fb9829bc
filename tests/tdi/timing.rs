//! Time limits of connects and offers.

use core::time::Duration;

use sys::status::*;
use sys::tdi::TDI_QUERY_ACCEPT;
use tdi_client::request::{accept, connect, connect_within, listen};

use super::{FAR, NEAR, bed, end_clean, succeeds};

#[test]
fn a_connect_that_nobody_answers_ends_when_its_time_is_up() {
    let bed = bed();
    let near_address = bed.address(NEAR).expect("the near address opens");
    let far_address = bed.address(FAR).expect("the far address opens");
    let near = bed.associated(&near_address, 0xA).expect("an endpoint opens");
    assert_eq!(connect(&near, FAR).status(), STATUS_REMOTE_NOT_LISTENING);
    let far = bed.associated(&far_address, 0xB).expect("an endpoint opens");
    let offered = listen(&far, TDI_QUERY_ACCEPT);
    let connected = connect_within(&near, FAR, Duration::from_millis(50));
    succeeds(offered.status());
    assert_eq!(connected.status(), STATUS_IO_TIMEOUT);
    drop((near, far, near_address, far_address));
    end_clean(bed);
}

#[test]
fn an_offer_that_is_not_accepted_in_time_is_rejected() {
    let bed = bed();
    let near_address = bed.address(NEAR).expect("the near address opens");
    let far_address = bed.address(FAR).expect("the far address opens");
    let near = bed.associated(&near_address, 0xA).expect("an endpoint opens");
    let far = bed.associated(&far_address, 0xB).expect("an endpoint opens");
    let offered = listen(&far, TDI_QUERY_ACCEPT);
    let connected = connect(&near, FAR);
    let offer = offered.wait();
    succeeds(offer.status);
    assert_eq!(offer.peer.map(|peer| peer.ip()), Some(NEAR.ip()));
    assert_eq!(connected.status(), STATUS_REMOTE_NOT_LISTENING, "the transport rejects it after a second");
    assert_eq!(accept(&far).status(), STATUS_INVALID_CONNECTION);
    // An offer that is accepted in time becomes a connection.
    let offered = listen(&far, TDI_QUERY_ACCEPT);
    let connected = connect(&near, FAR);
    succeeds(offered.status());
    succeeds(accept(&far).status());
    succeeds(connected.status());
    drop((near, far, near_address, far_address));
    end_clean(bed);
}

//! Cancelling.

use core::time::Duration;

use sys::status::*;
use tdi_client::request::{connect, listen, receive, send};

use super::{FAR, LEVELS, at, end_clean, fixture, is_one_of, pair};

#[test]
fn requests_that_wait_can_be_cancelled() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let lone = fixture.associated(&pair.far_address, 0xC).expect("an endpoint opens");
    for level in LEVELS {
        let receives = [receive(&pair.near, 10), receive(&pair.near, 10)];
        for request in receives.into_iter().chain([listen(&lone, 0)]) {
            at(level, || request.cancel());
            assert_eq!(request.status(), STATUS_CANCELLED);
        }
    }
    // More than the other side has buffers for, so it waits; it ends with the connection.
    let stuck = send(&pair.near, vec![1; 1 << 20]);
    assert!(stuck.wait_for(Duration::from_millis(20)).is_none());
    stuck.cancel();
    assert_eq!(stuck.status(), STATUS_CANCELLED);
    drop((pair, lone));
    end_clean(fixture);
}

/// Longer than the completion of a cancelled request takes.
const LONG: Duration = Duration::from_secs(5);

#[test]
fn request_cancelled_before_driver_sees_it_completes() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let lone = fixture.associated(&pair.far_address, 0xC).expect("an endpoint opens");
    // A request that is forced to pend reaches the driver later; seeds differ in which ones are.
    for seed in 0..8 {
        ntsim::io::force_pending(Some(seed));
        let requests = [receive(&pair.near, 10), receive(&pair.near, 10), listen(&lone, 0)];
        requests.iter().for_each(tdi_client::Request::cancel);
        ntsim::io::force_pending(None);
        for request in requests {
            let Some(ended) = request.wait_for(LONG) else {
                // Its drop would wait for it.
                core::mem::forget(request);
                panic!("a request that was cancelled before the driver saw it is pending, seed {seed}");
            };
            assert_eq!(ended.status, STATUS_CANCELLED);
        }
    }
    drop((pair, lone));
    end_clean(fixture);
}

#[test]
fn connect_with_unanswered_offer_is_cancelled() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let asking = fixture.associated(&pair.far_address, 0xC).expect("an endpoint opens");
    let connecting = fixture.associated(&pair.near_address, 0xD).expect("an endpoint opens");
    for level in LEVELS {
        let offered = listen(&asking, sys::tdi::TDI_QUERY_ACCEPT);
        let connected = connect(&connecting, FAR);
        assert_eq!(offered.status(), STATUS_SUCCESS);
        at(level, || connected.cancel());
        assert_eq!(connected.status(), STATUS_CANCELLED);
        // Who asked has gone, of which the one who was asked hears when it accepts.
        let late = tdi_client::request::accept(&asking).status();
        is_one_of(late, &[STATUS_CONNECTION_ABORTED, STATUS_INVALID_CONNECTION, STATUS_CONNECTION_RESET]);
    }
    drop((pair, asking, connecting));
    end_clean(fixture);
}

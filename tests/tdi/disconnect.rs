//! The ways in which a connection ends.

use core::time::Duration;

use sys::status::*;
use sys::tdi::*;
use tdi_client::request::{disconnect, disconnect_within, receive, send, send_with};

use super::{FAR, LEVELS, at, end_clean, fixture, is_one_of, pair, succeeds};

#[test]
fn unanswered_release_ends_at_its_time_limit() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let limit = Duration::from_millis(50);
    let release = disconnect_within(&pair.near, TDI_DISCONNECT_RELEASE, limit);
    assert_eq!(release.status(), STATUS_IO_TIMEOUT);
    // The peer is told that it was no orderly end.
    let late = receive(&pair.far, 1).status();
    is_one_of(late, &[STATUS_GRACEFUL_DISCONNECT, STATUS_CONNECTION_RESET, STATUS_INVALID_CONNECTION]);
    drop(pair);
    end_clean(fixture);
}

#[test]
fn release_without_a_limit_waits_for_the_peers() {
    let fixture = fixture();
    let pair = pair(&fixture);
    let release = disconnect(&pair.near, TDI_DISCONNECT_RELEASE);
    assert!(release.wait_for(Duration::from_millis(600)).is_none(), "two ticks of the driver's clock");
    assert_eq!(receive(&pair.far, 1).status(), STATUS_GRACEFUL_DISCONNECT);
    // What flows the other way still does.
    let received = receive(&pair.near, 4);
    succeeds(send(&pair.far, b"last".to_vec()).status());
    assert_eq!(received.wait().data, b"last");
    succeeds(disconnect(&pair.far, TDI_DISCONNECT_RELEASE).status());
    succeeds(release.status());
    drop(pair);
    end_clean(fixture);
}

#[test]
fn several_options_at_once_leave_the_connection_alone() {
    let fixture = fixture();
    let pair = pair(&fixture);
    for flags in [TDI_DISCONNECT_ABORT | TDI_DISCONNECT_RELEASE, 0x8000_0000] {
        assert_eq!(disconnect(&pair.near, flags).status(), STATUS_INVALID_PARAMETER);
    }
    let received = receive(&pair.far, 2);
    succeeds(send(&pair.near, b"ok".to_vec()).status());
    assert_eq!(received.wait().data, b"ok");
    drop(pair);
    end_clean(fixture);
}

#[test]
fn disconnect_may_wait_for_the_peers_and_a_send_may_be_the_last() {
    let fixture = fixture();
    let pair = pair(&fixture);
    for level in LEVELS {
        let waits = at(level, || disconnect(&pair.far, TDI_DISCONNECT_WAIT));
        let sent = at(level, || send_with(&pair.near, b"last".to_vec(), TDI_SEND_AND_DISCONNECT));
        succeeds(sent.status());
        assert_eq!(send(&pair.near, vec![0]).status(), STATUS_INVALID_CONNECTION);
        assert!(waits.outcome().is_none(), "what was sent was not received yet");
        assert_eq!(receive(&pair.far, 8).wait().information, 4);
        succeeds(waits.status());
        succeeds(disconnect(&pair.far, TDI_DISCONNECT_RELEASE).status());
        while pair.establish(FAR).is_err() {
            // The near end, which no request waits for, hears of the end in its own time.
            ntsim::sched::block(Some(Duration::from_millis(1)));
        }
    }
    drop(pair);
    end_clean(fixture);
}

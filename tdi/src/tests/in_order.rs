//! Releases over TCP: neither what was sent nor the end is lost, and no abort, cleanup or removal waits for the peer.

use sys::status::*;
use sys::tdi::{TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE};
use test_kernel::network::{Action, Pace, set_pace, step_if};
use test_kernel::pump;

use super::client::{Pair, Tcp, done, failed};
use super::host::{Pending, pass};
use crate::Command;

/// Lets everything happen but what `held` says.
fn run_without(held: impl Fn(&Action) -> bool) {
    pump();
    while step_if(|action| !held(action)) {
        pump();
    }
}

fn connected() -> Pair {
    let pair = Pair::with(Tcp::Forced);
    pair.establish();
    set_pace(Pace::ByTest);
    pair
}

/// Both sides have released, and have the end of the other one; neither has heard that TCP's stream ends.
fn ending(limit: Option<u64>) -> (Pair, [Pending; 2]) {
    let pair = connected();
    let release = Command::Disconnect { flags: TDI_DISCONNECT_RELEASE, limit };
    let releases = [pair.near, pair.far].map(|file| pair.client.submit(file, release, Vec::new()));
    run_without(|action| matches!(action, Action::Finish(_)));
    assert_eq!(releases.each_ref().map(Pending::outcome), [None, None]);
    (pair, releases)
}

/// The rest happens by itself.
fn end(pair: Pair) {
    set_pace(Pace::Deferred);
    pump();
    pair.tear_down();
}

#[test]
fn releases_over_tcp_complete_when_both_streams_of_tcp_have_ended() {
    let (pair, [near, far]) = ending(None);
    set_pace(Pace::Deferred);
    pump();
    assert_eq!((near.outcome(), far.outcome()), (done(0), done(0)));
    pair.establish();
    end(pair);
}

#[test]
fn abort_does_not_wait_for_the_end_of_a_release_over_tcp() {
    let (pair, [near, far]) = ending(None);
    let abort = pair.client.disconnect(pair.near, TDI_DISCONNECT_ABORT);
    run_without(|action| matches!(action, Action::Finish(_)));
    assert_eq!((abort.outcome(), near.outcome()), (done(0), failed(STATUS_CONNECTION_ABORTED)));
    assert_eq!(far.outcome(), done(0));
    end(pair);
}

#[test]
fn limit_of_release_holds_until_both_streams_of_tcp_have_ended() {
    let (pair, [near, _]) = ending(Some(50));
    pass(1000);
    pair.client.transport.tick();
    run_without(|action| matches!(action, Action::Finish(_)));
    assert_eq!(near.outcome(), failed(STATUS_IO_TIMEOUT));
    end(pair);
}

#[test]
fn cleanup_does_not_wait_for_the_end_of_a_release_over_tcp() {
    let (pair, [near, _]) = ending(None);
    set_pace(Pace::Deferred);
    pair.client.transport.cleanup(pair.near, test_kernel::passive());
    assert_eq!(near.outcome(), failed(STATUS_CANCELLED));
    end(pair);
}

#[test]
fn removal_of_adapter_does_not_wait_for_the_end_of_a_release_over_tcp() {
    let (pair, [near, _]) = ending(None);
    set_pace(Pace::Deferred);
    pair.client.disable(0);
    assert_eq!(near.outcome(), failed(STATUS_CONNECTION_ABORTED));
    pair.client.enable(0);
    end(pair);
}

#[test]
fn end_of_peer_that_comes_before_sends_are_back_loses_nothing() {
    let pair = connected();
    let data: Vec<u8> = (0..=250).cycle().take(5000).collect();
    // In one piece, so that its end is known when its bytes are back, and not before.
    let (record, send) = pair.client.log.request(99, data.clone(), data.len());
    pair.client.transport.submit(pair.near, Command::Send { length: data.len(), flags: 0 }, record);
    let near = pair.client.disconnect(pair.near, TDI_DISCONNECT_RELEASE);
    let receive = pair.client.receive(pair.far, data.len());
    let far = pair.client.disconnect(pair.far, TDI_DISCONNECT_RELEASE);
    // Those of the active side, whose connection is the first.
    run_without(|action| *action == Action::Return(0));
    assert_eq!((send.outcome(), near.outcome()), (None, None), "TCP has its bytes");
    set_pace(Pace::Deferred);
    pump();
    assert_eq!((send.outcome(), near.outcome(), far.outcome()), (done(data.len()), done(0), done(0)));
    assert!(receive.data() == data);
    end(pair);
}

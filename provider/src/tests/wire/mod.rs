//! Connections over a network, which is one in a box: what a consumer sees of them.

mod close;
mod data;
mod establish;
mod flood;
mod hostile;
mod limits;
mod meet;
mod order;
mod peer;
mod resets;
mod rig;
mod shared;
mod turns;
mod victim;

pub(super) use meet::{meet, retaken, shared};
use sys::status::*;
use test_kernel::network;

use crate::rnic::WireSettings;
use crate::tests::consumer::{Pair, Seen, close, virtual_address};

pub(super) const SETTINGS: WireSettings = WireSettings { crc: true, fpdu_size: None, force: true };

/// Lets the network and the DPCs run until nothing is left to do; returns the callbacks.
pub(super) fn run(pair: &Pair) -> Vec<Seen> {
    let mut seen = pair.log.pump();
    while network::step(0) {
        seen.extend(pair.log.pump());
    }
    seen
}

/// A listener that listens.
pub(super) fn listening() -> Pair {
    listening_of(SETTINGS)
}

fn listening_of(settings: WireSettings) -> Pair {
    let pair = Pair::over_network(settings);
    assert_eq!(pair.listen_pending(), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("listen", STATUS_SUCCESS)]);
    pair
}

/// A connect request that the listener's consumer has.
pub(super) fn requested(data: &[u8]) -> Pair {
    let mut pair = listening();
    assert_eq!(pair.connect(data), STATUS_PENDING);
    let seen = run(&pair);
    let [Seen::Requested(_, connector)] = seen[..] else { panic!("no single connect request: {seen:?}") };
    pair.far.connector = virtual_address(connector).cast();
    pair
}

/// A connection.
pub(super) fn connected() -> Pair {
    let pair = requested(b"hello");
    assert_eq!(pair.accept(b"welcome"), STATUS_PENDING);
    assert_eq!(run(&pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(run(&pair), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
    pair
}

/// A connection of these settings, between QPs of the depths of a [`rig`].
pub(super) fn connected_of(settings: WireSettings) -> Pair {
    let mut pair = listening_of(settings);
    for side in [&mut pair.near, &mut pair.far] {
        let deeper = side.create_qp_of(rig::DEPTH, rig::ENTRIES);
        let qp = core::mem::replace(&mut side.qp, deeper);
        assert_eq!(close!(pair.log, qp, NdkCloseQp, "unused"), STATUS_SUCCESS);
    }
    connect(&mut pair);
    pair
}

/// Connects two sides that do nothing yet.
pub(super) fn establish(pair: &mut Pair) {
    assert_eq!(pair.listen_pending(), STATUS_PENDING);
    assert_eq!(run(pair), [Seen::RequestCompleted("listen", STATUS_SUCCESS)]);
    connect(pair);
}

fn connect(pair: &mut Pair) {
    assert_eq!(pair.connect(b""), STATUS_PENDING);
    let seen = run(pair);
    let [Seen::Requested(_, connector)] = seen[..] else { panic!("no single connect request: {seen:?}") };
    pair.far.connector = virtual_address(connector).cast();
    assert_eq!(pair.accept(b""), STATUS_PENDING);
    assert_eq!(run(pair), [Seen::RequestCompleted("connect", STATUS_SUCCESS)]);
    assert_eq!(pair.complete_connect(), STATUS_SUCCESS);
    assert_eq!(run(pair), [Seen::RequestCompleted("accept", STATUS_SUCCESS)]);
}

/// Closes all that is left, and sees to it that nothing of the network is.
pub(super) fn tear_down(pair: Pair) {
    run(&pair);
    let log = &pair.log;
    for side in [&pair.near, &pair.far] {
        if !side.connector.is_null() {
            close!(log, side.connector, NdkCloseConnector, "connector");
            run(&pair);
        }
    }
    close!(log, pair.listener, NdkCloseListener, "listener");
    run(&pair);
    for side in [&pair.near, &pair.far] {
        assert_eq!(close!(log, side.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
        assert_eq!(close!(log, side.pd, NdkClosePd, "pd"), STATUS_SUCCESS);
        assert_eq!(close!(log, side.cq, NdkCloseCq, "cq"), STATUS_SUCCESS);
        side.close_adapter();
    }
    assert_eq!(network::live(), 0, "a connection or port is left");
}

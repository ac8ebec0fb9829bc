//! The close of each object at each stage of a connection over the network, in every order that a seed gives.

use std::collections::BTreeMap;

use sys::explain::EXPLAIN_KIND;
use sys::status::*;
use test_kernel::is_ticking;
use test_kernel::network::{self, Action};

use super::{SETTINGS, connected, requested, run};
use crate::tests::consumer::{Pair, Seen, call, close, virtual_address};

/// Numbers that look random, the same ones for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// A consumer on both sides, which does what a seed says.
struct Play {
    pair: Pair,
    random: Random,
    /// Requests that are pending, by their names.
    pending: BTreeMap<&'static str, i32>,
    /// Objects whose close is pending.
    closing: BTreeMap<&'static str, i32>,
    open: Vec<&'static str>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let pair = Pair::over_network(SETTINGS);
        let open = vec!["listener", "near qp", "far qp"];
        let (pending, closing) = (BTreeMap::new(), BTreeMap::new());
        Self { pair, random: Random(seed), pending, closing, open }
    }

    fn note(&mut self, name: &'static str, status: NTSTATUS) {
        if status == STATUS_PENDING {
            *self.pending.entry(name).or_default() += 1;
        }
    }

    /// Handles callbacks; some are answered.
    fn handle(&mut self) {
        for seen in self.pair.log.pump() {
            match seen {
                Seen::RequestCompleted(name, status) => {
                    *self.pending.entry(name).or_default() -= 1;
                    assert!(self.pending[name] >= 0, "{name} completes twice");
                    if name == "connect" && status == STATUS_SUCCESS && self.open.contains(&"near connector")
                    {
                        let status = self.pair.complete_connect();
                        self.note("complete", status);
                    }
                }
                Seen::Requested(_, connector) => {
                    assert!(!self.open.contains(&"far connector"), "one attempt, one connect request");
                    self.pair.far.connector = virtual_address(connector).cast();
                    self.open.push("far connector");
                    match self.random.below(4) {
                        0 => {}
                        1 => drop(call!(self.pair.far.connector, NdkReject, core::ptr::null(), 0)),
                        _ if self.open.contains(&"far qp") => {
                            let status = self.pair.accept(b"welcome");
                            self.note("accept", status);
                        }
                        _ => {}
                    }
                }
                Seen::Closed(name) => {
                    *self.closing.entry(name).or_default() -= 1;
                    assert!(self.closing[name] >= 0, "{name} is closed twice");
                }
                Seen::Disconnected(_) | Seen::Notified(..) => {}
            }
        }
    }

    /// Lets some of what may happen happen.
    fn some(&mut self) {
        for _ in 0..self.random.below(12) {
            if self.random.below(3) == 0 || !network::step(self.random.below(8)) {
                self.handle();
            }
        }
    }

    fn close(&mut self, name: &'static str) {
        let (pair, log) = (&self.pair, &self.pair.log);
        let status = match name {
            "listener" => close!(log, pair.listener, NdkCloseListener, "listener"),
            "near qp" => close!(log, pair.near.qp, NdkCloseQp, "near qp"),
            "far qp" => close!(log, pair.far.qp, NdkCloseQp, "far qp"),
            "near connector" => close!(log, pair.near.connector, NdkCloseConnector, "near connector"),
            _ => close!(log, pair.far.connector, NdkCloseConnector, "far connector"),
        };
        if status == STATUS_PENDING {
            *self.closing.entry(name).or_default() += 1;
        }
    }

    /// Plays a connection up to a point of the seed's, and closes everything in an order of the seed's. No time
    /// passes: whatever is pending ends without it (TD-1).
    fn play(mut self) {
        let status = self.pair.listen_pending();
        self.note("listen", status);
        self.some();
        let status = self.pair.connect(b"hello");
        self.note("connect", status);
        self.open.push("near connector");
        for _ in 0..3 {
            self.some();
        }
        if self.random.below(3) == 0 {
            let status = self.pair.disconnect(self.pair.near.connector, "near disconnect");
            self.note("near disconnect", status);
            self.some();
        }
        if self.random.below(3) == 0 && self.open.contains(&"far connector") {
            let status = self.pair.disconnect(self.pair.far.connector, "far disconnect");
            self.note("far disconnect", status);
            self.some();
        }
        if self.random.below(5) == 0 {
            network::reset_all();
        }
        loop {
            while !self.open.is_empty() {
                let at = self.random.below(self.open.len());
                let name = self.open.remove(at);
                self.close(name);
                self.some();
            }
            while network::step(0) {
                self.handle();
            }
            self.handle();
            if self.open.is_empty() {
                break;
            }
        }
        assert!(self.pending.values().all(|count| *count == 0), "pending: {:?}", self.pending);
        assert!(self.closing.values().all(|count| *count == 0), "closing: {:?}", self.closing);
        for side in [&self.pair.near, &self.pair.far] {
            assert_eq!(close!(self.pair.log, side.pd, NdkClosePd, "pd"), STATUS_SUCCESS);
            assert_eq!(close!(self.pair.log, side.cq, NdkCloseCq, "cq"), STATUS_SUCCESS);
            side.close_adapter();
        }
        assert_eq!(network::live(), 0, "a connection or port is left");
        assert!(!is_ticking(), "a timer is set");
    }
}

#[test]
fn close_over_network_ends_everything_in_any_order() {
    for seed in 0..2000 {
        let play = std::panic::AssertUnwindSafe(|| Play::new(seed).play());
        if let Err(panic) = std::panic::catch_unwind(play) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Lets only this connection act.
fn only(pair: &Pair, connection: usize) -> Vec<Seen> {
    let mut seen = pair.log.pump();
    while network::step_if(|action: &Action| action.connection() == Some(connection)) {
        seen.extend(pair.log.pump());
    }
    seen
}

#[test]
fn close_of_a_connector_does_not_wait_for_a_peer_that_stands_still() {
    // The active side's connection is the first, the passive one's the second.
    for (near, connection) in [(true, 0), (false, 1)] {
        for stage in 0..4 {
            let pair = match stage {
                0 => requested(b""),
                1 => {
                    let pair = requested(b"");
                    assert_eq!(pair.accept(b""), STATUS_PENDING);
                    pair
                }
                _ => connected(),
            };
            if stage == 3 {
                let connector = if near { pair.near.connector } else { pair.far.connector };
                assert_eq!(pair.disconnect(connector, "disconnect"), STATUS_PENDING);
            }
            let connector = if near { pair.near.connector } else { pair.far.connector };
            let closing = close!(pair.log, connector, NdkCloseConnector, "connector");
            assert_eq!(closing, STATUS_PENDING);
            let seen = only(&pair, network::begun() - 2 + connection);
            assert!(seen.contains(&Seen::Closed("connector")), "stage {stage}: {seen:?}");
            run(&pair);
            forget(pair, near);
        }
    }
}

#[test]
fn pending_close_is_explained_by_what_tcp_has() {
    let ask = |pair: &Pair, handle: usize| {
        let (status, reasons, _) = crate::tests::explain::ask(pair.near.adapter, handle, 8);
        assert_eq!(status, STATUS_SUCCESS);
        let network = reasons.iter().find(|reason| reason.Kind == EXPLAIN_KIND::NETWORK);
        network.map(|reason| (reason.Number, reason.Closing))
    };
    let pair = connected();
    let (connector, qp) = (pair.near.connector.addr(), pair.near.qp.addr());
    assert_eq!(ask(&pair, connector), Some((0, 0)));
    assert_eq!(close!(pair.log, pair.near.connector, NdkCloseConnector, "connector"), STATUS_PENDING);
    assert_eq!((ask(&pair, connector), ask(&pair, qp)), (Some((0, 1)), Some((0, 1))));
    assert!(run(&pair).contains(&Seen::Closed("connector")));
    assert_eq!(ask(&pair, qp), None);
    forget(pair, true);
}

/// Closes what is left after the connector of one side.
fn forget(mut pair: Pair, near: bool) {
    if near {
        pair.near.connector = core::ptr::null_mut();
    } else {
        pair.far.connector = core::ptr::null_mut();
    }
    super::tear_down(pair);
}

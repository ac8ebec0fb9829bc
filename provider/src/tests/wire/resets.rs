//! Resets in each state of a connection: nothing is left, and nothing is touched (6.2 of the design: RST at every state).

use sys::ndk::NDK_SGE;
use sys::status::*;

use super::peer::{Peer, fpdu, send, write};
use super::rig::receive;
use super::victim::Victim;
use super::{SETTINGS, listening_of, run, tear_down};
use crate::rnic::WireSettings;
use crate::tests::consumer::{Pair, Seen, call, request, virtual_address};

/// A connection that is not established yet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Request,
    WholeRequest,
    Answer,
    FirstFpdu,
}

fn reach(pair: &mut Pair, peer: &Peer, state: Before) {
    if state == Before::Request {
        return;
    }
    if state == Before::WholeRequest {
        peer.send(b"MPA ID Req");
        run(pair);
        return;
    }
    peer.request();
    let seen = run(pair);
    let [Seen::Requested(_, connector)] = seen[..] else { panic!("no connect request: {seen:?}") };
    pair.far.connector = virtual_address(connector).cast();
    if state == Before::FirstFpdu {
        assert_eq!(pair.accept(b""), STATUS_PENDING);
        run(pair);
    }
}

#[test]
fn reset_before_a_connection_is_established_leaves_nothing_behind() {
    for crc in [false, true] {
        for state in [Before::Request, Before::WholeRequest, Before::Answer, Before::FirstFpdu] {
            let mut pair = listening_of(WireSettings { crc, ..SETTINGS });
            let peer = Peer::connect(pair.far.address, crc);
            run(&pair);
            reach(&mut pair, &peer, state);
            peer.abort();
            let seen = run(&pair);
            match state {
                Before::FirstFpdu => {
                    assert_eq!(seen, [Seen::RequestCompleted("accept", STATUS_CONNECTION_ABORTED)]);
                }
                _ => assert_eq!(seen, [], "{state:?}"),
            }
            if state == Before::Answer {
                assert_eq!(pair.accept(b""), STATUS_CONNECTION_ABORTED);
            }
            assert!(peer.is_closed());
            tear_down(pair);
        }
    }
}

/// The steps of a victim and its peer before the reset.
type Deed = fn(&Victim);

#[test]
fn reset_of_an_established_connection_cancels_what_is_posted_and_leaves_nothing_behind() {
    let states: [(&str, Deed); 6] = [
        ("idle", |_| {}),
        ("inside an FPDU", |victim| {
            let bytes = fpdu(&write(victim.read_only.token, 0, true, &[1; 64]), victim.peer.crc);
            victim.peer.send(&bytes[..9]);
        }),
        ("inside a message", |victim| victim.peer.segment(&send(1, 0, false, b"beg"))),
        ("with a read outstanding", |victim| {
            let sge = NDK_SGE { Length: 8, ..victim.local.buffer.sge(victim.local.token) };
            let (qp, at, token) = (victim.pair.far.qp, victim.all.start(), victim.all.token);
            assert_eq!(call!(qp, NdkRead, request(6), &sge, 1, at, token, 0), STATUS_SUCCESS);
        }),
        ("with a message that no receive awaits", |victim| {
            for number in 1..3 {
                victim.peer.segment(&send(number, 0, true, b""));
            }
        }),
        ("behind its Terminate", |victim| victim.peer.segment(&write(0, 0, true, b"x"))),
    ];
    for crc in [false, true] {
        for (state, deed) in states {
            let victim = Victim::new(crc);
            let sge = NDK_SGE { Length: 8, ..victim.local.buffer.sge(victim.local.token) };
            receive(&victim.pair.far, 5, &[sge]);
            deed(&victim);
            let mut seen = run(&victim.pair);
            victim.peer.abort();
            seen.extend(run(&victim.pair));
            assert_eq!(seen, [Seen::Disconnected("far")], "{state}");
            let results = victim.pair.far.results();
            let received = state == "with a message that no receive awaits";
            let of = |number| {
                results.iter().filter(move |(_, _, other)| *other == number).map(|(status, ..)| *status)
            };
            let expected = if received { STATUS_SUCCESS } else { STATUS_CANCELLED };
            assert_eq!(of(5).collect::<Vec<_>>(), [expected], "{state}");
            let read = if state == "with a read outstanding" { vec![STATUS_CANCELLED] } else { vec![] };
            assert_eq!(of(6).collect::<Vec<_>>(), read, "{state}");
            let touched = victim.local.buffer.bytes[3..].iter().any(|byte| *byte != super::victim::UNTOUCHED);
            assert!(!touched && victim.all.is_untouched() && victim.read_only.is_untouched(), "{state}");
            victim.end();
        }
    }
}

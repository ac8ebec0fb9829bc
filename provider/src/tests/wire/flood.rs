//! Peers that open more than a listener answers, and peers that send slowly: each has its time, and no other connection waits.

use std::time::Duration;

use sys::status::*;
use test_kernel::{network, pass};

use super::peer::{Peer, fpdu, write};
use super::victim::Victim;
use super::{SETTINGS, listening, listening_of, run, tear_down};
use crate::rnic::WireSettings;
use crate::tests::consumer::{Pair, Seen, close, virtual_address};

/// LIM-1: of ten thousand connections that say nothing a listener answers 256 at a time; a connection that is there works
/// meanwhile, and the rest are gone when their time is over.
#[test]
fn half_open_connections_leave_a_connection_as_it_is() {
    for crc in [false, true] {
        let victim = Victim::new(crc);
        let before = network::live();
        assert_eq!(network::knock(victim.pair.far.address, 10_000), 256);
        run(&victim.pair);
        assert_eq!(network::live(), before + 256);
        let late = Peer::connect(victim.pair.far.address, crc);
        run(&victim.pair);
        assert!(late.is_refused());
        victim.peer.segment(&write(victim.all.token, victim.all.start(), true, b"all the same"));
        run(&victim.pair);
        assert_eq!(victim.all.buffer.bytes[..12], *b"all the same");
        assert_eq!(victim.peer.told(), None);
        pass(Duration::from_secs(11));
        run(&victim.pair);
        assert_eq!(network::live(), before);
        victim.end();
    }
}

/// LIM-1: a listener holds 1,024 requests that its consumer was not shown, and refuses those behind.
#[test]
fn listener_holds_so_many_requests_and_no_more() {
    let pair = listening();
    let mut peers = vec![];
    for _ in 0..1030 {
        let peer = Peer::connect(pair.far.address, true);
        // No DPC is made: the consumer is shown nothing.
        network::pump();
        peer.request();
        network::pump();
        peers.push(peer);
    }
    let refused = peers.iter().filter(|peer| peer.is_refused() || peer.is_closed()).count();
    assert_eq!(refused, 6);
    let shown = pair.log.pump();
    assert_eq!(shown.len(), 1024);
    for seen in shown {
        let Seen::Requested(_, connector) = seen else { panic!("{seen:?}") };
        let connector = virtual_address(connector).cast::<sys::ndk::NDK_CONNECTOR>();
        close!(pair.log, connector, NdkCloseConnector, "offered");
    }
    run(&pair);
    assert!(peers.iter().all(Peer::is_closed));
    tear_down(pair);
}

/// Sends bytes one by one, each after a time, until the provider has closed the connection; returns the seconds.
fn drip(pair: &Pair, peer: &Peer, bytes: impl Iterator<Item = u8>, pause: u64) -> (u64, Vec<Seen>) {
    let (mut seconds, mut seen) = (0, vec![]);
    for byte in bytes {
        if peer.is_closed() {
            break;
        }
        peer.send(&[byte]);
        seen.extend(run(pair));
        pass(Duration::from_secs(pause));
        seconds += pause;
        seen.extend(run(pair));
    }
    assert!(peer.is_closed(), "it is given up while it goes on to send");
    (seconds, seen)
}

/// TM-3: a request that comes byte by byte has ten seconds in all.
#[test]
fn request_that_comes_byte_by_byte_has_its_time() {
    for crc in [false, true] {
        let pair = listening();
        let peer = Peer::connect(pair.far.address, crc);
        run(&pair);
        let (seconds, seen) = drip(&pair, &peer, b"MPA ID Req Frame".iter().copied(), 1);
        assert!((10..=11).contains(&seconds), "{seconds}");
        assert_eq!(seen, []);
        tear_down(pair);
    }
}

/// TM-5: the first FPDU has thirty seconds in all, and what is left of the ten for the request.
#[test]
fn first_fpdu_that_comes_byte_by_byte_has_its_time() {
    for crc in [false, true] {
        let mut pair = listening_of(WireSettings { crc, ..SETTINGS });
        let peer = Peer::connect(pair.far.address, crc);
        run(&pair);
        peer.request();
        let seen = run(&pair);
        let [Seen::Requested(_, connector)] = seen[..] else { panic!("no connect request: {seen:?}") };
        pair.far.connector = virtual_address(connector).cast();
        assert_eq!(pair.accept(b""), STATUS_PENDING);
        run(&pair);
        let first = fpdu(&write(9, 0, true, b""), crc);
        let (seconds, seen) = drip(&pair, &peer, first.into_iter(), 3);
        assert!((30..=43).contains(&seconds), "{seconds}");
        assert_eq!(seen, [Seen::RequestCompleted("accept", STATUS_IO_TIMEOUT)]);
        tear_down(pair);
    }
}

/// TM-4, LIM-4: the rest of an FPDU has sixty seconds from its first byte, and what is left of an earlier time, then 2/0/5 is told; TM-6: a peer that goes
/// on to send has four seconds more.
#[test]
fn fpdu_that_comes_byte_by_byte_has_its_time() {
    for crc in [false, true] {
        let victim = Victim::new(crc);
        let bytes = fpdu(&write(victim.all.token, victim.all.start(), true, &[1; 100]), crc);
        let (seconds, seen) = drip(&victim.pair, &victim.peer, bytes.into_iter(), 3);
        assert!((63..=97).contains(&seconds), "{seconds}");
        assert_eq!(seen, [Seen::Disconnected("far")]);
        let told = victim.peer.told().unwrap();
        assert_eq!((told.layer, told.kind, told.code), (2, 0, 5));
        // Without sums what comes is placed as it comes.
        let placed = victim.all.buffer.bytes.iter().filter(|byte| **byte != super::victim::UNTOUCHED).count();
        assert!(if crc { placed == 0 } else { placed <= 33 }, "{placed}");
        victim.end();
    }
}

/// TD-4, TM-6: NdkDisconnect completes four seconds after the end of this side's stream, whatever the peer goes on to send.
#[test]
fn peer_that_goes_on_to_send_does_not_hold_up_a_disconnect() {
    for crc in [false, true] {
        let victim = Victim::new(crc);
        let connector = victim.pair.far.connector;
        assert_eq!(victim.pair.disconnect(connector, "disconnect"), STATUS_PENDING);
        let message = fpdu(&write(victim.all.token, victim.all.start(), true, b"x"), crc);
        // An FPDU begins in each second.
        let stream = (0..).map(|byte| message[byte % message.len()]).take(40 * message.len());
        let stream: Vec<_> = stream.collect();
        let mut seen = vec![];
        let mut seconds = 0;
        for piece in stream.chunks(message.len() + 3) {
            if victim.peer.is_closed() {
                break;
            }
            victim.peer.send(piece);
            seen.extend(run(&victim.pair));
            pass(Duration::from_secs(1));
            seconds += 1;
            seen.extend(run(&victim.pair));
        }
        assert!((4..=8).contains(&seconds), "{seconds}");
        assert_eq!(seen, [Seen::RequestCompleted("disconnect", STATUS_SUCCESS)]);
        victim.end();
    }
}

//! Data moved by the built driver arrives as it was sent, whatever its length and the way it takes.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

mod common;

use std::sync::Arc;
use std::thread;

use common::{HOST_IPV4, IPV4, IPV6, Network};
use ntsim::Machine;
use ntsim::ex::{Faults, inject, injected};
use ntsim::io::Opener;
use ntsim::se::Subject;
use protocol::{Level, Operation, SessionCounters, TransferCounters};
use runner::{Client, Error, Fixture, Place, transfer};
use sys::ndis::{NDIS_NDK_STATISTICS_INFO, OID_NDK_STATISTICS};
use sys::status::{STATUS_CANCELLED, STATUS_INVALID_PARAMETER, STATUS_IO_TIMEOUT};

/// Bytes that are moved at once: small, so that a few make a long transfer.
const CHUNK: u32 = 64 << 10;

const WAYS: [Operation; 4] = [Operation::Send, Operation::Write, Operation::Read, Operation::SmbDirect];

/// Moves `lengths` bytes in turn, each in every way, over one session, and closes it from `level`.
#[track_caller]
fn transfers(network: Network, lengths: &[u64], level: Level) -> SessionCounters {
    let fixture = common::boot(network);
    let outcome = Client::open(&fixture).and_then(|client| {
        let [near, far] = network.ends();
        let session = client.open_session(near, far, CHUNK)?;
        for length in lengths {
            for way in WAYS {
                let data = bytes(*length);
                let moved = transfer::run(&session, way, &data[..], *length, |_| ())?;
                assert_eq!(moved.sent, moved.arrived, "{length} bytes by {way:?} are not what was sent");
            }
        }
        let counters = session.counters()?;
        Ok((counters, session.close(level)?))
    });
    let found = fixture.shut_down();
    let (counters, closed) = outcome.unwrap_or_else(|error: Error| panic!("{error}\n{found}"));
    let broken = common::broken(&closed);
    assert!(broken.is_empty() && found.is_clean(), "{broken}{found}");
    assert!(closed.closes_pending > 0, "antecedents that are closed first pend");
    assert!(closed.closes_inside > 0, "connectors are closed in their callbacks");
    counters
}

/// The tally of each of [`WAYS`].
fn moved(counters: &SessionCounters) -> [TransferCounters; 4] {
    [counters.send, counters.write, counters.read, counters.smb_direct]
}

/// Bytes that repeat nowhere, another series for each length.
fn bytes(length: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length);
    let mut bytes = vec![0; usize::try_from(length).expect("test data fit into memory")];
    random.fill(&mut bytes);
    bytes
}

#[test]
fn empty_transfer_moves_no_chunk() {
    let counters = transfers(IPV4, &[0], Level::Passive);
    assert_eq!(moved(&counters).map(|tally| tally.chunks), [0; 4]);
}

#[test]
fn single_byte_arrives() {
    let counters = transfers(IPV4, &[1], Level::Passive);
    assert_eq!(moved(&counters).map(|tally| tally.bytes), [1; 4]);
}

#[test]
fn lengths_around_a_chunk_arrive() {
    let chunk = u64::from(CHUNK);
    transfers(IPV4, &[chunk - 1, chunk, chunk + 1], Level::Passive);
}

#[test]
fn odd_lengths_arrive() {
    transfers(IPV4, &[3, 511, 4097, 777_777], Level::Passive);
}

/// Shows NDIS-6 at PASSIVE_LEVEL.
#[test]
fn many_chunks_arrive_over_ipv6() {
    let counters = transfers(IPV6, &[40 * u64::from(CHUNK)], Level::Passive);
    assert_eq!(moved(&counters).map(|tally| tally.chunks), [40; 4]);
}

/// Shows NDIS-6 at DISPATCH_LEVEL.
#[test]
fn session_may_be_closed_at_dispatch_level() {
    transfers(IPV4, &[100_000], Level::Dispatch);
    transfers(IPV6, &[100_000], Level::Dispatch);
}

#[test]
fn each_chunk_of_smb_direct_is_registered_for_itself_and_invalidated_by_its_answer() {
    for (network, level) in [(IPV4, Level::Passive), (IPV6, Level::Dispatch)] {
        let counters = transfers(network, &[9 * u64::from(CHUNK), 5], level);
        assert_eq!((counters.fast_registrations, counters.invalidations), (10, 10));
        // A queue of four says so when one is left.
        assert_eq!(counters.refills, 3);
    }
}

/// Re-arming an SRQ is part of every message, and must not fail for want of memory.
#[test]
fn srq_that_is_armed_again_takes_no_memory() {
    let fixture = common::boot(IPV4);
    let [near, far] = IPV4.ends();
    let session = Client::open(&fixture)
        .and_then(|client| client.open_session(near, far, CHUNK))
        .expect("a session opens");
    // The driver's work for addresses that still arrive allocates, too.
    fixture.machine().settle();
    // One chunk leaves the queue as it is; of the next six two have it refilled, and armed.
    let [one, six] = [1, 6].map(|chunks| {
        inject(Faults::None, Some("softndk.sys"));
        let data = bytes(chunks * u64::from(CHUNK));
        let moved = transfer::run(&session, Operation::SmbDirect, &data[..], data.len() as u64, |_| ());
        moved.expect("it crosses");
        injected().0
    });
    assert_eq!(session.counters().expect("it is open").refills, 2);
    assert_eq!(six, 6 * one);
    session.close(Level::Passive).expect("it closes");
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

/// The sides do not agree on a chunk's length: one sees that, and the other waits for what does not come.
#[test]
fn chunk_that_fails_on_its_way_ends_the_session_and_leaves_nothing_registered() {
    let fixture = common::boot(IPV4);
    for (way, level) in WAYS.into_iter().flat_map(|way| [(way, Level::Passive), (way, Level::Dispatch)]) {
        let [near, far] = IPV4.ends();
        let session = Client::open(&fixture)
            .and_then(|client| client.open_session(near, far, CHUNK))
            .expect("a session opens");
        let failed = thread::scope(|scope| {
            let near = scope.spawn(|| session.transmit(way, &mut [1; 3000]));
            let far = session.collect(way, &mut [0; 2000]);
            [near.join().expect("it does not panic"), far].map(|moved| status(moved.expect_err("it fails")))
        });
        // Which side it is depends on the way.
        let (seen, told) = (STATUS_INVALID_PARAMETER, STATUS_CANCELLED);
        assert!([[seen, told], [told, seen]].contains(&failed), "{way:?}: {failed:x?}");
        let after = session.transmit(way, &mut [1; 1]).expect_err("nothing crosses any more");
        assert_eq!(status(after), STATUS_CANCELLED);
        let broken = common::broken(&session.close(level).expect("it closes"));
        assert!(broken.is_empty(), "{way:?}: {broken}");
    }
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

/// A runner that opens the driver by a synchronous handle: one of the two requests of a chunk waits for the other, which
/// waits for it in the driver. The driver's time limit ends that, and the runner says which request it was.
#[test]
fn transfer_over_synchronous_handle_ends_with_the_status_of_the_time_limit() {
    let fixture = common::boot(IPV4);
    let [near, far] = IPV4.ends();
    let opener = Opener::new(Subject::system()).synchronous();
    let file = fixture.machine().open_as(protocol::LINK_NAME, &[], &opener).expect("it opens");
    let session = Client::on(Arc::new(file)).open_session(near, far, CHUNK).expect("a session opens");
    let moved = transfer::run(&session, Operation::Copy, &[1; 1000][..], 1000, |_| ());
    let error = moved.expect_err("neither side can go on");
    let message = error.to_string();
    assert_eq!(status(error), STATUS_IO_TIMEOUT, "{message}");
    assert!(message.starts_with("transmit: ") || message.starts_with("collect: "), "{message}");
    session.close(Level::Passive).expect("it closes");
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

/// The status with which a request failed.
#[track_caller]
fn status(error: Error) -> i32 {
    match error {
        Error::Status { status, .. } => status,
        other => panic!("{other}"),
    }
}

/// Shows NDIS-4 at PASSIVE_LEVEL.
#[test]
fn connections_and_octets_are_counted_on_both_adapters() {
    let fixture = common::boot(IPV4);
    let counted = |index| {
        let adapter = fixture.machine().adapter(index).expect("it runs");
        let answer =
            adapter.query(OID_NDK_STATISTICS, size_of::<NDIS_NDK_STATISTICS_INFO>()).expect("they are kept");
        // Behind the head and the flags, numbers of 64 bits: those of connections come first, those of data last.
        let numbers: Vec<u64> = answer[8..]
            .chunks_exact(8)
            .map(|number| u64::from_le_bytes(number.try_into().expect("eight bytes")))
            .collect();
        let (connections, data) = (numbers[..5].to_vec(), numbers[numbers.len() - 4..].to_vec());
        (connections, data)
    };
    let session = Client::open(&fixture)
        .and_then(|client| client.open_session(IPV4.ends()[0], IPV4.ends()[1], CHUNK))
        .expect("a session opens");
    let data = bytes(100_000);
    transfer::run(&session, Operation::Write, &data[..], 100_000, |_| ()).expect("it crosses");
    let ((near, near_data), (far, far_data)) = (counted(common::NEAR), counted(common::FAR));
    // Connects, accepts, failed connects, connections that broke, connections that are.
    // A session has two.
    assert_eq!((near, far), (vec![2, 0, 0, 0, 2], vec![0, 2, 0, 0, 2]));
    let [near_in, near_out, ..] = near_data[..] else { panic!("there are four") };
    let [far_in, far_out, ..] = far_data[..] else { panic!("there are four") };
    assert_eq!((near_in, near_out), (far_out, far_in));
    assert!(near_out > 100_000, "the data and the messages around it: {near_out}");
    session.close(Level::Passive).expect("it closes");
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

/// The bytes of both sides go through TCP of the host, whose addresses the adapters have.
#[test]
fn chunks_cross_over_sockets_of_the_host() {
    let places = HOST_IPV4.places().map(Place::wire);
    let machine = Machine::builder().host_sockets().boot();
    let fixture = Fixture::on(machine, &common::images(), &places);
    let fixture = fixture.unwrap_or_else(|(error, _)| panic!("{error}"));
    let [near, far] = HOST_IPV4.ends();
    let free = std::net::TcpListener::bind("127.0.0.2:0").and_then(|listener| listener.local_addr());
    let far = far.with_port(free.expect("the host has a free port").port());
    let session = Client::open(&fixture)
        .and_then(|client| client.open_session(near, far, CHUNK))
        .expect("a session opens");
    for way in WAYS {
        let data = bytes(20 * u64::from(CHUNK) + 1);
        let moved = transfer::run(&session, way, &data[..], data.len() as u64, |_| ()).expect("it crosses");
        assert_eq!(moved.sent, moved.arrived, "{way:?}");
    }
    let broken = common::broken(&session.close(Level::Passive).expect("it closes"));
    let found = fixture.shut_down();
    assert!(broken.is_empty() && found.is_clean(), "{broken}{found}");
}

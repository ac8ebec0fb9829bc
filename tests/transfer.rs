//! Data moved by the built driver arrives as it was sent, whatever its length and the way it takes.

#![cfg(not(windows))]
#![allow(clippy::expect_used, clippy::panic, reason = "a test ends when what it needs is not there")]

mod common;

use common::{IPV4, IPV6, Network};
use protocol::{Level, Operation, SessionCounters};
use runner::{Client, Error, transfer};

/// Bytes that are moved at once: small, so that a few make a long transfer.
const CHUNK: u32 = 64 << 10;

const WAYS: [Operation; 3] = [Operation::Send, Operation::Write, Operation::Read];

/// Moves `lengths` bytes in turn, each in every way, over one session, and closes it from `level`.
#[track_caller]
fn transfers(network: Network, lengths: &[u64], level: Level) -> SessionCounters {
    let bench = common::boot(network);
    let outcome = Client::open(bench.machine()).and_then(|client| {
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
    let found = bench.shut_down();
    let (counters, closed) = outcome.unwrap_or_else(|error: Error| panic!("{error}\n{found}"));
    let broken = common::broken(&closed);
    assert!(broken.is_empty() && found.is_clean(), "{broken}{found}");
    assert!(closed.closes_pending > 0, "antecedents that are closed first pend");
    assert!(closed.closes_inside > 0, "connectors are closed in their callbacks");
    counters
}

/// Bytes that repeat nowhere, another series for each length.
fn bytes(length: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(length);
    let mut bytes = vec![0; usize::try_from(length).expect("test data fit into memory")];
    random.fill(&mut bytes);
    bytes
}

#[test]
fn nothing_arrives_as_nothing() {
    let counters = transfers(IPV4, &[0], Level::Passive);
    assert_eq!(counters.send.chunks + counters.write.chunks + counters.read.chunks, 0);
}

#[test]
fn a_single_byte_arrives() {
    let counters = transfers(IPV4, &[1], Level::Passive);
    assert_eq!([counters.send, counters.write, counters.read].map(|tally| tally.bytes), [1, 1, 1]);
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

#[test]
fn many_chunks_arrive_over_ipv6() {
    let counters = transfers(IPV6, &[40 * u64::from(CHUNK)], Level::Passive);
    assert_eq!([counters.send, counters.write, counters.read].map(|tally| tally.chunks), [40, 40, 40]);
}

#[test]
fn a_session_may_be_closed_at_dispatch_level() {
    transfers(IPV4, &[100_000], Level::Dispatch);
    transfers(IPV6, &[100_000], Level::Dispatch);
}

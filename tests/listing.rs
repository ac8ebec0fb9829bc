//! The lists of connections and endpoints of the built driver, while consumers have its adapters open.

#![cfg(not(windows))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

mod common;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use common::{FAR, IPV4, IPV6, NEAR, Network};
use protocol::{Level, Operation};
use runner::{Client, Fixture, Session, transfer};
use sys::ndis::{
    NDIS_NDK_STATISTICS_INFO, NDIS_OID, OID_NDK_CONNECTIONS, OID_NDK_LOCAL_ENDPOINTS, OID_NDK_STATISTICS,
};
use sys::status::NDIS_STATUS_BUFFER_TOO_SHORT;

/// Bytes before the entries, and of one entry of either list.
const HEAD: usize = 16;
const CONNECTION: usize = 64;
const ENDPOINT: usize = 36;

/// A number of four bytes at `offset`.
fn number(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

/// The SOCKADDR_INET at `offset`.
fn address(bytes: &[u8], offset: usize) -> SocketAddr {
    let bytes = &bytes[offset..offset + 28];
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let ip = match bytes[0] {
        2 => {
            assert!(bytes[8..].iter().all(|byte| *byte == 0), "an IPv4 address ends with zeroes");
            IpAddr::from(Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]))
        }
        23 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[8..24]).expect("sixteen bytes"))),
        family => panic!("family {family}"),
    };
    SocketAddr::new(ip, port)
}

/// The entries of a list, whose head is checked.
#[track_caller]
fn entries(fixture: &Fixture, adapter: u32, oid: NDIS_OID, size: usize) -> Vec<Vec<u8>> {
    let adapter = fixture.machine().adapter(adapter).expect("it is running");
    let list = adapter.query(oid, 4096).expect("it is listed");
    let count = number(&list, 8) as usize;
    assert_eq!((list[0], list[1], list.len()), (0x80, 1, HEAD + count * size));
    assert_eq!(u16::from_le_bytes([list[2], list[3]]) as usize, list.len());
    assert_eq!((number(&list, 4), number(&list, 12)), (0, 1), "no flags, and paired with TCP's");
    let pairs = list[HEAD..].chunks_exact(2 * size);
    assert!(pairs.remainder().is_empty(), "each has its TCP endpoint");
    let addresses = if size == CONNECTION { 56 } else { 28 };
    pairs
        .map(|pair| {
            let (own, tcp) = pair.split_at(size);
            assert_eq!(own[..addresses], tcp[..addresses], "TCP has the same addresses");
            assert!(tcp[addresses..].iter().all(|byte| *byte == 0), "nothing else is written");
            own.to_vec()
        })
        .collect()
}

/// Local and remote addresses.
#[track_caller]
fn connections(fixture: &Fixture, adapter: u32) -> Vec<(SocketAddr, SocketAddr)> {
    let entries = entries(fixture, adapter, OID_NDK_CONNECTIONS, CONNECTION);
    let mut listed: Vec<_> = entries.iter().map(|entry| (address(entry, 0), address(entry, 28))).collect();
    assert!(entries.iter().all(|entry| entry[56..].iter().all(|byte| *byte == 0)), "no process owns any");
    listed.sort();
    listed
}

/// Addresses, each with whether a listener is there.
#[track_caller]
fn endpoints(fixture: &Fixture, adapter: u32) -> Vec<(SocketAddr, bool)> {
    let entries = entries(fixture, adapter, OID_NDK_LOCAL_ENDPOINTS, ENDPOINT);
    let mut listed: Vec<_> = entries.iter().map(|entry| (address(entry, 0), entry[29] != 0)).collect();
    listed.sort();
    listed
}

fn open(fixture: &Fixture, network: Network, port: u16) -> Session {
    let [near, far] = network.ends();
    let client = Client::open(fixture).expect("the harness is loaded");
    client.open_session(near, far.with_port(port), 4096).expect("the adapters can be connected")
}

#[track_caller]
fn close(session: Session) {
    let outcome = session.close(Level::Passive).expect("it can be closed");
    assert!(common::broken(&outcome).is_empty());
}

#[test]
fn connection_is_listed_at_both_ends_until_closed() {
    for network in [IPV4, IPV6] {
        let fixture = common::boot(network);
        assert_eq!((connections(&fixture, NEAR), endpoints(&fixture, FAR)), (vec![], vec![]));
        let session = open(&fixture, network, 5445);
        let (near, far) = (connections(&fixture, NEAR), connections(&fixture, FAR));
        // A session has two, from ports of their own to one listener.
        let [(local, remote), (other, same)] = near[..] else { panic!("{near:?}") };
        assert_eq!(far, [(remote, local), (remote, other)]);
        assert!(local != other && remote == same);
        assert_eq!(remote.port(), 5445);
        assert_eq!((endpoints(&fixture, NEAR), endpoints(&fixture, FAR)), (vec![], vec![(remote, true)]));
        close(session);
        assert_eq!((connections(&fixture, NEAR), endpoints(&fixture, FAR)), (vec![], vec![]));
        let found = fixture.shut_down();
        assert!(found.is_clean(), "{found}");
    }
}

#[test]
fn list_query_with_short_buffer_returns_needed_size() {
    let fixture = common::boot(IPV4);
    let session = open(&fixture, IPV4, 5445);
    let adapter = fixture.machine().adapter(NEAR).expect("it is running");
    let refused =
        adapter.query(OID_NDK_CONNECTIONS, HEAD + 4 * CONNECTION - 1).expect_err("one byte is missing");
    assert_eq!(refused.0, NDIS_STATUS_BUFFER_TOO_SHORT);
    assert!(adapter.query(OID_NDK_CONNECTIONS, HEAD + 4 * CONNECTION).is_ok());
    close(session);
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

#[test]
fn several_consumers_have_an_adapter_open_at_once() {
    let fixture = common::boot(IPV4);
    let sessions = [5445, 5446, 5447].map(|port| open(&fixture, IPV4, port));
    let ports: Vec<_> = connections(&fixture, NEAR).iter().map(|(_, remote)| remote.port()).collect();
    assert_eq!(ports.iter().copied().collect::<std::collections::BTreeSet<_>>(), [5445, 5446, 5447].into());
    assert_eq!(endpoints(&fixture, FAR).len(), 3);
    for (session, fill) in sessions.iter().zip(1_u8..) {
        let data = vec![fill; 5000];
        let moved = transfer::run(session, Operation::Write, &data[..], 5000, |_| ());
        let moved = moved.expect("every consumer's connection works");
        assert_eq!(moved.sent, moved.arrived);
    }
    let adapter = fixture.machine().adapter(NEAR).expect("it is running");
    let direct = adapter.query_direct(OID_NDK_STATISTICS, size_of::<NDIS_NDK_STATISTICS_INFO>());
    let direct = direct.expect("statistics are asked for by the direct path too");
    let active = core::mem::offset_of!(NDIS_NDK_STATISTICS_INFO, CounterSet.ActiveConnection);
    assert_eq!(number(&direct, active), 6, "two for each");
    sessions.into_iter().for_each(close);
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
}

//! `cargo xtask serve` and `connect` as their users have them: two processes, each with the built drivers, and what may
//! come between them.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a test ends when what it needs is not there"
)]

#[path = "peers/proxy.rs"]
mod proxy;
#[path = "peers/sides.rs"]
mod sides;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use ntsim::Machine;
use protocol::{Endpoint, Level};
use runner::exchange::Offer;
use runner::{Client, Error, Fixture, Images, Place};

use proxy::Proxy;
use sides::{Ended, Side, bytes, connect, images, serve};

/// The most that a side takes to see that the other one has gone.
const SOON: Duration = Duration::from_secs(30);

/// A file of many chunks, the last one of which is short, and its contents.
fn file(length: usize) -> (tempfile::TempDir, String, Vec<u8>) {
    let folder = tempfile::tempdir().expect("there is room");
    let (path, contents) = (folder.path().join("file.bin"), bytes(length));
    std::fs::write(&path, &contents).expect("there is room");
    let path = path.to_str().expect("it is text").to_owned();
    (folder, path, contents)
}

/// Checks a report: every way in both directions, and nothing found.
#[track_caller]
fn passed(ended: &Ended, digests: &mut Vec<String>) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.output).expect("it is JSON");
    assert_eq!(report["passed"], true, "{report:#}");
    let crossings = report["crossings"].as_array().expect("there are some");
    for direction in ["in", "out"] {
        let of_it: Vec<_> = crossings.iter().filter(|crossing| crossing["direction"] == direction).collect();
        let ways: Vec<_> = of_it.iter().map(|crossing| crossing["operation"].as_str()).collect();
        let all = ["Send/Receive", "RDMA Write", "RDMA Read", "SMB Direct"].map(Some);
        assert_eq!(ways, all);
        digests.extend(of_it.iter().flat_map(|crossing| {
            ["sha256_sent", "sha256_arrived"]
                .map(|name| crossing[name].as_str().expect("it is text").to_owned())
        }));
    }
    assert!(report["peak_resident_bytes"].as_u64().is_some_and(|bytes| bytes < 256 << 20), "{report:#}");
}

#[test]
#[ignore = "boots the drivers"]
fn file_crosses_both_ways_over_either_family_with_sums_and_without() {
    let (_folder, path, contents) = file(5_300_001);
    for (at, serves, connects) in [
        ("127.0.0.1:0", &["--json"][..], &["--json"][..]),
        ("127.0.0.1:0", &["--json", "--crc"], &["--json"]),
        ("127.0.0.1:0", &["--json"], &["--json", "--crc"]),
        ("[::1]:0", &["--json", "--crc"], &["--json", "--crc"]),
    ] {
        let side = serve(at, serves);
        let connected = connect(&side.at().to_string(), &path, connects);
        let served = side.end();
        let mut digests = vec![];
        passed(&connected, &mut digests);
        passed(&served, &mut digests);
        digests.dedup();
        assert_eq!((digests.len(), served.kept("file.bin")), (1, Some(contents.clone())));
        // Where both sides are on one machine, each has one line at most, which is that of the listener.
        assert_eq!((connected.errors.len(), served.errors.len()), (0, 1), "{connected:?} {served:?}");
    }
}

#[test]
#[ignore = "boots the drivers"]
fn capture_has_every_byte_of_a_file_without_sums() {
    let (folder, path, contents) = file(70_000);
    let capture = folder.path().join("wire.pcapng").to_str().expect("it is text").to_owned();
    let side = serve("127.0.0.1:0", &["--json"]);
    let connected = connect(&side.at().to_string(), &path, &["--json", "--capture", &capture]);
    assert_eq!((connected.code, side.end().code), (Some(0), Some(0)), "{connected:?}");
    let captured = std::fs::read(&capture).expect("it was written");
    assert_eq!(captured[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    // Four ways to the peer, and four from it; one may have been received in two parts.
    let found = captured.windows(64).filter(|window| *window == &contents[64..128]).count();
    assert!((7..=8).contains(&found), "{found}");
}

#[test]
#[ignore = "boots the drivers"]
fn side_that_cannot_begin_says_why_in_one_line() {
    let (_folder, path, _) = file(10);
    let taken = TcpListener::bind("127.0.0.1:0").expect("the host has ports");
    let at = taken.local_addr().expect("it is bound").to_string();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let free = free.expect("the host has ports").to_string();
    for (ended, why) in [
        (connect(&free, &path, &[]), "connection refused"),
        (connect("[::1]:1", &path, &[]), "connection refused"),
        (connect("nowhere", &path, &[]), "invalid socket address"),
        (connect("0.0.0.0:5445", &path, &[]), "not the address of one host"),
        (connect("127.0.0.1:0", &path, &[]), "name the port"),
        (connect("[::ffff:127.0.0.1]:5445", &path, &[]), "not the address of one host"),
        (connect("[::1%9]:5445", &path, &[]), "without a scope"),
        (connect(&free, &path, &["--capture", &path]), "would replace the file"),
        (connect(&free, &path, &["--capture", "/dev/full"]), "not a regular file"),
        (connect(&free, "/nonexistent/a\nb", &[]), "a\\nb: No such file"),
        (connect(&free, "/nonexistent/file", &[]), "No such file"),
        (connect(&free, "/", &[]), "not a regular file"),
        (connect(&free, &path, &["--capture", "/nonexistent/wire"]), "No such file"),
        (serve("203.0.113.77:0", &[]).end(), "not an address of this host"),
        (serve("0.0.0.0:0", &[]).end(), "not the address of one host"),
        (serve("255.255.255.255:0", &[]).end(), "not the address of one host"),
        (serve("[fe80::1]:0", &[]).end(), "not the address of one host"),
        (serve(&at, &[]).end(), "in use"),
        (serve("127.0.0.1:0", &["--dir", "/dev/null/x"]).end(), "Not a directory"),
    ] {
        assert_eq!(ended.code, Some(2), "{why}: {ended:?}");
        assert!(ended.output.is_empty(), "{why}: {ended:?}");
        let [line] = &ended.errors[..] else { panic!("{why}: not one line: {ended:?}") };
        assert!(line.contains(why), "{why}: {line}");
    }
}

/// A request of MPA, revision 1, with these private data.
fn request(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("it is short").to_be_bytes();
    [b"MPA ID Req Frame", &[0x40, 1][..], &length, data].concat()
}

#[test]
#[ignore = "boots the drivers"]
fn others_are_refused_in_one_line_each_and_the_server_goes_on() {
    let (_folder, path, contents) = file(100_000);
    let side = serve("127.0.0.1:0", &["--json"]);
    let foreign = "it speaks iWARP, and not the harness' protocol";
    let mut greeting = b"ndkhlk\r\n".to_vec();
    greeting.extend([9, 0, 0, 0].into_iter().chain([0; 20]));
    let mut told = vec![];
    for (said, why) in [
        (vec![], "it does not speak iWARP"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), "it does not speak iWARP"),
        (bytes(4096), "it does not speak iWARP"),
        (request(b"")[..10].to_vec(), "it does not speak iWARP"),
        (request(b""), foreign),
        (request(&bytes(508)), foreign),
        (request(&greeting), "it has another version"),
    ] {
        let mut stream = TcpStream::connect(side.at()).expect("it listens");
        let from = stream.local_addr().expect("it is connected");
        stream.set_read_timeout(Some(SOON)).expect("it is a time");
        // The server may have reset the connection before the end, or before all is sent.
        let _ = stream.write_all(&said);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut vec![]);
        told.push(format!("{from}: refused: {why}"));
    }
    told.iter().for_each(|line| side.wait_for(line));
    let connected = connect(&side.at().to_string(), &path, &["--json"]);
    let served = side.end();
    assert_eq!((connected.code, served.code), (Some(0), Some(0)), "{connected:?} {served:?}");
    assert_eq!(served.kept("file.bin"), Some(contents));
    let mut lines = served.errors[1..].to_vec();
    lines.sort();
    told.sort();
    assert_eq!(lines, told);
}

/// A harness that offers what it may not.
#[test]
#[ignore = "boots the drivers"]
fn name_of_another_folder_is_refused_and_the_server_goes_on() {
    let side = serve("127.0.0.1:0", &[]);
    let folder = std::path::Path::new(images());
    let images = Images { softndk: folder.join("softndk.sys"), ndkhlk: folder.join("ndkhlk.sys") };
    let place = Place::new(12, side.at().ip()).wire();
    let fixture = Fixture::on(Machine::builder().host_sockets().boot(), &images, &[place]);
    let fixture = fixture.unwrap_or_else(|(error, _)| panic!("{error}"));
    let why = "the file name is no name of a file alone";
    for (before, name) in ["../outside", "/etc/passwd", "..", ""].into_iter().enumerate() {
        let session = Client::open(&fixture)
            .and_then(|client| client.connect_peer(Endpoint::new(12, side.at().ip(), 0), side.at(), 65536))
            .expect("it connects");
        let refused = Offer { name: name.to_owned(), length: 1, hash: [0; 32] }.make(&session);
        assert!(matches!(&refused, Err(Error::Refused(reason)) if reason == why), "{name}: {refused:?}");
        session.close(Level::Passive).expect("it closes");
        side.wait_for_count("listening on", before + 2);
    }
    assert_eq!(side.count(why), 4);
    // One that a folder has.
    std::fs::create_dir(side.folder().join("taken")).expect("there is room");
    let session = Client::open(&fixture)
        .and_then(|client| client.connect_peer(Endpoint::new(12, side.at().ip(), 0), side.at(), 65536));
    let session = session.expect("it connects");
    let refused = Offer { name: "taken".to_owned(), length: 1, hash: [0; 32] }.make(&session);
    let why = "taken: there is a folder of that name";
    assert!(matches!(&refused, Err(Error::Refused(reason)) if reason == why), "{refused:?}");
    session.close(Level::Passive).expect("it closes");
    side.wait_for_count("listening on", 6);
    let found = fixture.shut_down();
    assert!(found.is_clean(), "{found}");
    let (_folder, path, contents) = file(1000);
    let connected = connect(&side.at().to_string(), &path, &["--json"]);
    let served = side.end();
    assert_eq!((connected.code, served.code), (Some(0), Some(0)), "{connected:?} {served:?}");
    assert_eq!(served.kept("file.bin"), Some(contents));
}

#[test]
#[ignore = "boots the drivers"]
fn flipped_byte_ends_both_sides_with_a_fault_where_sums_are_used() {
    let (_folder, path, _) = file(3_000_000);
    for (serves, connects) in [(&["--crc"][..], &[][..]), (&[], &["--crc"])] {
        for at in [1_000_000, 2_500_000] {
            let side = serve("127.0.0.1:0", serves);
            let proxy = Proxy::flipping(side.at(), at);
            let connected = connect(&proxy.at().to_string(), &path, connects);
            let served = side.end();
            assert!(proxy.is_done(), "no byte was flipped");
            for ended in [&connected, &served] {
                assert_eq!(ended.code, Some(2), "{ended:?}");
                assert!(!ended.output.contains("BYTES DIFFER"), "{ended:?}");
                let last = ended.errors.last().expect("there is a line");
                assert!(last.contains("the connection has ended in the middle"), "{last}");
            }
            assert_eq!(served.left(), Vec::<String>::new());
        }
    }
}

#[test]
#[ignore = "boots the drivers"]
fn side_whose_peer_is_killed_ends_soon_and_leaves_nothing() {
    let (_folder, path, _) = file(64 << 20);
    // The first bytes of the first way, and some later one.
    for after in [100_000, 80_000_000] {
        let side = serve("127.0.0.1:0", &[]);
        let proxy = Proxy::plain(side.at());
        let mut other = Side::connecting(&proxy.at().to_string(), &path, &[]);
        proxy.wait_for(after);
        other.kill();
        let began = Instant::now();
        let served = side.end();
        gone(&served, began);
        assert_eq!(served.left(), Vec::<String>::new());

        let mut side = serve("127.0.0.1:0", &[]);
        let proxy = Proxy::plain(side.at());
        let other = Side::connecting(&proxy.at().to_string(), &path, &[]);
        proxy.wait_for(after);
        side.kill();
        let began = Instant::now();
        gone(&other.end(), began);
    }
}

#[track_caller]
fn gone(ended: &Ended, began: Instant) {
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let last = ended.errors.last().expect("there is a line");
    assert!(last.contains("the connection has ended in the middle"), "{last}");
    for nothing in ["consumer found  nothing", "verifier found  nothing", "pool left       nothing"] {
        assert!(ended.output.contains(nothing), "{nothing}: {ended:?}");
    }
}

/// A socket address of the loopback interface, for the parts of this test.
fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

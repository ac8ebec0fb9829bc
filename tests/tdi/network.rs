//! Clients on adapters whose connections go over TCP, and on a machine whose Winsock Kernel does not register the driver.

use core::net::SocketAddr;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};

use ntsim::Machine;
use ntsim::io::{File, StatusError};
use sys::status::{
    STATUS_BAD_NETWORK_PATH, STATUS_NOT_SUPPORTED, STATUS_REMOTE_NOT_LISTENING, STATUS_SHARING_VIOLATION,
    STATUS_SUCCESS,
};
use sys::tdi::{TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE};
use tdi_client::Fixture;
use tdi_client::request::{connect, disconnect, listen, receive, send};
use tdi_client::transfer::{self, Way};

use super::{FAR, NEAR, end_clean, images, pair};

/// A machine on which connections between the two adapters go over TCP, too.
fn over_tcp() -> Fixture {
    let (machine, forced) = (Machine::builder().boot(), [("ForceWire", "1")]);
    Fixture::on(machine, &images(), [NEAR.ip(), FAR.ip()], &forced).expect("the driver starts")
}

#[test]
fn stream_over_tcp_arrives_as_it_was_sent() {
    let fixture = over_tcp();
    let pair = pair(&fixture);
    let data: Vec<u8> = (0..300_007_u32).map(|index| index.to_le_bytes()[index as usize % 4]).collect();
    for way in [Way::Requests, Way::Events] {
        let moved = transfer::run(&pair, way, &data[..], data.len() as u64, |_| ()).expect("it arrives");
        assert_eq!(moved.sent, moved.arrived, "by {way:?}");
    }
    assert_eq!(disconnect(&pair.near, TDI_DISCONNECT_ABORT).status(), STATUS_SUCCESS);
    drop(pair);
    end_clean(fixture);
}

#[test]
fn files_closed_with_requests_in_flight_over_tcp_leave_nothing_and_free_their_address() {
    let fixture = over_tcp();
    for round in 0..10 {
        let pair = pair(&fixture);
        let requests = [
            receive(&pair.near, 100),
            receive(&pair.far, 100),
            send(&pair.near, vec![7; 200_000]),
            send(&pair.far, vec![7; 200_000]),
        ];
        if round % 3 == 0 {
            assert_eq!(disconnect(&pair.far, TDI_DISCONNECT_ABORT).status(), STATUS_SUCCESS);
        }
        assert_eq!(fixture.exclusive(FAR).expect_err("it is open").0, STATUS_SHARING_VIOLATION);
        drop(pair);
        for request in requests {
            let _ = request.status();
        }
        let again = fixture.exclusive(FAR).expect("the last file of the address was closed");
        drop(again);
    }
    end_clean(fixture);
}

#[test]
fn adapters_that_halt_end_connections_over_tcp() {
    let fixture = over_tcp();
    let pair = pair(&fixture);
    let waiting = receive(&pair.far, 100);
    fixture.halt(0);
    assert_ne!(waiting.status(), STATUS_SUCCESS);
    let listening = listen(&pair.far, 0);
    fixture.halt(1);
    assert_ne!(listening.status(), STATUS_SUCCESS);
    drop(pair);
    end_clean(fixture);
}

/// Receives so many bytes.
#[track_caller]
fn read(file: &File, length: usize) {
    let mut read = 0;
    while read < length {
        let received = receive(file, 100_000).wait();
        assert_eq!(received.status, STATUS_SUCCESS, "after {read} bytes");
        read += received.information;
    }
    assert_eq!(read, length);
}

#[test]
fn release_over_tcp_arrives_behind_data_and_completes_with_the_peers() {
    let fixture = over_tcp();
    for round in 0..24 {
        let pair = pair(&fixture);
        let (first, second) = if round % 2 == 0 { (&pair.near, &pair.far) } else { (&pair.far, &pair.near) };
        let length = if round % 3 == 0 { 100 } else { 100_000 };
        let sent = send(first, vec![1; length]);
        let release = disconnect(first, TDI_DISCONNECT_RELEASE);
        read(second, length);
        assert_eq!(sent.status(), STATUS_SUCCESS);
        let last = send(second, vec![2; length]);
        let answer = disconnect(second, TDI_DISCONNECT_RELEASE);
        read(first, length);
        let statuses = [last, release, answer].map(|request| request.status());
        assert_eq!(statuses, [STATUS_SUCCESS; 3], "round {round}: send, release, the peer's release");
        drop(pair);
    }
    end_clean(fixture);
}

/// Without a keyword: only connections between the adapters stay within the machine.
#[test]
fn adapter_without_keyword_reaches_other_machines_over_tcp_and_is_reached_there() {
    let [near, far]: [SocketAddr; 2] =
        ["127.0.0.21:5741", "127.0.0.22:5741"].map(|at| at.parse().expect("an address"));
    let fixture = Fixture::boot(Machine::builder().host_sockets(), &images(), [near.ip(), far.ip()]);
    let fixture = fixture.expect("the driver starts");
    let pair = fixture.pair(near, far).expect("a connection comes about");
    assert!(TcpStream::connect(near).is_ok(), "a port of an address object is one of TCP");

    let other = TcpListener::bind("127.0.0.1:0").expect("the host has a port");
    let endpoint = fixture.associated(&pair.near_address, 0xC).expect("it is associated");
    let connecting = connect(&endpoint, other.local_addr().expect("it is bound"));
    let (mut stream, from) = other.accept().expect("the adapter connects");
    let mut key = [0; 16];
    stream.read_exact(&mut key).expect("it begins to speak");
    assert_eq!((from.ip(), &key), (near.ip(), b"MPA ID Req Frame"));
    // It goes without an answer.
    drop((stream, other));
    assert_eq!(connecting.status(), STATUS_REMOTE_NOT_LISTENING);
    drop((endpoint, pair));
    end_clean(fixture);
}

/// Connections go by loopback alone then.
#[test]
fn driver_that_winsock_kernel_does_not_register_connects_its_own_adapters() {
    let machine = Machine::builder().boot();
    machine.refuse_winsock_clients(Some(StatusError(STATUS_NOT_SUPPORTED)));
    let fixture = Fixture::on(machine, &images(), [NEAR.ip(), FAR.ip()], &[]);
    let fixture = fixture.expect("the driver starts");
    let printed = fixture.machine.log().concat();
    assert!(printed.contains("softndk: DriverEntry, WskRegister failed, 0xc00000bb"), "{printed}");
    let pair = pair(&fixture);
    let moved = transfer::run(&pair, Way::Requests, &[7; 1000][..], 1000, |_| ()).expect("it arrives");
    assert_eq!(moved.sent, moved.arrived);
    let other = fixture.associated(&pair.near_address, 0xC).expect("it is associated");
    let foreign = "192.0.2.1:139".parse().expect("an address");
    assert_eq!(connect(&other, foreign).status(), STATUS_BAD_NETWORK_PATH);
    drop((other, pair));
    end_clean(fixture);
}

//! Datagrams between address objects.

mod events;

use std::net::SocketAddr;

use sys::status::*;
use sys::tdi::{TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_NORMAL, TDI_RECEIVE_PEEK};
use test_kernel::pump;

use super::client::{Client, FAR, NEAR, done, failed};
use super::host::{Outcome, Pending};
use crate::datagram::MAX_UNDER_WAY;
use crate::ea::Opening;
use crate::{Command, Id, MAX_DATAGRAM, Source};

/// A port that is named, on the near side.
const HERE: &str = "10.0.0.1:7000";

/// Two address objects, at `HERE` and at `FAR`.
struct Ends {
    client: Client,
    near: Id,
    far: Id,
}

impl Ends {
    fn new() -> Self {
        let client = Client::new();
        let (near, far) = (client.address(HERE).unwrap(), client.address(FAR).unwrap());
        Self { client, near, far }
    }

    fn send(&self, data: &[u8]) -> Pending {
        self.client.send_datagram(self.near, FAR, data)
    }

    fn receive(&self, length: usize) -> Pending {
        self.client.receive_datagram(self.far, Source::Any, length)
    }

    fn tear_down(self) {
        for file in [self.near, self.far] {
            self.client.close(file);
        }
        self.client.tear_down();
    }
}

/// The data of a completed receive, and its source.
#[track_caller]
fn brought(receive: &Pending) -> (Vec<u8>, SocketAddr) {
    let outcome = receive.outcome().expect("the receive is over");
    assert_eq!(outcome.status, STATUS_SUCCESS);
    (receive.data()[..outcome.information].to_vec(), receive.peer().expect("it has a source"))
}

#[test]
fn datagram_arrives_whole_with_its_source() {
    let ends = Ends::new();
    // Longer than what is contiguous in a test's buffer.
    let sizes = [0, 1, 2500, MAX_DATAGRAM];
    let receives = sizes.map(|_| ends.receive(MAX_DATAGRAM));
    for size in sizes {
        let data: Vec<u8> = (0..=248).cycle().take(size).collect();
        assert_eq!(ends.send(&data).outcome(), done(size));
    }
    pump();
    for (receive, size) in receives.iter().zip(sizes) {
        let (data, from) = brought(receive);
        assert_eq!((data.len(), from), (size, HERE.parse().unwrap()));
        assert!(data.iter().copied().eq((0..=248).cycle().take(size)));
    }
    ends.tear_down();
}

#[test]
fn datagram_that_is_longer_than_the_buffer_is_cut() {
    let ends = Ends::new();
    let received = ends.receive(4);
    // A length of 0 is that of the buffer.
    let all = Command::ReceiveDatagram { from: Source::Any, length: 0, flags: TDI_RECEIVE_NORMAL };
    let next = ends.client.submit(ends.far, all, vec![0; 5]);
    ends.send(b"too long");
    ends.send(b"fits.");
    pump();
    let cut = Some(Outcome { status: STATUS_BUFFER_OVERFLOW, information: 4 });
    assert_eq!((received.outcome(), received.data()), (cut, b"too ".to_vec()));
    assert_eq!(brought(&next).0, b"fits.", "what was cut off is lost");
    ends.tear_down();
}

#[test]
fn receive_waits_for_the_source_that_it_names() {
    let ends = Ends::new();
    let other = ends.client.address(NEAR).unwrap();
    let from = |address: &str| Source::Address(address.parse().unwrap());
    let picky = ends.client.receive_datagram(ends.far, from(HERE), 9);
    let any = ends.receive(9);
    ends.client.send_datagram(other, FAR, b"other");
    pump();
    assert_eq!((picky.outcome(), brought(&any).0), (None, b"other".to_vec()));
    ends.send(b"here");
    pump();
    assert_eq!(brought(&picky), (b"here".to_vec(), HERE.parse().unwrap()));
    ends.client.close(other);
    ends.tear_down();
}

#[test]
fn peek_leaves_the_datagram_to_the_next() {
    let ends = Ends::new();
    let peek = Command::ReceiveDatagram { from: Source::Any, length: 3, flags: TDI_RECEIVE_PEEK };
    let peeked = ends.client.submit(ends.far, peek, vec![0; 3]);
    let received = ends.receive(9);
    ends.send(b"looked at");
    pump();
    let cut = Some(Outcome { status: STATUS_BUFFER_OVERFLOW, information: 3 });
    assert_eq!((peeked.outcome(), brought(&received).0), (cut, b"looked at".to_vec()));
    ends.tear_down();
}

#[test]
fn datagram_without_a_receive_or_handler_is_dropped() {
    let ends = Ends::new();
    assert_eq!(ends.send(b"lost").outcome(), done(4));
    assert_eq!(ends.client.send_datagram(ends.near, "10.0.0.2:9", b"absent").outcome(), done(6));
    pump();
    let received = ends.receive(9);
    ends.send(b"found");
    pump();
    assert_eq!(brought(&received).0, b"found");
    ends.tear_down();
}

#[test]
fn sends_that_can_not_go_are_refused() {
    let ends = Ends::new();
    let refused = |to: Option<&str>, length, room, status| {
        let command = Command::SendDatagram { to: to.map(|to| to.parse().unwrap()), length };
        let sent = ends.client.submit(ends.near, command, vec![0; room]);
        assert_eq!(sent.outcome(), failed(status), "{to:?}");
    };
    refused(None, 1, 1, STATUS_INVALID_ADDRESS);
    refused(Some("[::1]:7"), 1, 1, STATUS_INVALID_ADDRESS);
    refused(Some("0.0.0.0:7"), 1, 1, STATUS_INVALID_ADDRESS);
    refused(Some("10.0.0.9:7"), 1, 1, STATUS_HOST_UNREACHABLE);
    refused(Some(FAR), 2, 1, STATUS_INVALID_PARAMETER);
    refused(Some(FAR), MAX_DATAGRAM + 1, MAX_DATAGRAM + 1, STATUS_INVALID_BUFFER_SIZE);
    let receive = |from, length, flags| {
        let command = Command::ReceiveDatagram { from, length, flags };
        ends.client.submit(ends.far, command, vec![0; 4]).outcome()
    };
    assert_eq!(receive(Source::Unknown, 4, 0), failed(STATUS_INVALID_ADDRESS));
    assert_eq!(receive(Source::Any, 5, 0), failed(STATUS_INVALID_PARAMETER));
    assert_eq!(receive(Source::Any, 4, TDI_RECEIVE_EXPEDITED), failed(STATUS_INVALID_PARAMETER));
    let control =
        ends.client.transport.create(&Opening::ControlChannel, None, test_kernel::passive()).unwrap();
    let endpoint = ends.client.endpoint(1);
    for file in [control, endpoint] {
        let wrong = failed(STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(ends.client.send_datagram(file, FAR, b"x").outcome(), wrong);
        assert_eq!(ends.client.receive_datagram(file, Source::Any, 1).outcome(), wrong);
        ends.client.close(file);
    }
    ends.tear_down();
}

#[test]
fn datagram_for_an_endpoint_is_refused_also_if_that_is_cleaned_up_meanwhile() {
    let ends = Ends::new();
    let endpoint = ends.client.endpoint(1);
    let commands = [
        Command::SendDatagram { to: FAR.parse().ok(), length: 1 },
        Command::ReceiveDatagram { from: Source::Any, length: 1, flags: 0 },
    ];
    let requests = commands.map(|command| {
        let (record, pending) = ends.client.log.request(0, vec![0], 1);
        // The endpoint has no drive loop before its cleanup.
        assert!(ends.client.transport.lock().put(endpoint, command, record, None).is_ok());
        pending
    });
    ends.client.close(endpoint);
    assert_eq!(requests.map(|request| request.outcome()), [failed(STATUS_INVALID_DEVICE_REQUEST); 2]);
    ends.tear_down();
}

#[test]
fn datagrams_beyond_the_limit_are_refused() {
    let ends = Ends::new();
    for _ in 0..MAX_UNDER_WAY {
        assert_eq!(ends.send(b"x").outcome(), done(1));
    }
    assert_eq!(ends.send(b"x").outcome(), failed(STATUS_INSUFFICIENT_RESOURCES));
    pump();
    assert_eq!(ends.send(b"x").outcome(), done(1));
    ends.tear_down();
}

#[test]
fn every_address_object_that_the_destination_names_gets_it() {
    let client = Client::new();
    let near = client.address(HERE).unwrap();
    let all = ["0.0.0.0:4000", "0.0.0.0:4000"].map(|at| client.open_address(at, true).unwrap());
    let receives = all.map(|file| client.receive_datagram(file, Source::Any, 9));
    client.send_datagram(near, "10.0.0.2:4000", b"to all");
    pump();
    for receive in &receives {
        assert_eq!(brought(receive), (b"to all".to_vec(), HERE.parse().unwrap()));
    }
    // From a wildcard it comes from one of the host's addresses.
    let received = client.receive_datagram(near, Source::Any, 9);
    client.send_datagram(all[0], HERE, b"back");
    pump();
    let (data, from) = brought(&received);
    assert_eq!((&data[..], from.port()), (&b"back"[..], 4000));
    assert!(["10.0.0.1", "10.0.0.2"].contains(&from.ip().to_string().as_str()));
    for file in all.into_iter().chain([near]) {
        client.close(file);
    }
    client.tear_down();
}

#[test]
fn receives_that_wait_are_cancelled_and_end_with_their_file_in_order() {
    let ends = Ends::new();
    let waits = [0, 1, 2, 3].map(|_| ends.receive(9));
    waits[1].cancel(&ends.client.transport);
    pump();
    assert_eq!(waits[1].outcome(), failed(STATUS_CANCELLED));
    // This one's cancel routine runs inside the cleanup's wait at the earliest.
    waits[2].cancel(&ends.client.transport);
    ends.client.log.take();
    ends.client.transport.cleanup(ends.far, test_kernel::passive());
    for wait in &waits {
        assert_eq!(wait.outcome(), failed(STATUS_CANCELLED), "a cleanup waits for all");
    }
    assert_eq!(ends.client.log.take(), [&waits[0], &waits[3], &waits[2]].map(|wait| wait.serial));
    ends.client.transport.close(ends.far);
    ends.client.close(ends.near);
    ends.client.tear_down();
}

#[test]
fn sender_may_go_before_its_datagram_has_arrived() {
    let ends = Ends::new();
    let received = ends.receive(9);
    ends.send(b"farewell");
    ends.client.close(ends.near);
    assert_eq!(brought(&received).0, b"farewell");
    ends.client.close(ends.far);
    ends.client.tear_down();
}

#[test]
fn receive_cancelled_before_it_arrives_is_cancelled() {
    let ends = Ends::new();
    let (record, receive) = ends.client.record(vec![0; 4]);
    receive.cancel(&ends.client.transport);
    let command = Command::ReceiveDatagram { from: Source::Any, length: 4, flags: 0 };
    ends.client.transport.submit(ends.far, command, record);
    assert_eq!(receive.outcome(), failed(STATUS_CANCELLED));
    ends.tear_down();
}

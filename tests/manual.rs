//! A manual end of the harness does what its owner says, step by step, against another one, over the wire and without it.

#![cfg(not(windows))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    reason = "a test ends when what it needs is not there"
)]

mod common;

use std::time::Duration;

use common::{HOST_IPV4, IPV4};
use ntsim::Machine;
use protocol::{PEER_INVALIDATES, PEER_READS, PEER_WRITES};
use runner::{Arrival, Client, Error, Fixture, Manual, Memory, Place, Remote};

/// The time that a peer which is there has.
const WAIT: Duration = Duration::from_secs(10);

const LENGTH: u32 = 100_000;

/// The ends of a connection: the one that connected, and the one that listened.
struct Ends {
    near: Manual,
    far: Manual,
    /// Memory of the far end for what it receives.
    inbox: Memory,
}

fn connect(fixture: &Fixture) -> Result<Ends, Error> {
    let [near_end, far_end] = HOST_IPV4.ends();
    let far = Client::open(fixture)?.open_manual(far_end)?;
    let inbox = far.memory(LENGTH, 0)?;
    far.receive(inbox.part(0, 100))?;
    let at = far.listen()?;
    assert_eq!(far.accept(Duration::ZERO, b"")?, None, "there is no peer yet");
    let near = Client::open(fixture)?.open_manual(near_end)?;
    let connecting = {
        let near = near.clone();
        std::thread::spawn(move || near.connect(at, b"hello"))
    };
    let data = far.accept(WAIT, b"welcome")?.expect("a peer comes");
    assert!(data.starts_with(b"hello"), "{data:?}");
    let answer = connecting.join().expect("it ends")?;
    assert!(answer.starts_with(b"welcome"), "{answer:?}");
    Ok(Ends { near, far, inbox })
}

fn play(fixture: &Fixture) -> Result<(), Error> {
    let Ends { near, far, inbox } = connect(fixture)?;
    let mut bytes: Vec<u8> = (0..LENGTH).map(|at| at.to_le_bytes()[0] ^ 0x5A).collect();
    let own = near.memory(LENGTH, 0)?;
    near.put(&own, 0, &mut bytes)?;

    near.send(own.part(7, 60), true, None)?;
    assert!(near.done()?, "a Send that was posted ends");
    assert_eq!(far.arrival()?, Some(Arrival { length: 60, invalidated: None }));
    assert_eq!(far.get(&inbox, 0, 61)?, [&bytes[7..67], &[0]].concat());

    let theirs = far.memory(LENGTH, PEER_READS | PEER_WRITES)?;
    let to = Remote { address: theirs.address, token: theirs.token };
    near.write(own.part(0, LENGTH), to)?;
    let (back, from) = (near.memory(LENGTH, 0)?, Remote { address: to.address + 1, ..to });
    near.read(back.part(0, LENGTH - 1), from)?;
    assert!(near.done()? && near.done()?, "both end");
    assert!(far.get(&theirs, 0, bytes.len())? == bytes, "the memory is as it was written");
    assert!(near.get(&back, 0, bytes.len() - 1)? == bytes[1..], "what was read is the memory");

    far.receive(inbox.part(0, 100))?;
    let once = far.memory(LENGTH, PEER_READS | PEER_INVALIDATES)?;
    near.read(back.part(0, 8), Remote { address: once.address, token: once.token })?;
    // What is read has to be there until it has come (RFC 5040 section 5.5: a Send does not wait for a Read's response).
    assert!(near.done()?, "a Read that was posted ends");
    near.send(own.part(0, 0), false, Some(once.token))?;
    assert!(near.done()?, "a Send that was posted ends");
    assert_eq!(far.arrival()?, Some(Arrival { length: 0, invalidated: Some(once.token) }));

    assert!(!far.peer_leaves(Duration::ZERO)?, "the peer is there");
    near.disconnect()?;
    assert!(far.peer_leaves(WAIT)?, "the peer has left");
    for end in [near, far] {
        let broken = common::broken(&end.close()?);
        assert!(broken.is_empty(), "{broken}");
    }
    Ok(())
}

#[track_caller]
fn played(place: impl Fn(Place) -> Place) {
    let places = HOST_IPV4.places().map(place);
    let booted = Fixture::on(Machine::builder().host_sockets().boot(), &common::images(), &places);
    let fixture = booted.unwrap_or_else(|(error, _)| panic!("{error}"));
    let outcome = play(&fixture);
    let found = fixture.shut_down();
    outcome.unwrap_or_else(|error| panic!("{error}\n{found}"));
    assert!(found.is_clean(), "{found}");
}

#[test]
fn steps_of_two_ends_over_the_wire_do_what_they_say() {
    played(Place::wire);
}

#[test]
fn steps_of_two_ends_in_one_driver_do_what_they_say() {
    played(|place| place);
}

#[test]
fn end_whose_owner_leaves_is_closed() {
    let fixture = common::boot(IPV4);
    let [end, _] = IPV4.ends();
    let opened = Client::open(&fixture).and_then(|client| {
        let manual = client.open_manual(end)?;
        manual.memory(1, PEER_READS)?;
        let outside = manual.put(&manual.memory(10, 0)?, 5, &mut [0; 6]);
        assert!(matches!(outside, Err(Error::Status { .. })), "{outside:?}");
        manual.listen()
    });
    let found = fixture.shut_down();
    assert!(opened.is_ok() && found.is_clean(), "{opened:?}\n{found}");
}

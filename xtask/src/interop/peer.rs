//! The guest's own program, `peer.c`, which does as it is told: every operation, both ways.

use interop::{Endpoint, Event, Order, Rights, Settings, Task};
use iwarp::ddp::Stag;
use iwarp::rdmap::SendKind;

use super::machine::Machine;
use super::meeting::{
    Connected, Met, PATIENCE, be_called, call, finished, must, read, received, unexpected, work,
};
use crate::failure::CommandError;

/// The place that the peer knows our memory by.
pub(super) const BASE: u64 = 0xFFFF_0000_0000_0001;

/// The guest's program listens.
pub(super) fn client(machine: &mut Machine, crc: bool) -> Result<Met, CommandError> {
    let connected = serving(machine, Settings { crc, ..Settings::default() })?;
    play(connected)
}

/// The guest's program connects.
pub(super) fn server(machine: &mut Machine, crc: bool) -> Result<Met, CommandError> {
    let settings = Settings { crc, ..Settings::default() };
    let mut connected = be_called(machine, "peer -c 10.0.2.2 {port}", settings)?;
    let Connected { endpoint, .. } = &mut connected;
    must(endpoint.private() == b"peer.c", "the private data is the peer's")?;
    // The responder may send when the initiator has sent.
    let _hello = received(endpoint)?;
    play(connected)
}

/// The guest's program listens, and softndk is connected to it.
pub(super) fn serving(machine: &mut Machine, settings: Settings) -> Result<Connected, CommandError> {
    call(machine, "peer -s {port}", settings)
}

fn play(mut connected: Connected) -> Result<Met, CommandError> {
    let endpoint = &mut connected.endpoint;
    echo(endpoint)?;
    let theirs = register(endpoint, 300_000, 5)?;
    read_and_write(endpoint, theirs)?;
    be_written_and_read(endpoint)?;
    solicited(endpoint)?;
    invalidate(endpoint)?;
    // The token ends with the message, which is sent back all the same; a provocation shows that it has ended.
    let kind = SendKind { solicited: false, invalidate: Some(Stag(theirs.stag)) };
    endpoint.send(kind, Order::new(Task::Echo).emit()).map_err(work)?;
    let _echo = received(endpoint)?;
    tell(endpoint, Order::new(Task::Quit))?;
    finished(endpoint)?;
    let met = connected.met(false);
    let ended = connected.program.end(PATIENCE)?;
    must(ended.code == 0, &format!("the peer quits, and not with {}", ended.code))?;
    Ok(met)
}

/// Sends an order.
pub(super) fn tell(endpoint: &mut Endpoint, order: Order) -> Result<(), CommandError> {
    endpoint.send(SendKind::PLAIN, order.emit()).map_err(work)
}

/// Sends an order, and awaits its answer.
pub(super) fn ask(endpoint: &mut Endpoint, order: Order) -> Result<Order, CommandError> {
    tell(endpoint, order)?;
    let message = received(endpoint)?;
    Order::parse(&message).ok_or_else(|| CommandError::work("an answer that is none"))
}

/// Has the peer register memory.
pub(super) fn register(endpoint: &mut Endpoint, length: u32, value: u32) -> Result<Order, CommandError> {
    ask(endpoint, Order { length, value, ..Order::new(Task::Register) })
}

fn echo(endpoint: &mut Endpoint) -> Result<(), CommandError> {
    for length in [Order::LENGTH, 1000, 1449, 60_001] {
        let mut message = Order::new(Task::Echo).emit();
        message.extend(Order::pattern(length as u32, length - Order::LENGTH));
        endpoint.send(SendKind::PLAIN, message.clone()).map_err(work)?;
        must(received(endpoint)? == message, &format!("an echo of {length} bytes is the same"))?;
    }
    Ok(())
}

fn read_and_write(endpoint: &mut Endpoint, theirs: Order) -> Result<(), CommandError> {
    let stag = Stag(theirs.stag);
    let mut expected = Order::pattern(theirs.value, theirs.length as usize);
    // None of no length: siw 6.1 answers it with as many bytes as what it sent before had.
    // Several are outstanding at a time.
    let pieces = [(0, 100_000), (100_000, 1), (100_001, 199_999)];
    for (first, length) in pieces {
        endpoint.read(stag, theirs.offset + first, length).map_err(work)?;
    }
    for (first, length) in pieces {
        let first = first as usize;
        let is_same = read(endpoint)? == expected[first..first + length as usize];
        must(is_same, &format!("a read of {length} bytes is the memory's"))?;
    }
    for (value, first, length) in [(6, 1001, 200_001), (7, 0, 3), (8, 299_999, 1)] {
        let bytes = Order::pattern(value, length);
        expected[first..first + length].copy_from_slice(&bytes);
        endpoint.write(stag, theirs.offset + first as u64, bytes).map_err(work)?;
    }
    let sum = ask(endpoint, Order { length: theirs.length, ..Order::new(Task::Sum) })?;
    must(sum.value == Order::sum(&expected), "the peer's memory is as it was written")
}

fn be_written_and_read(endpoint: &mut Endpoint) -> Result<(), CommandError> {
    let stag = endpoint.memory.register(BASE, vec![0; 250_000], Rights::ALL);
    let order =
        Order { stag: stag.0, offset: BASE + 1, length: 249_998, value: 9, ..Order::new(Task::Write) };
    let _written = ask(endpoint, order)?;
    let mut expected = vec![0; 250_000];
    expected[1..249_999].copy_from_slice(&Order::pattern(9, 249_998));
    must(endpoint.memory.bytes(stag) == Some(&expected[..]), "our memory is as it was written, and no more")?;
    for (first, length) in [(0, 250_000), (249_999, 1)] {
        let order = Order { stag: stag.0, offset: BASE + first as u64, length, ..Order::new(Task::Read) };
        let sum = ask(endpoint, order)?.value;
        must(sum == Order::sum(&expected[first..][..length as usize]), "the peer reads our memory")?;
    }
    Ok(())
}

fn solicited(endpoint: &mut Endpoint) -> Result<(), CommandError> {
    let kind = SendKind { solicited: true, invalidate: None };
    endpoint.send(kind, Order::new(Task::Solicited).emit()).map_err(work)?;
    match endpoint.event(PATIENCE).map_err(work)? {
        Event::Received { kind: got, .. } if got == kind => Ok(()),
        other => Err(unexpected("a solicited Send", &other)),
    }
}

fn invalidate(endpoint: &mut Endpoint) -> Result<(), CommandError> {
    for solicited in [false, true] {
        let stag = endpoint.memory.register(BASE, vec![0; 10], Rights::ALL);
        let value = u32::from(solicited);
        tell(endpoint, Order { stag: stag.0, value, ..Order::new(Task::Invalidate) })?;
        let expected = SendKind { solicited, invalidate: Some(stag) };
        match endpoint.event(PATIENCE).map_err(work)? {
            Event::Received { kind, .. } if kind == expected => {}
            other => return Err(unexpected("a Send that ends a token", &other)),
        }
        must(endpoint.memory.bytes(stag).is_none(), "the token has ended")?;
    }
    Ok(())
}

//! The guest's own program, `peer.c`, which does as it is told: every operation, both ways.

use interop::{Order, Rights, Task};
use iwarp::ddp::Stag;
use iwarp::rdmap::SendKind;

use super::machine::Machine;
use super::meeting::{Connected, Met, Ours, Place, Side, be_called, call, must};
use crate::failure::CommandError;

/// The guest's program listens.
pub(super) fn client(machine: &mut Machine, ours: &mut impl Ours) -> Result<Met, CommandError> {
    play(serving(machine, ours)?)
}

/// The guest's program connects.
pub(super) fn server(machine: &mut Machine, ours: &mut impl Ours) -> Result<Met, CommandError> {
    let mut connected = be_called(machine, ours, "peer -c 10.0.2.2 {port}")?;
    let side = &mut connected.side;
    must(side.private().starts_with(b"peer.c"), "the private data is the peer's")?;
    // The responder may send when the initiator has sent.
    let _hello = side.received(SendKind::PLAIN)?;
    play(connected)
}

/// The guest's program listens, and softndk is connected to it.
pub(super) fn serving<O: Ours>(
    machine: &mut Machine,
    ours: &mut O,
) -> Result<Connected<O::Side>, CommandError> {
    call(machine, ours, "peer -s {port}")
}

fn play(mut connected: Connected<impl Side>) -> Result<Met, CommandError> {
    let side = &mut connected.side;
    echo(side)?;
    let theirs = register(side, 300_000, 5)?;
    read_and_write(side, theirs)?;
    be_written_and_read(side)?;
    solicited(side)?;
    invalidate(side)?;
    // The token ends with the message, which is sent back all the same; a provocation shows that it has ended.
    let kind = SendKind { solicited: false, invalidate: Some(Stag(theirs.stag)) };
    side.send(kind, Order::new(Task::Echo).emit())?;
    let _echo = side.received(SendKind::PLAIN)?;
    tell(side, Order::new(Task::Quit))?;
    side.finished()?;
    connected.end(Some(0)).map(|(met, _)| met)
}

/// Sends an order.
pub(super) fn tell(side: &mut impl Side, order: Order) -> Result<(), CommandError> {
    side.send(SendKind::PLAIN, order.emit())
}

/// Sends an order, and awaits its answer.
fn ask(side: &mut impl Side, order: Order) -> Result<Order, CommandError> {
    tell(side, order)?;
    let message = side.received(SendKind::PLAIN)?;
    Order::parse(&message).ok_or_else(|| CommandError::work("an answer that is none"))
}

/// Has the peer register memory.
pub(super) fn register(side: &mut impl Side, length: u32, value: u32) -> Result<Order, CommandError> {
    ask(side, Order { length, value, ..Order::new(Task::Register) })
}

fn echo(side: &mut impl Side) -> Result<(), CommandError> {
    for length in [Order::LENGTH, 1000, 1449, 60_001] {
        let mut message = Order::new(Task::Echo).emit();
        message.extend(Order::pattern(length as u32, length - Order::LENGTH));
        side.send(SendKind::PLAIN, message.clone())?;
        let echo = side.received(SendKind::PLAIN)?;
        must(echo == message, &format!("an echo of {length} bytes is the same"))?;
    }
    Ok(())
}

fn read_and_write(side: &mut impl Side, theirs: Order) -> Result<(), CommandError> {
    let place = |first: usize| Place { stag: Stag(theirs.stag), offset: theirs.offset + first as u64 };
    let mut expected = Order::pattern(theirs.value, theirs.length as usize);
    // None of no length: siw 6.1 answers it with as many bytes as what it sent before had.
    // Several are outstanding at a time.
    let pieces = [(0, 100_000), (100_000, 1), (100_001, 199_999)];
    for (first, length) in pieces {
        side.read(place(first), length as u32)?;
    }
    for (first, length) in pieces {
        let is_same = side.read_done()? == expected[first..first + length];
        must(is_same, &format!("a read of {length} bytes is the memory's"))?;
    }
    for (value, first, length) in [(6, 1001, 200_001), (7, 0, 3), (8, 299_999, 1)] {
        let bytes = Order::pattern(value, length);
        expected[first..first + length].copy_from_slice(&bytes);
        side.write(place(first), bytes)?;
    }
    let sum = ask(side, Order { length: theirs.length, ..Order::new(Task::Sum) })?;
    must(sum.value == Order::sum(&expected), "the peer's memory is as it was written")
}

fn be_written_and_read(side: &mut impl Side) -> Result<(), CommandError> {
    let ours = side.expose(vec![0; 250_000], Rights::ALL)?;
    let at = |first: u32, length| Order {
        stag: ours.stag.0,
        offset: ours.offset + u64::from(first),
        length,
        ..Order::new(Task::Read)
    };
    let _written = ask(side, Order { task: Task::Write, value: 9, ..at(1, 249_998) })?;
    side.was_written();
    let mut expected = vec![0; 250_000];
    expected[1..249_999].copy_from_slice(&Order::pattern(9, 249_998));
    must(side.exposed(ours)? == expected, "our memory is as it was written, and no more")?;
    for (first, length) in [(0, 250_000), (249_999, 1)] {
        let sum = ask(side, at(first, length))?.value;
        side.was_read();
        let expected = &expected[first as usize..][..length as usize];
        must(sum == Order::sum(expected), "the peer reads our memory")?;
    }
    Ok(())
}

fn solicited(side: &mut impl Side) -> Result<(), CommandError> {
    let kind = SendKind { solicited: true, invalidate: None };
    side.send(kind, Order::new(Task::Solicited).emit())?;
    side.received(kind).map(drop)
}

fn invalidate(side: &mut impl Side) -> Result<(), CommandError> {
    for solicited in [false, true] {
        let ours = side.expose_once(10)?;
        let value = u32::from(solicited);
        tell(side, Order { stag: ours.stag.0, value, ..Order::new(Task::Invalidate) })?;
        let _ended = side.received(SendKind { solicited, invalidate: Some(ours.stag) })?;
    }
    Ok(())
}

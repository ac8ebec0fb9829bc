//! rping of rdmacm-utils. Its client tells the server where its memory is (16 bytes: place, token, length); the server
//! reads it, says go on, is told of another place, writes there what it has read, and says go on.

use interop::Rights;
use iwarp::ddp::Stag;
use iwarp::rdmap::SendKind;

use super::machine::Machine;
use super::meeting::{Met, Ours, Place, Side, be_called, call, must};
use crate::failure::CommandError;

const ROUNDS: usize = 5;
const SIZE: usize = 5000;

/// rping serves, softndk is its client.
pub(super) fn client(machine: &mut Machine, ours: &mut impl Ours) -> Result<Met, CommandError> {
    let command = format!("rping -s -a 0.0.0.0 -p {{port}} -C {ROUNDS} -S {SIZE}");
    let mut connected = call(machine, ours, &command)?;
    let side = &mut connected.side;
    for round in 0..ROUNDS {
        let mut bytes = format!("rdma-ping-{round}: ").into_bytes();
        bytes.resize(SIZE - 1, b'A' + round as u8);
        // The server writes what it takes for a string of C.
        bytes.push(0);
        let source = side.expose(bytes.clone(), Rights { read: true, write: false })?;
        tell(side, source)?;
        let _go_on = side.received(SendKind::PLAIN)?;
        side.was_read();
        let sink = side.expose(vec![0; SIZE], Rights { read: false, write: true })?;
        tell(side, sink)?;
        let _go_on = side.received(SendKind::PLAIN)?;
        side.was_written();
        must(side.exposed(sink)? == bytes, "rping wrote what it had read")?;
    }
    side.finish()?;
    side.finished()?;
    let (met, lines) = connected.end(None)?;
    must(lines.iter().any(|line| line.contains("DISCONNECT")), "rping sees its client leave")?;
    Ok(met)
}

fn tell(side: &mut impl Side, place: Place) -> Result<(), CommandError> {
    let mut message = place.offset.to_be_bytes().to_vec();
    message.extend(place.stag.0.to_be_bytes());
    message.extend((SIZE as u32).to_be_bytes());
    side.send(SendKind::PLAIN, message)
}

/// rping is the client, and compares what comes back; softndk serves.
pub(super) fn server(machine: &mut Machine, ours: &mut impl Ours) -> Result<Met, CommandError> {
    let command = format!("rping -c -a 10.0.2.2 -p {{port}} -C {ROUNDS} -S {SIZE} -V");
    let mut connected = be_called(machine, ours, &command)?;
    let side = &mut connected.side;
    for _ in 0..ROUNDS {
        let place = told(&side.received(SendKind::PLAIN)?)?;
        side.read(place, SIZE as u32)?;
        let bytes = side.read_done()?;
        must(bytes.starts_with(b"rdma-ping-"), "what was read is rping's")?;
        side.send(SendKind::PLAIN, vec![0; 16])?;
        let place = told(&side.received(SendKind::PLAIN)?)?;
        side.write(place, bytes)?;
        side.send(SendKind::PLAIN, vec![0; 16])?;
    }
    side.finished()?;
    connected.end(Some(0)).map(|(met, _)| met)
}

fn told(message: &[u8]) -> Result<Place, CommandError> {
    let offset = message.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let stag = message.get(8..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_be_bytes(*bytes));
    let (Some(offset), Some(stag)) = (offset, stag) else {
        return Err(CommandError::work(format!("rping told {} bytes", message.len())));
    };
    Ok(Place { stag: Stag(stag), offset })
}

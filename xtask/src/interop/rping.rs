//! rping of rdmacm-utils. Its client tells the server where its memory is (16 bytes: place, token, length); the server
//! reads it, says go on, is told of another place, writes there what it has read, and says go on.

use interop::{Endpoint, Rights, Settings};
use iwarp::ddp::Stag;
use iwarp::rdmap::SendKind;

use super::machine::Machine;
use super::meeting::{Met, PATIENCE, be_called, call, finished, must, read, received, work};
use crate::failure::CommandError;

const ROUNDS: usize = 5;
const SIZE: usize = 5000;

/// The place that the peer knows our memory by.
const BASE: u64 = 0x7F00_0000_1000;

/// rping serves, softndk is its client.
pub(super) fn client(machine: &mut Machine, crc: bool) -> Result<Met, CommandError> {
    let settings = Settings { crc, ..Settings::default() };
    let mut connected =
        call(machine, &format!("rping -s -a 0.0.0.0 -p {{port}} -C {ROUNDS} -S {SIZE}"), settings)?;
    let endpoint = &mut connected.endpoint;
    for round in 0..ROUNDS {
        let mut bytes = format!("rdma-ping-{round}: ").into_bytes();
        bytes.resize(SIZE - 1, b'A' + round as u8);
        // The server writes what it takes for a string of C.
        bytes.push(0);
        let source = endpoint.memory.register(BASE, bytes.clone(), Rights { read: true, write: false });
        tell(endpoint, source)?;
        let _go_on = received(endpoint)?;
        let sink = endpoint.memory.register(BASE, vec![0; SIZE], Rights { read: false, write: true });
        tell(endpoint, sink)?;
        let _go_on = received(endpoint)?;
        must(endpoint.memory.bytes(sink) == Some(&bytes[..]), "rping wrote what it had read")?;
    }
    endpoint.finish().map_err(work)?;
    finished(endpoint)?;
    let met = connected.met(false);
    let ended = connected.program.end(PATIENCE)?;
    let is_left = ended.lines.iter().any(|line| line.contains("DISCONNECT"));
    must(is_left, "rping sees its client leave")?;
    Ok(met)
}

fn tell(endpoint: &mut Endpoint, stag: Stag) -> Result<(), CommandError> {
    let mut place = BASE.to_be_bytes().to_vec();
    place.extend(stag.0.to_be_bytes());
    place.extend((SIZE as u32).to_be_bytes());
    endpoint.send(SendKind::PLAIN, place).map_err(work)
}

/// rping is the client, and compares what comes back; softndk serves.
pub(super) fn server(machine: &mut Machine, crc: bool) -> Result<Met, CommandError> {
    let settings = Settings { crc, ..Settings::default() };
    let command = format!("rping -c -a 10.0.2.2 -p {{port}} -C {ROUNDS} -S {SIZE} -V");
    let mut connected = be_called(machine, &command, settings)?;
    let endpoint = &mut connected.endpoint;
    for _ in 0..ROUNDS {
        let (stag, place) = told(&received(endpoint)?)?;
        endpoint.read(stag, place, SIZE as u32).map_err(work)?;
        let bytes = read(endpoint)?;
        must(bytes.starts_with(b"rdma-ping-"), "what was read is rping's")?;
        endpoint.send(SendKind::PLAIN, vec![0; 16]).map_err(work)?;
        let (stag, place) = told(&received(endpoint)?)?;
        endpoint.write(stag, place, bytes).map_err(work)?;
        endpoint.send(SendKind::PLAIN, vec![0; 16]).map_err(work)?;
    }
    finished(endpoint)?;
    let met = connected.met(false);
    let ended = connected.program.end(PATIENCE)?;
    must(ended.code == 0, &format!("rping ends with 0, not {}", ended.code))?;
    Ok(met)
}

fn told(message: &[u8]) -> Result<(Stag, u64), CommandError> {
    let place = message.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let stag = message.get(8..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_be_bytes(*bytes));
    let (Some(place), Some(stag)) = (place, stag) else {
        return Err(CommandError::work(format!("rping told {} bytes", message.len())));
    };
    Ok((Stag(stag), place))
}

//! Provoked Terminates: softndk breaks the protocol and siw says so, and the other way round.

use interop::{Endpoint, Event, Order, Rights, Settings, Task};
use iwarp::ddp::Stag;
use iwarp::fault::Conclusion;
use iwarp::rdmap::{Code, SendKind};

use super::engine::{BASE, Engine, unexpected, work};
use super::machine::Machine;
use super::meeting::{Met, PATIENCE, Side, must};
use super::peer::{register, serving, tell};
use crate::failure::CommandError;

/// A thing that softndk does to siw, and the code that siw answers with.
pub(super) struct ToSiw {
    pub(super) name: &'static str,
    code: (u8, u8, u8),
    act: fn(&mut Endpoint, Order) -> Result<(), interop::Error>,
}

/// A token that was never given.
const NONE: Stag = Stag(0x0055_5500);

/// The header of an untagged segment, the last one, without anything behind it: RDMAP's version and opcode, queue,
/// message number, offset.
fn untagged(control: [u8; 2], queue: u32, msn: u32, offset: u32) -> Vec<u8> {
    let mut header = control.to_vec();
    header.extend([0; 4]);
    header.extend(queue.to_be_bytes());
    header.extend(msn.to_be_bytes());
    header.extend(offset.to_be_bytes());
    header
}

/// The number of Sends that have gone before: one, which had the peer register memory.
const SENT: u32 = 1;

/// The provocations of siw.
pub(super) const TO_SIW: &[ToSiw] = &[
    ToSiw { name: "Write, token 0x555500", code: (1, 1, 0), act: |it, _| it.write(NONE, 0, vec![1; 8]) },
    ToSiw {
        name: "Write over the end",
        code: (1, 1, 1),
        act: |it, theirs| it.write(Stag(theirs.stag), theirs.offset + 1, vec![1; theirs.length as usize]),
    },
    ToSiw {
        name: "Write to memory whose token a Send has ended",
        code: (1, 1, 0),
        act: |it, theirs| {
            let kind = SendKind { solicited: true, invalidate: Some(Stag(theirs.stag)) };
            it.send(kind, Order::new(Task::Solicited).emit())?;
            match it.event(PATIENCE)? {
                Event::Received { .. } => it.write(Stag(theirs.stag), theirs.offset, vec![1; 8]),
                other => Err(interop::Error::Unexpected(other)),
            }
        },
    },
    ToSiw { name: "Read, token 0x555500", code: (0, 1, 0), act: |it, _| it.read(NONE, 0, 8) },
    ToSiw {
        name: "Read over the end",
        code: (0, 1, 1),
        act: |it, theirs| it.read(Stag(theirs.stag), theirs.offset + 1, theirs.length),
    },
    ToSiw {
        name: "Send over the receive",
        code: (1, 2, 2),
        act: |it, _| it.send(SendKind::PLAIN, vec![0; 70_000]),
    },
    ToSiw {
        name: "Send skipped",
        code: (1, 2, 3),
        act: |it, _| it.inject(&untagged([0x41, 0x43], 0, SENT + 2, 0)),
    },
    ToSiw {
        name: "gap in a Send",
        code: (1, 2, 4),
        act: |it, _| it.inject(&untagged([0x41, 0x43], 0, SENT + 1, 8)),
    },
    ToSiw { name: "queue 3", code: (1, 2, 1), act: |it, _| it.inject(&untagged([0x41, 0x43], 3, 1, 0)) },
    ToSiw {
        name: "operation 9",
        code: (0, 2, 6),
        act: |it, _| it.inject(&untagged([0x41, 0x49], 0, SENT + 1, 0)),
    },
    ToSiw {
        name: "version 2 of RDMAP",
        code: (0, 2, 5),
        act: |it, _| it.inject(&untagged([0x41, 0x83], 0, SENT + 1, 0)),
    },
    ToSiw {
        name: "version 2 of DDP",
        code: (1, 2, 6),
        act: |it, _| it.inject(&untagged([0x42, 0x43], 0, SENT + 1, 0)),
    },
];

/// Does it, and sees what siw answers.
pub(super) fn to_siw(machine: &mut Machine, provocation: &ToSiw, crc: bool) -> Result<Met, CommandError> {
    let mut connected = serving(machine, &mut Engine::with_crc(crc))?;
    let endpoint = &mut connected.side;
    let theirs = register(endpoint, 4096, 3)?;
    (provocation.act)(endpoint, theirs).map_err(work)?;
    let (layer, kind, code) = provocation.code;
    match endpoint.event(PATIENCE).map_err(work)? {
        Event::Terminated(terminate) => {
            // siw 6.1 has layer and type in each other's place (RFC 5040 section 4.8).
            let expected = Code::new(kind, layer, code);
            must(terminate.code == expected, &format!("siw tells {expected}, not {}", terminate.code))?;
        }
        other => return Err(unexpected("a Terminate", &other)),
    }
    endpoint.finished()?;
    Ok(connected.met(false))
}

/// A thing that siw does to softndk as its program is told, and the code that it is answered with.
pub(super) struct ToUs {
    pub(super) name: &'static str,
    code: (u8, u8, u8),
    /// The order, with the token of our memory.
    order: fn(Stag) -> Order,
}

/// The length of our memory.
const OURS: u32 = 4096;

/// The provocations of softndk.
pub(super) const TO_US: &[ToUs] = &[
    ToUs { name: "Write, token 0x555500", code: (1, 1, 0), order: |_| of(Task::Write, NONE, BASE, 64) },
    ToUs { name: "Write over the end", code: (1, 1, 1), order: |stag| of(Task::Write, stag, BASE + 1, OURS) },
    ToUs {
        name: "Write before the start",
        code: (1, 1, 1),
        order: |stag| of(Task::Write, stag, BASE - 1, 8),
    },
    ToUs { name: "Write that wraps", code: (1, 1, 3), order: |stag| of(Task::Write, stag, u64::MAX - 3, 8) },
    ToUs { name: "Read, token 0x555500", code: (0, 1, 0), order: |_| of(Task::Read, NONE, BASE, 64) },
    ToUs { name: "Read over the end", code: (0, 1, 1), order: |stag| of(Task::Read, stag, BASE + 1, OURS) },
    ToUs { name: "Send that ends no token", code: (0, 1, 9), order: |_| of(Task::Invalidate, NONE, 0, 0) },
    ToUs { name: "Send over the receive", code: (1, 2, 5), order: |_| of(Task::Send, NONE, 0, 70_000) },
];

const fn of(task: Task, stag: Stag, offset: u64, length: u32) -> Order {
    Order { stag: stag.0, offset, length, value: 1, ..Order::new(task) }
}

/// Has it done, and sees what softndk answers; nothing of its memory may change.
pub(super) fn to_us(machine: &mut Machine, provocation: &ToUs, crc: bool) -> Result<Met, CommandError> {
    let settings = Settings { crc, receive: 60_000, ..Settings::default() };
    let mut connected = serving(machine, &mut Engine::new(settings))?;
    let endpoint = &mut connected.side;
    let stag = endpoint.memory.register(BASE, vec![0xA5; OURS as usize], Rights::ALL);
    tell(endpoint, (provocation.order)(stag))?;
    let fault = match endpoint.event(PATIENCE).map_err(work)? {
        Event::Fault(fault) => fault,
        other => return Err(unexpected("a fault of the peer", &other)),
    };
    let (layer, kind, code) = provocation.code;
    let expected = Conclusion::Terminate(Code::new(layer, kind, code));
    must(fault.conclusion() == expected, &format!("{expected:?} follows from {fault:?}"))?;
    // The segments before the one at fault have been placed.
    let first = endpoint.memory.bytes(stag).and_then(|bytes| bytes.first());
    must(first == Some(&0xA5), "nothing outside of what was named changes")?;
    // siw 6.1 does not flush the receives of its program each time, so that the end of the stream has to do.
    match endpoint.event(PATIENCE).map_err(work)? {
        Event::Finished | Event::Gone => Ok(connected.met(true)),
        other => Err(unexpected("the end of siw's stream", &other)),
    }
}

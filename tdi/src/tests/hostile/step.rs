//! Steps of clients, read from bytes.

use core::net::SocketAddr;

use arbitrary::{Arbitrary, Unstructured};
use sys::tdi::*;

use super::super::client::{FAR, NEAR};
use crate::Command;
use crate::request::Source;

/// Addresses of clients and of destinations: on either RNIC, on both, on none.
pub(super) const PLACES: [&str; 6] =
    [FAR, NEAR, "10.0.0.2:0", "0.0.0.0:139", "10.0.0.9:139", "[fe80::1]:139"];

/// One thing that a client does. Files, places and requests are counted round and round.
#[derive(Debug)]
pub(super) enum Step {
    OpenControlChannel,
    OpenEndpoint,
    OpenAddress {
        place: u8,
        shared: bool,
    },
    Submit {
        file: u8,
        ask: Ask,
    },
    Associate {
        file: u8,
        address: u8,
    },
    Disassociate {
        file: u8,
    },
    SetEvent {
        file: u8,
        event: i32,
        handler: bool,
    },
    Query {
        file: u8,
        kind: i32,
    },
    Cancel {
        back: u8,
    },
    Cleanup {
        file: u8,
    },
    Close {
        file: u8,
    },
    RemoveRnic,
    /// An adapter goes, and returns at once.
    LeaveBriefly {
        far: bool,
    },
    Dpc {
        calls: u8,
    },
    Tick {
        time: u16,
    },
}

impl<'a> Arbitrary<'a> for Step {
    /// Steps that end things come seldom, so that there is something to end.
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        // The endpoints that there are from the beginning, or any file.
        let endpoint = if input.ratio(7, 8)? { input.int_in_range(0..=3)? } else { input.arbitrary()? };
        let file = input.arbitrary()?;
        Ok(match input.int_in_range(0..=63)? {
            0 => Self::OpenControlChannel,
            1 => Self::OpenEndpoint,
            2 => Self::OpenAddress { place: input.arbitrary()?, shared: input.arbitrary()? },
            3..=36 => Self::Submit { file: endpoint, ask: Ask::of_endpoint(input)? },
            37..=39 => Self::Submit { file, ask: Ask::of_address(input)? },
            40 => Self::Associate { file: endpoint, address: file },
            41 => Self::Disassociate { file: endpoint },
            42 => Self::SetEvent { file, event: input.int_in_range(-1..=12)?, handler: input.arbitrary()? },
            43 => Self::Query { file, kind: input.int_in_range(-1..=12)? },
            44..=47 => Self::Cancel { back: input.int_in_range(0..=20)? },
            48 => Self::Cleanup { file },
            49 => Self::Close { file },
            50 if file == 0 => Self::RemoveRnic,
            50 if file < 32 => Self::LeaveBriefly { far: input.arbitrary()? },
            50..=60 => Self::Dpc { calls: input.int_in_range(1..=20)? },
            _ => Self::Tick { time: input.arbitrary()? },
        })
    }
}

/// A request that may wait, with the length of its buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) command: Command,
    pub(super) minor: u8,
    pub(super) buffer: usize,
}

impl Ask {
    fn new(command: Command, minor: u8, buffer: usize) -> Self {
        Self { command, minor, buffer }
    }

    /// The role of an endpoint.
    fn of_endpoint(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        const SENDS: [u32; 4] = [0, TDI_SEND_EXPEDITED, TDI_SEND_NON_BLOCKING, TDI_SEND_AND_DISCONNECT];
        const RECEIVES: [u32; 4] = [0, TDI_RECEIVE_NORMAL, TDI_RECEIVE_EXPEDITED, TDI_RECEIVE_PEEK];
        const ENDS: [u32; 3] = [TDI_DISCONNECT_ABORT, TDI_DISCONNECT_RELEASE, TDI_DISCONNECT_WAIT];
        Ok(match input.int_in_range(0..=15)? {
            0..=1 => {
                let to = if input.ratio(3, 4)? { at(0) } else { at(input.arbitrary()?) };
                Self::new(Command::Connect { to, limit: limit(input)? }, TDI_CONNECT, 0)
            }
            2..=3 => Self::new(Command::Listen { query: input.arbitrary()? }, TDI_LISTEN, 0),
            4 => Self::new(Command::Accept, TDI_ACCEPT, 0),
            5 => {
                let command = Command::Disconnect { flags: flags(input, &ENDS)?, limit: limit(input)? };
                Self::new(command, TDI_DISCONNECT, 0)
            }
            6..=9 => {
                let (length, buffer) = lengths(input)?;
                Self::new(Command::Send { length, flags: flags(input, &SENDS)? }, TDI_SEND, buffer)
            }
            10..=14 => {
                let (length, buffer) = lengths(input)?;
                Self::new(Command::Receive { length, flags: flags(input, &RECEIVES)? }, TDI_RECEIVE, buffer)
            }
            _ => Self::of_address(input)?,
        })
    }

    /// The role of an address object.
    fn of_address(input: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let (length, buffer) = lengths(input)?;
        let place = at(input.arbitrary()?);
        Ok(if input.arbitrary()? {
            Self::new(Command::SendDatagram { to: place, length }, TDI_SEND_DATAGRAM, buffer)
        } else {
            let any = input.ratio(3, 4)?;
            let from = if any { Source::Any } else { place.map_or(Source::Unknown, Source::Address) };
            let flags = flags(input, &[0, TDI_RECEIVE_PEEK])?;
            Self::new(Command::ReceiveDatagram { from, length, flags }, TDI_RECEIVE_DATAGRAM, buffer)
        })
    }
}

/// A length, and that of a buffer for it, which may be too short.
fn lengths(input: &mut Unstructured<'_>) -> arbitrary::Result<(usize, usize)> {
    let length = usize::from(input.arbitrary::<u16>()?);
    Ok((length, if input.ratio(1, 16)? { length / 2 } else { length }))
}

/// One of the flags that there are, or any.
fn flags(input: &mut Unstructured<'_>, usual: &[u32]) -> arbitrary::Result<u32> {
    if input.ratio(15, 16)? { input.choose(usual).copied() } else { input.arbitrary().map(u16::into) }
}

/// A time limit, or none.
fn limit(input: &mut Unstructured<'_>) -> arbitrary::Result<Option<u64>> {
    Ok(input.arbitrary::<Option<u16>>()?.map(u64::from))
}

/// One of the places, or none.
pub(super) fn at(place: u8) -> Option<SocketAddr> {
    PLACES.get(usize::from(place) % (PLACES.len() + 1)).map(|place| place.parse().unwrap())
}

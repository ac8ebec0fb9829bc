//! Flows: bytes one way for a while, with some operations outstanding all the time, as a stream of TCP flows.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Endpoint;

/// The operation that moves the bytes of a flow between the ends of a measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Flow {
    /// The near end sends, the far end keeps twice as many receives posted as there are sends.
    Send = 1,
    /// The near end writes; a send behind the last of it tells the far end that all is there.
    Write = 2,
    /// The far end reads, so that the bytes go the same way.
    Read = 3,
}

impl TryFrom<u32> for Flow {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        [Self::Send, Self::Write, Self::Read].into_iter().find(|flow| *flow as u32 == value).ok_or(value)
    }
}

/// Lets bytes flow between the ends of a measuring.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FlowRequest {
    /// A [`Flow`].
    pub flow: u32,
    /// Bytes of one operation, at most [`MEASURE_LENGTH`](crate::MEASURE_LENGTH).
    pub length: u32,
    /// Operations that are outstanding, 1 to half of [`MEASURE_DEPTH`](crate::MEASURE_DEPTH).
    pub outstanding: u32,
    /// The number of operations.
    pub count: u32,
}

/// Lets bytes flow between two sockets of Winsock Kernel: sends of [`PUMP_LENGTH`] bytes, [`PUMP_OUTSTANDING`] at a time;
/// what arrives is indicated by events and copied once.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PumpRequest {
    /// [`VERSION`](crate::VERSION).
    pub version: u32,
    /// The number of sends that are timed.
    pub count: u32,
    /// The end that connects and sends; its port is of no account.
    pub near: Endpoint,
    /// The end that listens.
    pub far: Endpoint,
}

/// The time from the first post until the last byte was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FlowReport {
    /// In ticks.
    pub ticks: u64,
    /// Ticks in a second.
    pub frequency: u64,
}

/// Bytes of one send of a [`PumpRequest`].
pub const PUMP_LENGTH: u32 = 256 << 10;

/// Sends of a [`PumpRequest`] that are outstanding.
pub const PUMP_OUTSTANDING: u32 = 2;

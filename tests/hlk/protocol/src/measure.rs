//! Measuring: what is timed, and the samples of it.
//!
//! The driver runs the loops and times them, so that nothing but the dispatch tables stands between the
//! clock and the provider. A runner asks for one [`Measure`] at a time and gets a row of numbers: how many
//! ticks a second has, and then one [sample](samples) for each place in its buffer.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Endpoint;

/// The operation that is timed, and the extent of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Measure {
    /// `depth` plain copies of `length` bytes from the near buffer to the far one: what the transfers are
    /// measured against.
    Copy = 1,
    /// `depth` receives posted, as many sends of `length` bytes, and all results polled.
    Send = 2,
    /// `depth` RDMA Writes of `length` bytes from the near buffer to the far one, and their results polled.
    Write = 3,
    /// `depth` RDMA Reads of `length` bytes from the near buffer to the far one, and their results polled.
    Read = 4,
    /// A cache line, there and back between two threads.
    CacheLine = 5,
    /// A send of `length` bytes there and one back, each side driven by a thread of its own.
    Exchange = 6,
    /// A block of `length` bytes of nonpaged pool, allocated and freed: what creates and closes contain.
    Pool = 7,
    /// The creation of one object of `kind`; all of them stay open.
    Create = 8,
    /// The close of one of the objects that were created last.
    Close = 9,
    /// The same, but what they were created from is closed before: that is the first sample.
    CloseUnder = 10,
    /// A send of `length` bytes by a thread that then sleeps until its CQ notifies.
    Notification = 11,
}

impl TryFrom<u32> for Measure {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        const ALL: [Measure; 11] = [
            Measure::Copy,
            Measure::Send,
            Measure::Write,
            Measure::Read,
            Measure::CacheLine,
            Measure::Exchange,
            Measure::Pool,
            Measure::Create,
            Measure::Close,
            Measure::CloseUnder,
            Measure::Notification,
        ];
        ALL.into_iter().find(|measure| *measure as u32 == value).ok_or(value)
    }
}

/// The longest operation, in bytes, and so the length of the buffer on each side.
pub const MEASURE_LENGTH: u32 = 1 << 20;

/// The most operations in one sample: so many may be outstanding at once.
pub const MEASURE_DEPTH: u32 = 64;

/// Opens both adapters and connects them, to measure on.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MeasuringRequest {
    /// [`VERSION`](crate::VERSION).
    pub version: u32,
    /// The end that connects and moves the data.
    pub near: Endpoint,
    /// The end that listens.
    pub far: Endpoint,
}

/// Takes samples; the output says how many.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MeasureRequest {
    /// A [`Measure`].
    pub measure: u32,
    /// Bytes of one operation, at most [`MEASURE_LENGTH`].
    pub length: u32,
    /// Operations in one sample, 1 to [`MEASURE_DEPTH`].
    pub depth: u32,
    /// Of objects, their [`Kind`](crate::Kind).
    pub kind: u32,
}

/// The contents of a filled output: ticks per second, and the samples in ticks.
#[must_use]
pub fn samples(output: &[u64]) -> Option<(u64, &[u64])> {
    output.split_first().map(|(frequency, samples)| (*frequency, samples))
}

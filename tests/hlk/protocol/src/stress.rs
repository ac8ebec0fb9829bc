//! The stress run: many connections with traffic, closed in the middle of it.
//!
//! A stress run has groups, each with a listener and as many connections from the near to the far adapter. Each side
//! of a group is driven by a thread of the runner's, which posts, polls and arms until it is told to stop its
//! side; then it closes what it drove.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Endpoint, Outcome};

/// One of the two adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Side {
    /// The one that connects.
    Near = 0,
    /// The one that listens.
    Far = 1,
}

impl Side {
    /// Returns the number that stands for it in a structure.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl TryFrom<u32> for Side {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            0 => Ok(Self::Near),
            1 => Ok(Self::Far),
            other => Err(other),
        }
    }
}

/// Opens a stress run.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StressRequest {
    /// [`VERSION`](crate::VERSION).
    pub version: u32,
    /// The number of connections of each group.
    pub connections: u32,
    /// Not zero if memory may run out: then what fails for it is no finding.
    pub shortage: u32,
    /// Zero.
    pub reserved: u32,
    /// The end that connects.
    pub near: Endpoint,
    /// The end that listens: the first group on its port, the second on the next one.
    pub far: Endpoint,
}

/// The outcome of opening a stress run.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OpenReport {
    /// `STATUS_SUCCESS`, or the NTSTATUS that ended the attempt (then everything is closed again).
    pub status: i32,
    /// The findings while a failed attempt was taken down; of no meaning after success.
    pub outcome: Outcome,
}

/// Connects a group, or drives one side of it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GroupRequest {
    /// The group's number, from zero.
    pub group: u32,
    /// A [`Side`]; of no meaning when connecting.
    pub side: u32,
    /// The [`Level`](crate::Level) that posts, polls, arms and closes come from.
    pub level: u32,
    /// Determines what is posted, together with the group and the side.
    pub seed: u32,
}

/// The outcome of connecting a group.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GroupReport {
    /// `STATUS_SUCCESS`, or the NTSTATUS of the first attempt that failed.
    pub status: i32,
    /// The number of connections.
    pub connected: u32,
}

/// The result of one side of a group.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SideReport {
    /// Objects that it closed.
    pub closed: u64,
    /// Work requests that the provider accepted.
    pub accepted: u64,
    /// Results that were polled.
    pub results: u64,
    /// Work requests whose result could not be polled, because the CQ was closed before.
    pub unseen: u64,
}

/// A stress run's counters up to now.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StressCounters {
    /// Results that were polled, on all groups.
    pub results: u64,
}

/// Names a side.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SideRequest {
    /// A [`Side`].
    pub side: u32,
}

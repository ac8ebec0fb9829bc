//! The times that a peer is given. The engine has no clock: it says which timer runs, and is told when it has expired.

use core::time::Duration;

/// A timer of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The initiator awaits the reply.
    Reply,
    /// The responder awaits the request.
    Request,
    /// The responder awaits the first FPDU.
    FirstFpdu,
    /// The rest of an FPDU is awaited.
    RestOfFpdu,
    /// The end of the peer's stream is awaited.
    Finish,
    /// Nothing has come from the peer since the first FPDU: another one is sent, as some peers overlook the first.
    Nudge,
}

impl Timer {
    /// The time of a timer.
    pub const fn duration(self) -> Duration {
        match self {
            Self::Reply | Self::FirstFpdu => Duration::from_secs(30),
            Self::Request => Duration::from_secs(10),
            Self::RestOfFpdu => Duration::from_secs(60),
            Self::Finish => Duration::from_secs(4),
            Self::Nudge => Duration::from_millis(200),
        }
    }
}

/// The timer that runs. It starts anew when this differs from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The timer.
    pub timer: Timer,
    /// Counts the starts.
    pub start: u32,
}

/// The keepalive of TCP, which ends connections whose peer is gone: idle time, interval, and number of probes.
pub const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(5), 8);

//! The next things in the stream of a peer, as far as one look under the engine's lock finds them: the end of a segment, the
//! header of the next one and its payload are found together, so that a segment costs the lock once.

#![forbid(unsafe_code)]

use iwarp::rdmap::Terminate;
use iwarp::{Segment, SegmentEnd, Step};

use crate::connection::Stream;
use crate::number::usize_from;

/// The next thing in the stream, without references into it.
pub(super) enum Next {
    Need(usize),
    Check(usize),
    Segment(Segment),
    Payload(u16),
    End(SegmentEnd),
    Terminated(Terminate),
    Fault,
    Over,
    /// The connection is not established: its frames are not the transfers' to read.
    Hold,
}

impl From<Step<'_>> for Next {
    fn from(step: Step<'_>) -> Self {
        match step {
            Step::Need(bytes) => Self::Need(bytes),
            Step::Check(bytes) => Self::Check(usize_from(bytes)),
            Step::Segment(segment) => Self::Segment(segment),
            Step::Payload(bytes) => Self::Payload(bytes),
            Step::End(end) => Self::End(end),
            Step::Terminated(terminate) => Self::Terminated(terminate),
            Step::Fault(_) => Self::Fault,
            Step::Over => Self::Over,
            Step::Hold | Step::Offer { .. } | Step::Answer { .. } => Self::Hold,
        }
    }
}

/// See the module's head. Its parts stand in the stream in this order.
pub(super) struct Look {
    /// The bytes that all of them consume.
    pub(super) consumed: usize,
    /// A segment ends, of which there is nothing to tell.
    pub(super) ended: bool,
    /// A segment begins that has payload.
    pub(super) begins: Option<Segment>,
    /// Behind a segment that begins, its payload or the want of it, which the next look finds again if this one is not
    /// followed.
    pub(super) next: Next,
}

impl Look {
    /// Looks at a piece of the stream; `placed` bytes of payload before it were moved, of which the engine was not told.
    pub(super) fn at(stream: &mut Stream, piece: &[u8], placed: u16) -> Self {
        if placed > 0 {
            stream.placed(placed);
        }
        let mut look = Self { consumed: 0, ended: false, begins: None, next: Next::Hold };
        loop {
            let rest = piece.get(look.consumed..).unwrap_or_default();
            let (consumed, step) = stream.step(rest);
            look.consumed = look.consumed.saturating_add(consumed);
            match Next::from(step) {
                Next::End(SegmentEnd::Quiet) if !look.ended => look.ended = true,
                Next::Segment(segment) if look.begins.is_none() && has_payload(&segment) => {
                    look.begins = Some(segment);
                }
                next => return Self { next, ..look },
            }
        }
    }
}

/// Returns true if a segment does not end with its header.
const fn has_payload(segment: &Segment) -> bool {
    match segment {
        Segment::Write { length, .. }
        | Segment::Send { length, .. }
        | Segment::ReadResponse { length, .. } => *length > 0,
        Segment::ReadRequest(_) | Segment::Empty => false,
    }
}

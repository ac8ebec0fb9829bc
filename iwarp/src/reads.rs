//! Reads that are outstanding: those of the peer, which are answered (IRD), and one's own, which are awaited (ORD).
//!
//! The sink of a read of one's own is named to the peer by a tag of the connection, which is no token of the table,
//! and by an offset that counts from 0: so its memory need not be registered, and a Write cannot name it.

use crate::ddp::{Msn, Stag};
use crate::fault::PeerFault;
use crate::rdmap::{Placed, ReadRequest};
use crate::ring::Ring;

/// The most reads that may be outstanding in one direction.
pub const MOST: usize = 128;

/// A Read Request of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inbound {
    /// Its number in its queue.
    pub(crate) msn: Msn,
    /// Its body.
    pub(crate) request: ReadRequest,
}

/// A read of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outbound {
    /// The place of its sink.
    first: u64,
    length: u32,
    received: u32,
    /// It is the indication that this side is ready, and no consumer waits for it.
    is_rtr: bool,
}

/// A segment of a response, that has been found to be the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// The place in the oldest read.
    pub(crate) offset: u32,
    /// The bytes that are there with it.
    received: u32,
    last: bool,
    pub(crate) is_rtr: bool,
}

/// The reads of one connection, at most `READS` in each direction.
#[derive(Debug)]
pub(crate) struct Reads<const READS: usize> {
    inbound: Ring<Inbound, READS>,
    outbound: Ring<Outbound, READS>,
    ird: usize,
    ord: usize,
    sink: Stag,
    next_sink: u64,
}

impl<const READS: usize> Reads<READS> {
    const IS_WITHIN_MOST: () = assert!(READS <= MOST, "the list of reads is bounded");

    pub(crate) const fn new(sink: Stag) -> Self {
        const { Self::IS_WITHIN_MOST };
        let (inbound, outbound) = (Ring::new(), Ring::new());
        Self { inbound, outbound, ird: 0, ord: 0, sink, next_sink: 0 }
    }

    /// Sets the tag that names the sinks of reads.
    pub(crate) const fn begin_with(&mut self, sink: Stag) {
        self.sink = sink;
    }

    /// Sets the limits that were agreed.
    pub(crate) fn agree(&mut self, ird: u16, ord: u16) {
        self.ird = usize::from(ird).min(READS);
        self.ord = usize::from(ord).min(READS);
    }

    /// Returns whether one more read of the peer may be outstanding.
    pub(crate) fn has_room(&self) -> bool {
        self.inbound.len() < self.ird
    }

    /// Puts a read of the peer behind the others, if it is within the limit.
    pub(crate) fn requested(&mut self, inbound: Inbound) -> Result<(), PeerFault> {
        if self.has_room() && self.inbound.push(inbound) { Ok(()) } else { Err(PeerFault::TooManyReads) }
    }

    /// The oldest read of the peer.
    pub(crate) fn oldest(&self) -> Option<Inbound> {
        self.inbound.front().copied()
    }

    /// Takes the oldest read of the peer out: its response is on its way.
    pub(crate) fn answered(&mut self) {
        let _answered = self.inbound.pop();
    }

    /// The number of reads of one's own that are awaited.
    pub(crate) const fn awaited(&self) -> usize {
        self.outbound.len()
    }

    /// Begins a read of one's own, if it is within the limit: the place of its sink.
    pub(crate) fn begin(&mut self, length: u32) -> Option<u64> {
        (self.outbound.len() < self.ord).then(|| self.add(length, false)).flatten()
    }

    /// Begins the read of no length that begins the connection; the limit does not count it.
    pub(crate) fn begin_rtr(&mut self) -> Option<u64> {
        self.add(0, true)
    }

    fn add(&mut self, length: u32, is_rtr: bool) -> Option<u64> {
        let first = self.next_sink;
        let added = self.outbound.push(Outbound { first, length, received: 0, is_rtr });
        // A connection does not live for 2⁶⁴ bytes of reads.
        self.next_sink = first.wrapping_add(u64::from(length));
        added.then_some(first)
    }

    /// Judges a segment of a response: it has to be the next one of the oldest read.
    pub(crate) fn judge(&self, placed: Placed, payload: u16) -> Result<Response, PeerFault> {
        let Placed { stag, offset, last } = placed;
        let read = self.outbound.front().ok_or(PeerFault::ResponseStag)?;
        let payload = u32::from(payload);
        // A read of no length has no sink: nothing is placed, so nothing is named.
        if read.length > 0 || payload > 0 {
            if stag != self.sink {
                return Err(PeerFault::ResponseStag);
            }
            if offset != read.first.wrapping_add(u64::from(read.received)) {
                return Err(PeerFault::ResponseBounds);
            }
        }
        let received = read.received.checked_add(payload).filter(|received| *received <= read.length);
        let received = received.ok_or(PeerFault::ResponseBounds)?;
        if last && received != read.length {
            return Err(PeerFault::ResponseBounds);
        }
        Ok(Response { offset: read.received, received, last, is_rtr: read.is_rtr })
    }

    /// Counts a segment that was judged; returns whether it ended its read.
    pub(crate) fn received(&mut self, response: Response) -> bool {
        if response.last {
            let _ended = self.outbound.pop();
        } else if let Some(read) = self.outbound.front_mut() {
            read.received = response.received;
        }
        response.last
    }

    /// The bytes that are awaited, all reads together.
    pub(crate) fn bytes_awaited(&self) -> u64 {
        let left = |read: &Outbound| u64::from(read.length.saturating_sub(read.received));
        self.outbound.iter().map(left).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINK: Stag = Stag(5);

    fn reads() -> Reads<4> {
        let mut reads = Reads::new(SINK);
        reads.agree(2, 2);
        reads
    }

    fn inbound(msn: u32) -> Inbound {
        let request =
            ReadRequest { sink: Stag(1), sink_offset: 0, length: 4, source: Stag(9), source_offset: 0 };
        Inbound { msn: Msn(msn), request }
    }

    fn segment(offset: u64, last: bool) -> Placed {
        Placed { stag: SINK, offset, last }
    }

    /// RD-3, LIM-3 (RFC 5041 section 7.2): a read over the limit that was agreed finds no buffer; the list does not grow.
    #[test]
    fn read_over_the_limit_is_refused_until_one_is_answered() {
        let mut reads = reads();
        assert!(reads.requested(inbound(1)).is_ok() && reads.requested(inbound(2)).is_ok());
        assert_eq!(reads.requested(inbound(3)), Err(PeerFault::TooManyReads));
        assert_eq!(reads.oldest(), Some(inbound(1)));
        reads.answered();
        assert!(reads.requested(inbound(3)).is_ok());
        assert_eq!(reads.oldest(), Some(inbound(2)));
    }

    /// LIM-3: what a peer asks for in its frame does not enlarge the lists.
    #[test]
    fn limit_is_never_above_the_room() {
        let mut reads = Reads::<4>::new(SINK);
        reads.agree(u16::MAX, u16::MAX);
        assert!((1..=4).all(|msn| reads.requested(inbound(msn)).is_ok()));
        assert!(reads.requested(inbound(5)).is_err());
        assert!((0..4).all(|_| reads.begin(1).is_some()) && reads.begin(1).is_none());
    }

    /// RD-5 (RFC 5040 section 4.4): the sinks of reads are named one behind the other, by a tag of the connection.
    #[test]
    fn sinks_are_named_one_behind_the_other() {
        let mut reads = reads();
        assert_eq!((reads.begin(10), reads.begin(5), reads.begin(1)), (Some(0), Some(10), None));
        assert_eq!((reads.awaited(), reads.bytes_awaited()), (2, 15));
    }

    /// RD-4 (RFC 5040 section 5.2.2): a response is for the oldest read: its tag, its next place, its length at the end.
    #[test]
    fn response_has_to_be_the_next_of_the_oldest_read() {
        let mut reads = reads();
        assert_eq!(reads.judge(segment(0, true), 0), Err(PeerFault::ResponseStag));
        let _places = (reads.begin(10), reads.begin(5));
        let wrong_tag = Placed { stag: Stag(6), ..segment(0, false) };
        assert_eq!(reads.judge(wrong_tag, 4), Err(PeerFault::ResponseStag));
        for (offset, payload, last) in
            [(1, 4, false), (10, 5, true), (0, 11, false), (0, 9, true), (u64::MAX, 4, false)]
        {
            let judged = reads.judge(segment(offset, last), payload);
            assert_eq!(judged, Err(PeerFault::ResponseBounds), "{offset} {payload} {last}");
        }
        let first = reads.judge(segment(0, false), 4).unwrap();
        assert!(first.offset == 0 && !reads.received(first));
        assert_eq!(reads.judge(segment(0, false), 4), Err(PeerFault::ResponseBounds));
        let second = reads.judge(segment(4, true), 6).unwrap();
        assert!(second.offset == 4 && reads.received(second));
        assert_eq!((reads.awaited(), reads.bytes_awaited()), (1, 5));
        assert!(reads.judge(segment(10, true), 5).is_ok());
    }

    /// RD-3, RD-4 (RFC 5040 section 5.2): a read of no length has no sink, so the response may name any.
    #[test]
    fn response_to_a_read_of_no_length_names_nothing() {
        let mut reads = reads();
        assert_eq!(reads.begin_rtr(), Some(0));
        assert_eq!(reads.begin(0), Some(0));
        let any = Placed { stag: Stag(77), offset: 3, last: true };
        assert_eq!(reads.judge(any, 1), Err(PeerFault::ResponseStag));
        let response = reads.judge(any, 0).unwrap();
        assert!(response.is_rtr && reads.received(response));
        assert!(!reads.judge(any, 0).unwrap().is_rtr);
    }
}

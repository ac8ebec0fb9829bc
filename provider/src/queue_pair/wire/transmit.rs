//! FPDUs into batches (TX-1). The bytes of a message are copied into the batch, and summed there: what the consumer
//! does to its memory afterwards changes nothing that is on its way (TX-5).

#![forbid(unsafe_code)]

use arrayvec::ArrayVec;
use iwarp::fault::LocalFault;
use iwarp::rdmap::{ReadRequest, SendKind};
use iwarp::{Cut, Message, Origin, PostError, ddp::Stag};

use super::sinks::Sink;
use super::{Until, WireTransfers};
use crate::adapter::PinnedSgl;
use crate::connection::{BATCH, Batch, Stream, Wire};
use crate::kernel::Kernel;
use crate::kernel::network::Batch as _;
use crate::memory::{AccessError, Rights};
use crate::number::{u64_from, usize_from};
use crate::object::Object;
use crate::queue_pair::Qp;
use crate::queue_pair::initiator::Step;
use crate::queue_pair::remote::{RemoteMemory, Send};
use crate::queue_pair::sgl::{Sgl, length};
use crate::queue_pair::work::Flags;
use crate::rundown::Shard;
use sys::status::STATUS_SUCCESS;

/// The most bytes of a message that has its result as soon as it is in a batch (TX-3).
const SHORT: usize = 1 << 10;

/// The message that is being cut.
#[derive(Clone, Copy)]
pub(super) enum Job {
    /// None.
    Idle,
    /// The initiator's oldest request; of a read, its number.
    Message(Option<u64>),
    /// The response to the peer's oldest read.
    Response(ReadRequest),
}

/// See the module's head.
pub(super) struct Pump<K: Kernel> {
    pub(super) job: Job,
    /// The batch that is being filled, and its bytes so far.
    batch: Option<(Batch<K>, usize)>,
    /// Batches of responses since the last message of the initiator (TX-7).
    pub(super) responses: u32,
}

/// The reasons for which no FPDU is cut.
pub(super) enum Stuck {
    /// All batches are with TCP.
    NoBatch,
    /// The engine has none.
    NoCut,
}

/// FPDUs that are cut under the engine's lock at once: it is taken once for a few of them.
type Cuts = ArrayVec<Cut, 8>;

/// The next FPDUs that have room together. After the first one there are more of the same message alone: what the engine
/// owes of its own stands between messages.
fn cuts(stream: &mut Stream, mut room: usize) -> Cuts {
    let mut cuts = Cuts::new();
    while !cuts.is_full()
        && let Some(cut) = stream.next_cut(room)
    {
        room = room.saturating_sub(cut.length());
        let goes_on = !cut.last;
        cuts.push(cut);
        if !goes_on {
            break;
        }
    }
    cuts
}

impl<K: Kernel> Pump<K> {
    pub(super) const fn new() -> Self {
        Self { job: Job::Idle, batch: None, responses: 0 }
    }

    /// The next FPDUs, of one origin and up to the end of a message; the batch then has room for all of them.
    pub(super) fn next_cuts(&mut self, wire: &Wire<K>) -> Result<Cuts, Stuck> {
        loop {
            let (batch, filled) = match self.batch.take() {
                Some(batch) => batch,
                None => (wire.take_batch().ok_or(Stuck::NoBatch)?, 0),
            };
            let cuts = wire.cut(|stream| cuts(stream, BATCH.saturating_sub(filled)));
            self.batch = Some((batch, filled));
            match filled {
                _ if !cuts.is_empty() => return Ok(cuts),
                1.. => self.submit(wire),
                0 => {
                    self.give_back(wire);
                    return Err(Stuck::NoCut);
                }
            }
        }
    }

    fn give_back(&mut self, wire: &Wire<K>) {
        if let Some((batch, _)) = self.batch.take() {
            wire.put_batch(batch);
        }
    }

    /// Writes an FPDU into the batch; `payload` fills in the bytes of its message from the one on that it is given.
    pub(super) fn write(
        &mut self,
        cut: &Cut,
        payload: impl FnOnce(u32, &mut [u8]) -> Result<(), AccessError>,
    ) -> Result<(), AccessError> {
        let Some((batch, filled)) = &mut self.batch else { return Ok(()) };
        let room = batch.room().get_mut(*filled..).unwrap_or_default();
        let bytes = usize_from(cut.payload.end.saturating_sub(cut.payload.start));
        let header: &[u8] = &cut.header;
        let Some((head, rest)) = room.split_at_mut_checked(header.len()) else { return Ok(()) };
        let Some((body, rest)) = rest.split_at_mut_checked(bytes) else { return Ok(()) };
        head.copy_from_slice(header);
        payload(cut.payload.start, body)?;
        let mut digest = cut.digest();
        if let Some(digest) = &mut digest {
            digest.update(body);
        }
        let trailer = cut.trailer(digest);
        let trailer: &[u8] = &trailer;
        if let Some(tail) = rest.get_mut(..trailer.len()) {
            tail.copy_from_slice(trailer);
        }
        *filled = filled.saturating_add(cut.length());
        Ok(())
    }

    /// Sends the batch that is being filled, if there is something in it.
    pub(super) fn submit(&mut self, wire: &Wire<K>) {
        let Some((mut batch, filled)) = self.batch.take() else { return };
        if filled == 0 {
            wire.put_batch(batch);
            return;
        }
        if matches!(self.job, Job::Response(_)) {
            self.responses = self.responses.saturating_add(1);
        }
        batch.set_length(filled);
        batch.set_tag(wire.transfers().number_batch());
        wire.send(batch);
    }

    /// Cuts the initiator's oldest request as far as there are batches for it.
    #[inline(never)]
    fn message(
        &mut self,
        (qp, wire): (&Object<K, Qp<K>>, &Wire<K>),
        message: Message,
        list: &Sgl,
    ) -> Result<Step, Step> {
        let is_read = matches!(message, Message::Read { .. });
        let rights = if is_read { Rights::LOCAL_WRITE } else { Rights::LOCAL_READ };
        let mut source = PinnedSgl::new();
        let (table, domain) = (qp.pd().adapter().table(), qp.domain());
        if let Err(error) = source.local(table, domain, (rights, Shard::Initiator), list) {
            return Err(self.refused(wire, error));
        }
        let read = match self.job {
            Job::Message(read) => read,
            Job::Response(_) => return Ok(Step::Waits),
            Job::Idle => match wire.with_stream(|stream| stream.post(message)) {
                Ok(()) => {
                    let sink = Sink { position: qp.initiator.position(), entries: list.len() };
                    let read = is_read.then(|| wire.transfers().sinks.begin(sink));
                    self.job = Job::Message(read);
                    read
                }
                Err(PostError::State) => return Ok(Step::NoConnection),
                Err(PostError::Busy | PostError::TooManyReads | PostError::NoRead) => return Ok(Step::Waits),
                Err(PostError::Wrap) => return Err(self.refused(wire, AccessError::Bounds)),
            },
        };
        let mut is_whole = false;
        while !is_whole {
            let cuts = match self.next_cuts(wire) {
                Ok(cuts) => cuts,
                Err(Stuck::NoBatch) => return Ok(Step::Waits),
                Err(Stuck::NoCut) => return Ok(Step::NoConnection),
            };
            for cut in &cuts {
                let copied = self.write(cut, |at, to| {
                    if source.copy_out(usize_from(at), to) == to.len() {
                        Ok(())
                    } else {
                        Err(AccessError::Bounds)
                    }
                });
                if let Err(error) = copied {
                    return Err(self.refused(wire, error));
                }
                is_whole |= cut.last && cut.origin == Origin::Message;
            }
        }
        self.job = Job::Idle;
        self.responses = 0;
        let bytes = source.length();
        if !is_read {
            qp.pd().adapter().rnic().counters().sent(super::stripe(wire), u64_from(bytes));
        }
        Ok(Step::Sent(match read {
            Some(number) => Until::Read(number),
            None if bytes <= SHORT => Until::Ended(STATUS_SUCCESS),
            None => Until::Sent(wire.transfers().next_batch()),
        }))
    }

    /// The memory of the initiator's oldest request is not what it was posted for. What has been sent of it can't be
    /// taken back (TX-9).
    fn refused(&mut self, wire: &Wire<K>, error: AccessError) -> Step {
        self.job = Job::Idle;
        wire.with_stream(|stream| stream.give_up(LocalFault::SourceInvalid));
        error.into()
    }
}

impl<K: Kernel> WireTransfers<K> {
    /// As [`Remote::send`](crate::queue_pair::remote::Remote::send).
    pub(in crate::queue_pair) fn send(
        &self,
        qp: &Object<K, Qp<K>>,
        wire: &Wire<K>,
        Send { data, flags, invalidates }: Send<'_>,
    ) -> Result<Step, Step> {
        let invalidate = invalidates.map(|token| Stag(token.0));
        let kind = SendKind { solicited: flags.contains(Flags::SOLICIT), invalidate };
        self.message((qp, wire), Message::Send { kind, length: bytes(data) }, data)
    }

    /// As [`Remote::write`](crate::queue_pair::remote::Remote::write).
    pub(in crate::queue_pair) fn write(
        &self,
        qp: &Object<K, Qp<K>>,
        wire: &Wire<K>,
        data: &Sgl,
        RemoteMemory { address, token }: RemoteMemory,
    ) -> Result<Step, Step> {
        let (stag, offset, length) = (Stag(token.0), u64_from(address), bytes(data));
        self.message((qp, wire), Message::Write { stag, offset, length }, data)
    }

    /// As [`Remote::read`](crate::queue_pair::remote::Remote::read).
    pub(in crate::queue_pair) fn read(
        &self,
        qp: &Object<K, Qp<K>>,
        wire: &Wire<K>,
        sink: &Sgl,
        RemoteMemory { address, token }: RemoteMemory,
    ) -> Result<Step, Step> {
        let (source, offset, length) = (Stag(token.0), u64_from(address), bytes(sink));
        self.message((qp, wire), Message::Read { source, offset, length }, sink)
    }

    fn message(
        &self,
        ends: (&Object<K, Qp<K>>, &Wire<K>),
        message: Message,
        list: &Sgl,
    ) -> Result<Step, Step> {
        let mut outcome = Ok(Step::Waits);
        self.pump.run(|pump| outcome = pump.message(ends, message, list));
        outcome
    }

    /// Returns true if the initiator's oldest request has been sent in part.
    pub(in crate::queue_pair) fn is_within_message(&self) -> bool {
        let mut is_within = false;
        self.pump.run(|pump| is_within = matches!(pump.job, Job::Message(_)));
        is_within
    }

    /// The initiator's oldest request is cancelled, and the connection over.
    pub(in crate::queue_pair) fn abandon(&self) {
        self.pump.run(|pump| pump.job = Job::Idle);
    }

    /// Sends what is in the batch that is being filled. At the end of each run of the initiator.
    pub(in crate::queue_pair) fn submit(&self, wire: &Wire<K>) {
        self.pump.run(|pump| pump.submit(wire));
    }
}

fn bytes(list: &Sgl) -> u32 {
    u32::try_from(length(list.iter().copied())).unwrap_or(u32::MAX)
}

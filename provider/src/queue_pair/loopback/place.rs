//! The data of a transfer, placed: between two lists of one entry each, or between any.
//!
//! Most lists have one entry of contiguous memory. For those a transfer keeps two addresses and two pins, in registers
//! for the most part. Anything else (more entries, a window, several segments, an access that is refused) is gathered on
//! the stack: what does that is not inlined, so that the frame of the caller does not grow to hold the locals of all. (A
//! frame over a page does not even link, because a kernel stack has no probe for it.)

use sys::status::{NTSTATUS, STATUS_ACCESS_VIOLATION, STATUS_BUFFER_OVERFLOW};

use crate::adapter::{PinnedEntry, PinnedSgl};
use crate::consumer::Opaque;
use crate::kernel::Kernel;
use crate::memory::{AccessError, Rights, Runs, Sge, copy};
use crate::object::Object;
use crate::queue_pair::Qp;
use crate::queue_pair::remote::RemoteMemory;
use crate::queue_pair::responder::Receive;
use crate::queue_pair::sgl::Sgl;
use crate::rundown::Shard;

/// The rights that a message needs at its source, and the side that asks.
const SOURCE: (Rights, Shard) = (Rights::LOCAL_READ, Shard::Initiator);
/// The same at its sink.
const SINK: (Rights, Shard) = (Rights::LOCAL_WRITE, Shard::Target);
/// The same at the sink of a read.
const READ_SINK: (Rights, Shard) = (Rights::LOCAL_WRITE, Shard::Initiator);

/// A message that met a receive.
pub(super) struct Met {
    /// The receive's own.
    pub(super) context: Opaque,
    /// The message's length, or the status by which the receive fails.
    pub(super) moved: Result<usize, NTSTATUS>,
}

/// Moves a message into the peer's next receive; the delivery stays locked, see
/// [`Responder::give_up`](crate::queue_pair::responder::Responder::give_up). `None` if the peer has no receive, or its
/// delivery is locked. The source is admitted before a receive is taken; nothing is pinned any more when this returns, so
/// that a consumer which has the result may deregister.
///
/// # Errors
///
/// The source is refused.
#[inline(always)]
pub(super) fn deliver<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    data: &Sgl,
    peer: &Object<K, Qp<K>>,
) -> Result<Option<Met>, AccessError> {
    peer.responder.expect_delivery();
    let Some(source) = entry(qp, data, SOURCE) else { return deliver_list(qp, data, peer) };
    let mut rest = Sgl::new();
    let Some(Receive { context, first }) = peer.responder.next_receive_kept(peer, &mut rest) else {
        return Ok(None);
    };
    let sink = if rest.is_empty() { admit(peer, first, SINK) } else { None };
    let moved = match sink {
        Some(sink) if source.length() <= sink.length() => {
            source.copy_to(&sink);
            Ok(source.length())
        }
        _ => fill(peer, &source, first, &rest),
    };
    Ok(Some(Met { context, moved }))
}

/// Moves a message of any list.
#[inline(never)]
fn deliver_list<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    data: &Sgl,
    peer: &Object<K, Qp<K>>,
) -> Result<Option<Met>, AccessError> {
    let mut source = PinnedSgl::new();
    gather(qp, &mut source, data, SOURCE)?;
    let mut rest = Sgl::new();
    let Some(Receive { context, first }) = peer.responder.next_receive_kept(peer, &mut rest) else {
        return Ok(None);
    };
    Ok(Some(Met { context, moved: fill(peer, &source, first, &rest) }))
}

/// Moves a message into a receive of any list.
#[inline(never)]
fn fill<K: Kernel>(
    peer: &Object<K, Qp<K>>,
    source: &impl Runs,
    first: Sge,
    rest: &Sgl,
) -> Result<usize, NTSTATUS> {
    let mut sink = PinnedSgl::new();
    gather(peer, &mut sink, &[first], SINK)
        .and_then(|()| gather(peer, &mut sink, rest, SINK))
        .map_err(|_| STATUS_ACCESS_VIOLATION)?;
    if source.length() > sink.length() {
        return Err(STATUS_BUFFER_OVERFLOW);
    }
    copy(source, &sink, source.length());
    Ok(source.length())
}

/// Writes to the peer's memory; returns the number of bytes.
///
/// # Errors
///
/// Either memory is refused.
#[inline(always)]
pub(super) fn write<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    data: &Sgl,
    peer: &Object<K, Qp<K>>,
    to: RemoteMemory,
) -> Result<usize, AccessError> {
    match write_entry(qp, data, peer, to) {
        Some(length) => Ok(length),
        None => write_list(qp, data, peer, to),
    }
}

#[inline(always)]
fn write_entry<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    data: &Sgl,
    peer: &Object<K, Qp<K>>,
    to: RemoteMemory,
) -> Option<usize> {
    let source = entry(qp, data, SOURCE)?;
    let sink = admit_named(peer, source.length(), Rights::REMOTE_WRITE, to)?;
    source.copy_to(&sink);
    Some(source.length())
}

/// Writes from any list to any memory.
#[inline(never)]
fn write_list<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    data: &Sgl,
    peer: &Object<K, Qp<K>>,
    to: RemoteMemory,
) -> Result<usize, AccessError> {
    let (mut source, mut sink) = (PinnedSgl::new(), PinnedSgl::new());
    gather(qp, &mut source, data, SOURCE)?;
    gather_named(peer, &mut sink, source.length(), Rights::REMOTE_WRITE, to)?;
    copy(&source, &sink, source.length());
    Ok(source.length())
}

/// Reads the peer's memory; returns the number of bytes.
///
/// # Errors
///
/// Either memory is refused.
#[inline(always)]
pub(super) fn read<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    list: &Sgl,
    peer: &Object<K, Qp<K>>,
    from: RemoteMemory,
) -> Result<usize, AccessError> {
    match read_entry(qp, list, peer, from) {
        Some(length) => Ok(length),
        None => read_list(qp, list, peer, from),
    }
}

#[inline(always)]
fn read_entry<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    list: &Sgl,
    peer: &Object<K, Qp<K>>,
    from: RemoteMemory,
) -> Option<usize> {
    let sink = entry(qp, list, READ_SINK)?;
    let source = admit_named(peer, sink.length(), Rights::REMOTE_READ, from)?;
    source.copy_to(&sink);
    Some(sink.length())
}

/// Reads into any list from any memory.
#[inline(never)]
fn read_list<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    list: &Sgl,
    peer: &Object<K, Qp<K>>,
    from: RemoteMemory,
) -> Result<usize, AccessError> {
    let (mut source, mut sink) = (PinnedSgl::new(), PinnedSgl::new());
    gather(qp, &mut sink, list, READ_SINK)?;
    gather_named(peer, &mut source, sink.length(), Rights::REMOTE_READ, from)?;
    copy(&source, &sink, sink.length());
    Ok(sink.length())
}

/// The QP's own memory, if its list has one entry, and that is admitted and of contiguous memory.
#[inline(always)]
fn entry<'t, K: Kernel>(
    qp: &'t Object<K, Qp<K>>,
    list: &[Sge],
    needed: (Rights, Shard),
) -> Option<PinnedEntry<'t, K>> {
    let [sge] = list else { return None };
    admit(qp, *sge, needed)
}

#[inline(always)]
fn admit<K: Kernel>(qp: &Object<K, Qp<K>>, sge: Sge, needed: (Rights, Shard)) -> Option<PinnedEntry<'_, K>> {
    PinnedEntry::local(qp.pd.adapter().table(), qp.domain(), needed, sge)
}

/// The memory of the QP that its peer names, likewise.
#[inline(always)]
fn admit_named<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    length: usize,
    needed: Rights,
    RemoteMemory { address, token }: RemoteMemory,
) -> Option<PinnedEntry<'_, K>> {
    let named = Sge { address, length: u32::try_from(length).ok()?, token: token.0 };
    PinnedEntry::remote(qp.pd.adapter().table(), qp.domain(), needed, named)
}

/// The QP's own memory, for itself or for its peer.
fn gather<'t, K: Kernel>(
    qp: &'t Object<K, Qp<K>>,
    gathered: &mut PinnedSgl<'t, K>,
    list: &[Sge],
    needed: (Rights, Shard),
) -> Result<(), AccessError> {
    gathered.local(qp.pd.adapter().table(), qp.domain(), needed, list)
}

/// The memory of the QP that its peer names.
fn gather_named<'t, K: Kernel>(
    qp: &'t Object<K, Qp<K>>,
    gathered: &mut PinnedSgl<'t, K>,
    length: usize,
    needed: Rights,
    RemoteMemory { address, token }: RemoteMemory,
) -> Result<(), AccessError> {
    let length = u32::try_from(length).map_err(|_| AccessError::Bounds)?;
    let named = Sge { address, length, token: token.0 };
    gathered.remote(qp.pd.adapter().table(), qp.domain(), needed, named)
}

//! The memory into which the payload of a segment goes: looked up for each piece that comes, and in use only meanwhile.

#![forbid(unsafe_code)]

use iwarp::ddp::Stag;
use iwarp::fault;

use crate::adapter::PinnedSgl;
use crate::kernel::Kernel;
use crate::memory::{AccessError, Rights, Sge, Token};
use crate::number::usize_from;
use crate::object::Object;
use crate::queue_pair::Qp;
use crate::queue_pair::sgl::Sgl;
use crate::rundown::Shard;

/// The place of the payload that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// There is none, or it is read over.
    Nowhere,
    /// Memory that the peer names: from here on, so many bytes to the end of the segment.
    Named { stag: Stag, offset: u64, left: u32 },
    /// The receive of the message that comes: from this byte on.
    Receive(usize),
    /// The sink of the oldest read: from this byte on.
    Sink(usize),
}

impl From<AccessError> for fault::AccessError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Token => Self::UnknownStag,
            AccessError::Domain => Self::Domain,
            AccessError::Rights => Self::Rights,
            AccessError::Bounds => Self::Bounds,
        }
    }
}

/// Places bytes in memory that the peer names. All that is left of the segment has to be admitted before any of it is
/// placed (DDP-2).
///
/// # Errors
///
/// The [`AccessError`]; nothing was touched.
#[inline(never)]
pub(super) fn named<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    (Stag(token), offset, left): (Stag, u64, u32),
    bytes: &[u8],
) -> Result<(), AccessError> {
    let address = usize::try_from(offset).map_err(|_| AccessError::Bounds)?;
    let mut sink = PinnedSgl::new();
    let sge = Sge { address, length: left, token };
    sink.remote(qp.pd().adapter().table(), qp.domain(), Rights::REMOTE_WRITE, sge)?;
    sink.copy_in(bytes, 0);
    Ok(())
}

/// Places bytes in memory of the QP's own consumer, from byte `at` of a list on. All of the list has to be admitted.
///
/// # Errors
///
/// The [`AccessError`]; nothing was touched.
#[inline(never)]
pub(super) fn own<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    list: &Sgl,
    at: usize,
    bytes: &[u8],
) -> Result<(), AccessError> {
    let mut sink = PinnedSgl::new();
    sink.local(qp.pd().adapter().table(), qp.domain(), (Rights::LOCAL_WRITE, Shard::Target), list)?;
    let placed = sink.copy_in(bytes, at);
    if placed == bytes.len() { Ok(()) } else { Err(AccessError::Bounds) }
}

/// Copies bytes of memory that the peer names, from byte `at` of a read's source on, into `to`. All of the source has
/// to be admitted.
///
/// # Errors
///
/// The [`AccessError`].
#[inline(never)]
pub(super) fn read_named<K: Kernel>(
    qp: &Object<K, Qp<K>>,
    (Stag(token), offset, length): (Stag, u64, u32),
    at: u32,
    to: &mut [u8],
) -> Result<(), AccessError> {
    let address = usize::try_from(offset).map_err(|_| AccessError::Bounds)?;
    let mut source = PinnedSgl::new();
    let sge = Sge { address, length, token: Token(token).0 };
    source.remote(qp.pd().adapter().table(), qp.domain(), Rights::REMOTE_READ, sge)?;
    let copied = source.copy_out(usize_from(at), to);
    if copied == to.len() { Ok(()) } else { Err(AccessError::Bounds) }
}

//! The receiving end: events, and one copy of what they indicate.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use protocol::MEASURE_LENGTH;
use sys::status::{NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_IO_TIMEOUT, STATUS_SUCCESS};
use sys::wdm::{MDL, PVOID, SIZE_T, ULONG};
use sys::wsk::{WSK_BUF, WSK_CLIENT_CONNECTION_DISPATCH, WSK_DATA_INDICATION};

use crate::buffer::Buffer;
use crate::call_log::WAIT_TIMEOUT;
use crate::kernel::{self, Event};
use crate::number::{u64_from, usize_from};

/// The functions of a connection whose context is a [`Receiver`].
pub(super) static EVENTS: WSK_CLIENT_CONNECTION_DISPATCH = WSK_CLIENT_CONNECTION_DISPATCH {
    WskReceiveEvent: Some(receive_event),
    WskDisconnectEvent: None,
    WskSendBacklogEvent: None,
};

/// Memory into which what arrives is copied, from the front again where it ends.
pub(super) struct Receiver {
    pub(super) buffer: Buffer,
    at: AtomicUsize,
    arrived: AtomicU64,
    /// Set when so many bytes have arrived.
    wanted: AtomicU64,
    ended: AtomicU64,
    broken: AtomicBool,
    pub(super) done: Event,
}

impl Receiver {
    /// One whose event is to be initialised in its place.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES`.
    pub(super) fn new() -> Result<Self, NTSTATUS> {
        Ok(Self {
            buffer: Buffer::new(MEASURE_LENGTH)?,
            at: AtomicUsize::new(0),
            arrived: AtomicU64::new(0),
            wanted: AtomicU64::new(u64::MAX),
            ended: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            done: Event::unplaced(),
        })
    }

    /// Asks to be told when this many bytes more have arrived; before they are sent.
    pub(super) fn expect(&self, bytes: u64) {
        self.wanted.store(self.arrived.load(Ordering::Relaxed).saturating_add(bytes), Ordering::Release);
    }

    /// Waits until they have; says when that was, in ticks.
    ///
    /// # Errors
    /// `STATUS_IO_TIMEOUT`, or `STATUS_CONNECTION_ABORTED`.
    pub(super) fn wait(&self) -> Result<u64, NTSTATUS> {
        match (self.done.wait(WAIT_TIMEOUT), self.broken.load(Ordering::Acquire)) {
            (true, false) => Ok(self.ended.load(Ordering::Acquire)),
            (_, true) => Err(STATUS_CONNECTION_ABORTED),
            (false, false) => Err(STATUS_IO_TIMEOUT),
        }
    }

    /// Copies a piece.
    ///
    /// # Safety
    /// It has so many bytes.
    unsafe fn put(&self, mut from: *const u8, mut length: usize) {
        while length > 0 {
            let at = self.at.load(Ordering::Relaxed);
            let room = usize_from(self.buffer.length()).saturating_sub(at);
            let now = length.min(room);
            let to = self.buffer.as_ptr().wrapping_add(at);
            // SAFETY: as the caller promises; the buffer has so much room, and is no part of the piece.
            unsafe { core::ptr::copy_nonoverlapping(from, to, now) };
            self.at.store(if now == room { 0 } else { at.saturating_add(now) }, Ordering::Relaxed);
            (from, length) = (from.wrapping_add(now), length.saturating_sub(now));
        }
    }

    /// Copies the bytes of a buffer.
    ///
    /// # Safety
    /// The buffer is one of an indication that is valid.
    unsafe fn take(&self, buffer: &WSK_BUF) {
        let (mut list, mut skipped, mut left) =
            (NonNull::new(buffer.Mdl), usize_from(buffer.Offset), buffer.Length);
        while let Some(mdl) = list.filter(|_| left > 0) {
            // SAFETY: the chain of a buffer is valid while the indication is.
            let MDL { ByteCount, Next, .. } = *unsafe { mdl.as_ref() };
            let length = usize_from(ByteCount).saturating_sub(skipped).min(left);
            // SAFETY: the pages of received data are locked or nonpaged.
            let Ok(start) = (unsafe { kernel::system_address(mdl.as_ptr()) }) else {
                self.broken.store(true, Ordering::Release);
                return;
            };
            // SAFETY: the list has so many bytes.
            unsafe { self.put(start.wrapping_add(skipped), length) };
            (list, skipped, left) = (NonNull::new(Next), 0, left.saturating_sub(length));
        }
    }
}

/// Bytes that have arrived; none says that the connection is broken.
unsafe extern "efiapi" fn receive_event(
    context: PVOID,
    _flags: ULONG,
    indication: *mut WSK_DATA_INDICATION,
    bytes: SIZE_T,
    _accepted: *mut SIZE_T,
) -> NTSTATUS {
    // SAFETY: the context is the receiver, which outlives the connection.
    let receiver = unsafe { &*context.cast::<Receiver>() };
    let mut next = NonNull::new(indication);
    if next.is_none() {
        receiver.broken.store(true, Ordering::Release);
        receiver.done.set();
    }
    while let Some(indication) = next {
        // SAFETY: the indication is valid until this function returns.
        let indication = unsafe { indication.as_ref() };
        // SAFETY: as above.
        unsafe { receiver.take(&indication.Buffer) };
        next = NonNull::new(indication.Next);
    }
    let before = receiver.arrived.fetch_add(u64_from(bytes), Ordering::AcqRel);
    let wanted = receiver.wanted.load(Ordering::Acquire);
    if before < wanted && before.saturating_add(u64_from(bytes)) >= wanted {
        receiver.ended.store(kernel::ticks(), Ordering::Release);
        receiver.done.set();
    }
    STATUS_SUCCESS
}

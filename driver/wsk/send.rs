//! Sending: batches, and the end of this side's stream.

use alloc::alloc::{alloc_zeroed, dealloc};
use alloc::boxed::Box;
use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;

use provider::rundown::Shard;
use sys::status::{NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::MDL;
use sys::wsk::WSK_BUF;
use wdk::nt_success;

use super::connect::Stream;
use super::irp::{Completion, Device, Irp, Outcome};
use super::option;
use super::socket::Socket;
use crate::heap;
use crate::nt;

/// Bytes to be sent, with all that a send needs: a block of nonpaged pool, an MDL over it, a request (TX-1, WSK-2).
pub(crate) struct Batch(Box<BatchState>);

struct BatchState {
    irp: Irp,
    buffer: WSK_BUF,
    block: Block,
    tag: u64,
    /// The connection, while the batch is with Winsock Kernel.
    connection: Option<NonNull<Socket<Stream>>>,
}

// SAFETY: a batch has one owner at a time: the provider, or Winsock Kernel until the completion; the connection is
// counted meanwhile.
unsafe impl Send for BatchState {}

/// A block of nonpaged pool that an MDL describes.
struct Block {
    start: NonNull<u8>,
    layout: Layout,
    mdl: NonNull<MDL>,
}

impl Block {
    fn new(length: usize) -> Option<Self> {
        let bytes = u32::try_from(length).ok().filter(|bytes| *bytes != 0)?;
        let layout = Layout::from_size_align(length, 16).ok()?;
        // SAFETY: the length is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        // SAFETY: the list is not part of a request; the block has so many bytes.
        let mdl =
            unsafe { nt::IoAllocateMdl(start.as_ptr().cast(), bytes, nt::FALSE, nt::FALSE, null_mut()) };
        let Some(mdl) = NonNull::new(mdl.cast::<MDL>()) else {
            // SAFETY: the block was allocated with this layout, and is not in use.
            unsafe { dealloc(start.as_ptr(), layout) };
            return None;
        };
        // SAFETY: the block is nonpaged pool, as all of the driver's memory is.
        unsafe { nt::MmBuildMdlForNonPagedPool(mdl.as_ptr().cast()) };
        Some(Self { start, layout, mdl })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the list was allocated for this block, and is not in use.
        unsafe { nt::IoFreeMdl(self.mdl.as_ptr().cast()) };
        // SAFETY: the block was allocated with this layout, and is not in use.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

impl Batch {
    /// A batch of so many bytes.
    ///
    /// # Errors
    ///
    /// STATUS_INSUFFICIENT_RESOURCES.
    pub(super) fn new(device: Device, room: usize) -> Result<Self, NTSTATUS> {
        let state = || {
            let block = Block::new(room)?;
            let buffer = WSK_BUF { Mdl: block.mdl.as_ptr(), Offset: 0, Length: 0 };
            heap::boxed(BatchState { irp: Irp::new(device)?, buffer, block, tag: 0, connection: None })
        };
        state().map(Self).ok_or(STATUS_INSUFFICIENT_RESOURCES)
    }
}

impl provider::kernel::network::Batch for Batch {
    fn room(&mut self) -> &mut [u8] {
        let (start, length) = (self.0.block.start, self.0.block.layout.size());
        // SAFETY: the block has so many bytes, zeroed when it was made, and is this value's alone.
        unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), length) }
    }

    fn set_length(&mut self, length: usize) {
        self.0.buffer.Length = length.min(self.0.block.layout.size());
    }

    fn length(&self) -> usize {
        self.0.buffer.Length
    }

    fn set_tag(&mut self, tag: u64) {
        self.0.tag = tag;
    }

    fn tag(&self) -> u64 {
        self.0.tag
    }
}

impl Socket<Stream> {
    /// See [`provider::kernel::Network::send`]. The batch's memory stays as it is until its completion: Winsock Kernel
    /// buffers nothing (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_send>).
    pub(super) fn send(&self, batch: Batch) {
        if !self.acquire() {
            // The connection is closed, and the batch is freed.
            return;
        }
        let Batch(mut state) = batch;
        state.connection = Some(NonNull::from(self));
        let pin = if self.owner.finished.load(Ordering::Acquire) { None } else { self.pin(Shard::Initiator) };
        let subject = NonNull::from(Box::leak(state));
        let Some((pin, place)) = pin else {
            // SAFETY: the batch is not sent, so this is its one completion.
            return unsafe {
                Sent::complete(subject, Outcome { status: STATUS_CONNECTION_ABORTED, information: 0 })
            };
        };
        // SAFETY: the socket is pinned, and one that connects.
        let table = unsafe { option::connection(place) };
        // SAFETY: the batch is not in use elsewhere before it is sent.
        let state = unsafe { &mut *subject.as_ptr() };
        let buffer = &raw mut state.buffer;
        // SAFETY: a batch is out once at a time.
        let irp = unsafe { state.irp.ready::<_, Sent>(subject) };
        match (table.WskSend, irp) {
            (Some(send), Some(irp)) => {
                // SAFETY: the socket is pinned; the batch stays until its completion.
                let _completed_by_its_routine = unsafe { send(place.as_ptr(), buffer, 0, irp.pass()) };
            }
            (None, Some(irp)) => irp.fail(STATUS_CONNECTION_ABORTED),
            // SAFETY: the batch is not sent, so this is its one completion.
            (_, None) => unsafe {
                Sent::complete(subject, Outcome { status: STATUS_INSUFFICIENT_RESOURCES, information: 0 });
            },
        }
        drop(pin);
    }

    /// See [`provider::kernel::Network::finish`]. Winsock Kernel sends what it has before
    /// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/wsk/nc-wsk-pfn_wsk_disconnect>). The request may stay
    /// out for as long as the peer likes; a close completes it (WSK-7).
    pub(super) fn finish(&self) {
        if self.owner.finished.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = NonNull::from(self);
        let Some((pin, place)) = self.pin(Shard::Initiator) else { return };
        // SAFETY: the socket is pinned, and one that connects.
        let table = unsafe { option::connection(place) };
        if let Some(disconnect) = table.WskDisconnect
            && self.acquire()
        {
            // SAFETY: the request is used here only, once, and counted.
            if let Some(irp) = unsafe { self.owner.finish.ready::<_, Finished>(this) } {
                // SAFETY: the socket is pinned; there is no last buffer.
                let _completed_by_its_routine =
                    unsafe { disconnect(place.as_ptr(), null_mut(), 0, irp.pass()) };
            } else {
                // A stream that cannot be ended is cut off.
                self.end();
                // SAFETY: the request's count, as it is not sent. The pin keeps the socket.
                unsafe { Socket::release(this) };
            }
        }
        drop(pin);
    }
}

/// The completion of a batch.
struct Sent;

impl Completion<BatchState> for Sent {
    unsafe fn complete(subject: NonNull<BatchState>, outcome: Outcome) {
        // SAFETY: the batch was leaked when it was sent, and comes back once.
        let mut state = unsafe { Box::from_raw(subject.as_ptr()) };
        let Some(connection) = state.connection.take() else { return };
        let whole = !nt_success(outcome.status) || outcome.information == state.buffer.Length;
        let status = if whole { outcome.status } else { STATUS_CONNECTION_ABORTED };
        // SAFETY: the batch has counted the connection.
        let socket = unsafe { connection.as_ref() };
        if !whole {
            socket.end();
        }
        if let Some(events) = socket.events() {
            events.sent(Batch(state), status);
        }
        // SAFETY: the batch's count.
        unsafe { Socket::release(connection) };
    }
}

/// The completion of the end of this side's stream.
struct Finished;

impl Completion<Socket<Stream>> for Finished {
    unsafe fn complete(subject: NonNull<Socket<Stream>>, _: Outcome) {
        // SAFETY: the request's count.
        unsafe { Socket::release(subject) };
    }
}

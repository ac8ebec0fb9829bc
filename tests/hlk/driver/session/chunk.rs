//! Moving one chunk, seen from either side.

#![expect(unsafe_code, reason = "functions of the provider are called with addresses")]

use core::sync::atomic::Ordering;

use protocol::{Operation, Side};
use sys::ndk::{
    NDK_MR_FLAG_ALLOW_LOCAL_READ, NDK_MR_FLAG_ALLOW_LOCAL_WRITE, NDK_MR_FLAG_ALLOW_REMOTE_READ,
    NDK_MR_FLAG_ALLOW_REMOTE_WRITE, NDK_MR_FLAG_RDMA_READ_SINK,
};
use sys::status::{
    NTSTATUS, STATUS_CANCELLED, STATUS_DEVICE_BUSY, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
};
use sys::wdm::MDL;

use super::control_message::Control;
use super::end::{Registered, check};
use super::{Session, SessionLanes};
use crate::kernel;
use crate::ndk::Remote;
use crate::number::{u64_from, usize_from};
use crate::pair;

/// A chunk, as a request of the runner brings it.
pub(crate) struct Chunk {
    pub(crate) operation: Operation,
    pub(crate) length: u32,
    /// The request's MDL, locked until the request completes.
    pub(crate) mdl: *mut MDL,
}

impl Chunk {
    /// The address that SGEs and peers name it by.
    pub(super) fn address(&self) -> usize {
        // SAFETY: a chunk's MDL is that of the request that is being served.
        unsafe { kernel::mdl_address(self.mdl) }
    }

    /// The system address of the memory, until the request completes. A chunk that is handed to a provider has no
    /// mapping.
    fn memory(&self) -> Result<*mut u8, NTSTATUS> {
        // SAFETY: as above; the I/O manager has locked the pages for the request.
        unsafe { kernel::system_address(self.mdl) }
    }
}

impl Session {
    /// Moves a chunk on one side, where no other one is being moved.
    pub(crate) fn move_chunk(&self, side: Side, chunk: &Chunk) -> Result<u32, NTSTATUS> {
        let busy = match side {
            Side::Near => &self.near_busy,
            Side::Far => &self.far_busy,
        };
        if busy.swap(true, Ordering::AcqRel) {
            return Err(STATUS_DEVICE_BUSY);
        }
        let moved = self.move_alone(side, chunk);
        busy.store(false, Ordering::Release);
        moved
    }

    /// Moves a chunk; returns when this side is done with its memory.
    fn move_alone(&self, side: Side, chunk: &Chunk) -> Result<u32, NTSTATUS> {
        if chunk.length > self.chunk_length {
            return Err(STATUS_INVALID_PARAMETER);
        }
        if self.given_up.load(Ordering::Acquire) {
            return Err(STATUS_CANCELLED);
        }
        let moved = match (side, chunk.operation) {
            (_, Operation::Copy) if !self.lanes.is_here() => return Err(STATUS_NOT_SUPPORTED),
            (Side::Near, Operation::Copy) => self.copy(chunk),
            (Side::Far, Operation::Copy) => self.rendezvous.offer(chunk.memory()?),
            (Side::Near, Operation::SmbDirect) => self.ends.client.write(chunk),
            (Side::Far, Operation::SmbDirect) => {
                self.ends.server.serve(chunk, |began| self.count_transfer(chunk, began))
            }
            (Side::Near, _) => self.transmit(chunk),
            (Side::Far, _) => self.collect(chunk),
        };
        if moved.is_err() {
            self.give_up();
        }
        moved.map(|()| chunk.length)
    }

    /// Ends the connections, once.
    fn give_up(&self) {
        if !self.given_up.swap(true, Ordering::AcqRel) {
            let SessionLanes { near, far, .. } = self.lanes;
            pair::give_up([near.chunks, far.chunks, near.direct, far.direct]);
            let server = &self.ends.server.end;
            server.inbox.abandon(server.cq);
        }
    }

    fn transmit(&self, chunk: &Chunk) -> Result<(), NTSTATUS> {
        let near = &self.ends.near;
        let asked = near.take_control()?;
        near.expect_control()?;
        if !asked.is_about(chunk) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let flags = match chunk.operation {
            Operation::Read => NDK_MR_FLAG_ALLOW_REMOTE_READ,
            _ => NDK_MR_FLAG_ALLOW_LOCAL_READ,
        };
        let memory = near.register(chunk, flags)?;
        near.data.reset();
        let began = kernel::ticks();
        match chunk.operation {
            Operation::Send => {
                check(near.qp.send(near.data.context(), &[memory.sge()], 0))?;
                near.wait(near.data)?;
                self.count_transfer(chunk, began);
            }
            Operation::Write => {
                let to = Remote { address: asked.address, token: asked.token };
                check(near.qp.write(near.data.context(), &[memory.sge()], to, 0))?;
                near.wait(near.data)?;
                self.count_transfer(chunk, began);
                near.post_control(message(chunk, None))?;
                near.control_sent()?;
            }
            Operation::Read | Operation::Copy | Operation::SmbDirect => {
                near.post_control(message(chunk, Some(&memory)))?;
                near.control_sent()?;
                near.take_control()?;
                near.expect_control()?;
            }
        }
        Ok(())
    }

    fn collect(&self, chunk: &Chunk) -> Result<(), NTSTATUS> {
        let far = &self.ends.far;
        let flags = match chunk.operation {
            Operation::Send => NDK_MR_FLAG_ALLOW_LOCAL_WRITE,
            Operation::Write => NDK_MR_FLAG_ALLOW_REMOTE_WRITE,
            Operation::Read | Operation::Copy | Operation::SmbDirect => {
                NDK_MR_FLAG_ALLOW_LOCAL_WRITE | NDK_MR_FLAG_RDMA_READ_SINK
            }
        };
        let memory = far.register(chunk, flags)?;
        far.data.reset();
        match chunk.operation {
            Operation::Send => check(far.qp.receive(far.data.context(), &[memory.sge()]))?,
            _ => far.expect_control()?,
        }
        far.post_control(message(chunk, Some(&memory)))?;
        far.control_sent()?;
        match chunk.operation {
            Operation::Send => {
                far.wait(far.data)?;
                check_length(far.data.bytes(), chunk)?;
            }
            Operation::Write => {
                far.take_control()?;
            }
            Operation::Read | Operation::Copy | Operation::SmbDirect => {
                let offered = far.take_control()?;
                let from = Remote { address: offered.address, token: offered.token };
                let began = kernel::ticks();
                check(far.qp.read(far.data.context(), &[memory.sge()], from, 0))?;
                far.wait(far.data)?;
                self.count_transfer(chunk, began);
                far.post_control(message(chunk, None))?;
                far.control_sent()?;
            }
        }
        Ok(())
    }

    /// The copy that the other operations are measured against: done by the near side, like a Send or a Write.
    fn copy(&self, chunk: &Chunk) -> Result<(), NTSTATUS> {
        let from = chunk.memory()?;
        self.rendezvous.take(|to| {
            let began = kernel::ticks();
            // SAFETY: both requests' buffers are mapped until their requests complete, which they do after
            // this; both are as long as the chunk, and the runner does not give the same one twice.
            unsafe { core::ptr::copy_nonoverlapping(from, to, usize_from(chunk.length)) };
            self.count_transfer(chunk, began);
        })
    }

    fn count_transfer(&self, chunk: &Chunk, began: u64) {
        let ticks = kernel::ticks().saturating_sub(began);
        if let Some(count) = self.count(chunk.operation) {
            count.chunks.fetch_add(1, Ordering::Relaxed);
            count.bytes.fetch_add(u64::from(chunk.length), Ordering::Relaxed);
            count.ticks.fetch_add(ticks, Ordering::Relaxed);
        }
    }
}

fn message(chunk: &Chunk, memory: Option<&Registered<'_>>) -> Control {
    let Some(memory) = memory else { return Control::about(chunk) };
    Control { address: u64_from(memory.address), token: memory.remote_token(), ..Control::about(chunk) }
}

fn check_length(bytes: u32, chunk: &Chunk) -> Result<(), NTSTATUS> {
    if bytes == chunk.length { Ok(()) } else { Err(STATUS_INVALID_PARAMETER) }
}

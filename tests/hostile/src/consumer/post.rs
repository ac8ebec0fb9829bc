//! Registering, posting and polling.

#![expect(unsafe_code, reason = "a consumer passes addresses to the provider")]

use core::ptr::null_mut;

use sys::ndk::*;
use sys::status::{NT_SUCCESS, NTSTATUS};
use sys::wdm::PVOID;

use super::{Consumer, Cq, Qp, call, pick};
use crate::call_log::{self, Owed, completed};
use crate::calls::{Call, Flags, Place, Sge, Token, Which, Work};
use crate::memory::{Memory, SIZE};

/// The flags that every work request may get: of the last three, deferring is the only one for all.
const FLAGS: u32 = NDK_OP_FLAG_SILENT_SUCCESS
    | NDK_OP_FLAG_READ_FENCE
    | NDK_OP_FLAG_SEND_AND_SOLICIT_EVENT
    | NDK_OP_FLAG_DEFER
    | NDK_OP_FLAG_INLINE;

/// Room for a logical address mapping of a block.
#[repr(C, align(8))]
struct Mapping([u8; 128]);

/// Takes up to `room` results from a queue; returns how many there were.
pub(super) fn poll(cq: &Cq, room: usize) -> usize {
    let none =
        NDK_RESULT { Status: 0, BytesTransferred: 0, QPContext: null_mut(), RequestContext: null_mut() };
    let mut results = vec![none; room];
    let count = call!(cq.object, NdkGetCqResults, results.as_mut_ptr(), room as u32) as usize;
    results[..count]
        .iter()
        .for_each(|result| call_log::result(cq.queue, result.RequestContext, result.Status));
    count
}

fn poll_ex(cq: &Cq, room: usize) -> usize {
    let none = NDK_RESULT_EX {
        Status: 0,
        BytesTransferred: 0,
        QPContext: null_mut(),
        RequestContext: null_mut(),
        Type: NDK_OPERATION_TYPE(0),
        ProviderErrorCode: 0,
        TypeSpecificCompletionOutput: 0,
    };
    let mut results = vec![none; room];
    let count = call!(cq.object, NdkGetCqResultsEx, results.as_mut_ptr(), room as u32) as usize;
    results[..count]
        .iter()
        .for_each(|result| call_log::result(cq.queue, result.RequestContext, result.Status));
    count
}

impl Consumer {
    pub(super) fn transfer(&mut self, call: Call) -> Option<()> {
        let request = Some(completed as NDK_FN_REQUEST_COMPLETION);
        match call {
            Call::Register { mr, block, length, flags } => {
                let (mr, flags) = (*pick(&self.mrs, mr)?, u32::from(flags & 15));
                // A list that ends before its length is the consumer's mistake, and to be refused.
                let (mdl, length) = (self.memory.mdl(block.into()), usize::from(length) % (SIZE + 500));
                let status = call_log::request(|context| {
                    call!(mr, NdkRegisterMr, mdl, length, flags, request, context)
                });
                if NT_SUCCESS(status) && flags & NDK_MR_FLAG_ALLOW_LOCAL_WRITE != 0 {
                    self.memory.give(block.into(), 0, length);
                }
                self.note_tokens(mr);
            }
            Call::InitializeFast { mr, pages, remote } => {
                let mr = *pick(&self.mrs, mr)?;
                call_log::request(|context| {
                    call!(mr, NdkInitializeFastRegisterMr, pages.into(), remote.into(), request, context)
                });
                self.note_tokens(mr);
            }
            Call::Deregister { mr } => {
                let mr = *pick(&self.mrs, mr)?;
                call_log::request(|context| call!(mr, NdkDeregisterMr, request, context));
            }
            Call::Post { qp, work } => {
                let qp = *pick(&self.qps, qp)?;
                self.post(qp, work);
            }
            Call::SrqReceive { srq, sges } => {
                let (srq, sges) = (*pick(&self.srqs, srq)?, self.sges(&sges, true));
                call_log::post(Owed::Somewhere, |context| {
                    call!(srq, NdkSrqReceive, context, sges.as_ptr(), sges.len() as u32)
                });
            }
            Call::ModifySrq { srq, depth, threshold } => {
                let srq = *pick(&self.srqs, srq)?;
                call_log::request(|context| {
                    call!(srq, NdkModifySrq, depth.into(), threshold.into(), request, context)
                });
            }
            Call::Arm { cq, class } => call!(pick(&self.cqs, cq)?.object, NdkArmCq, u32::from(class % 4)),
            Call::Moderate { cq, interval, count } => {
                let count = if count == u8::MAX { u32::MAX } else { count.into() };
                let cq = pick(&self.cqs, cq)?.object;
                call!(cq, NdkControlCqInterruptModeration, interval.bytes(), count);
            }
            Call::Resize { cq, depth } => {
                let cq = pick(&self.cqs, cq)?.object;
                call_log::request(|context| call!(cq, NdkResizeCq, depth.bytes(), request, context));
            }
            Call::Poll { cq, room } => self.take(cq, room, poll)?,
            Call::PollEx { cq, room } => self.take(cq, room, poll_ex)?,
            _ => {}
        }
        Some(())
    }

    fn take(&mut self, cq: Which, room: u8, poll: fn(&Cq, usize) -> usize) -> Option<()> {
        let taken = poll(pick(&self.cqs, cq)?, room.into());
        let which = cq as usize % self.cqs.len();
        let cq = &mut self.cqs[which];
        cq.outstanding = cq.outstanding.saturating_sub(taken);
        Some(())
    }

    fn note_tokens(&mut self, mr: *mut NDK_MR) {
        self.note(call!(mr, NdkGetLocalTokenFromMr));
        self.note(call!(mr, NdkGetRemoteTokenFromMr));
    }

    fn note(&mut self, token: u32) {
        if self.tokens.len() < 256 && !self.tokens.contains(&token) {
            self.tokens.push(token);
        }
    }

    fn token(&self, token: Token) -> u32 {
        match token {
            Token::Seen(which) => pick(&self.tokens, which).copied().unwrap_or(0),
            Token::Privileged(which) => pick(&self.pds, which).map_or(0, |pd| self.privileged(pd.object)),
            Token::MadeUp(token) => token,
        }
    }

    fn privileged(&self, pd: *mut NDK_PD) -> u32 {
        let mut token = 0;
        call!(pd, NdkGetPrivilegedMemoryRegionToken, &raw mut token);
        token
    }

    fn place(&self, place: Place) -> PVOID {
        match place {
            Place::Block(block, at) => self.memory.address(block.into(), at),
            Place::Anywhere(address) => core::ptr::without_provenance_mut(address as usize),
            Place::End(before) => core::ptr::without_provenance_mut(usize::MAX - usize::from(before)),
        }
    }

    /// A list. What the privileged token admits, and inline data, the consumer must have (`real`); only
    /// `written` lists may change it.
    fn list(&mut self, sges: &[Sge], real: bool, written: bool) -> Vec<NDK_SGE> {
        let privileged: Vec<_> = self.pds.iter().map(|pd| self.privileged(pd.object)).collect();
        let entry = |this: &mut Self, sge: &Sge| {
            let (token, mut length) = (this.token(sge.token), sge.length.bytes());
            let mut address = this.place(sge.place);
            if real || privileged.contains(&token) {
                let (block, at) = match sge.place {
                    Place::Block(block, at) => (block.into(), at),
                    Place::Anywhere(_) | Place::End(_) => (0, 0),
                };
                let (at, within) = Memory::within(at, length);
                (address, length) = (this.memory.address(block, at), within);
                if written {
                    this.memory.give(block, at.into(), length as usize);
                }
            }
            NDK_SGE {
                Address: NDK_SGE_ADDRESS { VirtualAddress: address },
                Length: length,
                MemoryRegionToken: token,
            }
        };
        sges.iter().take(40).map(|sge| entry(self, sge)).collect()
    }

    fn sges(&mut self, sges: &[Sge], written: bool) -> Vec<NDK_SGE> {
        self.list(sges, false, written)
    }

    fn post(&mut self, qp: Qp, work: Work) {
        let object = qp.object;
        if let Work::Flush = work {
            return call!(object, NdkFlush);
        }
        if let Work::Receive(sges) = work {
            let sges = self.sges(&sges, true);
            if call_log::post(Owed::To(qp.receive), |context| {
                call!(object, NdkReceive, context, sges.as_ptr(), sges.len() as u32)
            }) {
                self.expect_result(qp.receive);
            }
            return;
        }
        // A silent one has a result if it fails.
        if self.initiate(qp, work) {
            self.expect_result(qp.initiator);
        }
    }

    /// Posts to the initiator queue; whether it was accepted.
    fn initiate(&mut self, qp: Qp, work: Work) -> bool {
        let object = qp.object;
        let send = |Flags(flags)| u32::from(flags) & FLAGS;
        // Only sends and writes may carry their data inline.
        let other = |Flags(flags)| u32::from(flags) & FLAGS & !NDK_OP_FLAG_INLINE;
        match work {
            Work::Send(sges, flags) => {
                let flags = send(flags);
                let list = self.list(&sges, flags & NDK_OP_FLAG_INLINE != 0, false);
                let (first, count) = (list.as_ptr(), list.len() as u32);
                offer(qp, flags, |context| call!(object, NdkSend, context, first, count, flags))
            }
            Work::SendAndInvalidate(sges, flags, token) => {
                let (flags, token) = (send(flags), self.token(token));
                let list = self.list(&sges, flags & NDK_OP_FLAG_INLINE != 0, false);
                let (first, count) = (list.as_ptr(), list.len() as u32);
                offer(qp, flags, |context| {
                    call!(object, NdkSendAndInvalidate, context, first, count, flags, token)
                })
            }
            Work::Write(sges, flags, place, token) => {
                let (flags, token) = (send(flags), self.token(token));
                let list = self.list(&sges, flags & NDK_OP_FLAG_INLINE != 0, false);
                let (first, count) = (list.as_ptr(), list.len() as u32);
                let remote = self.place(place).addr() as u64;
                offer(qp, flags, |context| {
                    call!(object, NdkWrite, context, first, count, remote, token, flags)
                })
            }
            Work::Read(sges, flags, place, token) => {
                let local = u32::from(flags.0) & NDK_OP_FLAG_RDMA_READ_LOCAL_INVALIDATE;
                let (flags, token) = (other(flags) | local, self.token(token));
                let list = self.list(&sges, false, true);
                let (first, count) = (list.as_ptr(), list.len() as u32);
                let remote = self.place(place).addr() as u64;
                offer(qp, flags, |context| {
                    call!(object, NdkRead, context, first, count, remote, token, flags)
                })
            }
            Work::Bind { mr, mw, place, length, flags } => {
                let (Some(mr), Some(mw)) = (pick(&self.mrs, mr).copied(), pick(&self.mws, mw).copied())
                else {
                    return false;
                };
                let rights =
                    u32::from(flags.0) & (NDK_OP_FLAG_ALLOW_REMOTE_READ | NDK_OP_FLAG_ALLOW_REMOTE_WRITE);
                let (flags, length) = (other(flags) | rights, length.bytes() as usize);
                let from = self.place(place);
                let done =
                    offer(qp, flags, |context| call!(object, NdkBind, context, mr, mw, from, length, flags));
                self.note(call!(mw, NdkGetRemoteTokenFromMw));
                done
            }
            Work::FastRegister { .. } => self.fast_register(qp, &work),
            Work::InvalidateMr(which, flags) => {
                let Some(mr) = pick(&self.mrs, which).copied() else { return false };
                let flags = other(flags);
                offer(qp, flags, |context| call!(object, NdkInvalidate, context, mr.cast(), flags))
            }
            Work::InvalidateMw(which, flags) => {
                let Some(mw) = pick(&self.mws, which).copied() else { return false };
                let flags = other(flags);
                offer(qp, flags, |context| call!(object, NdkInvalidate, context, mw.cast(), flags))
            }
            Work::Receive(_) | Work::Flush => false,
        }
    }

    /// The pages are those of a mapping, of which as many are given as the array has; offset, length and
    /// address may be anything.
    fn fast_register(&mut self, qp: Qp, work: &Work) -> bool {
        let Work::FastRegister { mr, pages, offset, length, base, flags } = *work else { return false };
        let Some(mr) = pick(&self.mrs, mr).copied() else { return false };
        let (block, adapter) = (usize::from(pages >> 4), self.adapters[usize::from(pages & 1)]);
        let mut mapping = Mapping([0; 128]);
        let lam = mapping.0.as_mut_ptr().cast::<NDK_LOGICAL_ADDRESS_MAPPING>();
        let (mdl, mut room, mut first) = (self.memory.mdl(block), 128, 0);
        let built =
            call!(adapter, NdkBuildLAM, mdl, SIZE, None, null_mut(), lam, &raw mut room, &raw mut first);
        assert!(NT_SUCCESS(built), "a mapping of a block that fits: {built:#010x}");
        // SAFETY: the provider filled the mapping in.
        let there = unsafe { (*lam).AdapterPageCount };
        // SAFETY: as above; the pointer keeps the provenance of the whole mapping.
        let array = unsafe { &raw const (*lam).AdapterPageArray }.cast::<NDK_LOGICAL_ADDRESS>();
        let count = u32::from(pages) % (there + 1);
        let rights = u32::from(flags.0)
            & (NDK_OP_FLAG_ALLOW_REMOTE_READ | NDK_OP_FLAG_ALLOW_REMOTE_WRITE | NDK_OP_FLAG_RDMA_READ_SINK);
        let flags = (u32::from(flags.0) & FLAGS & !NDK_OP_FLAG_INLINE) | rights;
        // Pages are whole: what lies on them around the block is the consumer's to keep out of the range.
        let reach = first as usize + SIZE;
        let offset = offset.bytes().max(first);
        let fits = reach.saturating_sub(offset as usize).max(1);
        let length = length.bytes() as usize % fits;
        let (object, base) = (qp.object, self.place(base));
        let done = offer(qp, flags, |context| {
            call!(object, NdkFastRegister, context, mr, count, array, offset, length, base, flags)
        });
        call!(adapter, NdkReleaseLAM, lam);
        if done && flags & NDK_OP_FLAG_ALLOW_LOCAL_WRITE != 0 {
            self.memory.give(block, (offset - first) as usize, length);
        }
        self.note_tokens(mr);
        done
    }
}

fn offer(qp: Qp, flags: u32, call: impl FnOnce(PVOID) -> NTSTATUS) -> bool {
    let silent = flags & NDK_OP_FLAG_SILENT_SUCCESS != 0;
    let owed = if silent { Owed::Failure(qp.initiator) } else { Owed::To(qp.initiator) };
    call_log::post(owed, call)
}

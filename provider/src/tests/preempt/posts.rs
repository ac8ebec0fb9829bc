//! Posts, polls, and what is done with memory.

use std::ptr::{null, null_mut};

use sys::ndk::*;
use sys::status::*;
use sys::wdm::{MDL, PVOID};

use super::op::{End, FAR, Op};
use super::thing::{Post, Queue, Registered, Role};
use super::world::World;
use crate::number::{u32_from, u64_from, usize_from};
use crate::tests::consumer::{Lent, call, request, virtual_address};

/// The bytes of each registration.
const LENGTH: usize = 64;
/// Remote and local write, and remote read.
const RIGHTS: u32 = NDK_MR_FLAG_ALLOW_REMOTE_WRITE | NDK_MR_FLAG_ALLOW_REMOTE_READ;
const OPENED: u32 = NDK_OP_FLAG_ALLOW_REMOTE_READ | NDK_OP_FLAG_ALLOW_REMOTE_WRITE;
/// The requests that each queue of a QP takes.
pub(super) const DEPTH: usize = 4;
/// The pages of a fast registration.
pub(super) const PAGES: u32 = 16;

/// Memory with a list that describes it, both lent.
pub(super) fn lend_memory() -> Registered {
    let data = Lent::new(&[7_u8; LENGTH]);
    let address = data.pointer().expose_provenance();
    let mdl = MDL {
        Next: null_mut(),
        Size: 0x38,
        MdlFlags: sys::wdm::MDL_SOURCE_IS_NONPAGED_POOL,
        AllocationProcessorNumber: 0,
        Reserved: 0,
        Process: null_mut(),
        MappedSystemVa: virtual_address(address),
        StartVa: virtual_address(address & !0xFFF),
        ByteCount: u32_from(LENGTH),
        ByteOffset: u32_from(address & 0xFFF),
    };
    Registered { data, mdl: Lent::new(&[mdl]) }
}

impl World {
    /// Does an operation on queues or memory.
    pub(super) fn do_post(&self, op: Op) -> NTSTATUS {
        match op {
            Op::Send(end) => self.post(end, |qp, context| {
                let list = self.list(end);
                call!(qp, NdkSend, context, list.pointer(), 1, 0)
            }),
            Op::SendAndInvalidate(end) => self.post(end, |qp, context| {
                let (list, token) = (self.list(end), self.window_token(1 - end));
                call!(qp, NdkSendAndInvalidate, context, list.pointer(), 1, 0, token)
            }),
            Op::Receive(end) => self.post_to(end, Queue::Receive, |qp, context| {
                let list = self.list(end);
                call!(qp, NdkReceive, context, list.pointer(), 1)
            }),
            Op::Write(end) => self.post(end, |qp, context| {
                let (list, (token, at)) = (self.list(end), self.tokens.borrow()[1 - end]);
                call!(qp, NdkWrite, context, list.pointer(), 1, u64_from(at), token, 0)
            }),
            Op::Read(end) => self.post(end, |qp, context| {
                let (list, (token, at)) = (self.list(end), self.tokens.borrow()[1 - end]);
                call!(qp, NdkRead, context, list.pointer(), 1, u64_from(at), token, 0)
            }),
            Op::Bind(end) => self.post(end, |qp, context| {
                let (mr, mw) = (self.pointer(end, Role::Mr), self.pointer(end, Role::Mw));
                let at = virtual_address(self.tokens.borrow()[end].1);
                call!(qp, NdkBind, context, mr, mw, at, LENGTH, OPENED)
            }),
            Op::FastRegister(end) => self.post(end, |qp, context| {
                let page = self.pages[end].pointer().expose_provenance() & !0xFFF;
                let pages = Lent::new(&[u64_from(page).cast_signed()]);
                let mr = self.pointer(end, Role::Fast);
                let base = virtual_address(page + 0x1000_0000);
                call!(qp, NdkFastRegister, context, mr, 1, pages.pointer(), 0, 64, base, OPENED)
            }),
            Op::Invalidate(end, role) => self.post(end, |qp, context| {
                let memory = self.pointer::<NDK_OBJECT_HEADER>(end, role);
                call!(qp, NdkInvalidate, context, memory, 0)
            }),
            Op::ReceiveShared => {
                let number = self.begin_post(None, Queue::Receive);
                let list = self.list(FAR);
                let srq = self.pointer::<NDK_SRQ>(FAR, Role::Srq);
                let status = call!(srq, NdkSrqReceive, request(number + 1), list.pointer(), 1);
                self.end_post(number, status)
            }
            _ => self.do_queue(op),
        }
    }

    fn do_queue(&self, op: Op) -> NTSTATUS {
        match op {
            Op::Flush(end) => call!(self.pointer::<NDK_QP>(end, Role::Qp), NdkFlush),
            Op::Arm(end) => self.arm(end, NDK_CQ_NOTIFY_ANY),
            Op::ArmSolicited(end) => self.arm(end, NDK_CQ_NOTIFY_SOLICITED),
            Op::PollAndSend(end) => {
                self.poll(end);
                return self.do_post(Op::Send(end));
            }
            Op::Poll(end) => self.poll(end),
            Op::Moderate(end) => {
                self.moderated.borrow_mut()[end] = true;
                return self.moderate(end, 1000, 3);
            }
            Op::Unmoderate(end) => return self.moderate(end, 0, 0),
            Op::Resize(end) => {
                return call!(self.pointer::<NDK_CQ>(end, Role::Cq), NdkResizeCq, 128, None, null_mut());
            }
            Op::ModifySrq => {
                let srq = self.pointer::<NDK_SRQ>(FAR, Role::Srq);
                return call!(srq, NdkModifySrq, 6, 2, None, null_mut());
            }
            Op::Register(end) => return self.register(end),
            Op::Deregister(end) => return self.deregister(end),
            Op::InitialiseFast(end) => {
                let mr = self.pointer::<NDK_MR>(end, Role::Fast);
                return call!(mr, NdkInitializeFastRegisterMr, PAGES, 1, None, null_mut());
            }
            Op::BuildMapping(end) => return self.build_mapping(end),
            Op::ReleaseMapping(end) => {
                let mapping = self.mappings.borrow_mut()[end].take();
                let place = mapping.as_ref().expect("it was built").0.pointer();
                call!(self.adapters[end], NdkReleaseLAM, place.cast());
                drop(mapping);
            }
            _ => unreachable!("{op:?} is done elsewhere"),
        }
        STATUS_SUCCESS
    }

    fn arm(&self, end: End, kind: u32) {
        self.armed.borrow_mut()[end] = Some(kind);
        call!(self.pointer::<NDK_CQ>(end, Role::Cq), NdkArmCq, kind);
    }

    fn moderate(&self, end: End, interval: u32, count: u32) -> NTSTATUS {
        let cq = self.pointer::<NDK_CQ>(end, Role::Cq);
        call!(cq, NdkControlCqInterruptModeration, interval, count)
    }

    fn begin_post(&self, qp: Option<usize>, queue: Queue) -> usize {
        let mut posts = self.posts.borrow_mut();
        posts.push(Post { qp, queue, status: None, results: Vec::new() });
        posts.len() - 1
    }

    fn end_post(&self, number: usize, status: NTSTATUS) -> NTSTATUS {
        self.posts.borrow_mut()[number].status = Some(status);
        status
    }

    fn post(&self, end: End, post: impl FnOnce(*mut NDK_QP, PVOID) -> NTSTATUS) -> NTSTATUS {
        self.post_to(end, Queue::Initiator, post)
    }

    fn post_to(&self, end: End, queue: Queue, post: impl FnOnce(*mut NDK_QP, PVOID) -> NTSTATUS) -> NTSTATUS {
        let qp = self.find(end, Role::Qp).expect("it is open");
        let number = self.begin_post(Some(qp), queue);
        let waiting = self.waiting((qp, queue), number);
        let status = post(self.pointer(end, Role::Qp), request(number + 1));
        if status == STATUS_INSUFFICIENT_RESOURCES && waiting < DEPTH {
            self.fail(format!("a post finds no room behind {waiting} others"));
        }
        self.end_post(number, status)
    }

    /// Posts to a queue of a QP before this one that have no result yet.
    fn waiting(&self, (qp, queue): (usize, Queue), before: usize) -> usize {
        let posts = self.posts.borrow();
        let waits = |post: &&Post| {
            let refused = post.status.is_some_and(|status| status != STATUS_SUCCESS);
            post.qp == Some(qp) && post.queue == queue && !refused && post.results.is_empty()
        };
        posts[..before].iter().filter(waits).count()
    }

    /// The registered memory of an end as a scatter/gather list; its token may be invalid by now.
    fn list(&self, end: End) -> Lent<NDK_SGE> {
        let (token, at) = self.tokens.borrow()[end];
        let address = NDK_SGE_ADDRESS { VirtualAddress: virtual_address(at) };
        Lent::new(&[NDK_SGE { Address: address, Length: u32_from(LENGTH), MemoryRegionToken: token }])
    }

    fn window_token(&self, end: End) -> u32 {
        match self.open(end, Role::Mw) {
            Some(_) => call!(self.pointer::<NDK_MW>(end, Role::Mw), NdkGetRemoteTokenFromMw),
            None => 0,
        }
    }

    /// Takes all results.
    fn poll(&self, end: End) {
        let cq = self.pointer::<NDK_CQ>(end, Role::Cq);
        loop {
            let none = NDK_RESULT {
                Status: 0,
                BytesTransferred: 0,
                QPContext: null_mut(),
                RequestContext: null_mut(),
            };
            let results = Lent::new(&[none; 4]);
            let count = usize_from(call!(cq, NdkGetCqResults, results.pointer(), 4));
            for index in 0..count {
                self.take_result(results.get(index));
            }
            if count < 4 {
                return;
            }
        }
    }

    fn take_result(&self, result: NDK_RESULT) {
        const STATUSES: [NTSTATUS; 6] = [
            STATUS_SUCCESS,
            STATUS_CANCELLED,
            STATUS_ACCESS_VIOLATION,
            STATUS_INVALID_DEVICE_STATE,
            STATUS_IO_TIMEOUT,
            STATUS_BUFFER_OVERFLOW,
        ];
        let number = result.RequestContext.addr().wrapping_sub(1);
        let mut posts = self.posts.borrow_mut();
        let Some(post) = posts.get_mut(number) else {
            return self.fail(format!("a result of no post: {number}"));
        };
        post.results.push(result.Status);
        let solicited = !matches!(result.Status, STATUS_SUCCESS);
        let refused = post.status.is_some_and(|status| status != STATUS_SUCCESS);
        if refused || post.results.len() > 1 || !STATUSES.contains(&result.Status) {
            self.fail(format!("post {number}, which answered {:x?}, has {:x?}", post.status, post.results));
        }
        let qp = post.qp;
        drop(posts);
        let end = qp.map_or(FAR, |qp| self.things.borrow()[qp].end);
        self.taken.borrow_mut()[end][usize::from(solicited)] += 1;
        if !matches!(result.Status, STATUS_SUCCESS | STATUS_CANCELLED) {
            self.disturb(end);
        }
    }

    fn register(&self, end: End) -> NTSTATUS {
        let memory = lend_memory();
        let mr = self.pointer::<NDK_MR>(end, Role::Mr);
        let mdl = memory.mdl.pointer();
        let status = call!(mr, NdkRegisterMr, mdl, LENGTH, RIGHTS, None, null_mut());
        if status == STATUS_SUCCESS {
            let token = call!(mr, NdkGetLocalTokenFromMr);
            self.tokens.borrow_mut()[end] = (token, memory.data.pointer().expose_provenance());
            let earlier = self.memory.borrow_mut()[end].replace(memory);
            drop(earlier);
        }
        status
    }

    fn build_mapping(&self, end: End) -> NTSTATUS {
        let (place, memory) = (Lent::new(&[0_u64; 4]), lend_memory());
        let (size, offset) = (Lent::new(&[32_u32]), Lent::new(&[0_u32]));
        let status = call!(
            self.adapters[end],
            NdkBuildLAM,
            memory.mdl.pointer(),
            LENGTH,
            None,
            null_mut(),
            place.pointer().cast(),
            size.pointer(),
            offset.pointer()
        );
        if status == STATUS_SUCCESS {
            self.mappings.borrow_mut()[end] = Some((place, memory));
        }
        status
    }

    /// A message from the near to the far end arrives.
    pub(super) fn is_carrying(&self) -> bool {
        let posts = self.posts.borrow().len();
        let receive =
            self.post_to(FAR, Queue::Receive, |qp, context| call!(qp, NdkReceive, context, null(), 0));
        let send = self.post(0, |qp, context| call!(qp, NdkSend, context, null(), 0, 0));
        if self.wire {
            self.perform(Op::Dpc);
        }
        for end in [0, FAR] {
            self.poll(end);
        }
        let results = |number: usize| self.posts.borrow()[number].results.clone();
        receive == STATUS_SUCCESS && send == STATUS_SUCCESS && results(posts + 1) == [STATUS_SUCCESS]
    }
}

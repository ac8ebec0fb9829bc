//! Frames: the protocol's edge on top of an adapter, and what a miniport passes to it.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use nt::ex::queue_work;
use nt::io::Status;
use nt::mm::{self, Block, Range};
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::sched::{self, Irql};
use parking_lot::Mutex;
use sys::ndis::*;
use sys::status::{NDIS_STATUS, NDIS_STATUS_SUCCESS, STATUS_DEVICE_NOT_READY, STATUS_INSUFFICIENT_RESOURCES};
use sys::wdm::MDL;

use super::adapter::{self, Adapter, State};
use super::pnp::Indicated;
use super::wait::Answer;
use super::{buffer, compliance, pool, violation};

/// The longest time that a miniport may keep a frame to be sent, by Driver Verifier's rule NdisTimedDataSend;
/// tests are less patient.
const LIMIT: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });

/// The longest time that it may complete none at all while it has some, by the rule NdisTimedDataHang.
const HANG: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 22 });

/// The owners of net buffer lists.
const MINIPORT: &str = "the miniport";
const PROTOCOL: &str = "the protocol";

/// The number of frames that are kept until they are asked for.
const KEPT: usize = 4096;

/// The protocol on top of an adapter.
#[derive(Default)]
pub(super) struct Protocol {
    /// Lists that the miniport has been given to send.
    sending: Mutex<Vec<(Va, Arc<Answer<NDIS_STATUS>>)>>,
    /// The number of lists that the miniport has completed so far.
    completed: AtomicUsize,
    /// Lists of the miniport that are with the protocol.
    pub(super) received: AtomicUsize,
    frames: Mutex<VecDeque<Vec<u8>>>,
    pub(super) indicated: Indicated,
}

impl Protocol {
    /// Checks that neither side has a frame of the other's.
    pub(super) fn check_quiet(&self, handle: Va, whose: &str) {
        let (sending, received) = (self.sending.lock().len(), self.received.load(Ordering::Acquire));
        if sending + received > 0 {
            let text = format!("{whose} has {sending} sends and {received} receives outstanding");
            violation("NdisOutstandingNbl", [0x27, 1, handle.bits(), 0], text);
        }
    }
}

impl Adapter {
    /// Binds the protocol to the adapter: asks for the frames that it wants.
    pub(super) fn bind_protocol(&self) {
        let filter = NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_MULTICAST | NDIS_PACKET_TYPE_BROADCAST;
        let set = self.set(OID_GEN_CURRENT_PACKET_FILTER, &filter.to_le_bytes());
        if let Err(status) = set {
            let text = format!("OID_GEN_CURRENT_PACKET_FILTER, which must succeed, failed: {status}");
            violation("NdisOidMandatory", [0, self.handle.bits(), 0, 0], text);
        }
    }

    /// Sends a frame, from the destination's address to the end of the payload, and waits until the
    /// miniport is done with it.
    ///
    /// # Errors
    /// STATUS_DEVICE_NOT_READY if the adapter does not run, or the status of the miniport.
    pub fn send(&self, frame: &[u8]) -> Result<(), Status> {
        if self.state() != State::Running {
            return Err(Status(STATUS_DEVICE_NOT_READY));
        }
        let (list, _buffers) = net_buffer_list(frame).ok_or(Status(STATUS_INSUFFICIENT_RESOURCES))?;
        let answer = Arc::new(Answer::default());
        self.protocol.sending.lock().push((Va::of(list), Arc::clone(&answer)));
        pool::pass(list, MINIPORT);
        let handler = self.driver.handlers.SendNetBufferListsHandler.expect("registration checks for it");
        let context = self.context();
        // SAFETY: the handler is the driver's own; the list is the driver's until it completes it.
        boundary::call_driver("MiniportSendNetBufferLists", || unsafe {
            handler(context, list, NDIS_DEFAULT_PORT_NUMBER, 0);
        });
        let completed = self.protocol.completed.load(Ordering::Acquire);
        let hangs = || {
            if self.protocol.completed.load(Ordering::Acquire) == completed {
                let text = format!("frames are to be sent, and none has been in {HANG:?}");
                compliance("NdisTimedDataHang", 0x9200F, text);
            }
        };
        let late = || {
            compliance("NdisTimedDataSend", 0x9200D, format!("a frame has not been sent in {LIMIT:?}"));
        };
        let status = answer.wait(&[(HANG, &hangs), (LIMIT, &late)]);
        pool::free(list);
        if status == NDIS_STATUS_SUCCESS { Ok(()) } else { Err(Status(status)) }
    }

    /// The frames that have come in since they were asked for last, oldest first.
    pub fn take_received(&self) -> Vec<Vec<u8>> {
        self.protocol.frames.lock().drain(..).collect()
    }

    fn keep(&self, frame: Vec<u8>) {
        let mut frames = self.protocol.frames.lock();
        if frames.len() == KEPT {
            frames.pop_front();
        }
        frames.push_back(frame);
    }

    /// Gives lists back to the miniport.
    fn give_back(&self, lists: *mut NET_BUFFER_LIST, count: usize) {
        let handler = self.driver.handlers.ReturnNetBufferListsHandler.expect("registration checks for it");
        let context = self.context();
        each(lists, returned);
        // SAFETY: the handler is the driver's own, and the lists are the ones that it indicated.
        boundary::call_driver("MiniportReturnNetBufferLists", || unsafe { handler(context, lists, 0) });
        self.protocol.received.fetch_sub(count, Ordering::AcqRel);
    }
}

/// Left behind in members of a list that drivers above the miniport may write while they have it.
const USED: u32 = 0x4E44_4953;

/// Takes a list back from the protocol, which has used it: the members that tell of one frame say something of
/// the last one (<https://learn.microsoft.com/windows-hardware/drivers/ddi/nbl/ns-nbl-net_buffer_list>).
fn returned(list: *mut NET_BUFFER_LIST) {
    pool::take_back(list, PROTOCOL);
    // SAFETY: the list is valid, and the protocol's until this function returns.
    let list = unsafe { &mut *list };
    list.NblFlags = USED;
    list.Status = USED.cast_signed();
    list.NetBufferListInfo.fill(ptr::without_provenance_mut(USED.to_usize()));
}

/// Checks that a list which is indicated says nothing that belongs to the frame before.
fn check_fresh(handle: NDIS_HANDLE, list: *mut NET_BUFFER_LIST) {
    // SAFETY: a list that the driver indicates is valid.
    let indicated = unsafe { &*list };
    let stale = [
        ("NblFlags", indicated.NblFlags == USED),
        ("Status", indicated.Status == USED.cast_signed()),
        ("NetBufferListInfo", indicated.NetBufferListInfo.iter().any(|info| info.addr() == USED.to_usize())),
    ];
    for (member, _) in stale.iter().filter(|(_, stale)| *stale) {
        let text = format!("{list:p} is indicated again with the {member} with which it was returned");
        violation("NdisStaleNetBufferList", [0, Va::of(handle).bits(), Va::of(list).bits(), 0], text);
    }
}

/// A list over a copy of a frame, with the memory that it describes.
fn net_buffer_list(frame: &[u8]) -> Option<(*mut NET_BUFFER_LIST, [Block; 2])> {
    let memory = Block::new(frame.len().max(1))?;
    // SAFETY: the block is new and as long as the frame.
    unsafe { ptr::copy_nonoverlapping(frame.as_ptr(), memory.as_ptr(), frame.len()) };
    let range = Range { start: Va::of(memory.as_ptr::<u8>()), length: frame.len() };
    let mdl = Block::new(range.list_size())?;
    // SAFETY: the block has the size that the list needs.
    unsafe { mm::describe(mdl.as_ptr(), range) };
    // SAFETY: the list was just filled in.
    unsafe { mm::build_for_nonpaged(mdl.as_ptr::<MDL>()) };
    // SAFETY: the chain is the one list, which the caller keeps as long as the result.
    let list = unsafe { pool::make(Va::NULL, 0, mdl.as_ptr(), 0, frame.len()) }?;
    Some((list, [memory, mdl]))
}

/// Calls `f` with each list of a chain; how many there are.
fn each(head: *mut NET_BUFFER_LIST, mut f: impl FnMut(*mut NET_BUFFER_LIST)) -> usize {
    let mut count = 0;
    let mut next = head;
    while !next.is_null() {
        // SAFETY: the lists of a chain that crosses the interface are valid, and `f` frees none of them.
        let after = unsafe { (*next).Next };
        f(next);
        next = after;
        count += 1;
    }
    count
}

exports! {
    "ndis.sys", signature;

    /// Passes received frames up.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMIndicateReceiveNetBufferLists(
        handle: NDIS_HANDLE,
        lists: *mut NET_BUFFER_LIST,
        _port: NDIS_PORT_NUMBER,
        count: u32,
        flags: u32,
    ) {
        let Some(adapter) = adapter::of(handle, "NdisMIndicateReceiveNetBufferLists") else { return };
        check_indication(&adapter, flags);
        let passed = each(lists, |list| {
            pool::pass(list, PROTOCOL);
            check_fresh(handle, list);
            // SAFETY: a list that the driver indicates is valid.
            let mut next = unsafe { (*list).FirstNetBuffer };
            while !next.is_null() {
                // SAFETY: the buffers of a valid list are valid.
                adapter.keep(unsafe { buffer::data(next) });
                // SAFETY: as above.
                next = unsafe { (*next).Next };
            }
        });
        if passed != count.to_usize() {
            let text = format!("{count} lists are indicated, but the chain has {passed}");
            violation("NdisMIndicateReceiveNetBufferLists", [0, Va::of(handle).bits(), Va::of(lists).bits(), 0], text);
        }
        if flags & NDIS_RECEIVE_FLAGS_RESOURCES != 0 {
            // The miniport has its lists back as soon as this returns.
            each(lists, returned);
            return;
        }
        adapter.protocol.received.fetch_add(passed, Ordering::AcqRel);
        let lists = Va::of(lists);
        queue_work(move || adapter.give_back(lists.ptr::<NET_BUFFER_LIST>(), passed));
    }

    /// Says that frames are sent.
    #[irql(PASSIVE..=DISPATCH)]
    fn NdisMSendNetBufferListsComplete(handle: NDIS_HANDLE, lists: *mut NET_BUFFER_LIST, flags: u32) {
        let Some(adapter) = adapter::of(handle, "NdisMSendNetBufferListsComplete") else { return };
        check_flags(handle, flags & NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL != 0);
        each(lists, |list| {
            adapter.protocol.completed.fetch_add(1, Ordering::AcqRel);
            let mut sending = adapter.protocol.sending.lock();
            let at = sending.iter().position(|(sent, _)| *sent == Va::of(list));
            let found = at.map(|at| sending.swap_remove(at));
            drop(sending);
            let Some((_, answer)) = found else {
                let text = format!("{list:p} is completed, but was not given to this adapter to send");
                violation("NdisMSendNetBufferListsComplete", [0x06, Va::of(handle).bits(), Va::of(list).bits(), 0], text);
                return;
            };
            pool::take_back(list, MINIPORT);
            // SAFETY: the list is the protocol's own, which frees it only after the answer.
            answer.set(unsafe { (*list).Status });
        });
    }
}

fn check_indication(adapter: &Adapter, flags: u32) {
    let handle = adapter.handle.ptr();
    check_flags(handle, flags & NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL != 0);
    // A miniport that is asked to pause may still finish an indication that it is in.
    if !matches!(adapter.state(), State::Running | State::Pausing) {
        let text = format!("frames are indicated while the adapter is {:?}", adapter.state());
        violation("NdisMIndicateReceiveNetBufferLists", [0x1F, Va::of(handle).bits(), 0, 0], text);
    }
}

/// Checks that a driver that says it is at DISPATCH_LEVEL is, and the other way round.
fn check_flags(handle: NDIS_HANDLE, at_dispatch: bool) {
    let irql = sched::irql();
    if at_dispatch && irql != Irql::DISPATCH {
        let text = format!("the flag for DISPATCH_LEVEL is set at {irql}");
        violation("NdisIrqlFlag", [0, Va::of(handle).bits(), 0, 0], text);
    }
}

//! Frames: the protocol's edge on top of an adapter, and what a miniport passes to it.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::VecDeque;
use std::sync::Arc;

use nt::ex::queue_work;
use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::exports;
use ntsim_core::number::ToUsize;
use ntsim_core::sched::{self, Irql};
use parking_lot::Mutex;
use sys::ndis::*;
use sys::status::NDIS_STATUS;

use super::adapter::{self, Adapter, State};
use super::pnp::Indicated;
use super::wait::Answer;
use super::{buffer, pool, variation, violation};

/// The owners of net buffer lists.
pub(super) const MINIPORT: &str = "the miniport";
const PROTOCOL: &str = "the protocol";

/// The number of frames that are kept until they are asked for.
const KEPT: usize = 4096;

/// The protocol on top of an adapter.
#[derive(Default)]
pub(super) struct Protocol {
    /// Lists that the miniport has been given to send.
    pub(super) sending: Mutex<Vec<(Va, Arc<Answer<NDIS_STATUS>>)>>,
    /// The number of lists that the miniport has completed so far.
    pub(super) completed: AtomicUsize,
    /// Lists of the miniport that are with the protocol.
    pub(super) received: AtomicUsize,
    /// Received lists that the protocol is done with.
    to_return: Mutex<Vec<Va>>,
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

    /// Gives the miniport the lists back that the protocol is done with: those of several indications in one chain,
    /// or each of one indication alone, in any order, up to DISPATCH_LEVEL, from inside the indication too
    /// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nc-ndis-miniport_return_net_buffer_lists>).
    fn give_back(&self) {
        let mut lists = core::mem::take(&mut *self.protocol.to_return.lock());
        if variation::choose(2) == 1 {
            lists.reverse();
        }
        let at_once = if variation::choose(3) == 0 { 1 } else { lists.len().max(1) };
        for chain in lists.chunks(at_once) {
            self.give_back_chain(chain);
        }
    }

    fn give_back_chain(&self, lists: &[Va]) {
        let handler = self.driver.handlers.ReturnNetBufferListsHandler.expect("registration checks for it");
        let context = self.context();
        let mut head: *mut NET_BUFFER_LIST = ptr::null_mut();
        for list in lists.iter().rev().map(|list| list.ptr::<NET_BUFFER_LIST>()) {
            returned(list);
            // SAFETY: the list is valid, and the protocol's until the handler is called.
            unsafe { (*list).Next = head };
            head = list;
        }
        let before = sched::irql();
        if variation::choose(2) == 1 && before < Irql::DISPATCH {
            sched::raise(Irql::DISPATCH);
        }
        let flags = if sched::irql() == Irql::DISPATCH { NDIS_RETURN_FLAGS_DISPATCH_LEVEL } else { 0 };
        // SAFETY: the handler is the driver's own, and the lists are the ones that it indicated.
        boundary::call_driver("MiniportReturnNetBufferLists", || unsafe { handler(context, head, flags) });
        if before < Irql::DISPATCH && sched::irql() == Irql::DISPATCH {
            sched::lower(before);
        }
        self.protocol.received.fetch_sub(lists.len(), Ordering::AcqRel);
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

/// Checks the member by which NDIS finds the miniport that a list is to be returned to: "Miniport drivers must set the
/// SourceHandle member of each NET_BUFFER_LIST structure to the same value as the MiniportAdapterHandle parameter"
/// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ndis/nf-ndis-ndismindicatereceivenetbufferlists>).
fn check_source(handle: NDIS_HANDLE, list: *mut NET_BUFFER_LIST) {
    // SAFETY: a list that the driver indicates is valid.
    let source = unsafe { (*list).SourceHandle };
    if source != handle {
        let text =
            format!("{list:p} is indicated with the SourceHandle {source:p} by the adapter {handle:p}");
        violation("NdisSourceHandle", [0, Va::of(handle).bits(), Va::of(list).bits(), 0], text);
    }
}

/// Calls `f` with each list of a chain; how many there are.
pub(super) fn each(head: *mut NET_BUFFER_LIST, mut f: impl FnMut(*mut NET_BUFFER_LIST)) -> usize {
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
            check_source(handle, list);
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
        each(lists, |list| adapter.protocol.to_return.lock().push(Va::of(list)));
        if variation::choose(3) == 0 {
            adapter.give_back();
        } else {
            queue_work(move || adapter.give_back());
        }
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
pub(super) fn check_flags(handle: NDIS_HANDLE, at_dispatch: bool) {
    let irql = sched::irql();
    if at_dispatch && irql != Irql::DISPATCH {
        let text = format!("the flag for DISPATCH_LEVEL is set at {irql}");
        violation("NdisIrqlFlag", [0, Va::of(handle).bits(), 0, 0], text);
    }
}

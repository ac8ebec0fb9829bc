//! Frames between the protocol and a fake miniport.

use core::ptr;
use core::sync::atomic::Ordering;

use nt::mm::{self, Block, Range};
use ntsim_core::address::Va;
use sys::ndis::*;
use sys::wdm::MDL;

use super::miniport::{Break, Fixture, HANDLE, RETURNED};
use super::rules::pool;
use crate::ndis::buffer::data;
use crate::ndis::clone::{NdisAllocateCloneNetBufferList, NdisFreeCloneNetBufferList};
use crate::ndis::data_path::NdisMIndicateReceiveNetBufferLists;
use crate::ndis::pool::{
    NdisAllocateNetBufferAndNetBufferList, NdisAllocateNetBufferListPool, NdisFreeNetBufferList,
    NdisFreeNetBufferListPool,
};
use crate::ndis::send::NdisMSendNetBufferListsComplete;

/// A miniport's list over a frame, with what it lies in.
struct Frame {
    list: *mut NET_BUFFER_LIST,
    pool: NDIS_HANDLE,
    _memory: [Block; 2],
}

impl Frame {
    fn new(bytes: &[u8]) -> Self {
        let memory = Block::new(bytes.len()).unwrap();
        let range = Range { start: Va::of(memory.as_ptr::<u8>()), length: bytes.len() };
        let mdl = Block::new(range.list_size()).unwrap();
        unsafe {
            ptr::copy(bytes.as_ptr(), memory.as_ptr(), bytes.len());
            mm::describe(mdl.as_ptr(), range);
            mm::build_for_nonpaged(mdl.as_ptr::<MDL>());
            let pool = NdisAllocateNetBufferListPool(handle(), &pool());
            let list = NdisAllocateNetBufferAndNetBufferList(pool, 0, 0, mdl.as_ptr(), 0, bytes.len());
            (*list).SourceHandle = handle();
            Self { list, pool, _memory: [memory, mdl] }
        }
    }

    fn indicate(&self, count: u32, flags: u32) {
        unsafe { NdisMIndicateReceiveNetBufferLists(handle(), self.list, 0, count, flags) };
    }

    /// Says nothing any more of the frame before.
    fn reset(&self) {
        let list = unsafe { &mut *self.list };
        (list.NblFlags, list.Status) = (0, 0);
        list.NetBufferListInfo.fill(ptr::null_mut());
    }

    fn free(self) {
        unsafe {
            NdisFreeNetBufferList(self.list);
            NdisFreeNetBufferListPool(self.pool);
        }
    }
}

fn handle() -> NDIS_HANDLE {
    HANDLE.load(Ordering::SeqCst)
}

fn wait_for_return() {
    while RETURNED.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
}

fn rules(fixture: Fixture) -> Vec<&'static str> {
    fixture.finish().rules()
}

#[test]
fn frame_is_sent_and_another_received() {
    let fixture = Fixture::boot(Break::Nothing);
    fixture.adapter().send(b"frame").unwrap();
    let frame = Frame::new(b"another");
    frame.indicate(1, 0);
    assert_eq!(fixture.adapter().take_received(), [b"another"]);
    wait_for_return();
    frame.reset();
    frame.indicate(1, NDIS_RECEIVE_FLAGS_RESOURCES);
    assert_eq!(RETURNED.load(Ordering::SeqCst), 1);
    frame.free();
    fixture.adapter().pause().unwrap();
    assert!(fixture.adapter().send(b"late").is_err());
    assert_eq!(rules(fixture), [""; 0]);
}

#[test]
fn chain_has_as_many_lists_as_are_claimed() {
    let fixture = Fixture::boot(Break::Nothing);
    let frame = Frame::new(b"one");
    frame.indicate(2, NDIS_RECEIVE_FLAGS_RESOURCES);
    frame.free();
    assert_eq!(rules(fixture), ["NdisMIndicateReceiveNetBufferLists"]);
}

#[test]
fn list_is_with_one_side_at_a_time() {
    let fixture = Fixture::boot(Break::Nothing);
    let frame = Frame::new(b"one");
    assert!(crate::ndis::pool::pass(frame.list, "a protocol"));
    frame.indicate(1, 0);
    wait_for_return();
    frame.free();
    assert_eq!(rules(fixture)[0], "NdisNetBufferList");
}

#[test]
fn frames_flow_only_while_the_adapter_runs_and_with_true_flags() {
    let fixture = Fixture::boot(Break::Nothing);
    let frame = Frame::new(b"one");
    frame.indicate(1, NDIS_RECEIVE_FLAGS_RESOURCES | NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
    fixture.adapter().pause().unwrap();
    frame.reset();
    frame.indicate(1, NDIS_RECEIVE_FLAGS_RESOURCES);
    frame.free();
    assert_eq!(rules(fixture), ["NdisIrqlFlag", "NdisMIndicateReceiveNetBufferLists"]);
}

#[test]
fn completion_of_what_was_not_sent_is_found() {
    let fixture = Fixture::boot(Break::Nothing);
    let frame = Frame::new(b"one");
    unsafe { NdisMSendNetBufferListsComplete(handle(), frame.list, 0) };
    frame.free();
    assert_eq!(rules(fixture), ["NdisMSendNetBufferListsComplete"]);
}

#[test]
fn adapter_pauses_with_nothing_on_its_way() {
    let fixture = Fixture::boot(Break::Nothing);
    // As if the miniport paused while the protocol had a list of its.
    fixture.adapter().protocol.received.fetch_add(1, Ordering::SeqCst);
    fixture.adapter().pause().unwrap();
    fixture.adapter().protocol.received.fetch_sub(1, Ordering::SeqCst);
    assert_eq!(rules(fixture), ["NdisOutstandingNbl"]);
}

#[test]
fn clone_has_the_bytes_of_its_original_and_goes_before_it() {
    let fixture = Fixture::boot(Break::Nothing);
    let frame = Frame::new(b"bytes");
    unsafe {
        for flags in [0, 2] {
            let clone = NdisAllocateCloneNetBufferList(frame.list, frame.pool, ptr::null_mut(), flags);
            assert_eq!(data((*clone).FirstNetBuffer), b"bytes");
            let shared = (*(*clone).FirstNetBuffer).MdlChain == (*(*frame.list).FirstNetBuffer).MdlChain;
            assert_eq!(shared, flags == 2);
            NdisFreeCloneNetBufferList(clone, flags);
        }
        let late = NdisAllocateCloneNetBufferList(frame.list, frame.pool, ptr::null_mut(), 0);
        NdisFreeNetBufferList(frame.list);
        NdisFreeCloneNetBufferList(late, 0);
        NdisFreeNetBufferListPool(frame.pool);
    }
    assert_eq!(rules(fixture), ["NdisFreeCloneNetBufferList"]);
}

#[test]
fn pool_is_freed_after_its_lists() {
    let fixture = Fixture::boot(Break::Nothing);
    let frame = Frame::new(b"one");
    unsafe {
        NdisFreeNetBufferListPool(frame.pool);
        NdisFreeNetBufferList(frame.list);
        NdisFreeNetBufferList(frame.list);
    }
    assert_eq!(rules(fixture), ["NdisFreeNetBufferListPool", "NdisNetBufferList"]);
}

#[test]
fn list_that_tells_of_the_frame_before_is_found() {
    let fixture = Fixture::boot(Break::Nothing);
    let frame = Frame::new(b"one");
    frame.indicate(1, NDIS_RECEIVE_FLAGS_RESOURCES);
    frame.indicate(1, NDIS_RECEIVE_FLAGS_RESOURCES);
    frame.free();
    assert_eq!(rules(fixture), ["NdisStaleNetBufferList"; 3]);
}

#[test]
fn list_indicated_without_its_source_is_found() {
    let fixture = Fixture::boot(Break::Nothing);
    let frame = Frame::new(b"one");
    unsafe { (*frame.list).SourceHandle = ptr::null_mut() };
    frame.indicate(1, NDIS_RECEIVE_FLAGS_RESOURCES);
    frame.free();
    assert_eq!(rules(fixture), ["NdisSourceHandle"]);
}

#[test]
fn returned_lists_come_in_every_way_that_the_page_allows() {
    let fixture = Fixture::boot(Break::Nothing);
    let frames: Vec<_> = (0..40).map(|_| Frame::new(b"one")).collect();
    frames.iter().for_each(|frame| frame.indicate(1, 0));
    while RETURNED.load(Ordering::SeqCst) < frames.len() {
        std::thread::yield_now();
    }
    let seen: Vec<_> = super::miniport::RETURNS.lock().clone();
    assert!([0, NDIS_RETURN_FLAGS_DISPATCH_LEVEL].iter().all(|flags| seen.contains(flags)));
    frames.into_iter().for_each(Frame::free);
    assert_eq!(rules(fixture), [""; 0]);
}

#[test]
fn chain_to_send_has_its_frames_in_pieces_of_memory() {
    let fixture = Fixture::boot(Break::Nothing);
    let (one, two) = ([1_u8; 60], [2_u8; 1514]);
    for _ in 0..16 {
        fixture.adapter().send_all(&[&[&one, &two], &[&two]]).unwrap();
    }
    let sent = super::miniport::SENT.lock().clone();
    assert_eq!(sent.len(), 48);
    for frames in sent.chunks(3) {
        assert_eq!(frames, [&one[..], &two, &two]);
    }
    assert_eq!(rules(fixture), [""; 0]);
}

//! A connection over the network with memory on both sides.

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use test_kernel::network;

use super::{connected_of, run, tear_down};
use crate::number::{u32_from, u64_from};
use crate::rnic::WireSettings;
use crate::tests::consumer::{Buffer, Pair, Seen, Side, call, close, request, virtual_address};

/// Rights of the buffers: everything.
pub(super) const ALL: u32 =
    NDK_MR_FLAG_ALLOW_LOCAL_WRITE | NDK_MR_FLAG_ALLOW_REMOTE_READ | NDK_MR_FLAG_ALLOW_REMOTE_WRITE;

/// Requests of a queue.
pub(super) const DEPTH: u32 = 24;
/// Entries of a list.
pub(super) const ENTRIES: u32 = 16;

/// A pair with a registered buffer on each side: near full of 7, far of 0.
pub(super) struct Rig {
    pub(super) pair: Pair,
    pub(super) near: Buffer,
    pub(super) far: Buffer,
    pub(super) near_mr: *mut NDK_MR,
    pub(super) far_mr: *mut NDK_MR,
    pub(super) near_token: u32,
    pub(super) far_token: u32,
}

impl Rig {
    pub(super) fn new(settings: WireSettings, length: usize) -> Self {
        Self::with_rights(settings, length, ALL)
    }

    pub(super) fn with_rights(settings: WireSettings, length: usize, far_rights: u32) -> Self {
        network::set_piece(0);
        let pair = connected_of(settings);
        let (mut near, mut far) = (Buffer::new(vec![7; length]), Buffer::new(vec![0; length]));
        let (near_mr, near_token) = near.register(&pair.near, ALL);
        let (far_mr, far_token) = far.register(&pair.far, far_rights);
        Self { pair, near, far, near_mr, far_mr, near_token, far_token }
    }

    pub(super) fn run(&self) -> Vec<Seen> {
        run(&self.pair)
    }

    /// The first `length` bytes of a buffer, in so many entries.
    pub(super) fn near_list(&self, length: usize, entries: usize) -> Vec<NDK_SGE> {
        list(&self.near, self.near_token, length, entries)
    }

    pub(super) fn far_list(&self, length: usize, entries: usize) -> Vec<NDK_SGE> {
        list(&self.far, self.far_token, length, entries)
    }

    pub(super) fn write(&self, number: usize, list: &[NDK_SGE], flags: u32) {
        let at = u64_from(self.far.address());
        let (entries, count) = (list.as_ptr(), u32_from(list.len()));
        let qp = self.pair.near.qp;
        let status = call!(qp, NdkWrite, request(number), entries, count, at, self.far_token, flags);
        assert_eq!(status, STATUS_SUCCESS);
    }

    pub(super) fn read(&self, number: usize, list: &[NDK_SGE], flags: u32) {
        let at = u64_from(self.far.address());
        let (entries, count) = (list.as_ptr(), u32_from(list.len()));
        let qp = self.pair.near.qp;
        let status = call!(qp, NdkRead, request(number), entries, count, at, self.far_token, flags);
        assert_eq!(status, STATUS_SUCCESS);
    }

    /// Closes all that is left.
    pub(super) fn tear_down(self) {
        for mr in [self.near_mr, self.far_mr] {
            assert_eq!(call!(mr, NdkDeregisterMr, None, null_mut()), STATUS_SUCCESS);
            assert_eq!(close!(self.pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        }
        tear_down(self.pair);
    }
}

pub(super) fn send(side: &Side, number: usize, list: &[NDK_SGE], flags: u32) {
    let count = u32_from(list.len());
    assert_eq!(call!(side.qp, NdkSend, request(number), list.as_ptr(), count, flags), STATUS_SUCCESS);
}

pub(super) fn receive(side: &Side, number: usize, list: &[NDK_SGE]) {
    let count = u32_from(list.len());
    assert_eq!(call!(side.qp, NdkReceive, request(number), list.as_ptr(), count), STATUS_SUCCESS);
}

/// The first `length` bytes of a buffer in so many entries, of which each is longer than the one before.
fn list(buffer: &Buffer, token: u32, length: usize, entries: usize) -> Vec<NDK_SGE> {
    let whole = buffer.sge(token);
    let mut at = 0;
    (1..=entries)
        .map(|entry| {
            let end = if entry == entries { length } else { length * entry * entry / (entries * entries) };
            let address = NDK_SGE_ADDRESS { VirtualAddress: virtual_address(buffer.address() + at) };
            let sge = NDK_SGE { Address: address, Length: u32_from(end - at), ..whole };
            at = end;
            sge
        })
        .collect()
}

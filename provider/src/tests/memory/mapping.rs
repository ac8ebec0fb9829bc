//! Logical address mappings (OBJ-2, WR-8).

use std::ptr::{from_mut, null_mut};

use sys::ndk::*;
use sys::status::*;
use sys::wdm::MDL;
use test_kernel::live_mappings;

use super::{create_fast, fast_register, initialise, invalidate};
use crate::number::{u32_from, u64_from, usize_from};
use crate::object::Reason;
use crate::tests::consumer::{Buffer, Pair, Seen, Side, call, close, virtual_address};

const PAGE: usize = 4096;

/// Room for a mapping, as a consumer allocates it.
#[repr(C, align(8))]
struct Mapping {
    bytes: [u8; 256],
}

impl Mapping {
    fn new() -> Box<Self> {
        Box::new(Self { bytes: [0; 256] })
    }

    fn pointer(&mut self) -> *mut NDK_LOGICAL_ADDRESS_MAPPING {
        self.bytes.as_mut_ptr().cast()
    }

    fn pages(&mut self) -> Vec<usize> {
        let mapping = self.pointer();
        // SAFETY: the provider filled it in.
        let count = usize_from(unsafe { (*mapping).AdapterPageCount });
        // SAFETY: as above.
        let first = unsafe { (&raw const (*mapping).AdapterPageArray).cast::<NDK_LOGICAL_ADDRESS>() };
        // SAFETY: so many pages follow.
        (0..count).map(|index| usize::try_from(unsafe { first.add(index).read() }).unwrap()).collect()
    }
}

fn build(
    side: &Side,
    mdl: *mut MDL,
    length: usize,
    mapping: &mut Mapping,
    room: u32,
) -> (NTSTATUS, u32, u32) {
    let (mut size, mut fbo) = (room, u32::MAX);
    let pointer = mapping.pointer();
    let status =
        call!(side.adapter, NdkBuildLAM, mdl, length, None, null_mut(), pointer, &mut size, &mut fbo);
    (status, size, fbo)
}

#[test]
fn mapping_names_every_page_and_the_offset_in_the_first() {
    let pair = Pair::new();
    let (mut buffer, mut mapping) = (Buffer::new(vec![0; 3 * PAGE]), Mapping::new());
    let (first, offset) = (buffer.address() & !(PAGE - 1), buffer.address() & (PAGE - 1));
    let pages = (offset + 3 * PAGE).div_ceil(PAGE);
    let mdl = from_mut(&mut *buffer.mdl);
    let needed = 16 + 8 * u32_from(pages);
    let short = build(&pair.near, mdl, 3 * PAGE, &mut mapping, needed - 1);
    assert_eq!((short.0, short.1), (STATUS_BUFFER_TOO_SMALL, needed));
    let built = build(&pair.near, mdl, 3 * PAGE, &mut mapping, 256);
    assert_eq!(built, (STATUS_SUCCESS, needed, u32_from(offset)));
    let expected: Vec<_> = (0..pages).map(|page| first + page * PAGE).collect();
    assert_eq!(mapping.pages(), expected);
    call!(pair.near.adapter, NdkReleaseLAM, mapping.pointer());
    pair.tear_down();
}

#[test]
fn chain_that_is_not_contiguous_or_too_short_is_not_mapped() {
    let pair = Pair::new();
    let (mut first, mut second) = (Buffer::new(vec![0; 300]), Buffer::new(vec![0; 300]));
    let mut mapping = Mapping::new();
    let mdl = from_mut(&mut *first.mdl);
    assert_eq!(build(&pair.near, mdl, 301, &mut mapping, 256).0, STATUS_INVALID_PARAMETER);
    first.mdl.Next = from_mut(&mut *second.mdl);
    assert_eq!(build(&pair.near, mdl, 600, &mut mapping, 256).0, STATUS_INVALID_PARAMETER);
    // Contiguous, but the page that both lists share would have two addresses.
    let end = first.address() + 300;
    second.mdl.StartVa = virtual_address(end & !(PAGE - 1));
    second.mdl.ByteOffset = u32_from(end & (PAGE - 1));
    assert_eq!(build(&pair.near, mdl, 600, &mut mapping, 256).0, STATUS_INVALID_PARAMETER);
    assert_eq!(build(&pair.near, mdl, 0, &mut mapping, 256).0, STATUS_INVALID_PARAMETER);
    pair.tear_down();
}

#[test]
fn lists_that_meet_inside_a_page_share_it() {
    let pair = Pair::new();
    let mut whole = Buffer::new(vec![0; 2 * PAGE]);
    let _second = whole.split(300);
    let mut mapping = Mapping::new();
    let (status, _, fbo) = build(&pair.near, from_mut(&mut *whole.mdl), 2 * PAGE, &mut mapping, 256);
    assert_eq!((status, usize_from(fbo)), (STATUS_SUCCESS, whole.address() & (PAGE - 1)));
    let first = whole.address() & !(PAGE - 1);
    let count = (usize_from(fbo) + 2 * PAGE).div_ceil(PAGE);
    assert_eq!(mapping.pages(), (0..count).map(|page| first + page * PAGE).collect::<Vec<_>>());
    call!(pair.near.adapter, NdkReleaseLAM, mapping.pointer());
    pair.tear_down();
}

#[test]
fn logical_addresses_move_data_with_the_privileged_token() {
    let pair = Pair::connected();
    let mut source = Buffer::new((0..=255).cycle().take(PAGE).collect());
    let mut mapping = Mapping::new();
    let mdl = from_mut(&mut *source.mdl);
    let (status, _, fbo) = build(&pair.near, mdl, PAGE, &mut mapping, 256);
    assert_eq!(status, STATUS_SUCCESS);
    let mut privileged = 0;
    call!(pair.near.pd, NdkGetPrivilegedMemoryRegionToken, &mut privileged);
    let mut sink = Buffer::new(vec![0; PAGE]);
    let (sink_mr, sink_token) = sink.register(&pair.far, 5);
    let mut sges = Vec::new();
    let (mut skip, mut left) = (usize_from(fbo), PAGE);
    for page in mapping.pages() {
        let length = (PAGE - skip).min(left);
        let address = NDK_SGE_ADDRESS { LogicalAddress: u64_from(page + skip).cast_signed() };
        sges.push(NDK_SGE { Address: address, Length: u32_from(length), MemoryRegionToken: privileged });
        (skip, left) = (0, left - length);
    }
    let (at, count) = (u64_from(sink.address()), u32_from(sges.len()));
    let status = call!(pair.near.qp, NdkWrite, null_mut(), sges.as_ptr(), count, at, sink_token, 0);
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, u32_from(PAGE), 0)]);
    assert_eq!(sink.bytes, source.bytes);
    call!(pair.near.adapter, NdkReleaseLAM, mapping.pointer());
    assert_eq!(close!(pair.log, sink_mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn adapters_close_waits_until_its_mappings_are_released() {
    let pair = Pair::new();
    let (mut buffer, mut mapping) = (Buffer::new(vec![0; 64]), Mapping::new());
    let mdl = from_mut(&mut *buffer.mdl);
    assert_eq!(build(&pair.near, mdl, 64, &mut mapping, 256).0, STATUS_SUCCESS);
    assert_eq!(close!(pair.log, pair.near.qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, pair.near.cq, NdkCloseCq, "cq"), STATUS_SUCCESS);
    assert_eq!(close!(pair.log, pair.near.pd, NdkClosePd, "pd"), STATUS_SUCCESS);
    let (adapter, pointer) = (pair.near.adapter, mapping.pointer().expose_provenance());
    // The release is made in a callback on the other side, while the close waits.
    pair.log.inside(move |seen| {
        if let Seen::Notified(..) = seen {
            call!(adapter, NdkReleaseLAM, virtual_address(pointer).cast());
        }
    });
    let status = call!(pair.far.qp, NdkReceive, null_mut(), std::ptr::null(), 0);
    assert_eq!(status, STATUS_SUCCESS);
    call!(pair.far.cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
    call!(pair.far.qp, NdkFlush);
    // The notification is queued; the host makes it while the adapter's close waits, and fails if the close
    // would wait for ever.
    pair.near.close_adapter();
    assert_eq!(pair.log.pump(), [Seen::Notified("cq", STATUS_SUCCESS)]);
    // A second release of the mapping does nothing.
    call!(pair.far.adapter, NdkReleaseLAM, mapping.pointer());
}

#[test]
fn release_on_another_adapter_leaves_the_mapping_alone() {
    let pair = Pair::new();
    let (mut buffer, mut mapping) = (Buffer::new(vec![0; 64]), Mapping::new());
    let mdl = from_mut(&mut *buffer.mdl);
    assert_eq!(build(&pair.near, mdl, 64, &mut mapping, 256).0, STATUS_SUCCESS);
    call!(pair.far.adapter, NdkReleaseLAM, mapping.pointer());
    let objects = pair.near.rnic.state().objects();
    let mut nameless = 0;
    let handle = pair.near.adapter.cast_const().cast();
    let counted =
        objects.explain(handle, |reason| nameless += u32::from(matches!(reason, Reason::Nameless(1))));
    assert_eq!((counted, nameless), (Ok(()), 1), "the mapping still holds its adapter");
    call!(pair.near.adapter, NdkReleaseLAM, mapping.pointer());
    // The adapter's close does not wait, as `tear_down` checks.
    pair.tear_down();
}

#[test]
fn mapping_is_undone_by_its_release_and_a_registration_over_it_keeps_it() {
    let pair = Pair::connected();
    let (mut buffer, mut mapping) = (Buffer::new(vec![3; 2 * PAGE]), Mapping::new());
    let mdl = from_mut(&mut *buffer.mdl);
    let (status, _, fbo) = build(&pair.far, mdl, 2 * PAGE, &mut mapping, 256);
    assert_eq!((status, live_mappings()), (STATUS_SUCCESS, 1));
    let mr = create_fast(&pair.far);
    assert_eq!(initialise(mr, 4, true), STATUS_SUCCESS);
    let pages = mapping.pages();
    let base = 0x7000_0000 + usize_from(fbo);
    let layout = (usize_from(fbo), PAGE, base);
    let flags = NDK_OP_FLAG_ALLOW_REMOTE_READ;
    assert_eq!(fast_register(&pair.far, mr, 1, &pages, layout, flags), STATUS_SUCCESS);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    call!(pair.far.adapter, NdkReleaseLAM, mapping.pointer());
    assert_eq!(live_mappings(), 1, "the registration keeps it");
    assert_eq!(invalidate(&pair.far, 2, mr), STATUS_SUCCESS);
    assert_eq!((pair.far.results(), live_mappings()), (vec![(STATUS_SUCCESS, 0, 2)], 0));

    assert_eq!(build(&pair.far, mdl, 2 * PAGE, &mut mapping, 256).0, STATUS_SUCCESS);
    assert_eq!(fast_register(&pair.far, mr, 1, &mapping.pages(), layout, flags), STATUS_SUCCESS);
    call!(pair.far.adapter, NdkReleaseLAM, mapping.pointer());
    assert_eq!(live_mappings(), 1);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    assert_eq!(live_mappings(), 0);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    pair.tear_down();
}

#[test]
fn refused_mapping_leaves_the_size_alone() {
    let pair = Pair::new();
    let (mut buffer, mut mapping) = (Buffer::new(vec![0; 64]), Mapping::new());
    let mdl = from_mut(&mut *buffer.mdl);
    let (status, size, fbo) = build(&pair.near, mdl, 65, &mut mapping, 200);
    assert_eq!((status, size, fbo), (STATUS_INVALID_PARAMETER, 200, u32::MAX));
    pair.tear_down();
}

#[test]
fn many_mappings_are_found_by_their_pages_and_none_is_left() {
    let pair = Pair::new();
    let mut all: Vec<_> = (0..100).map(|_| (Buffer::new(vec![0; PAGE]), Mapping::new())).collect();
    for (buffer, mapping) in &mut all {
        let mdl = from_mut(&mut *buffer.mdl);
        assert_eq!(build(&pair.near, mdl, PAGE, mapping, 256).0, STATUS_SUCCESS);
    }
    assert_eq!(live_mappings(), 100);
    let half = all.split_off(50);
    for (_, mut mapping) in half.into_iter().chain(all) {
        call!(pair.near.adapter, NdkReleaseLAM, mapping.pointer());
    }
    assert_eq!(live_mappings(), 0);
    pair.tear_down();
}

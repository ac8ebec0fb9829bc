//! Inline data (WR-5).

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;
use test_kernel::Manual;

use super::{receive, send};
use crate::number::{u32_from, usize_from};
use crate::rnic::Rnic;
use crate::tests::consumer::{Buffer, DEPTH, INLINE, Pair, call, close, request};

/// An entry without a token that means anything.
fn entry(bytes: &[u8]) -> NDK_SGE {
    let address = NDK_SGE_ADDRESS { VirtualAddress: bytes.as_ptr().cast_mut().cast() };
    NDK_SGE { Address: address, Length: u32_from(bytes.len()), MemoryRegionToken: 0xDEAD_BEEF }
}

#[test]
fn inline_data_is_taken_at_the_post_whatever_its_tokens_and_number_of_entries() {
    let pair = Pair::connected();
    let mut sink = Buffer::new(vec![0; 64]);
    let (mr, token) = sink.register(&pair.far, 1);
    let mut data = *b"abcdef";
    let entries: Vec<_> = data.chunks(2).map(entry).collect();
    assert_eq!(send(&pair.near, 1, &entries, 0), STATUS_INVALID_PARAMETER, "two entries are the limit");
    assert_eq!(send(&pair.near, 1, &entries, NDK_OP_FLAG_INLINE), STATUS_SUCCESS);
    data.fill(b'x');
    assert_eq!(receive(&pair.far, 2, &[sink.sge(token)]), STATUS_SUCCESS);
    assert_eq!(pair.near.results(), [(STATUS_SUCCESS, 6, 1)]);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 6, 2)]);
    assert_eq!(sink.bytes[..6], *b"abcdef");
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn each_outstanding_request_keeps_its_own_inline_data() {
    let pair = Pair::connected();
    let mut sink = Buffer::new(vec![0; 64]);
    let (mr, token) = sink.register(&pair.far, 1);
    for round in 0..3 {
        for number in 0..usize_from(DEPTH) {
            let data = [u8::try_from(10 * round + number).unwrap(); usize_from(INLINE)];
            assert_eq!(send(&pair.near, number, &[entry(&data)], NDK_OP_FLAG_INLINE), STATUS_SUCCESS);
        }
        for number in 0..usize_from(DEPTH) {
            assert_eq!(receive(&pair.far, number, &[sink.sge(token)]), STATUS_SUCCESS);
            assert_eq!(
                sink.bytes[..usize_from(INLINE)],
                [u8::try_from(10 * round + number).unwrap(); usize_from(INLINE)]
            );
        }
        assert_eq!((pair.near.results().len(), pair.far.results().len()), (4, 4));
    }
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

#[test]
fn inline_data_beyond_the_room_of_the_queue_pair_is_refused() {
    let pair = Pair::connected();
    let data = [7; usize_from(INLINE) + 1];
    assert_eq!(send(&pair.near, 1, &[entry(&data)], NDK_OP_FLAG_INLINE), STATUS_INVALID_PARAMETER);
    assert_eq!(send(&pair.near, 2, &[entry(&data[1..])], NDK_OP_FLAG_INLINE), STATUS_SUCCESS);
    call!(pair.near.qp, NdkFlush);
    assert_eq!(pair.near.results(), [(STATUS_CANCELLED, 0, 2)]);
    pair.tear_down();
}

#[test]
fn inline_data_of_what_is_no_send_is_refused() {
    let pair = Pair::connected();
    let (qp, sge) = (pair.near.qp, entry(b"abc"));
    let status = call!(qp, NdkWrite, request(1), &sge, 1, 0, 0, NDK_OP_FLAG_INLINE);
    assert_eq!(status, STATUS_INVALID_PARAMETER);
    pair.tear_down();
}

#[test]
fn queue_pair_has_as_much_inline_data_as_the_adapter_says_and_no_more() {
    let pair = Pair::new();
    let most = Rnic::<Manual>::adapter_info(NDK_VERSION_2_1).MaxInlineDataSize;
    let create = |inline| {
        let (cq, mut qp) = (pair.near.cq, null_mut());
        let none = null_mut();
        let status = call!(pair.near.pd, NdkCreateQp, cq, cq, none, 1, 1, 1, 1, inline, None, none, &mut qp);
        (status, qp)
    };
    let (status, qp) = create(most);
    assert_eq!(status, STATUS_SUCCESS);
    assert_eq!(create(most + 1).0, STATUS_INVALID_PARAMETER);
    assert_eq!(close!(pair.log, qp, NdkCloseQp, "qp"), STATUS_SUCCESS);
    pair.tear_down();
}

//! Resizing a completion queue (CQ-7).

use std::ptr::null_mut;

use sys::ndk::*;
use sys::status::*;

use super::{receive, send};
use crate::tests::consumer::{Pair, Seen, call};

fn resize(pair: &Pair, depth: u32) -> NTSTATUS {
    call!(pair.far.cq, NdkResizeCq, depth, None, null_mut())
}

/// Messages from the near side to the far side, with receives of these numbers.
fn messages(pair: &Pair, numbers: std::ops::Range<usize>) {
    for number in numbers {
        assert_eq!(receive(&pair.far, number, &[]), STATUS_SUCCESS);
        assert_eq!(send(&pair.near, number, &[], NDK_OP_FLAG_SILENT_SUCCESS), STATUS_SUCCESS);
    }
}

#[test]
fn resized_queue_keeps_its_results_and_takes_as_many_as_it_says() {
    let pair = Pair::connected();
    messages(&pair, 0..64);
    assert_eq!(resize(&pair, 300), STATUS_SUCCESS);
    messages(&pair, 64..300);
    assert_eq!(resize(&pair, 4), STATUS_SUCCESS, "a smaller queue may stay as deep");
    let numbers: Vec<_> = pair.far.results().into_iter().map(|(_, _, number)| number).collect();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
    assert_eq!(pair.log.pump(), [], "no overflow broke the connection");
    pair.tear_down();
}

#[test]
fn depths_up_to_the_maximum_are_possible() {
    let pair = Pair::new();
    let info = crate::rnic::Rnic::<test_kernel::Manual>::adapter_info(NDK_VERSION_2_1);
    assert_ne!(info.AdapterFlags & NDK_ADAPTER_FLAG_CQ_RESIZE_SUPPORTED, 0);
    assert_eq!(resize(&pair, info.MaxCqDepth), STATUS_SUCCESS);
    assert_eq!(resize(&pair, info.MaxCqDepth + 1), STATUS_INVALID_PARAMETER);
    assert_eq!(resize(&pair, 0), STATUS_INVALID_PARAMETER);
    pair.tear_down();
}

#[test]
fn arm_is_satisfied_across_a_resize() {
    let pair = Pair::connected();
    messages(&pair, 0..1);
    pair.far.results();
    call!(pair.far.cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
    assert_eq!(resize(&pair, 1000), STATUS_SUCCESS);
    assert_eq!(pair.log.pump(), []);
    messages(&pair, 1..2);
    assert_eq!(pair.log.pump(), [Seen::Notified("cq", STATUS_SUCCESS)]);
    call!(pair.far.cq, NdkArmCq, NDK_CQ_NOTIFY_ANY);
    assert_eq!(pair.log.pump(), [Seen::Notified("cq", STATUS_SUCCESS)], "the result is there still");
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    pair.tear_down();
}

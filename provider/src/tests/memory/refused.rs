//! Fast registrations that are refused leave the region as it was (WR-8).

use sys::ndk::*;
use sys::status::*;

use super::{PAGE, Pages, Remote, create_fast, fast_register, initialise};
use crate::number::u32_from;
use crate::tests::consumer::{Pair, call, close, request};

const BASE: usize = 0x7000_0000;

#[test]
fn fast_registration_refused_for_its_pages_leaves_both_lists() {
    let pair = Pair::connected();
    let (mr, pages) = (create_fast(&pair.far), Pages::new());
    let register = |list: &[usize]| {
        let flags = NDK_OP_FLAG_ALLOW_REMOTE_WRITE;
        fast_register(&pair.far, mr, 1, list, (0, 2 * PAGE, BASE), flags)
    };
    let refuse = || {
        // A page that is not aligned or missing comes first, or after one that is in the list already.
        for list in [[pages.at(0) + 8, pages.at(1)], [pages.at(0), pages.at(1) + 8], [pages.at(3), 0]] {
            assert_eq!(register(&list), STATUS_INVALID_PARAMETER, "{list:x?}");
        }
        assert_eq!(pair.far.results(), []);
    };
    assert_eq!(initialise(mr, 2, true), STATUS_SUCCESS);
    refuse();
    assert_eq!(initialise(mr, 2, true), STATUS_SUCCESS, "nothing is registered");
    refuse();
    // A send without a receive holds up the queue: one registration for now and one for later.
    assert_eq!(call!(pair.far.qp, NdkSend, request(2), std::ptr::null(), 0, 0), STATUS_SUCCESS);
    let good = [pages.at(0), pages.at(2)];
    assert_eq!([register(&good), register(&good)], [STATUS_SUCCESS; 2]);
    assert_eq!(register(&good), STATUS_INSUFFICIENT_RESOURCES);
    call!(pair.far.qp, NdkFlush);
    assert_eq!(pair.far.results().len(), 3);
    refuse();
    assert_eq!(register(&good), STATUS_SUCCESS);
    assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
    let remote = Remote::new(&pair.near, vec![9; 2 * PAGE]);
    let token = call!(mr, NdkGetRemoteTokenFromMr);
    assert_eq!(remote.write(3, BASE, token), [(STATUS_SUCCESS, u32_from(2 * PAGE), 3)]);
    let written: Vec<_> = pages.bytes().chunks(PAGE).map(|page| page.iter().all(|byte| *byte == 9)).collect();
    assert_eq!(written, [true, false, true, false], "nothing is left of what was refused");
    remote.close(&pair.log);
    assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
    pair.tear_down();
}

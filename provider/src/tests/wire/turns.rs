//! Turns between responses and requests (TX-7), and sources that go while they are sent (TX-9).

use sys::ndk::*;
use sys::status::*;
use test_kernel::network::{self, Action};

use super::peer::read;
use super::run;
use super::victim::Victim;
use crate::number::{u32_from, u64_from};
use crate::tests::consumer::{Buffer, call, close, request};

/// TX-7: a request that waits goes out behind four batches of responses at most, and the response that was begun; the next one
/// again behind four.
#[test]
fn request_goes_out_behind_four_batches_of_responses() {
    const READS: u32 = 16;
    // Two responses of this length do not fit into a batch, six into four.
    const LENGTH: usize = 40_000;
    for crc in [false, true] {
        let victim = Victim::new(crc);
        let mut source = Buffer::new(vec![3; LENGTH]);
        let (mr, token) = source.register(&victim.pair.far, NDK_MR_FLAG_ALLOW_REMOTE_READ);
        for number in 1..=READS {
            victim.peer.segment(&read(number, token, u64_from(source.address()), u32_from(LENGTH)));
        }
        let far = network::begun() - 1;
        assert!(network::step_if(|action| *action == Action::Arrive(far)));
        for number in 1..=2 {
            let status = call!(victim.pair.far.qp, NdkSend, request(number), std::ptr::null(), 0, 0);
            assert_eq!(status, STATUS_SUCCESS);
        }
        run(&victim.pair);
        // How many responses have ended before each Send, and behind both.
        let mut ended = vec![0];
        for segment in victim.peer.segments() {
            match (segment[1], segment[0] & 0x40 != 0) {
                (0x42, true) => *ended.last_mut().unwrap() += 1,
                (0x42, false) => {}
                (0x43, true) => ended.push(0),
                other => panic!("{other:?}"),
            }
        }
        let [first, second, rest] = ended[..] else { panic!("{ended:?}") };
        assert_eq!(first + second + rest, READS);
        assert!((6..=7).contains(&first) && (6..=7).contains(&second), "turns: {ended:?}");
        assert_eq!(close!(victim.pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        victim.end();
    }
}

/// TX-9: a region that goes while a message is sent from it ends the request, and the connection by a Terminate behind the FPDU that
/// is on its way.
#[test]
fn source_that_goes_within_a_message_ends_it_by_a_terminate() {
    const LENGTH: usize = 1 << 20;
    for crc in [false, true] {
        let victim = Victim::new(crc);
        let mut source = Buffer::new(vec![3; LENGTH]);
        let (mr, token) = source.register(&victim.pair.far, 0);
        let sge = source.sge(token);
        assert_eq!(call!(victim.pair.far.qp, NdkSend, request(1), &sge, 1, 0), STATUS_SUCCESS);
        assert_eq!(call!(victim.pair.far.qp, NdkSend, request(2), std::ptr::null(), 0, 0), STATUS_SUCCESS);
        assert_eq!(
            call!(mr, NdkDeregisterMr, None, std::ptr::null_mut()),
            STATUS_SUCCESS,
            "no peer is waited for"
        );
        run(&victim.pair);
        let results = victim.pair.far.results();
        assert_eq!(results, [(STATUS_ACCESS_VIOLATION, 0, 1), (STATUS_CANCELLED, 0, 2)]);
        // Whole FPDUs have come, and the Terminate behind them.
        let told = victim.peer.told().unwrap();
        assert_eq!((told.layer, told.kind, told.code), (0, 0, 0));
        assert_eq!(close!(victim.pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        victim.end();
    }
}

/// TX-9: a region that goes while a read of it is answered ends the connection by a Terminate, and no byte behind comes.
#[test]
fn source_that_goes_within_a_response_ends_it_by_a_terminate() {
    const LENGTH: usize = 1 << 20;
    for crc in [false, true] {
        let victim = Victim::new(crc);
        let mut source = Buffer::new(vec![3; LENGTH]);
        let (mr, token) = source.register(&victim.pair.far, NDK_MR_FLAG_ALLOW_REMOTE_READ);
        let at = u64_from(source.address());
        victim.peer.segment(&read(1, token, at, u32_from(LENGTH)));
        let far = network::begun() - 1;
        assert!(network::step_if(|action| *action == Action::Arrive(far)));
        assert_eq!(
            call!(mr, NdkDeregisterMr, None, std::ptr::null_mut()),
            STATUS_SUCCESS,
            "no peer is waited for"
        );
        run(&victim.pair);
        let segments = victim.peer.segments();
        let (last, responses) = segments.split_last().unwrap();
        assert_eq!(last[1], 0x47, "a Terminate");
        assert!(!responses.is_empty() && responses.iter().all(|segment| segment[1] == 0x42));
        let sent: usize = responses.iter().map(|segment| segment.len() - 14).sum();
        assert!(sent < LENGTH, "{sent}");
        assert_eq!(close!(victim.pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        victim.end();
    }
}

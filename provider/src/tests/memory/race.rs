//! Invalidation against a peer's writes on another processor.

use sys::ndk::*;
use sys::status::*;
use test_kernel::pump;

use super::{PAGE, Pages, Remote, create_fast, fast_register, initialise, invalidate};
use crate::tests::consumer::{Log, Pair, Side, call, close};

const BASE: usize = 0x7000_0000;

/// One side of a pair, for the thread that plays it.
struct Player<'s>(&'s Side, Log);

// SAFETY: the objects may be used on any processor. The record of callbacks may not; while both threads
// play, only the near side's makes DPCs.
unsafe impl Send for Player<'_> {}

impl Player<'_> {
    /// Writes until the token is refused.
    fn write(self, token: u32) {
        let sources = [1, 2, 3].map(|byte| Remote::new(self.0, vec![byte; PAGE]));
        let refused = sources.iter().cycle().find(|source| {
            let results = source.write(1, BASE, token);
            pump();
            results[0].0 != STATUS_SUCCESS
        });
        assert!(refused.is_some());
        for source in sources {
            source.close(&self.1);
        }
    }
}

#[test]
fn memory_is_not_written_after_the_result_of_its_invalidation() {
    for _ in 0..100 {
        let pair = Pair::connected();
        let (mr, pages) = (create_fast(&pair.far), Pages::new());
        assert_eq!(initialise(mr, 1, true), STATUS_SUCCESS);
        let flags = NDK_OP_FLAG_ALLOW_REMOTE_WRITE;
        assert_eq!(fast_register(&pair.far, mr, 1, &[pages.at(0)], (0, PAGE, BASE), flags), STATUS_SUCCESS);
        assert_eq!(pair.far.results(), [(STATUS_SUCCESS, 0, 1)]);
        let token = call!(mr, NdkGetRemoteTokenFromMr);
        let near = Player(&pair.near, pair.log.clone());
        let left = std::thread::scope(|scope| {
            scope.spawn(move || near.write(token));
            while pages.first() == 0 {
                std::thread::yield_now();
            }
            assert_eq!(invalidate(&pair.far, 2, mr), STATUS_SUCCESS);
            loop {
                match pair.far.results()[..] {
                    [] => std::thread::yield_now(),
                    [result] => {
                        assert_eq!(result, (STATUS_SUCCESS, 0, 2));
                        break pages.bytes();
                    }
                    ref more => panic!("{more:?}"),
                }
            }
        });
        assert!(left[..PAGE].iter().all(|byte| *byte == left[0]), "a write that had begun is whole");
        assert_eq!(pages.bytes(), left);
        pair.log.pump();
        assert_eq!(close!(pair.log, mr, NdkCloseMr, "mr"), STATUS_SUCCESS);
        pair.tear_down();
    }
}

//! A consumer that does everything wrong that the interface lets it, driven by arbitrary bytes.
//!
//! [`run`] is the body of the fuzz target, and of a test over random bytes. It reads the bytes as calls
//! (`calls`) into the provider's dispatch tables: objects of two adapters mixed with each other, requests in
//! wrong states, tokens that are stale, foreign or made up, ranges that end outside of their region or wrap
//! around, queues posted beyond their depth, closes in any order. What a kernel-mode consumer must not do, as
//! calling with an object that it has closed, it does not do: nothing could survive that.
//!
//! | rule | checked by |
//! |---|---|
//! | exactly one result per accepted request, none per refused one (WR-2, WR-6) | `call_log` |
//! | a request completes once if it pended, never if it did not (RQ-1, RQ-2) | `call_log` |
//! | a close pends or not, and completes accordingly, after everything else of its object (CL-1 to CL-3) | `call_log` |
//! | no byte changes without a granted right to write it | `memory` |
//! | nothing touches memory that is not there | the sanitizer of the fuzzer |
//!
//! # Layers, each using only those below it
//!
//! | module | contents |
//! |---|---|
//! | `wire` | a peer on the network, and the consumer that it attacks |
//! | `consumer` | the objects, and what each call does with them |
//! | `call_log`, `calls`, `memory` | what is owed and what came; calls from bytes; the memory that is granted |

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::unwrap_used,
    reason = "a test tool, where a panic is the finding"
)]

mod call_log;
mod calls;
mod consumer;
mod memory;
mod wire;

use arbitrary::Unstructured;

pub use call_log::Outcomes;
use calls::Step;
use consumer::Consumer;
pub use wire::run_wire;

/// The most calls that one input leads to.
const MOST: usize = 400;

/// Makes the calls that `bytes` stand for, ends everything, and checks the rules.
///
/// # Panics
///
/// If a rule is broken.
pub fn run(bytes: &[u8]) -> Outcomes {
    let mut input = Unstructured::new(bytes);
    let mut consumer = Consumer::with_a_connection();
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        match input.arbitrary() {
            Ok(Step(call)) => consumer.make(call),
            Err(_) => break,
        }
    }
    consumer.end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    fn inputs() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..3000)
    }

    proptest! {
        #[test]
        fn random_calls_keep_every_rule(bytes in inputs()) {
            super::run(&bytes);
        }
    }

    /// Bytes that only lead to refusals would test little.
    #[test]
    fn random_calls_include_accepted_ones() {
        let mut runner = TestRunner::deterministic();
        let mut all = super::Outcomes::default();
        for _ in 0..50 {
            let outcomes = super::run(&inputs().new_tree(&mut runner).unwrap().current());
            all.accepted += outcomes.accepted;
            all.refused += outcomes.refused;
            all.succeeded += outcomes.succeeded;
            all.failed += outcomes.failed;
        }
        assert!(all.accepted > 200 && all.refused > 200 && all.succeeded > 20 && all.failed > 100, "{all:?}");
    }
}

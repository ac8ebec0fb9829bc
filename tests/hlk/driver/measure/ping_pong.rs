//! Two threads: one way between them, by a cache line and by a send.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sys::ndk::NDK_OP_FLAG_SILENT_SUCCESS;
use sys::status::NTSTATUS;

use super::Samples;
use super::transfer::{Link, Results};
use crate::kernel;
use crate::number::u64_from;

/// A counter in cache lines of its own, also for a processor that fetches them in pairs.
#[repr(align(128))]
struct Line(AtomicU64);

/// Bounces a cache line.
///
/// # Errors
/// The status with which the other thread could not be started.
pub(super) fn cache_line(samples: &mut Samples) -> Result<(), NTSTATUS> {
    let line = Line(AtomicU64::new(0));
    let rounds = u64_from(samples.wanted());
    let wait_for = |value: u64| {
        while line.0.load(Ordering::Acquire) != value {
            core::hint::spin_loop();
        }
    };
    // Odd values are for the other thread to answer.
    let turn = |round: u64| round.saturating_mul(2);
    let other = || {
        for round in 0..rounds {
            wait_for(turn(round).saturating_add(1));
            line.0.store(turn(round).saturating_add(2), Ordering::Release);
        }
    };
    kernel::beside(other, || {
        for round in 0..rounds {
            samples.time(|| {
                line.0.store(turn(round).saturating_add(1), Ordering::Release);
                wait_for(turn(round).saturating_add(2));
            });
        }
    })
}

/// The number of receives that each side posts ahead.
const AHEAD: usize = 4;

/// Sends `length` bytes there and back. No end sends what it has just received: the lines of its own message stay with
/// the processor that sends it.
///
/// # Errors
/// What a post or a result failed with on either side.
pub(super) fn exchange(link: &Link<'_>, length: u32, samples: &mut Samples) -> Result<(), NTSTATUS> {
    const SILENT: u32 = NDK_OP_FLAG_SILENT_SUCCESS;
    let rounds = samples.wanted();
    let over = AtomicBool::new(false);
    let abandoned = || over.load(Ordering::Relaxed);
    for end in [&link.near, &link.far] {
        for _ in 0..rounds.min(AHEAD) {
            end.receive(length)?;
        }
    }
    let repost = |round: usize| round.saturating_add(AHEAD) < rounds;
    let answer = || {
        let mut results = Results::new();
        for round in 0..rounds {
            link.far.results(&mut results, (1, length), abandoned)?;
            link.far.answer(length, SILENT)?;
            if repost(round) {
                link.far.receive(length)?;
            }
        }
        Ok(())
    };
    let mut answered = Ok(());
    let asked = kernel::beside(
        || {
            answered = answer();
            if answered.is_err() {
                over.store(true, Ordering::Relaxed);
            }
        },
        || {
            let mut results = Results::new();
            let mut ask = |round: usize, samples: &mut Samples| {
                samples.time(|| {
                    link.near.answer(length, SILENT)?;
                    link.near.results(&mut results, (1, length), abandoned)
                })?;
                if repost(round) { link.near.receive(length) } else { Ok(()) }
            };
            let asked = (0..rounds).try_for_each(|round| ask(round, samples));
            if asked.is_err() {
                over.store(true, Ordering::Relaxed);
            }
            asked
        },
    )?;
    asked.and(answered)
}

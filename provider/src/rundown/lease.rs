//! Leases: a user of one shard that uses the value again and again, one time after another, without a locked
//! instruction.
//!
//! A lease is a pin that lasts from [`Rundown::open_leased`] until its holder finds the rundown closed. So a closer has to
//! see to it that the holder looks once more: see [`Rundown::leased`].

#![expect(unsafe_code, reason = "the holder of a lease serialises its uses")]

use super::{Drain, LEASED, OPEN, Rundown, Shard};
use crate::sync::Ordering;

impl<T: Drain> Rundown<T> {
    /// Opens with `value`, with a lease of either shard.
    ///
    /// # Safety
    ///
    /// As for [`Rundown::open`].
    pub unsafe fn open_leased(&self, value: T) {
        // SAFETY: as the caller promises.
        unsafe { self.open_with(value, OPEN | LEASED) };
    }

    /// The value, for the holder of the lease of `shard`, if it is open. Otherwise the lease ends here, after `leave` has seen
    /// the value, and with it perhaps the rundown ([`Drain::drained`]): up to DISPATCH_LEVEL, no lock held.
    ///
    /// No locked instruction is needed while the value is open. A closer clears OPEN and leaves LEASED, so the shard is not
    /// over, and the value stays, until this function itself clears LEASED; and the calls for a shard happen one before
    /// another, so it does not while what an earlier call returned is used. Each use happens before the call that ends the
    /// lease, which releases LEASED to the thread that takes the value out. The load acquires the value, which
    /// [`Rundown::open_leased`] stored before it released OPEN.
    ///
    /// A closer calls [`Rundown::close`] and then makes the holder call this, or the rundown is never over.
    ///
    /// # Safety
    ///
    /// The calls for one shard happen one before another, and what one returns is not used once the next is made.
    #[inline(always)]
    pub unsafe fn leased(&self, shard: Shard, leave: impl FnOnce(&T)) -> Option<&T> {
        let state = self.shard(shard).load(Ordering::Acquire);
        if state & LEASED == 0 {
            return None;
        }
        // SAFETY: LEASED stays set until a later call, or the end of this one, so there is no writer before.
        let value = self.value.with(|cell| unsafe { (*cell).as_ref() });
        if state & OPEN != 0 {
            return value;
        }
        if let Some(value) = value {
            leave(value);
        }
        self.end_lease(shard);
        None
    }

    #[cold]
    fn end_lease(&self, shard: Shard) {
        if self.shard(shard).fetch_and(!LEASED, Ordering::AcqRel) == LEASED
            && let Some(value) = self.end_shard()
        {
            value.drained();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::Probe;
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering as O};

    fn leased() -> (Rundown<Probe>, Arc<AtomicUsize>) {
        let (rundown, drained) = (Rundown::new(), Arc::new(AtomicUsize::new(0)));
        // SAFETY: not shared with another thread yet.
        unsafe { rundown.open_leased(Probe(drained.clone())) };
        (rundown, drained)
    }

    /// One use of a lease, by the one thread of a test.
    fn holds(rundown: &Rundown<Probe>, shard: Shard) -> bool {
        // SAFETY: one thread calls this, and keeps nothing of it.
        unsafe { rundown.leased(shard, |_| ()) }.is_some()
    }

    #[test]
    fn closed_rundown_is_over_when_both_leases_and_the_last_pin_have_ended() {
        use Shard::{Initiator, Target};
        for shards in [[Initiator, Target], [Target, Initiator]] {
            let (rundown, drained) = leased();
            assert!(holds(&rundown, Initiator) && holds(&rundown, Target));
            let pin = rundown.pin(shards[0]).unwrap();
            assert!(rundown.close().is_none(), "it is leased");
            for shard in shards {
                assert!(!holds(&rundown, shard) && !holds(&rundown, shard), "it ends once");
            }
            assert_eq!(drained.load(O::SeqCst), 0);
            drop(pin);
            assert_eq!(drained.load(O::SeqCst), 1);
            assert!(!holds(&rundown, Initiator) && !holds(&rundown, Target));
            assert_eq!(drained.load(O::SeqCst), 1);
        }
    }

    #[test]
    fn rundown_without_a_lease_gives_no_value_and_ends_no_lease() {
        let (rundown, drained) = (Rundown::new(), Arc::new(AtomicUsize::new(0)));
        assert!(!holds(&rundown, Shard::Target));
        // SAFETY: not shared with another thread yet.
        unsafe { rundown.open(Probe(drained.clone())) };
        assert!(!holds(&rundown, Shard::Target));
        let pin = rundown.pin(Shard::Target);
        assert!(rundown.close().is_none());
        assert!(!holds(&rundown, Shard::Target));
        assert_eq!(drained.load(O::SeqCst), 0, "it is pinned");
        drop(pin);
        assert_eq!(drained.load(O::SeqCst), 1);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::super::Probe;
    use super::*;
    use crate::combiner::Combiner;
    use crate::loom_tests::explore;
    use loom::sync::Arc as Shared;
    use loom::thread;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering as O};

    /// A rundown whose leases are held by the runs of two combiners, as an established connection's are by two engines.
    struct Leased {
        rundown: Rundown<Probe>,
        engines: [Combiner<usize>; 2],
    }

    impl Leased {
        fn new(drained: &Arc<AtomicUsize>) -> Shared<Self> {
            let (rundown, engines) = (Rundown::new(), [Combiner::new(0), Combiner::new(0)]);
            // SAFETY: not shared with another thread yet.
            unsafe { rundown.open_leased(Probe(drained.clone())) };
            Shared::new(Self { rundown, engines })
        }

        /// One run of an engine.
        fn run(&self, index: usize) {
            let shard = if index == 0 { Shard::Initiator } else { Shard::Target };
            self.engines[index].run(|uses| {
                let leave =
                    |Probe(drained): &Probe| assert_eq!(drained.load(O::SeqCst), 0, "left after its end");
                // SAFETY: the runs of one combiner happen one before another, and each keeps nothing.
                if let Some(Probe(drained)) = unsafe { self.rundown.leased(shard, leave) } {
                    assert_eq!(drained.load(O::SeqCst), 0, "used after its end");
                    *uses += 1;
                }
            });
        }

        /// A close, as a connection makes it.
        fn close(&self) {
            let pin = self.rundown.pin(Shard::Initiator);
            if let Some(value) = self.rundown.close() {
                value.drained();
            }
            if pin.is_some() {
                self.run(0);
                self.run(1);
            }
        }
    }

    #[test]
    fn close_against_runs_of_both_leases_takes_the_value_out_once() {
        explore(Some(3), || {
            let drained = Arc::new(AtomicUsize::new(0));
            let leased = Leased::new(&drained);
            let threads: Vec<_> = [0, 1]
                .map(|index| {
                    let leased = leased.clone();
                    thread::spawn(move || leased.run(index))
                })
                .into();
            leased.close();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(drained.load(O::SeqCst), 1);
        });
    }

    #[test]
    fn close_against_a_run_and_a_pin_takes_the_value_out_once() {
        explore(Some(3), || {
            let drained = Arc::new(AtomicUsize::new(0));
            let leased = Leased::new(&drained);
            let runs = {
                let leased = leased.clone();
                thread::spawn(move || {
                    leased.run(1);
                    leased.run(1);
                })
            };
            let pins = {
                let leased = leased.clone();
                thread::spawn(move || {
                    if let Some(_pin) = leased.rundown.pin(Shard::Initiator) {
                        leased.run(1);
                    }
                })
            };
            leased.close();
            runs.join().unwrap();
            pins.join().unwrap();
            assert_eq!(drained.load(O::SeqCst), 1);
        });
    }
}

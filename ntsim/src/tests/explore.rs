//! Schedules: a seed is one, and they find races.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;

use nt::ke::{
    KeAcquireSpinLockRaiseToDpc, KeFlushQueuedDpcs, KeInitializeDpc, KeInitializeTimer, KeReleaseSpinLock,
    KeSetTimer, KeWaitForSingleObject,
};
use ntsim_core::address::Va;
use ntsim_core::sched::{self, Schedule, Strategy, Thread, Trace};
use sys::wdm::{KDPC, KSPIN_LOCK, KTIMER, KWAIT_REASON, KernelMode};

use crate::{Machine, Report};

/// Seeds among which every strategy has to find what is planted.
const SEEDS: u64 = 100;

/// The number of times that each thread counts.
const ADDED: u32 = 5;

fn boot(seed: u64, strategy: Strategy) -> Machine {
    Machine::builder().schedule(Schedule::seeded(seed, strategy).traced(10_000)).boot()
}

fn join(threads: Vec<&'static Thread>) {
    threads.into_iter().for_each(|thread| assert!(thread.ends_within(Duration::from_secs(1))));
}

/// Threads that take a lock, wait and set timers; what that came to.
fn busy(seed: u64, strategy: Strategy) -> Report {
    let machine = boot(seed, strategy);
    let lock = Arc::new(AtomicU32::new(0));
    let word: &'static mut KSPIN_LOCK = Box::leak(Box::new(0));
    let word = Va::of(ptr::from_mut(word));
    let body = move || {
        for _ in 0..5 {
            unsafe {
                let old = KeAcquireSpinLockRaiseToDpc(word.ptr::<KSPIN_LOCK>());
                assert_eq!(lock.fetch_add(1, Ordering::Relaxed), 0);
                sched::schedule_point();
                lock.fetch_sub(1, Ordering::Relaxed);
                KeReleaseSpinLock(word.ptr::<KSPIN_LOCK>(), old);
            }
            sleep();
        }
    };
    join((0..3).map(|_| sched::spawn("busy", body.clone()).unwrap()).collect());
    machine.shutdown()
}

unsafe extern "efiapi" fn nothing(_: *mut KDPC, _: *mut c_void, _: *mut c_void, _: *mut c_void) {}

/// Waits for a timer with a DPC.
fn sleep() {
    let mut timer: KTIMER = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut dpc: KDPC = unsafe { MaybeUninit::zeroed().assume_init() };
    unsafe {
        KeInitializeTimer(&mut timer);
        KeInitializeDpc(&mut dpc, Some(nothing), ptr::null_mut());
        KeSetTimer(&mut timer, -50_000, &mut dpc);
        let object = (&raw mut timer).cast();
        KeWaitForSingleObject(object, KWAIT_REASON::Executive, KernelMode, 0, ptr::null());
        KeFlushQueuedDpcs();
    }
}

#[test]
fn seed_leads_to_the_same_run_again() {
    for strategy in Strategy::ALL {
        for seed in 0..10 {
            let [first, second] = [(); 2].map(|()| busy(seed, strategy));
            assert!(first.is_clean(), "{first}");
            let [first, second] = [first, second].map(|report| report.schedule.unwrap());
            assert!(!first.trace.0.is_empty());
            assert_eq!(first, second, "\n{first}\n{second}");
        }
    }
}

#[test]
fn seeds_lead_to_different_runs() {
    for strategy in Strategy::ALL {
        let mut traces: Vec<Trace> = Vec::new();
        for seed in 0..10 {
            let trace = busy(seed, strategy).schedule.unwrap().trace;
            if !traces.contains(&trace) {
                traces.push(trace);
            }
        }
        assert!(traces.len() > 5, "{strategy}: {}", traces.len());
    }
}

#[test]
fn time_is_not_the_hosts() {
    let machine = boot(1, Strategy::Random);
    let before = sched::elapsed();
    assert!(!sched::block(Some(Duration::from_secs(3600))));
    assert_eq!(sched::elapsed() - before, Duration::from_secs(3600));
    assert!(machine.shutdown().is_clean());
}

/// Two threads count in one number, each by reading and then writing it; what they come to.
fn add(seed: u64, strategy: Strategy) -> u32 {
    let machine = boot(seed, strategy);
    let sum = Arc::new(AtomicU32::new(0));
    let add = {
        let sum = Arc::clone(&sum);
        move || {
            for _ in 0..ADDED {
                sched::schedule_point();
                let before = sum.load(Ordering::Relaxed);
                sched::schedule_point();
                sum.store(before + 1, Ordering::Relaxed);
            }
        }
    };
    join((0..2).map(|_| sched::spawn("adder", add.clone()).unwrap()).collect());
    assert!(machine.shutdown().is_clean());
    sum.load(Ordering::Relaxed)
}

#[test]
fn every_strategy_finds_a_lost_update_and_the_seed_finds_it_again() {
    // The others switch at locks and at atomics of images only.
    for strategy in [Strategy::Random, Strategy::Bounded, Strategy::Pct] {
        let seed = (0..SEEDS).find(|&seed| add(seed, strategy) < 2 * ADDED);
        let seed = seed.unwrap_or_else(|| panic!("{strategy} does not find it"));
        let lost = add(seed, strategy);
        assert!(lost < 2 * ADDED && (0..20).all(|_| add(seed, strategy) == lost));
        assert!((0..SEEDS).any(|seed| add(seed, strategy) == 2 * ADDED));
    }
}

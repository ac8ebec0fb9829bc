//! The order in which locks are taken (Driver Verifier's deadlock detection).
//!
//! A lock that is taken while another is held comes after it. These pairs, over the whole run and all
//! threads, are the edges of a graph. Taking a lock that leads, by the graph, to one that is held closes a
//! cycle: threads that go both ways at the same time wait for each other forever. That is a finding
//! also where they never met, and it is made before the lock is waited for, so a deadlock that does happen
//! is explained, too.
//!
//! A lock is its address until the memory is freed or the lock initialised again: then the graph forgets it,
//! so two locks that lay at one place in turn are never taken for one.
//!
//! A lock is checked only if another one is held; a pair that the thread has seen lately costs a look into a
//! small table of its own.

use core::cell::Cell;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::collections::{BTreeMap, HashMap, HashSet};

use ntsim_core::address::Va;
use ntsim_core::bugcheck::Bugcheck;
use ntsim_core::loader::Trace;
use ntsim_core::per_machine::PerMachine;
use ntsim_core::sched::{Thread, for_each_thread};
use ntsim_core::verifier::{self, Finding};
use parking_lot::Mutex;

/// A lock that is taken after another: where a driver first did that.
type After = HashMap<Va, Trace>;

/// The order of the locks of one machine.
struct LockOrder {
    graph: Mutex<Graph>,
    /// The number of locks that the graph knows.
    known: AtomicUsize,
    /// Changes whenever a lock is forgotten; no two machines have the same.
    epoch: AtomicU64,
}

#[derive(Default)]
struct Graph {
    /// By the address of a lock: those taken while it was held. Every lock of the graph is a key.
    after: BTreeMap<Va, After>,
    /// Pairs that close a cycle; they are reported once and stay out of the graph.
    inverted: HashSet<(Va, Va)>,
}

/// Of the process: what a thread has seen is of one machine.
static NEXT_EPOCH: AtomicU64 = AtomicU64::new(1);

impl Default for LockOrder {
    fn default() -> Self {
        Self {
            graph: Mutex::default(),
            known: AtomicUsize::new(0),
            epoch: AtomicU64::new(NEXT_EPOCH.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

static ORDER: PerMachine<LockOrder> = PerMachine::new();

/// Forgets the locks in `range`, if a machine is running: the memory is freed, or holds new ones.
pub(crate) fn forget(range: Range<Va>) {
    if let Some(order) = ORDER.made() {
        order.forget(range);
    }
}

/// Pairs that each thread remembers.
const REMEMBERED: usize = 64;

thread_local! {
    /// Pairs that the graph knows, with the epoch in which it did.
    static SEEN: [Cell<(Va, Va, u64)>; REMEMBERED] = const { [const { Cell::new((Va::NULL, Va::NULL, 0)) }; REMEMBERED] };
}

/// One step of a cycle.
struct Step {
    from: Va,
    to: Va,
    trace: Trace,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} was taken while {:#x} was held", self.to, self.from)?;
        self.trace.frames().iter().enumerate().try_for_each(|(index, frame)| {
            write!(f, "{}{}", if index == 0 { " at " } else { ", " }, frame.to_string().replace('\n', ", "))
        })
    }
}

/// Notes that `thread`, the calling one, is about to wait for the lock at `lock`.
#[inline]
pub(crate) fn acquiring(lock: Va, thread: &Thread) {
    if thread.held.count() + thread.mutexes.count() > 0 {
        let held = thread.mutexes.addresses().chain(thread.held.addresses());
        held.filter(|held| *held != lock).for_each(|held| follows(held, lock));
    }
}

/// Forgets what was known of the lock at `lock`, which is being initialised; the thread that holds it, if
/// one does.
pub(crate) fn initialising(lock: Va) -> Option<&'static Thread> {
    forget(lock..lock + 1);
    let mut owner = None;
    for_each_thread(|thread| {
        if thread.held.contains(lock) || thread.mutexes.contains(lock) {
            owner = Some(*thread);
        }
    });
    owner
}

fn follows(held: Va, lock: Va) {
    let order = ORDER.get();
    let pair = (held, lock, order.epoch.load(Ordering::Acquire));
    let slot = (held.get() >> 3 ^ lock.get() >> 4 ^ lock.get() >> 11) % REMEMBERED;
    SEEN.with(|seen| {
        if seen[slot].get() != pair {
            order.learn(held, lock);
            seen[slot].set(pair);
        }
    });
}

impl LockOrder {
    #[cold]
    fn learn(&self, held: Va, lock: Va) {
        let mut graph = self.graph.lock();
        if graph.after.get(&held).is_some_and(|after| after.contains_key(&lock)) {
            return;
        }
        let Some(path) = graph.path(lock, held) else {
            graph.after.entry(held).or_default().insert(lock, Trace::of_caller());
            graph.after.entry(lock).or_default();
            self.known.store(graph.after.len(), Ordering::Release);
            return;
        };
        if graph.inverted.insert((held, lock)) {
            drop(graph);
            report(held, lock, &path);
        }
    }

    fn forget(&self, range: Range<Va>) {
        if self.known.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut graph = self.graph.lock();
        if graph.after.range(range.clone()).next().is_none() {
            return;
        }
        graph.after.retain(|lock, _| !range.contains(lock));
        graph.after.values_mut().for_each(|after| after.retain(|lock, _| !range.contains(lock)));
        graph.inverted.retain(|(held, lock)| !range.contains(held) && !range.contains(lock));
        self.known.store(graph.after.len(), Ordering::Release);
        self.epoch.store(NEXT_EPOCH.fetch_add(1, Ordering::Relaxed), Ordering::Release);
    }
}

impl Graph {
    /// The steps that lead from one lock to another, if any do.
    fn path(&self, from: Va, to: Va) -> Option<Vec<Step>> {
        let mut came_from = HashMap::from([(from, from)]);
        let mut next = vec![from];
        while let Some(lock) = next.pop() {
            if lock == to {
                return Some(self.steps(&came_from, from, to));
            }
            for after in self.after.get(&lock).into_iter().flat_map(HashMap::keys) {
                came_from.entry(*after).or_insert_with(|| {
                    next.push(*after);
                    lock
                });
            }
        }
        None
    }

    fn steps(&self, came_from: &HashMap<Va, Va>, from: Va, mut to: Va) -> Vec<Step> {
        let mut steps = Vec::new();
        while to != from {
            let before = came_from[&to];
            steps.push(Step { from: before, to, trace: self.after[&before][&to] });
            to = before;
        }
        steps.reverse();
        steps
    }
}

/// Bug check 0xC4, code 0x1001: the lock that closes the cycle.
fn report(held: Va, lock: Va, path: &[Step]) {
    let mut text =
        format!("the lock at {lock:#x} is taken while {held:#x} is held, and the other way round:");
    path.iter().for_each(|step| text.push_str(&format!("\n    {step}")));
    let bugcheck = Bugcheck { code: 0xC4, parameters: [0x1001, lock.bits(), 0, 0] };
    verifier::report(Finding::new("Deadlock").bugcheck(bugcheck).text(text));
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;
    use core::ptr;

    use ntsim_core::address::Va;
    use ntsim_core::boot::Machine;
    use ntsim_core::sched::{self, Irql};
    use ntsim_core::verifier::Finding;
    use sys::wdm::{FAST_MUTEX, KMUTANT, KSPIN_LOCK, KWAIT_REASON, KernelMode};

    use crate::ex::{ExAcquireFastMutex, ExAllocatePool2, ExFreePool, ExReleaseFastMutex};
    use crate::ke::{
        KeAcquireSpinLockAtDpcLevel, KeInitializeMutex, KeInitializeSpinLock, KeReleaseMutex,
        KeReleaseSpinLockFromDpcLevel, KeTryToAcquireSpinLockAtDpcLevel, KeWaitForSingleObject,
    };

    /// Takes locks one inside the other.
    fn nest(locks: &[*mut KSPIN_LOCK]) {
        let old = sched::raise(Irql::DISPATCH);
        unsafe {
            locks.iter().for_each(|lock| KeAcquireSpinLockAtDpcLevel(*lock));
            locks.iter().rev().for_each(|lock| KeReleaseSpinLockFromDpcLevel(*lock));
        }
        sched::lower(old);
    }

    fn nest_fast_mutexes(outer: &mut FAST_MUTEX, inner: &mut FAST_MUTEX) {
        unsafe {
            ExAcquireFastMutex(outer);
            ExAcquireFastMutex(inner);
            ExReleaseFastMutex(inner);
            ExReleaseFastMutex(outer);
        }
    }

    fn deadlocks(machine: Machine) -> Vec<Finding> {
        let findings = machine.shutdown().findings;
        assert!(findings.iter().all(|finding| finding.rule == "Deadlock"), "{findings:?}");
        findings
    }

    #[test]
    fn two_orders_of_two_locks_are_found_once_though_no_thread_waits() {
        let machine = crate::testing::builder().boot();
        let mut locks: [KSPIN_LOCK; 2] = [0; 2];
        let [a, b] = locks.each_mut().map(ptr::from_mut);
        for _ in 0..3 {
            nest(&[a, b]);
            nest(&[b, a]);
        }
        let found = deadlocks(machine);
        assert_eq!((found.len(), found[0].times), (1, 1));
        assert_eq!(found[0].bugcheck.unwrap().parameters, [0x1001, Va::of(a).bits(), 0, 0]);
        assert!(
            found[0].text.contains(&format!("{b:p} was taken while {a:p} was held")),
            "{}",
            found[0].text
        );
    }

    #[test]
    fn cycle_over_three_locks_and_threads_is_found() {
        let machine = crate::testing::builder().boot();
        let mut locks: [KSPIN_LOCK; 3] = [0; 3];
        let [a, b, c] = locks.each_mut().map(|lock| Va::of(ptr::from_mut(lock)));
        for pair in [[a, b], [b, c], [c, a]] {
            let thread = sched::spawn("nests", move || nest(&pair.map(|lock| lock.ptr::<_>()))).unwrap();
            assert!(thread.ends_within(core::time::Duration::from_secs(60)));
        }
        let found = deadlocks(machine);
        assert_eq!((found.len(), found[0].text.lines().count()), (1, 3), "{found:?}");
    }

    #[test]
    fn one_order_is_not_found_nor_is_a_lock_that_is_only_tried() {
        let machine = crate::testing::builder().boot();
        let mut locks: [KSPIN_LOCK; 3] = [0; 3];
        let [a, b, c] = locks.each_mut().map(ptr::from_mut);
        nest(&[a, b, c]);
        nest(&[a, c]);
        let old = sched::raise(Irql::DISPATCH);
        unsafe {
            KeAcquireSpinLockAtDpcLevel(c);
            assert_eq!(KeTryToAcquireSpinLockAtDpcLevel(a), 1);
            KeReleaseSpinLockFromDpcLevel(a);
            KeReleaseSpinLockFromDpcLevel(c);
        }
        sched::lower(old);
        assert_eq!(deadlocks(machine).len(), 0);
    }

    #[test]
    fn lock_that_is_initialised_again_or_whose_memory_is_freed_is_another_lock() {
        let machine = crate::testing::builder().boot();
        let mut other: KSPIN_LOCK = 0;
        let other = &raw mut other;
        unsafe {
            let lock: *mut KSPIN_LOCK = ExAllocatePool2(0x40, 8, 0x3130_3030).cast();
            nest(&[lock, other]);
            KeInitializeSpinLock(lock);
            nest(&[other, lock]);
            let range = Va::of(lock).to(8);
            ExFreePool(lock.cast());
            let graph = super::ORDER.get().graph.lock();
            assert_eq!(graph.after.range(range).count(), 0);
            assert!(graph.after.values().all(|after| after.is_empty()));
        }
        assert_eq!(deadlocks(machine).len(), 0);
    }

    #[test]
    fn mutexes_of_all_kinds_and_spin_locks_are_in_one_order() {
        let machine = crate::testing::builder().boot();
        let mut fast: [FAST_MUTEX; 2] = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut mutex: KMUTANT = unsafe { MaybeUninit::zeroed().assume_init() };
        fast.iter_mut().for_each(|mutex| mutex.Count = 1);
        let [a, b] = &mut fast;
        nest_fast_mutexes(a, b);
        nest_fast_mutexes(b, a);
        let wait = |mutex: &mut KMUTANT| unsafe {
            let object = ptr::from_mut(mutex).cast();
            KeWaitForSingleObject(object, KWAIT_REASON::Executive, KernelMode, 0, ptr::null())
        };
        unsafe {
            KeInitializeMutex(&mut mutex, 0);
            wait(&mut mutex);
            ExAcquireFastMutex(a);
            ExReleaseFastMutex(a);
            wait(&mut mutex);
            KeReleaseMutex(&mut mutex, 0);
            KeReleaseMutex(&mut mutex, 0);
            ExAcquireFastMutex(a);
            wait(&mut mutex);
            KeReleaseMutex(&mut mutex, 0);
            ExReleaseFastMutex(a);
        }
        let locks: Vec<_> = deadlocks(machine).iter().map(|f| f.bugcheck.unwrap().parameters[1]).collect();
        assert_eq!(locks, [Va::of(ptr::from_mut(a)).bits(), Va::of(&raw mut mutex).bits()]);
    }
}

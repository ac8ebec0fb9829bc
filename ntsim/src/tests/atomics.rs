//! Images whose atomics are points, raced by two threads with no call between.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntsim_core::address::Va;
use ntsim_core::boundary;
use ntsim_core::number::{ToUsize, narrow};
use ntsim_core::sched::{self, Atomics, Played, Schedule, Strategy};

use super::SUCCEED;
use super::program::{DATA, Function, STRIDE, TEXT, write};
use crate::Driver;
use crate::Machine;

/// The image's own variable, which is zero at first.
const VARIABLE: u32 = DATA + 0x80;

/// The number of calls of each thread.
const CALLS: u32 = 5;

/// Seeds among which a race has to be found.
const SEEDS: u64 = 100;

type Body<'a> = dyn Fn(&mut Function) + 'a;

/// The image with an entry point that succeeds, and these functions, of which the first is number 1.
fn image(folder: &Path, name: &str, functions: &[&Body<'_>]) -> PathBuf {
    let entry = |f: &mut Function| _ = f.set_unload(narrow::<u32, _>(functions.len()) + 1).raw(SUCCEED);
    let nothing = |_: &mut Function| {};
    let mut all: Vec<&Body<'_>> = vec![&entry];
    all.extend(functions);
    all.push(&nothing);
    write(folder, name, &[], &all)
}

/// Calls function `number` of the driver and returns its result.
fn call(base: Va, number: u32) -> u32 {
    let function = (base + (TEXT + STRIDE * number).to_usize()).ptr::<()>();
    let function: unsafe extern "efiapi" fn() -> u32 = unsafe { core::mem::transmute(function) };
    boundary::call_driver("Function", || unsafe { function() })
}

fn variable(driver: &Driver) -> u32 {
    unsafe { (driver.image().base + VARIABLE.to_usize()).ptr::<u32>().read_volatile() }
}

fn boot(seed: u64, strategy: Strategy, atomics: Atomics) -> Machine {
    Machine::builder().schedule(Schedule::seeded(seed, strategy).atomics(atomics).traced(100)).boot()
}

/// Two threads that call the functions of these numbers, each some times: the sum of the results of each, the
/// variable at the end, and what was played.
fn race(machine: Machine, path: &Path, numbers: [u32; 2]) -> ([u32; 2], u32, Played) {
    let driver = machine.load(path).unwrap();
    let base = driver.image().base;
    let sums: Arc<[AtomicU32; 2]> = Arc::default();
    let threads: Vec<_> = (0..2)
        .map(|side| {
            let sums = Arc::clone(&sums);
            let body = move || {
                for _ in 0..CALLS {
                    sums[side].fetch_add(call(base, numbers[side]), Ordering::Relaxed);
                }
            };
            sched::spawn("caller", body).unwrap()
        })
        .collect();
    threads.iter().for_each(|thread| assert!(thread.ends_within(Duration::from_secs(1))));
    let left = variable(&driver);
    drop(driver);
    let report = machine.shutdown();
    assert!(report.is_clean(), "{report}");
    (sums.each_ref().map(|sum| sum.load(Ordering::Relaxed)), left, report.schedule.unwrap())
}

/// Counts by a load, an increment and an exchange: `mov ecx, [rax]; inc ecx; xchg [rax], ecx`.
fn count(f: &mut Function) {
    f.address(VARIABLE).raw(&[0x8B, 0x08, 0xFF, 0xC1, 0x87, 0x08]);
}

#[test]
fn lost_update_between_atomics_is_found_with_atomics_and_again_and_never_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "count.sys", &[&count]);
    let counted = |seed, strategy, atomics| race(boot(seed, strategy, atomics), &path, [1, 1]);
    for atomics in [Atomics::Locked, Atomics::All] {
        let lost = |seed: &u64| counted(*seed, Strategy::Atomics, atomics).1 < 2 * CALLS;
        let seed = (0..SEEDS).find(lost).unwrap_or_else(|| panic!("no seed of {atomics}"));
        let first = counted(seed, Strategy::Atomics, atomics);
        assert_eq!(first, counted(seed, Strategy::Atomics, atomics));
        let preempted = |event: &sched::Event| event.text.starts_with("is preempted at count+0x1");
        assert!(first.2.trace.0.iter().any(preempted), "{}", first.2);
    }
    for strategy in Strategy::ALL {
        assert!((0..SEEDS).all(|seed| counted(seed, strategy, Atomics::Off).1 == 2 * CALLS), "{strategy}");
    }
}

#[test]
fn order_of_two_plain_stores_is_seen_with_all_accesses_as_points() {
    let folder = tempfile::tempdir().unwrap();
    // mov ecx, [rax+4]; inc ecx; mov [rax], ecx; mov [rax+4], ecx: the first store says that the second one is
    // done. The other thread: mov ecx, [rax]; mov edx, [rax+4]; xor eax, eax; cmp ecx, edx; seta al.
    let announce = |f: &mut Function| {
        f.address(VARIABLE);
        f.raw(&[0x8B, 0x48, 0x04, 0xFF, 0xC1, 0x89, 0x08, 0x89, 0x48, 0x04]);
    };
    let look = |f: &mut Function| {
        f.address(VARIABLE);
        f.raw(&[0x8B, 0x08, 0x8B, 0x50, 0x04, 0x31, 0xC0, 0x39, 0xD1, 0x0F, 0x97, 0xC0]);
    };
    let path = image(folder.path(), "order.sys", &[&announce, &look]);
    let seen = |seed: u64, atomics| race(boot(seed, Strategy::Atomics, atomics), &path, [1, 2]).0[1] > 0;
    assert!((0..SEEDS).any(|seed| seen(seed, Atomics::All)));
    assert!((0..SEEDS).all(|seed| !seen(seed, Atomics::Off)));
}

#[test]
fn point_keeps_flags_and_registers() {
    let folder = tempfile::tempdir().unwrap();
    // mov ecx, 7; movd xmm0, ecx; stc; xchg [rax], edx; sbb eax, eax; movd ecx, xmm0; sub eax, ecx
    let flags = |f: &mut Function| {
        f.address(VARIABLE).raw(&[0xB9, 7, 0, 0, 0, 0x66, 0x0F, 0x6E, 0xC1, 0xF9, 0x87, 0x10, 0x19, 0xC0]);
        f.raw(&[0x66, 0x0F, 0x7E, 0xC1, 0x29, 0xC8]);
    };
    let path = image(folder.path(), "flags.sys", &[&flags]);
    for seed in 0..20 {
        let ([first, second], ..) = race(boot(seed, Strategy::Random, Atomics::All), &path, [1, 1]);
        let expected = CALLS.wrapping_mul((-8_i32).cast_unsigned());
        assert_eq!([first, second], [expected; 2]);
    }
}

#[test]
fn atomic_that_a_jump_does_not_fit_on_is_reached_by_a_breakpoint() {
    let folder = tempfile::tempdir().unwrap();
    // mov ecx, 3; mov edx, 1; xchg [rax], edx; again: dec ecx; jnz again. What is behind the exchange is a target.
    let short = |f: &mut Function| {
        f.address(VARIABLE).ecx(3).edx(1).raw(&[0x87, 0x10, 0xFF, 0xC9, 0x75, 0xFC, 0x89, 0xC8]);
        f.raw(SUCCEED);
    };
    let path = image(folder.path(), "short.sys", &[&short]);
    let (results, left, played) = race(boot(0, Strategy::Atomics, Atomics::Locked), &path, [1, 1]);
    assert_eq!((results, left), ([0, 0], 1));
    let [points] = &played.images[..] else { panic!("{played:?}") };
    assert_eq!((points.atomics, points.accesses, points.breakpoints), (1, 0, 1));
    // Before and behind it, by each call.
    assert_eq!(played.points_in_code, u64::from(4 * CALLS));
}

#[test]
fn thread_that_spins_on_memory_lets_the_other_one_set_it() {
    let folder = tempfile::tempdir().unwrap();
    // again: pause; cmp dword [rax], 0; je again. The other thread: mov ecx, 1; xchg [rax], ecx.
    let spin = |f: &mut Function| {
        f.address(VARIABLE).raw(&[0xF3, 0x90, 0x83, 0x38, 0x00, 0x74, 0xF9]);
        f.raw(SUCCEED);
    };
    let set = |f: &mut Function| _ = f.address(VARIABLE).ecx(1).raw(&[0x87, 0x08]).raw(SUCCEED);
    let path = image(folder.path(), "spin.sys", &[&spin, &set]);
    for strategy in Strategy::ALL {
        for seed in 0..20 {
            let (_, left, played) = race(boot(seed, strategy, Atomics::Locked), &path, [1, 2]);
            assert_eq!((left, played.images[0].pauses), (1, 1));
        }
    }
}

#[test]
fn image_on_a_machine_without_a_schedule_is_as_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = image(folder.path(), "plain.sys", &[&count]);
    let machine = Machine::builder().boot();
    let driver = machine.load(&path).unwrap();
    let code = (driver.image().base + (TEXT + STRIDE).to_usize()).ptr::<[u8; 17]>();
    let code = unsafe { code.read_volatile() };
    assert!(code.ends_with(&[0x8B, 0x08, 0xFF, 0xC1, 0x87, 0x08]), "{code:x?}");
    drop(driver);
    assert!(machine.shutdown().is_clean());
}

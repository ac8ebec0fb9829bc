//! Threads that do not come back: each in a process of its own, whose report is looked at.

use core::hint::spin_loop;
use core::time::Duration;

use ntsim_core::sched::{self, Irql};

use super::crash::{crash, crash_within, in_child};
use super::program::{DATA, Function, RAX_TO_RCX, RAX_TO_RDX, STRIDE, TEXT};
use crate::Machine;

/// `jmp` to itself.
const SPIN: &[u8] = &[0xEB, 0xFE];

#[test]
fn spin_at_dispatch_level_stops_with_the_watchdog_period() {
    let imports = [("ntoskrnl.exe", "KeRaiseIrqlToDpcLevel")];
    let report = crash(
        "overrun::spin_at_dispatch_level_stops_with_the_watchdog_period",
        Irql::PASSIVE,
        &imports,
        &[&|f| _ = f.call(0).raw(SPIN)],
    );
    // 600 ms, six times what a DPC may take, in ticks.
    assert!(report.contains("STOP: 0x133 DPC_WATCHDOG_VIOLATION (0x1, 0x26,"), "{report}");
    assert!(report.contains("at DISPATCH_LEVEL on") && report.contains("overrun+0x10"), "{report}");
}

#[test]
fn dpc_that_never_ends_stops_with_the_limit_of_a_dpc() {
    let imports = [("ntoskrnl.exe", "KeInitializeDpc"), ("ntoskrnl.exe", "KeInsertQueueDpc")];
    let entry = |f: &mut Function| {
        f.address(TEXT + STRIDE).raw(RAX_TO_RDX).address(DATA + 0x100).raw(RAX_TO_RCX).r8d(0).call(0);
        f.address(DATA + 0x100).raw(RAX_TO_RCX).edx(0).r8d(0).call(1);
    };
    let report = crash(
        "overrun::dpc_that_never_ends_stops_with_the_limit_of_a_dpc",
        Irql::PASSIVE,
        &imports,
        &[&entry, &|f| _ = f.raw(SPIN)],
    );
    assert!(report.contains("STOP: 0x133 DPC_WATCHDOG_VIOLATION (0x0,"), "{report}");
    assert!(report.contains("overrun+0x11"), "{report}");
}

#[test]
fn spin_lock_that_is_never_released_stops() {
    let imports = [("ntoskrnl.exe", "KeAcquireSpinLockAtDpcLevel")];
    // `mov qword [rax], 2`: another thread, that of a processor, has it.
    let entry = |f: &mut Function| {
        f.address(DATA + 0x100).raw(&[0x48, 0xC7, 0, 2, 0, 0, 0]).raw(RAX_TO_RCX).call(0);
    };
    let report =
        crash("overrun::spin_lock_that_is_never_released_stops", Irql::DISPATCH, &imports, &[&entry]);
    assert!(report.contains("STOP: 0x133 DPC_WATCHDOG_VIOLATION (0x1,"), "{report}");
    assert!(report.contains("nt!KeAcquireSpinLockAtDpcLevel"), "{report}");
}

#[test]
fn loop_at_passive_level_ends_as_an_operator_ends_it() {
    let report = crash(
        "overrun::loop_at_passive_level_ends_as_an_operator_ends_it",
        Irql::PASSIVE,
        &[],
        &[&|f| _ = f.raw(SPIN)],
    );
    assert!(report.contains("STOP: 0xE2 MANUALLY_INITIATED_CRASH"), "{report}");
    assert!(report.contains("without a call") && report.contains("overrun+0x10"), "{report}");
}

#[test]
fn spin_at_dispatch_level_stops_with_the_watchdog_period_before_hang_timeout_ends() {
    let imports = [("ntoskrnl.exe", "KeRaiseIrqlToDpcLevel")];
    let report = crash_within(
        "overrun::spin_at_dispatch_level_stops_with_the_watchdog_period_before_hang_timeout_ends",
        Duration::from_millis(200),
        Irql::PASSIVE,
        &imports,
        &[&|f| _ = f.call(0).raw(SPIN)],
    );
    assert!(report.contains("STOP: 0x133 DPC_WATCHDOG_VIOLATION (0x1, 0x26,"), "{report}");
}

#[test]
fn spin_at_dispatch_level_that_a_thread_waits_for_is_no_hang() {
    let name = "overrun::spin_at_dispatch_level_that_a_thread_waits_for_is_no_hang";
    let report = in_child(name, |_| {
        let _machine = Machine::builder()
            .hang_timeout(Duration::from_secs(1))
            .dpc_limit(Duration::from_millis(500))
            .boot();
        let spin = || {
            sched::raise(Irql::DISPATCH);
            loop {
                spin_loop();
            }
        };
        sched::spawn("spins", spin).unwrap();
        sched::block(None);
    });
    assert!(report.contains("STOP: 0x133 DPC_WATCHDOG_VIOLATION (0x1,"), "{report}");
    assert!(report.contains("(spins) has been at DISPATCH_LEVEL"), "{report}");
}

#[test]
fn wait_at_dispatch_level_is_hang() {
    let report = in_child("overrun::wait_at_dispatch_level_is_hang", |_| {
        let _machine = Machine::builder().hang_timeout(Duration::from_secs(1)).boot();
        sched::raise(Irql::DISPATCH);
        sched::block(None);
    });
    assert!(report.contains("STOP: 0xE2 MANUALLY_INITIATED_CRASH"), "{report}");
    assert!(
        report.contains("nothing has moved for 1 s") && report.contains("at DISPATCH_LEVEL on"),
        "{report}"
    );
}
